package supervisor_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

// takes is a Codex that approves after a while, or ends when it is told to.
func takes(d time.Duration) func(context.Context, int, codexrun.Spec) codexrun.Result {
	return func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
		select {
		case <-time.After(d):
			return says(approval)(ctx, n, spec)
		case <-ctx.Done():
			return codexrun.Result{Class: codexrun.Killed, Text: "stopped"}
		}
	}
}

// fails is a Codex that fails in a way until a time.
func failsUntil(mended time.Time, class codexrun.Class) func(context.Context, int, codexrun.Spec) codexrun.Result {
	return func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
		if time.Now().Before(mended) {
			return codexrun.Result{Class: class, Text: "out of order"}
		}
		return says(approval)(ctx, n, spec)
	}
}

// another adds a watch like the first one.
func (w *world) another(name string, change func(*config.Watch)) {
	watch := *w.watch()
	watch.Name, watch.Channel = name, name
	if change != nil {
		change(&watch)
	}
	w.cfg.Watches = append(w.cfg.Watches, watch)
}

// statuses are the messages by the reviewer that end nothing.
func (w *world) statuses() (texts []string) {
	w.t.Helper()
	for _, m := range w.answers() {
		if m.Kind == relay.KindStatus && !metaOf(w.t, m).Terminal {
			texts = append(texts, m.Text)
		}
	}
	return texts
}

// A review that is nearly done when the supervisor is told to stop gets the time
// to end.
func TestGraceLetsAReviewEnd(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.cfg.Grace = 10 * time.Second
		w.codex.run = takes(9 * time.Second)
		w.live(func() { w.packet("p") })
		w.checkAnswered(1)
	})
}

// One that is not is released, without the attempt; nothing new is begun.
func TestGraceEnds(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.cfg.Grace, w.cfg.Workers = 10*time.Second, 1
		w.codex.run = takes(11 * time.Second)
		w.live(func() {
			w.packet("p")
			w.settle(time.Millisecond)
			w.post(relay.Draft{Text: "of another piece of work", Meta: []byte(`{"session":"b"}`)})
		})
		if n := len(w.codex.runs()); n != 1 {
			t.Errorf("codex ran %d times, want once", n)
		}
		w.inState(func(s state.Store) {
			jobs, err := s.Jobs(t.Context(), state.Queued)
			if err != nil || len(jobs) != 2 || jobs[0].Attempt != 0 {
				t.Errorf("jobs: got %+v, %v; want two queued without an attempt", jobs, err)
			}
		})
		w.codex.run = says(approval)
		w.live(func() { w.settle(time.Second) })
		w.checkAnswered(1, 2)
	})
}

func TestHurryEndsTheGrace(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.cfg.Grace = time.Hour
		w.codex.run = takes(time.Minute)
		var stopped time.Time
		w.lives(func(s *supervisor.Supervisor) {
			w.packet("p")
			w.settle(time.Second)
			stopped = time.Now()
			time.AfterFunc(5*time.Second, s.Hurry)
		})
		if took := time.Since(stopped); took != 5*time.Second {
			t.Errorf("the stop took %v, want 5 s", took)
		}
		w.codex.run = says(approval)
		w.live(func() { w.settle(time.Second) })
		w.checkAnswered(1)
	})
}

// A stop does not wait for a relay that is away: the answer is saved.
func TestGraceIsNotForAnAbsentRelay(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.cfg.Grace = time.Hour
		broken := &flaky{Relay: w.log}
		w.relay = broken
		w.live(func() {
			broken.failPosts(true)
			w.packet("p")
			w.settle(10 * time.Minute)
		})
		broken.failPosts(false)
		began := time.Now()
		w.live(func() { w.settle(time.Second) })
		w.checkAnswered(1)
		if took := time.Since(began); took > time.Minute {
			t.Errorf("the two lives took %v", took)
		}
	})
}

// Another reason is something new to act on.
func TestAnotherTroubleIsSaidAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		began := time.Now()
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			switch {
			case time.Since(began) < time.Hour:
				return codexrun.Result{Class: codexrun.Auth, Text: "log in"}
			case time.Since(began) < 2*time.Hour:
				return codexrun.Result{Class: codexrun.Quota, Text: "pay"}
			}
			return says(approval)(ctx, n, spec)
		}
		w.live(func() { w.packet("p"); w.settle(5 * time.Hour) })
		w.checkAnswered(1)
		if said := w.statuses(); len(said) != 3 || !strings.Contains(said[0], "log in") || !strings.Contains(said[1], "pay") || !strings.Contains(said[2], "going again") {
			t.Errorf("statuses: got %q", said)
		}
	})
}

// The status reaches a channel whose relay was away when the trouble began.
func TestAHoldIsSaidWhenTheRelayIsBack(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		broken := &flaky{Relay: w.log}
		w.relay = broken
		w.codex.run = failsUntil(time.Now().Add(time.Hour), codexrun.Auth)
		w.live(func() {
			w.packet("p")
			broken.failPosts(true)
			w.settle(5 * time.Minute)
			broken.failPosts(false)
			w.settle(20 * time.Minute)
			if said := w.statuses(); len(said) != 1 {
				t.Errorf("statuses: got %q, want one", said)
			}
			w.settle(time.Hour)
		})
		w.checkAnswered(1)
	})
}

// One watch's trouble is not another's.
func TestTroubleStaysWithItsWatch(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.another("other", nil)
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			if slices.Contains(order([]codexrun.Spec{spec}), "proj-x") {
				return codexrun.Result{Class: codexrun.BadConfig, Text: "wrong"}
			}
			return says(approval)(ctx, n, spec)
		}
		w.live(func() {
			w.packet("p")
			w.settle(time.Minute)
			id := w.post(relay.Draft{Text: "p", Target: "other"})
			w.settle(time.Second)
			w.checkAnswered(id)
		})
	})
}

func TestLimitsHoldAndGoOn(t *testing.T) {
	tests := []struct {
		name   string
		limits func(*config.Config)
		after  int // how many reviews there are after half an hour, an hour and a half, and a day and a half
		later  int
		end    int
	}{
		{"runs per hour", func(c *config.Config) { c.Watches[0].Limits.RunsPerHour = 2 }, 2, 4, 6},
		{"runs per day", func(c *config.Config) { c.Watches[0].Limits.RunsPerDay = 3 }, 3, 3, 6},
		{"tokens per hour", func(c *config.Config) { c.Watches[0].Limits.TokensPerHour = 200 }, 2, 4, 6},
		{"tokens per day over all", func(c *config.Config) { c.Limits.TokensPerDay = 350 }, 3, 3, 6},
		{"runs per hour over all", func(c *config.Config) { c.Limits.RunsPerHour = 1 }, 1, 2, 6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				tt.limits(&w.cfg)
				reviews := func() int { return len(w.answers()) - len(w.statuses()) }
				check := func(when string, want int) {
					t.Helper()
					if got := reviews(); got != want {
						t.Errorf("%s: got %d reviews, want %d", when, got, want)
					}
				}
				var ids []int64
				w.live(func() {
					for i := range 6 {
						ids = append(ids, w.post(relay.Draft{Text: "p", Meta: fmt.Appendf(nil, `{"session":"%d"}`, i)}))
						w.settle(time.Second)
					}
					w.settle(30 * time.Minute)
					check("after half an hour", tt.after)
					if said := w.statuses(); len(said) != 1 || !strings.Contains(said[0], "the limit of") {
						t.Errorf("statuses: got %q, want one about the limit", said)
					}
				})
				w.live(func() {
					w.settle(time.Hour)
					check("an hour later", tt.later)
					w.settle(36 * time.Hour)
					check("in the end", tt.end)
				})
				w.checkAnswered(ids...)
			})
		})
	}
}

// A review that costs too much is given up, with a word on which limit it was.
func TestLimitsOfARound(t *testing.T) {
	for name, limits := range map[string]config.Limits{"runs": {RunsPerRound: 2}, "tokens": {TokensPerRound: 150}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.watch().Limits = limits
				w.codex.run = func(context.Context, int, codexrun.Spec) codexrun.Result {
					return codexrun.Result{Class: codexrun.ModelError, Text: "500", ThreadUsage: codexrun.Usage{InputTokens: 100}}
				}
				w.live(func() { w.packet("p"); w.settle(time.Hour) })
				w.checkAnswered(1)
				if m := w.answers()[0]; !strings.Contains(m.Text, "for one review is reached") || !strings.Contains(m.Text, "500") {
					t.Errorf("notice: got %q", m.Text)
				}
				if n := len(w.codex.runs()); n != 2 {
					t.Errorf("codex ran %d times, want twice", n)
				}
			})
		})
	}
	t.Run("asking again", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.cfg.Limits.RunsPerRound = 1
			w.codex.run = says("no verdict")
			w.live(func() { w.packet("p"); w.settle(time.Hour) })
			w.checkAnswered(1)
			if n := len(w.codex.runs()); n != 1 || !metaOf(t, w.answers()[0]).Unstructured {
				t.Errorf("codex ran %d times, want once and a comment", n)
			}
		})
	})
}

// What Codex has recorded of the account keeps a review that could not end from
// being launched, until the reset at most.
func TestAFullWindowIsWaitedFor(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		reset := time.Now().Add(40 * time.Minute)
		w.codex.records(codexrun.Windows{Recorded: time.Now(), Windows: []codexrun.Window{{UsedPercent: 100, Resets: reset}}})
		var ran time.Time
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			ran = time.Now()
			return says(approval)(ctx, n, spec)
		}
		w.live(func() {
			w.packet("p")
			w.settle(39 * time.Minute)
			if n := len(w.codex.runs()); n != 0 {
				t.Errorf("codex ran %d times before the reset", n)
			}
			w.settle(time.Hour)
		})
		if ran.Before(reset) || ran.After(reset.Add(time.Second)) {
			t.Errorf("ran at %v, want at the reset, %v", ran, reset)
		}
		w.checkAnswered(1)
		if said := w.statuses(); len(said) != 2 || !strings.Contains(said[0], "has nothing left until") {
			t.Errorf("statuses: got %q", said)
		}
	})
}

// A record may be wrong: after an hour it is tried, and when that goes well the
// record is not believed any more.
func TestARecordIsOnlyAHint(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		reset := time.Now().Add(100 * time.Hour)
		full := func() {
			w.codex.records(codexrun.Windows{Recorded: time.Now(), Windows: []codexrun.Window{{UsedPercent: 100, Resets: reset}}})
		}
		full()
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			full() // each run records the same again
			return says(approval)(ctx, n, spec)
		}
		w.live(func() {
			w.packet("p")
			w.settle(59 * time.Minute)
			if n := len(w.codex.runs()); n != 0 {
				t.Errorf("codex ran %d times within the hour", n)
			}
			w.settle(2 * time.Minute)
			w.checkAnswered(1)
			w.packet("next")
			w.settle(time.Second)
		})
		ids := []int64{1}
		for _, m := range w.answers() {
			if p := metaOf(t, m).Packets; len(p) == 1 && p[0] != 1 {
				ids = append(ids, p[0])
			}
		}
		if len(ids) != 2 {
			t.Errorf("the next packet was not reviewed at once: answers %v", ids)
		}
	})
}

// What is not full, is over, is older than a review that went well, or does not
// matter because there is credit, holds nothing up.
func TestRecordsThatSayNothing(t *testing.T) {
	now := time.Now()
	tests := map[string]codexrun.Windows{
		"nearly full": {Recorded: now, Windows: []codexrun.Window{{UsedPercent: 99, Resets: now.Add(100 * 365 * 24 * time.Hour)}}},
		"over":        {Recorded: now, Windows: []codexrun.Window{{UsedPercent: 100, Resets: time.Unix(1, 0)}}},
		"no reset":    {Recorded: now, Windows: []codexrun.Window{{UsedPercent: 100}}},
		"paid":        {Recorded: now, Paid: true, Windows: []codexrun.Window{{UsedPercent: 100, Resets: now.Add(time.Hour)}}},
		"older":       {Recorded: time.Unix(1, 0), Windows: []codexrun.Window{{UsedPercent: 100, Resets: now.Add(100 * 365 * 24 * time.Hour)}}},
	}
	for name, record := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.live(func() {
					w.packet("p")
					w.settle(time.Second)
					w.codex.records(record)
					w.packet("q")
					w.settle(time.Second)
				})
				w.checkAnswered(1, 3)
			})
		})
	}
}

// A thread that cannot be gone on with is replaced, and the fresh one is told
// what the last review found.
func TestAFreshThreadIsToldTheOpenFindings(t *testing.T) {
	const found = `{"verdict":"request_changes","summary":"S.","findings":[{"severity":"major","title":"Lost update","body":"Two writers.","file":"a.go","line":7,"suggestion":null}],"tests":[],"questions":[]}`
	for _, class := range []codexrun.Class{codexrun.ContextFull, codexrun.BadSession} {
		t.Run(string(class), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.watch().Session = config.Session{Mode: config.SessionContinue}
				w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
					if n == 2 {
						return codexrun.Result{Class: class, Text: "no more"}
					}
					return says(found)(ctx, n, spec)
				}
				w.live(func() {
					w.packet("one")
					w.settle(time.Minute)
					w.packet("two")
					w.settle(time.Minute)
				})
				w.checkAnswered(1, 3)
				runs := w.codex.runs()
				if len(runs) != 3 || runs[1].Resume != "thread-1" || runs[2].Resume != "" {
					t.Fatalf("got %d runs, want the third in a fresh thread", len(runs))
				}
				for _, want := range []string{"two", "Review of #1", "[major] Lost update (a.go:7)", "Two writers."} {
					if want = strings.TrimPrefix(want, "Review of "); !strings.Contains(runs[2].Prompt, want) {
						t.Errorf("the fresh thread's prompt lacks %q:\n%s", want, runs[2].Prompt)
					}
				}
				if strings.Contains(runs[1].Prompt, "Lost update") || !strings.Contains(runs[1].FreshPrompt, "Lost update") {
					t.Errorf("the thread that knows it is told only in case it is replaced")
				}
				if strings.Contains(runs[2].Prompt, "This thread goes on") {
					t.Error("the fresh thread is told that it has a past")
				}
			})
		})
	}
}
