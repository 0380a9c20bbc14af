package codexrun_test

import (
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/codexrun/codextest"
)

// TestRealFailures holds the classes of what the model service can say.
func TestRealFailures(t *testing.T) {
	tests := []struct {
		name  string
		step  codextest.Step
		class codexrun.Class
	}{
		{"401", codextest.Fail(401, "invalid_api_key", "Incorrect API key provided"), codexrun.Auth},
		{"429", codextest.Fail(429, "rate_limit_exceeded", "slow down"), codexrun.RateLimited},
		{"500", codextest.Fail(500, "server_error", "oh no"), codexrun.ModelError},
		{"404", codextest.Fail(404, "model_not_found", "The model does not exist."), codexrun.ModelError},
		{"quota", codextest.Fail(429, "insufficient_quota", "no credit"), codexrun.Quota},
		{"context", codextest.FailStream("context_length_exceeded", "too long"), codexrun.ContextFull},
		{"rate limit in the stream", codextest.FailStream("rate_limit_exceeded", "slow down"), codexrun.RateLimited},
		{"cut", codextest.Cut(), codexrun.Network},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRealRun(t, func(codextest.Request) []codextest.Step { return []codextest.Step{tt.step} })
			res := r.run(t)
			want := tt.class
			if old, differs := oldClasses[tt.name]; differs && r.old() {
				want = old
			}
			r.wantClass(t, res, want)
			if res.ExitCode != 1 || res.Text == "" || res.ThreadID == "" {
				t.Errorf("result: got %+v", res)
			}
		})
	}
}

// oldClasses are what versions up to 0.145 make of some failures: they hand on
// less of what the service said.
var oldClasses = map[string]codexrun.Class{
	"quota":                    codexrun.RateLimited,
	"rate limit in the stream": codexrun.Network,
}

// canFork says whether the binary can, and lists that the test leaves it out
// when it cannot.
func (r *realRun) canFork(t *testing.T) bool {
	t.Helper()
	if r.spec.Binary.Capabilities().Fork {
		return true
	}
	t.Logf("codex %s has no exec fork: left out", r.spec.Binary.Version)
	return false
}

// old says whether the binary is 0.145 or older, which cannot fork either.
func (r *realRun) old() bool { return !r.spec.Binary.Capabilities().Fork }

func TestRealUsageLimit(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]time.Duration{"soon": 90 * time.Minute, "in days": 75 * time.Hour} {
		reset := time.Now().Add(in)
		r := newRealRun(t, func(codextest.Request) []codextest.Step {
			return []codextest.Step{codextest.UsageLimit(reset)}
		})
		res := r.run(t)
		r.wantClass(t, res, codexrun.UsageLimit)
		if off := reset.Sub(res.RetryAt); off < 0 || off > time.Minute {
			t.Errorf("%s: retry at: got %v, want %v to the minute (%s)", name, res.RetryAt, reset, res.Text)
		}
	}
}

// TestRealModelIsDown: Codex waits for the network without end; the idle
// timeout ends that and knows what it was.
func TestRealModelIsDown(t *testing.T) {
	t.Parallel()
	r := newRealRun(t, codextest.Always("never"))
	r.model.Close()
	r.spec.IdleTimeout = 8 * time.Second
	res := r.run(t)
	r.wantClass(t, res, codexrun.Network)
}

// TestRealHang: a model that does not even send headers is no reason to wait.
func TestRealHang(t *testing.T) {
	t.Parallel()
	r := newRealRun(t, func(codextest.Request) []codextest.Step { return []codextest.Step{codextest.Hang()} })
	r.spec.IdleTimeout = 2 * time.Second
	var p codexrun.Process
	res := codexrun.Run(t.Context(), r.spec, codexrun.Observer{Started: func(started codexrun.Process) error {
		p = started
		return nil
	}})
	r.wantClass(t, res, codexrun.TimeoutSilent)
	if codexrun.Alive(p) || groupExists(p.PGID) {
		t.Errorf("something of the run is left: strays %v", codexrun.Strays(p.RunID))
	}
}
