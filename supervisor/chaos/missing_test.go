//go:build unix

package chaos_test

import (
	"strings"
	"testing"
)

// A storm that did nothing must not pass for one that nothing came of.
func TestAStormWithoutFaultsIsNoProof(t *testing.T) {
	kinds := []fault{{name: "often", weight: 10}, {name: "rare", weight: 1}}
	good := result{packets: 5, runs: 6, reviews: 5}
	tests := map[string]struct {
		set      setting
		count    int
		injected map[string]int
		r        result
		want     string // "" for nothing
	}{
		"all of it":                   {setting{faults: 300}, 300, map[string]int{"often": 290, "rare": 10}, good, ""},
		"none of a rare kind":         {setting{faults: 100}, 100, map[string]int{"often": 100}, good, ""},
		"too few":                     {setting{faults: 300}, 10, map[string]int{"often": 10}, good, "only 10 of 300"},
		"as many as the time allowed": {setting{faults: 300, asked: true}, 10, map[string]int{"often": 10}, good, ""},
		"no packet":                   {setting{faults: 1}, 1, nil, result{}, "nothing was put"},
		"no codex":                    {setting{faults: 1}, 1, nil, result{packets: 3, notices: 3}, "nothing was put"},
		"a kind that never hits":      {setting{faults: 300}, 300, map[string]int{"rare": 300}, good, `the kind "often"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(tt.set.missing(tt.count, tt.injected, tt.r, kinds), "\n")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("missing: got %q, want %q", got, tt.want)
			}
		})
	}
}
