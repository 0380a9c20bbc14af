package control_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/relay/store/memory"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
	"autoreview/supervisor/control"
	"autoreview/supervisor/state"
	"autoreview/supervisor/state/sqlite"
)

// recording is a Codex that has recorded the account's windows.
type recording struct {
	gated
	windows atomic.Pointer[codexrun.Windows]
}

func (r *recording) Windows() (codexrun.Windows, bool) {
	if w := r.windows.Load(); w != nil {
		return *w, true
	}
	return codexrun.Windows{}, false
}

// measured is the metrics of a supervisor that does not run: with limits, and with
// two runs of 500 tokens, one of them more than an hour ago.
func measured(t *testing.T, codex *recording) (scrape func() string) {
	t.Helper()
	dir := shortDir(t)
	st, err := sqlite.Open(t.Context(), filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	spend(t, st, time.Now().Add(-time.Minute), time.Now().Add(-2*time.Hour), time.Now().Add(-25*time.Hour))
	metrics := control.NewMetrics("1.2.3")
	s, err := supervisor.New(supervisor.Options{
		Config: config.Config{Relay: "http://127.0.0.1:1", StateDir: dir, Limits: config.Limits{TokensPerDay: 4000}, Watches: []config.Watch{
			{Name: "main", Channel: "proj-x", Limits: config.Limits{RunsPerHour: 4, RunsPerDay: 20}},
			{Name: "docs", Channel: "docs", Limits: config.Limits{RunsPerHour: 9}},
		}},
		Relay: relay.New(memory.New(nil), relay.Options{}), State: st, Codex: codex, Meter: metrics,
	})
	if err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t)
	server, err := control.Open(t.Context(), control.Options{Dir: dir, Supervisor: s, Metrics: metrics, MetricsAddr: addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	metrics.Handed("main", time.Second)
	metrics.Ran("main", codexrun.Completed, time.Second, state.Usage{Input: 1})
	return func() string {
		status, body := get(t, "http://"+addr+"/metrics", "Accept", "text/plain")
		if status != http.StatusOK {
			t.Fatalf("GET /metrics: got %d %s", status, body)
		}
		return body
	}
}

func spend(t *testing.T, st state.Store, at ...time.Time) {
	t.Helper()
	ctx := context.Background()
	item := state.Item{Packet: state.Packet{ID: 1, Sender: "claude", Text: "x"}, Group: "g", Key: "k"}
	if _, err := st.Enqueue(ctx, state.Batch{Watch: "main", Channel: "proj-x", LogID: "l", Cursor: 1, Items: []state.Item{item}, Due: time.Now()}, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, began := range at {
		r := state.Run{Job: 1, Attempt: 1, Started: began}
		var err error
		if r.ID, err = st.StartRun(ctx, r); err != nil {
			t.Fatal(err)
		}
		r.Class, r.Used, r.Ended = "completed", state.Usage{Input: 400, Cached: 300, Output: 100}, began.Add(time.Second)
		if err := st.SaveRun(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestQuota(t *testing.T) {
	over, coming := time.Now().Add(-time.Minute), time.Unix(4_000_000_000, 0)
	codex := &recording{}
	scrape := measured(t, codex)
	text := scrape()
	for _, line := range []string{
		`autoreview_limit{limit="tokens_per_day",watch=""} 4000`,
		`autoreview_limit_used{limit="tokens_per_day",watch=""} 1000`,
		`autoreview_limit{limit="runs_per_hour",watch="main"} 4`,
		`autoreview_limit_used{limit="runs_per_hour",watch="main"} 1`,
		`autoreview_limit_used{limit="runs_per_day",watch="main"} 2`,
		`autoreview_limit_used{limit="runs_per_hour",watch="docs"} 0`,
	} {
		if !hasLine(text, line) {
			t.Errorf("metrics lack %q:\n%s", line, text)
		}
	}
	if strings.Contains(text, "\nautoreview_codex_") {
		t.Errorf("metrics tell of windows that nobody recorded:\n%s", text)
	}
	// The next look is at the next record.
	codex.windows.Store(&codexrun.Windows{Recorded: time.Unix(1_700_000_000, 0), Windows: []codexrun.Window{
		{UsedPercent: 37.5, Span: 299 * time.Minute, Resets: coming},
		{UsedPercent: 80, Span: 7 * 24 * time.Hour, Resets: over},
		{UsedPercent: 4},
	}})
	text = scrape()
	for _, line := range []string{
		`autoreview_codex_window_used_ratio{window="5h"} 0.375`,
		`autoreview_codex_window_reset_timestamp_seconds{window="5h"} 4e+09`,
		`autoreview_codex_window_used_ratio{window="window 3"} 0.04`,
		`autoreview_codex_windows_recorded_timestamp_seconds 1.7e+09`,
	} {
		if !hasLine(text, line) {
			t.Errorf("metrics lack %q:\n%s", line, text)
		}
	}
	if strings.Contains(text, `used_ratio{window="7d"}`) || !strings.Contains(text, `reset_timestamp_seconds{window="7d"}`) {
		t.Errorf("metrics take a window that is over for one that is full:\n%s", text)
	}
}

// Names, units and help are as Prometheus has them everywhere.
func TestMetricsLint(t *testing.T) {
	codex := &recording{}
	codex.windows.Store(&codexrun.Windows{Recorded: time.Now(), Windows: []codexrun.Window{{UsedPercent: 1, Span: 5 * time.Hour, Resets: time.Now().Add(time.Hour)}}})
	text := measured(t, codex)()
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, name := range []string{
		"autoreview_jobs", "autoreview_handoff_seconds", "autoreview_runs_total", "autoreview_run_seconds", "autoreview_tokens_total", "autoreview_watch_up",
		"autoreview_watch_paused", "autoreview_watch_parked", "autoreview_limit", "autoreview_limit_used", "autoreview_codex_window_used_ratio",
		"autoreview_codex_window_reset_timestamp_seconds", "autoreview_codex_windows_recorded_timestamp_seconds", "autoreview_build_info",
	} {
		if !strings.Contains(text, "# HELP "+name+" ") {
			t.Errorf("there is no metric %s", name)
		}
	}
}
