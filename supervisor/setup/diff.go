package setup

import (
	"strings"
	"unicode"

	"github.com/rogpeppe/go-internal/diff"
)

// Diff is the change as a unified diff. Characters that could tell a terminal
// to do something, or show text in another order, are made visible.
func (c Change) Diff() string {
	from, to := c.Name, c.Name
	if !c.Existed {
		from = "/dev/null"
	}
	if c.Remove {
		to = "/dev/null"
	}
	text := string(diff.Diff(from, c.Before, to, c.After))
	if _, rest, ok := strings.Cut(text, "\n"); ok && strings.HasPrefix(text, "diff ") {
		text = rest
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
