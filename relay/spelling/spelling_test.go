package spelling_test

import (
	"strings"
	"testing"

	"autoreview/relay/spelling"
)

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"port", "port", 0}, {"prot", "port", 2}, {"por", "port", 1}, {"ports", "port", 1}, {"part", "port", 1}, {"", "abc", 3},
		{strings.Repeat("x", 65), "x", 64},
	} {
		if got := spelling.Distance(tt.a, tt.b); got != tt.want {
			t.Errorf("Distance(%q, %q): got %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if there, back := spelling.Distance(tt.a, tt.b), spelling.Distance(tt.b, tt.a); there != back {
			t.Errorf("Distance of %q and %q: got %d there and %d back", tt.a, tt.b, there, back)
		}
	}
}

func TestNearest(t *testing.T) {
	words := []string{"host", "port", "data"}
	for word, want := range map[string]string{"prt": "port", "hots": "host", "nothing": "", "port": "port"} {
		if got := spelling.Nearest(word, words, 3); got != want {
			t.Errorf("Nearest(%q): got %q, want %q", word, got, want)
		}
	}
}
