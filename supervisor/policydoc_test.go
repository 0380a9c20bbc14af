package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
)

// deeds are the words of the tables for what is done.
var deeds = map[action]string{
	actRetry: "retry", actFresh: "retry in a fresh thread", actPark: "park the watch", actGiveUp: "give up", actPost: "post the answer as a comment",
}

// TestDocumentedPolicies: the tables for the user have every class, with what is
// done about it, and no other.
func TestDocumentedPolicies(t *testing.T) {
	classes := codexrun.Classes()
	settings := tableOf(t, "configuration-autoreview.md", "### retry")
	for _, c := range classes[1:] {
		p, got := policies[c], settings[string(c)]
		if want := []string{deedOf(p), attemptsOf(p), waitsOf(p)}; !slices.Equal(got, want) {
			t.Errorf("configuration-autoreview.md, %s: got %q, want %q", c, got, want)
		}
	}
	if len(settings) != len(classes)-1 {
		t.Errorf("configuration-autoreview.md: got %d classes, want %d", len(settings), len(classes)-1)
	}
	ends := tableOf(t, "operations.md", "## How a run ends")
	for _, c := range classes {
		want := "post the review"
		if c != codexrun.Completed {
			want = deeds[policies[c].do]
		}
		if got := ends[string(c)]; len(got) != 2 || got[0] == "" || !sameDeed(got[1], want) {
			t.Errorf("operations.md, %s: got %q, want a meaning and %q", c, got, want)
		}
	}
	if len(ends) != len(classes) {
		t.Errorf("operations.md: got %d classes, want %d", len(ends), len(classes))
	}
}

// sameDeed compares what is done; a text may go on after it.
func sameDeed(got, want string) bool {
	rest, ok := strings.CutPrefix(got, want)
	return ok && !(want == deeds[actRetry] && strings.HasPrefix(rest, " in a fresh"))
}

func deedOf(p policy) string {
	if p.do == actRetry && p.shared {
		return deeds[actRetry] + ", the watch waits"
	}
	return deeds[p.do]
}

func attemptsOf(p policy) string {
	if p.attempts == 0 {
		return ""
	}
	return fmt.Sprint(p.attempts)
}

func waitsOf(p policy) string {
	if p.limit == 0 {
		return ""
	}
	return span(p.first) + " to " + span(p.limit)
}

// span is a duration without its zeros.
func span(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-len(zero)+1]
		}
	}
	return s
}

// tableOf reads the first table below a heading: its first cell, in backquotes,
// and the others.
func tableOf(t *testing.T, doc, heading string) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "docs", doc))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(data), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s: there is no %q", doc, heading)
	}
	rows := make(map[string][]string)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			break
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		name := strings.TrimSpace(cells[0])
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		for _, cell := range cells[1:] {
			rows[strings.Trim(name, "`")] = append(rows[strings.Trim(name, "`")], strings.TrimSpace(cell))
		}
	}
	return rows
}
