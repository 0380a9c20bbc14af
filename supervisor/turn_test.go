package supervisor_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

// order is the channels of the runs, as they were started.
func order(specs []codexrun.Spec) (channels []string) {
	for _, s := range specs {
		_, rest, _ := strings.Cut(s.Prompt, "in the channel `")
		name, _, _ := strings.Cut(rest, "`")
		channels = append(channels, name)
	}
	return channels
}

// A watch with a long queue does not keep another from its turn.
func TestWatchesTakeTurns(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.cfg.Workers = 1
		w.another("quiet", nil)
		w.codex.run = takes(time.Minute)
		var ids []int64
		w.live(func() {
			for i := range 5 {
				ids = append(ids, w.post(relay.Draft{Text: "busy", Meta: fmt.Appendf(nil, `{"session":"%d"}`, i)}))
			}
			w.settle(90 * time.Second)
			ids = append(ids, w.post(relay.Draft{Text: "quiet", Target: "quiet"}))
			w.settle(time.Hour)
		})
		w.checkAnswered(ids...)
		want := []string{"proj-x", "proj-x", "quiet", "proj-x", "proj-x", "proj-x"}
		if diff := cmp.Diff(want, order(w.codex.runs())); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

// atOnce makes runs take a while, and counts how many there were at the same time
// at most.
func (w *world) atOnce(d time.Duration) (most func() int) {
	running, highest := 0, 0
	run := takes(d)
	count := func(n int) {
		w.codex.mu.Lock()
		defer w.codex.mu.Unlock()
		running += n
		highest = max(highest, running)
	}
	w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
		count(1)
		defer count(-1)
		return run(ctx, n, spec)
	}
	return func() int {
		w.codex.mu.Lock()
		defer w.codex.mu.Unlock()
		return highest
	}
}

// What shares a folder or a thread runs one at a time; what does not, beside
// each other.
func TestWhatRunsBesideWhat(t *testing.T) {
	const thread = "01a205b9-9d42-7330-8c02-b4d6e7a255fa"
	tests := []struct {
		name string
		want int
		set  func(a, b *config.Watch, other string)
	}{
		{"one folder", 1, func(a, b *config.Watch, other string) {}},
		{"two folders", 2, func(a, b *config.Watch, other string) { b.Workdir = other }},
		{"two folders and one thread", 1, func(a, b *config.Watch, other string) {
			b.Workdir = other
			a.Session = config.Session{Mode: config.SessionResume, ID: thread}
			b.Session = a.Session
		}},
		{"two folders and a thread each", 2, func(a, b *config.Watch, other string) {
			b.Workdir = other
			a.Session = config.Session{Mode: config.SessionContinue}
			b.Session = a.Session
		}},
		{"one folder by two names", 1, func(a, b *config.Watch, other string) { b.Workdir = a.Workdir + "/../" + lastName(a.Workdir) }},
		{"isolated without a repository", 1, func(a, b *config.Watch, other string) { a.Isolate, b.Isolate = true, true }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			other := t.TempDir()
			inWorld(t, func(t *testing.T, w *world) {
				w.cfg.Workers = 4
				w.another("b", nil)
				tt.set(&w.cfg.Watches[0], &w.cfg.Watches[1], other)
				most := w.atOnce(time.Minute)
				w.live(func() {
					for i := range 2 {
						meta := fmt.Appendf(nil, `{"session":"%d"}`, i)
						w.post(relay.Draft{Text: "p", Meta: meta})
						w.post(relay.Draft{Text: "p", Meta: meta, Target: "b"})
					}
					w.settle(time.Hour)
				})
				w.checkAnswered(1, 2, 3, 4)
				if got := most(); got != tt.want {
					t.Errorf("at most %d runs at once, want %d", got, tt.want)
				}
			})
		})
	}
}

func lastName(path string) string { return path[strings.LastIndex(path, "/")+1:] }

// A watch in trouble says so once, whatever number of packets wait and however
// often it tries, and once when it is going again; it tries one at a time.
func TestAWatchInTroubleSaysSoOnce(t *testing.T) {
	for _, class := range []codexrun.Class{codexrun.Auth, codexrun.Network, codexrun.RateLimited} {
		t.Run(string(class), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.cfg.Workers = 4
				w.watch().Retry = map[string]config.RetryRule{string(class): {Attempts: 0, Do: "park"}}
				w.codex.run = failsUntil(time.Now().Add(3*time.Hour), class)
				var ids []int64
				pass := func() {
					for i := range 4 {
						ids = append(ids, w.post(relay.Draft{Text: "p", Meta: fmt.Appendf(nil, `{"session":"%d"}`, i)}))
						w.settle(10 * time.Minute)
					}
				}
				w.live(pass)
				w.live(pass)
				runs := len(w.codex.runs())
				w.live(func() { w.settle(5 * time.Hour) })
				w.checkAnswered(ids...)
				said := w.statuses()
				if len(said) != 2 || !strings.Contains(said[0], "out of order") || !strings.Contains(said[1], "going again") {
					t.Errorf("statuses: got %q, want one at the beginning and one at the end", said)
				}
				// 80 minutes of parks of at most ten minutes, each tried once.
				if runs > 16 {
					t.Errorf("codex ran %d times in 80 minutes; want one try at a time", runs)
				}
				w.inState(func(s state.Store) {
					if holds, err := s.Holds(t.Context()); err != nil || len(holds) != 0 {
						t.Errorf("holds: got %v, %v; want none left", holds, err)
					}
				})
			})
		})
	}
}
