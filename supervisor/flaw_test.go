package supervisor_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

// A run that finished is no failure, also when not all was as it should be: its
// answer is posted, and the runs, the metrics and the status say what it was.

// classes are how the runs of a watch ended, oldest first.
func (w *world) classes(s *supervisor.Supervisor) string {
	w.t.Helper()
	runs, err := s.View().Runs(w.t.Context(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, r := range runs {
		out = append(out, r.Class)
	}
	return strings.Join(out, " ")
}

// counted is a meter that remembers how runs ended.
type counted struct {
	mu      sync.Mutex
	classes []string // guarded by mu
}

func (c *counted) Handed(string, time.Duration) {}

func (c *counted) Ran(_ string, class codexrun.Class, _ time.Duration, _ state.Usage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.classes = append(c.classes, string(class))
}

// checkClasses: the state and the meter agree on how the runs ended.
func (w *world) checkClasses(s *supervisor.Supervisor, want string) {
	w.t.Helper()
	if got := w.classes(s); got != want {
		w.t.Errorf("runs: got %s, want %s", got, want)
	}
	m := w.meter.(*counted)
	m.mu.Lock()
	defer m.mu.Unlock()
	if got := strings.Join(m.classes, " "); got != want {
		w.t.Errorf("metrics: got %s, want %s", got, want)
	}
}

// deniedResult is a run that was not allowed to post.
var deniedResult = codexrun.Result{
	Class: codexrun.MCPDenied, Text: "codex did not let the model call post_message: requires approval", Final: "I approve, but could not post.",
}

// Codex is not allowed to post: each packet gets its final message as a comment,
// and one status message, for all until one goes well, says what to set.
func TestDeniedPostIsMadeForCodexAndSaidOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.meter = &counted{}
		w.watch().Deliver = config.DeliverMCP
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			switch n {
			case 2:
				return codexrun.Result{Class: codexrun.ModelError, Text: "high demand"}
			case 4:
				return postsByItself(t, w, codexrun.Result{Class: codexrun.Completed, Final: "posted"})(ctx, n, spec)
			}
			return deniedResult
		}
		var ids []int64
		review := func() { ids = append(ids, w.packet("p")); w.settle(time.Hour) }
		w.live(func() { review() })
		w.lives(func(s *supervisor.Supervisor) { // the next life knows
			review()
			if said := w.statuses(); len(said) != 1 || !strings.Contains(said[0], `deliver = "supervisor"`) || !strings.Contains(said[0], "approval_mode") || !strings.Contains(said[0], "mcp_denied") {
				t.Errorf("statuses after two denied runs: got %q, want one that says what to set", said)
			}
			if j := w.job(s, 2); j.State != supervisor.JobDone || j.Class != "mcp_denied" || j.Verdict != "comment" || !strings.Contains(j.Reason, "requires approval") {
				t.Errorf("job: got %+v, want it done, with a comment, as mcp_denied", j)
			}
			review()
			if j := w.job(s, 3); j.Class != "" || j.Verdict != "approve" {
				t.Errorf("job of a run that could post: got %+v", j)
			}
			review()
			if n := len(w.statuses()); n != 2 {
				t.Errorf("got %d statuses, want a second one when it begins again", n)
			}
			w.checkClasses(s, "mcp_denied model_error mcp_denied completed mcp_denied")
		})
		w.checkAnswered(ids...)
		for _, m := range w.answers() {
			if mm := metaOf(t, m); m.ReplyTo == ids[0] && (mm.Class != "mcp_denied" || !mm.Unstructured || !strings.Contains(m.Text, "could not post")) {
				t.Errorf("review: got %+v, %q", mm, m.Text)
			}
		}
	})
}

// No verdict twice is a comment, and said to be one wherever it is looked at; no
// verdict once costs a run and no more.
func TestBadVerdictIsSaidEverywhere(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.meter = &counted{}
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			if n == 4 {
				return says(approval)(ctx, n, spec)
			}
			return says("LGTM, whatever")(ctx, n, spec)
		}
		w.lives(func(s *supervisor.Supervisor) {
			w.packet("first")
			w.settle(time.Minute)
			if j := w.job(s, 1); j.State != supervisor.JobDone || j.Class != "bad_verdict" || j.Verdict != "comment" || !strings.Contains(j.Reason, "no verdict") {
				t.Errorf("job: got %+v, want it done, with a comment, as bad_verdict", j)
			}
			w.packet("second")
			w.settle(time.Minute)
			if j := w.job(s, 2); j.Class != "" || j.Reason != "" || j.Verdict != "approve" {
				t.Errorf("job whose second answer was a verdict: got %+v", j)
			}
			w.checkClasses(s, "bad_verdict bad_verdict bad_verdict completed")
		})
		w.checkAnswered(1, 3)
		if mm := metaOf(t, w.answers()[0]); mm.Class != "bad_verdict" || !mm.Unstructured {
			t.Errorf("meta: got %+v", mm)
		}
	})
}

// A watch may want something else done about either.
func TestFlawsCanBeFailures(t *testing.T) {
	t.Run("give up on what could not be posted", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.watch().Deliver = config.DeliverMCP
			w.watch().Retry = map[string]config.RetryRule{"mcp_denied": {Do: "give_up"}}
			w.codex.run = func(context.Context, int, codexrun.Spec) codexrun.Result { return deniedResult }
			w.live(func() { w.packet("p"); w.settle(time.Hour) })
			w.checkAnswered(1)
			for _, m := range w.answers() {
				if mm := metaOf(t, m); m.Kind != relay.KindStatus || mm.Terminal && mm.Class != "mcp_denied" {
					t.Errorf("got kind %q with meta %+v, want a notice", m.Kind, mm)
				}
			}
		})
	})
	t.Run("try a bad verdict again", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.watch().Retry = map[string]config.RetryRule{"bad_verdict": {Do: "retry", Attempts: 3}}
			w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
				if n == 3 {
					return says(approval)(ctx, n, spec)
				}
				return says("LGTM")(ctx, n, spec)
			}
			w.live(func() { w.packet("p"); w.settle(time.Hour) })
			w.checkAnswered(1)
			if mm := metaOf(t, w.answers()[0]); mm.Verdict != "approve" {
				t.Errorf("meta: got %+v, want the verdict of the second attempt", mm)
			}
		})
	})
}
