package supervisor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
)

// inTurn is a Codex that fails by one class after the other, and then approves.
func inTurn(classes ...codexrun.Class) func(context.Context, int, codexrun.Spec) codexrun.Result {
	return func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
		if n <= len(classes) {
			return codexrun.Result{Class: classes[n-1], Text: "out of order: " + string(classes[n-1])}
		}
		return says(approval)(ctx, n, spec)
	}
}

// Who was told that a watch waits is told when it goes on, also when something
// else was in the way last; and each trouble is told of once.
func TestTroubleThatChangesIsSaidOnce(t *testing.T) {
	const auth, network, limit = codexrun.Auth, codexrun.Network, codexrun.UsageLimit
	tests := map[string]struct {
		fails []codexrun.Class
		want  []string
	}{
		"something small comes last": {[]codexrun.Class{auth, network}, []string{"order: auth", "going again"}},
		"two that take turns":        {[]codexrun.Class{limit, network, limit, network, limit}, []string{"order: usage_limit", "going again"}},
		"two that need somebody":     {[]codexrun.Class{auth, limit, auth, limit}, []string{"order: auth", "order: usage_limit", "going again"}},
		"nothing worth a word":       {[]codexrun.Class{network, codexrun.RateLimited, network}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.codex.run = inTurn(tt.fails...)
				w.live(func() { w.packet("p"); w.settle(3 * time.Minute) })
				w.live(func() { w.settle(12 * time.Hour) })
				w.checkAnswered(1)
				said := w.statuses()
				ok := len(said) == len(tt.want)
				for i := range tt.want {
					ok = ok && strings.Contains(said[i], tt.want[i])
				}
				if !ok {
					t.Errorf("statuses: got %q, want %q", said, tt.want)
				}
			})
		})
	}
}

// A usage limit that comes without a time is waited for until the reset that
// Codex has recorded, and not past it.
func TestAUsageLimitWaitsNoLongerThanTheRecordedReset(t *testing.T) {
	for _, after := range []time.Duration{3 * time.Minute, 20 * time.Minute, 100 * time.Minute} {
		t.Run(after.String(), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				reset := time.Now().Add(after)
				var reviewed time.Time
				w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
					if time.Now().Before(reset) {
						w.codex.records(codexrun.Windows{Recorded: time.Now(), Windows: []codexrun.Window{{UsedPercent: 100, Resets: reset}}})
						return codexrun.Result{Class: codexrun.UsageLimit, Text: "limit"}
					}
					reviewed = time.Now()
					return says(approval)(ctx, n, spec)
				}
				w.live(func() { w.packet("p"); w.settle(4 * time.Hour) })
				if reviewed.Before(reset) || reviewed.After(reset.Add(time.Second)) {
					t.Errorf("reviewed %v after the reset, want at it", reviewed.Sub(reset))
				}
				w.checkAnswered(1)
			})
		})
	}
}

// A status about trouble that only somebody can end says what to do.
func TestAStatusSaysWhatToDo(t *testing.T) {
	for class, want := range map[codexrun.Class]string{
		codexrun.Auth: "(auth). Log in with `codex login`. I try again", codexrun.Quota: "(quota). Add credit to the account. I try again",
		codexrun.SandboxUnavailable: "(sandbox_unavailable). `autoreview doctor sandbox` says more. I try again",
		codexrun.UsageLimit:         "(usage_limit). I try again by myself",
	} {
		t.Run(string(class), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.codex.run = failsUntil(time.Now().Add(time.Hour), class)
				w.live(func() { w.packet("p"); w.settle(time.Minute) })
				if said := w.statuses(); len(said) != 1 || !strings.Contains(said[0], want) {
					t.Errorf("statuses: got %q, want one with %q", said, want)
				}
			})
		})
	}
}

// What was told of is remembered also where the clock is finer than the store, so
// that the end is told of too.
func TestTheEndOfTheFirstHoldIsTold(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.run = failsUntil(time.Now().Add(time.Second), codexrun.Auth)
		w.settle(789 * time.Nanosecond)
		w.live(func() { w.packet("p"); w.settle(time.Hour) })
		w.checkAnswered(1)
		if said := w.statuses(); len(said) != 2 || !strings.Contains(said[1], "going again") {
			t.Errorf("statuses: got %q, want that it waits and that it goes on", said)
		}
	})
}

// Who raises a limit need not wait for the time by which the old one had reset.
func TestARaisedLimitCountsAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.watch().Limits.RunsPerDay = 1
		w.live(func() {
			w.packet("p")
			w.settle(time.Minute)
			w.packet("q")
			w.settle(time.Minute)
		})
		w.checkAnswered(1)
		w.load = func() (config.Config, error) {
			cfg := w.cfg
			cfg.Watches = append([]config.Watch(nil), cfg.Watches...)
			cfg.Watches[0].Limits.RunsPerDay = 5
			return cfg, nil
		}
		w.lives(func(s *supervisor.Supervisor) {
			s.Reload()
			w.settle(time.Minute)
		})
		w.checkAnswered(1, 3)
		if said := w.statuses(); len(said) != 2 || !strings.Contains(said[1], "going again") {
			t.Errorf("statuses: got %q, want that it waits and that it goes on", said)
		}
	})
}

// A watch that fails and gives its review up is not said to try again at a time
// that there is none of.
func TestAHoldThatEndsInGivingUpNamesNoTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.watch().Retry = map[string]config.RetryRule{"network": {Attempts: 3}}
		w.codex.run = failsUntil(time.Now().Add(10*time.Hour), codexrun.Network)
		w.live(func() { w.packet("p"); w.settle(time.Hour) })
		w.checkAnswered(1)
		for _, text := range w.statuses() {
			if strings.Contains(text, "next at") {
				t.Errorf("status: got %q, which names a time at which nothing is tried", text)
			}
		}
		if n := len(w.statuses()); n != 1 {
			t.Errorf("got %d statuses, want one: %q", n, w.statuses())
		}
	})
}

// A watch that lives at its limit says so once, and not with each review, and
// once when a review need not wait any more.
func TestAWatchAtItsLimitSaysSoOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.watch().Limits.RunsPerHour = 4
		var ids []int64
		pass := func() {
			for range 20 {
				ids = append(ids, w.packet("p"))
				w.settle(14 * time.Minute) // a little too often
			}
		}
		w.live(pass)
		w.live(pass)
		if said := w.statuses(); len(said) != 1 || !strings.Contains(said[0], "4 runs per hour") {
			t.Errorf("statuses at the limit: got %q, want one", said)
		}
		w.live(func() {
			w.settle(2 * time.Hour)
			ids = append(ids, w.packet("later"))
			w.settle(time.Minute)
		})
		w.checkAnswered(ids...)
		if said := w.statuses(); len(said) != 2 || !strings.Contains(said[1], "going again") {
			t.Errorf("statuses in the end: got %q, want two", said)
		}
	})
}
