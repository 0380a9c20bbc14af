package supervisor

import (
	"slices"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/supervisor/config"
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
		{"nothing to post after all", codexrun.MCPDenied, 1, 0, time.Time{}, 0, decision{do: actGiveUp}},
		{"unknown class", "new one", 1, 0, time.Time{}, 0, decision{actRetry, in(5 * time.Second)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := decide(policyFor(config.Watch{}, tt.class), tt.attempt, tt.parks, tt.retryAt, now, tt.jitter); got != tt.want {
				t.Errorf("decide: got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// Every way for a run to end but completion has a policy of its own, which the
// configuration can change.
func TestEveryClassHasAPolicy(t *testing.T) {
	classes := codexrun.Classes()[1:]
	for _, c := range classes {
		if _, ok := policies[c]; !ok {
			t.Errorf("class %q has no policy", c)
		}
		if !slices.Contains(config.RetryClasses, string(c)) {
			t.Errorf("the configuration does not know the class %q", c)
		}
	}
	if len(policies) != len(classes) || len(config.RetryClasses) != len(classes) {
		t.Errorf("got %d policies, and %d classes in the configuration, for %d classes", len(policies), len(config.RetryClasses), len(classes))
	}
}

// A watch changes the rows that it names, and no others. No change makes a row
// that would run again and again without a wait or an end.
func TestRetryRules(t *testing.T) {
	const s, m = time.Second, time.Minute
	tests := []struct {
		name  string
		class codexrun.Class
		rule  config.RetryRule
		want  policy
	}{
		{"more attempts", codexrun.Network, config.RetryRule{Attempts: 20}, policy{actRetry, 20, 10 * s, 10 * m, true}},
		{"other waits", codexrun.ModelError, config.RetryRule{First: m, Limit: 2 * m}, policy{actRetry, 5, m, 2 * m, false}},
		{"a shorter limit", codexrun.Network, config.RetryRule{Limit: 3 * s}, policy{actRetry, 8, 3 * s, 3 * s, true}},
		{"a longer first wait", codexrun.Crashed, config.RetryRule{First: 5 * m}, policy{actRetry, 4, 5 * m, 5 * m, false}},
		{"park instead of giving up", codexrun.Network, config.RetryRule{Do: "park"}, policy{actPark, 0, 10 * s, 10 * m, true}},
		{"give up instead of parking", codexrun.Auth, config.RetryRule{Do: "give_up"}, policy{actGiveUp, 4, m, 10 * m, true}},
		{"an end for what had none", codexrun.Auth, config.RetryRule{Do: "retry"}, policy{actRetry, 4, m, 10 * m, true}},
		{"waits for what had none", codexrun.ContextFull, config.RetryRule{Do: "park"}, policy{actPark, 0, 5 * s, m, true}},
		{"an end and waits", codexrun.InputTooLarge, config.RetryRule{Do: "retry"}, policy{actRetry, 4, 5 * s, m, false}},
		{"a fresh thread", codexrun.Crashed, config.RetryRule{Do: "fresh", Attempts: 2}, policy{actFresh, 2, 5 * s, m, false}},
		{"nothing", codexrun.Quota, config.RetryRule{}, policies[codexrun.Quota]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := config.Watch{Retry: map[string]config.RetryRule{string(tt.class): tt.rule}}
			if got := policyFor(w, tt.class); got != tt.want {
				t.Errorf("policyFor: got %+v, want %+v", got, tt.want)
			}
			if got := policyFor(w, codexrun.Killed); got != policies[codexrun.Killed] {
				t.Errorf("policyFor another class: got %+v", got)
			}
		})
	}
}
