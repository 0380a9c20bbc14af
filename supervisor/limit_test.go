package supervisor

import (
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

func TestLimitUntil(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ago := func(watch string, minutes, tokens int64) state.Spend {
		return state.Spend{Watch: watch, At: now.Add(-time.Duration(minutes) * time.Minute), Tokens: tokens}
	}
	in := func(minutes int64) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }
	spent := []state.Spend{ago("w", 1430, 1000), ago("v", 300, 500), ago("w", 50, 200), ago("v", 40, 900), ago("w", 10, 100)}
	tests := []struct {
		name     string
		all, own config.Limits
		until    time.Time
		why      string
	}{
		{"no limits", config.Limits{}, config.Limits{}, time.Time{}, ""},
		{"below", config.Limits{RunsPerHour: 4, TokensPerDay: 2701}, config.Limits{RunsPerHour: 3, TokensPerHour: 301}, time.Time{}, ""},
		{"runs per hour", config.Limits{}, config.Limits{RunsPerHour: 2}, in(10), "2 runs per hour is"},
		{"one run per hour", config.Limits{}, config.Limits{RunsPerHour: 1}, in(50), "1 runs per hour is"},
		{"runs per day", config.Limits{}, config.Limits{RunsPerDay: 3}, in(10), "3 runs per day is"},
		{"tokens per hour", config.Limits{}, config.Limits{TokensPerHour: 300}, in(10), "300 tokens per hour is"},
		{"fewer tokens per hour", config.Limits{}, config.Limits{TokensPerHour: 100}, in(50), "100 tokens per hour is"},
		{"runs over all", config.Limits{RunsPerHour: 3}, config.Limits{}, in(10), "3 runs per hour over all watches"},
		{"tokens over all", config.Limits{TokensPerDay: 2000}, config.Limits{}, in(10), "2000 tokens per day over all watches"},
		{"the later of two", config.Limits{RunsPerHour: 3}, config.Limits{RunsPerHour: 1}, in(50), "1 runs per hour is"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			until, why := limitUntil(tt.all, config.Watch{Name: "w", Limits: tt.own}, spent, now)
			if !until.Equal(tt.until) || !strings.Contains(why, tt.why) || why == "" != (tt.why == "") {
				t.Errorf("limitUntil: got %v, %q; want %v, %q", until, why, tt.until, tt.why)
			}
			// At that time there is room again.
			if later, _ := limitUntil(tt.all, config.Watch{Name: "w", Limits: tt.own}, spent, until); !until.IsZero() && later.After(until) {
				t.Errorf("limitUntil at %v: got %v", until, later)
			}
		})
	}
}

func TestRoundLimit(t *testing.T) {
	runs := []state.Run{
		{Class: string(codexrun.Auth)}, {Class: string(codexrun.ModelError), Used: state.Usage{Input: 100, Output: 10}},
		{Class: string(codexrun.UsageLimit)}, {Class: string(codexrun.Completed), Used: state.Usage{Input: 50}},
	}
	tests := []struct {
		name     string
		all, own config.Limits
		want     string
	}{
		{"none", config.Limits{}, config.Limits{}, ""},
		{"parked runs do not count", config.Limits{}, config.Limits{RunsPerRound: 3}, ""},
		{"runs", config.Limits{}, config.Limits{RunsPerRound: 2}, "2 runs for one review"},
		{"tokens", config.Limits{}, config.Limits{TokensPerRound: 160}, "160 tokens for one review"},
		{"just below", config.Limits{TokensPerRound: 161}, config.Limits{RunsPerRound: 3}, ""},
		{"over all", config.Limits{RunsPerRound: 1}, config.Limits{RunsPerRound: 9}, "1 runs for one review"},
		{"by time", config.Limits{RunsPerHour: 1}, config.Limits{TokensPerDay: 1}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := roundLimit(tt.all, config.Watch{Limits: tt.own}, runs); !strings.Contains(got, tt.want) || got == "" != (tt.want == "") {
				t.Errorf("roundLimit: got %q, want %q", got, tt.want)
			}
		})
	}
}
