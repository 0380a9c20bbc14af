package verdict

import (
	"encoding/json"
	"slices"
)

// MetaFindings returns the findings, in the order of Sorted, cut so that their
// JSON has at most limitBytes bytes: first suggestions and bodies are
// shortened, then the lightest findings are dropped. truncated says that
// something was cut; the rendered text has it all.
func MetaFindings(v Verdict, limitBytes int) (findings []Finding, truncated bool) {
	all := Sorted(v.Findings)
	if all == nil {
		all = []Finding{}
	}
	if fits(all, limitBytes) {
		return all, false
	}
	for _, runes := range []int{2000, 500, 120, 0} {
		short := make([]Finding, len(all))
		for i, f := range all {
			f.Body, f.Suggestion = cut(f.Body, runes), cut(f.Suggestion, runes)
			f.Title, f.File = cut(f.Title, 200), cut(f.File, 500)
			short[i] = f
		}
		if fits(short, limitBytes) {
			return short, true
		}
		all = short
	}
	return all[:longestFit(all, limitBytes)], true
}

// longestFit returns how many findings from the front fit.
func longestFit(all []Finding, limitBytes int) int {
	counts := make([]int, len(all))
	for i := range counts {
		counts[i] = i + 1
	}
	n, _ := slices.BinarySearchFunc(counts, limitBytes, func(count, limit int) int {
		if fits(all[:count], limit) {
			return -1
		}
		return 1
	})
	return n
}

func fits(findings []Finding, limitBytes int) bool {
	b, err := json.Marshal(findings)
	return err == nil && len(b) <= limitBytes
}

// cut shortens s to n runes and marks where it did.
func cut(s string, n int) string {
	r := []rune(s)
	switch {
	case len(r) <= n:
		return s
	case n == 0:
		return ""
	}
	return string(r[:n-1]) + "…"
}
