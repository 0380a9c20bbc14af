package supervisor

import (
	"testing"
	"time"

	"autoreview/codexrun"
)

func TestDecide(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	in := func(d time.Duration) time.Time { return now.Add(d) }
	tests := []struct {
		name           string
		class          codexrun.Class
		attempt, parks int
		retryAt        time.Time
		jitter         float64
		want           decision
	}{
		{"first retry", codexrun.ModelError, 1, 0, time.Time{}, 0, decision{actRetry, in(10 * time.Second)}},
		{"second retry waits twice as long", codexrun.ModelError, 2, 0, time.Time{}, 0, decision{actRetry, in(20 * time.Second)}},
		{"jitter adds up to a fifth", codexrun.ModelError, 1, 0, time.Time{}, 0.5, decision{actRetry, in(11 * time.Second)}},
		{"last attempt", codexrun.ModelError, 5, 0, time.Time{}, 0, decision{do: actGiveUp}},
		{"waits are bounded", codexrun.Network, 7, 0, time.Time{}, 0, decision{actRetry, in(10 * time.Minute)}},
		{"a recorded time", codexrun.RateLimited, 1, 0, in(90 * time.Second), 0, decision{actRetry, in(90 * time.Second)}},
		{"a recorded time that is too far off", codexrun.RateLimited, 1, 0, in(5 * time.Hour), 0, decision{actRetry, in(10 * time.Minute)}},
		{"a recorded time that is over", codexrun.RateLimited, 1, 0, in(-time.Hour), 0, decision{actRetry, in(30 * time.Second)}},
		{"parked", codexrun.Auth, 1, 0, time.Time{}, 0, decision{actPark, in(time.Minute)}},
		{"parked for the fourth time", codexrun.Auth, 1, 3, time.Time{}, 0, decision{actPark, in(8 * time.Minute)}},
		{"parks are bounded", codexrun.Auth, 1, 99, time.Time{}, 0, decision{actPark, in(10 * time.Minute)}},
		{"parked until the window opens", codexrun.UsageLimit, 1, 0, in(40 * time.Minute), 0.9, decision{actPark, in(40 * time.Minute)}},
		{"parked for a window that opens late", codexrun.UsageLimit, 1, 0, in(4 * time.Hour), 0.9, decision{actPark, in(time.Hour)}},
		{"a full thread", codexrun.ContextFull, 1, 0, time.Time{}, 0, decision{actFresh, now}},
		{"no retry can help", codexrun.InputTooLarge, 1, 0, time.Time{}, 0, decision{do: actGiveUp}},
		{"unknown class", "new one", 1, 0, time.Time{}, 0, decision{actRetry, in(5 * time.Second)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := decide(tt.class, tt.attempt, tt.parks, tt.retryAt, now, tt.jitter); got != tt.want {
				t.Errorf("decide: got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// Every way for a run to end but completion has a policy of its own.
func TestEveryClassHasAPolicy(t *testing.T) {
	classes := []codexrun.Class{
		codexrun.Auth, codexrun.RateLimited, codexrun.UsageLimit, codexrun.Quota, codexrun.ContextFull, codexrun.ModelError,
		codexrun.Network, codexrun.MCPDown, codexrun.BadConfig, codexrun.BadSession, codexrun.NoCodex, codexrun.SandboxUnavailable,
		codexrun.TimeoutWall, codexrun.TimeoutSilent, codexrun.InputTooLarge, codexrun.Killed, codexrun.Crashed,
	}
	for _, c := range classes {
		if _, ok := policies[c]; !ok {
			t.Errorf("class %q has no policy", c)
		}
	}
	if len(policies) != len(classes) {
		t.Errorf("got %d policies for %d classes", len(policies), len(classes))
	}
}
