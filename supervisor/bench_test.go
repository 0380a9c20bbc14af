//go:build unix

package supervisor_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/codexrun/codextest"
	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/relay/relaytest"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state/sqlite"
)

// timedCodex says when each process exists.
type timedCodex struct {
	supervisor.CLI
	started chan time.Time
}

func (c timedCodex) Run(ctx context.Context, spec codexrun.Spec, obs codexrun.Observer) codexrun.Result {
	started := obs.Started
	obs.Started = func(p codexrun.Process) error {
		c.started <- time.Now()
		return started(p)
	}
	return c.CLI.Run(ctx, spec, obs)
}

// BenchmarkHandOff measures from the answer to a POST to the existence of the
// codex process: a real relay, its long-poll, the job on disk, the start. The
// floor is what starting such a process takes by itself.
func BenchmarkHandOff(b *testing.B) {
	fake := codextest.Fake(b)
	r := relaytest.Start(b)
	dir := b.TempDir()
	st, err := sqlite.Open(b.Context(), filepath.Join(dir, "state.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	c := client.New(client.Options{BaseURL: r.URL})
	defer c.Close()
	codex := timedCodex{started: make(chan time.Time, 1)}
	sup, err := supervisor.New(supervisor.Options{Relay: c, State: st, Codex: codex, Config: config.Config{
		Relay: r.URL, StateDir: dir, CodexBin: fake.Path, Workers: 1,
		Watches: []config.Watch{{
			Name: "main", Channel: "c", Senders: []string{"claude"}, ReplyAs: "codex", Workdir: dir, Sandbox: "read-only",
			Session: config.Session{Mode: config.SessionFresh}, Deliver: config.DeliverSupervisor, Start: config.Start{Mode: config.StartLatest},
		}},
	}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- sup.Run(ctx) }()
	var took, floor []time.Duration
	cursor := int64(0)
	for b.Loop() {
		began := time.Now()
		cmd := exec.Command(fake.Path, "--version")
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		floor = append(floor, time.Since(began))
		_ = cmd.Wait()
		r.Post("c", "claude", "please review")
		answered := time.Now()
		took = append(took, (<-codex.started).Sub(answered))
		p, err := r.Client().Wait(b.Context(), relay.Query{Targets: []string{"c"}, Senders: []string{"codex"}, Since: cursor}, time.Minute)
		if err != nil || len(p.Messages) == 0 {
			b.Fatalf("no review: %v", err)
		}
		cursor = p.LatestID
	}
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(0, "ns/op") // the time of a whole review says nothing here
	b.ReportMetric(ms(took, 50), "p50-ms")
	b.ReportMetric(ms(took, 99), "p99-ms")
	b.ReportMetric(ms(floor, 50), "floor-p50-ms")
}

func ms(d []time.Duration, percent int) float64 {
	slices.Sort(d)
	return float64(d[min(len(d)*percent/100, len(d)-1)].Microseconds()) / 1000
}
