package calendar_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"autoreview/supervisor/calendar"

	"github.com/google/go-cmp/cmp"
)

// due lists the due times from one instant up to another.
func due(t *testing.T, expression, zone, from, to string) []string {
	t.Helper()
	c, err := calendar.Parse(expression, zone)
	if err != nil {
		t.Fatal(err)
	}
	at, last := instant(t, from), instant(t, to)
	var out []string
	for {
		next := c.Next(at)
		if !next.After(at) {
			t.Fatalf("Next(%v): got %v, want something later", at, next)
		}
		if next.After(last) {
			return out
		}
		at = next
		out = append(out, at.UTC().Format("01-02T15:04"))
	}
}

func instant(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// In Berlin 2026-03-29 02:00 becomes 03:00, and 2026-10-25 03:00 becomes 02:00.
func TestWhereClocksChange(t *testing.T) {
	tests := []struct {
		name, expression, zone, from, to string
		want                             []string // UTC
	}{
		{"a time that is skipped comes when the clocks have jumped", "30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", "2026-03-31T00:00:00Z",
			[]string{"03-28T01:30", "03-29T01:00", "03-30T00:30"}},
		{"a time that is there twice comes once", "30 2 * * *", "Europe/Berlin", "2026-10-23T12:00:00Z", "2026-10-27T00:00:00Z",
			[]string{"10-24T00:30", "10-25T00:30", "10-26T01:30"}},
		{"asked between the two", "30 2 * * *", "Europe/Berlin", "2026-10-25T00:45:00Z", "2026-10-27T00:00:00Z",
			[]string{"10-26T01:30"}},
		{"several times of day", "0 1-4 * * *", "Europe/Berlin", "2026-03-28T23:30:00Z", "2026-03-29T05:00:00Z",
			[]string{"03-29T00:00", "03-29T01:00", "03-29T02:00"}},
		{"by the minute in spring", "*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z",
			[]string{"03-29T00:30", "03-29T01:00", "03-29T01:30", "03-29T02:00"}},
		{"by the minute in autumn", "*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z",
			[]string{"10-25T00:30", "10-25T01:00", "10-25T01:30", "10-25T02:00"}},
		{"where clocks change by half an hour", "15 2 * * *", "Australia/Lord_Howe", "2026-10-02T00:00:00Z", "2026-10-05T00:00:00Z",
			[]string{"10-02T15:45", "10-03T15:30", "10-04T15:15"}},
		{"where midnight is skipped", "0 0 * * *", "America/Asuncion", "2022-10-01T00:00:00Z", "2022-10-03T12:00:00Z",
			[]string{"10-01T04:00", "10-02T04:00", "10-03T03:00"}},
		{"in UTC", "30 2 * * *", "UTC", "2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z",
			[]string{"03-28T02:30", "03-29T02:30"}},
		{"a word", "@weekly", "UTC", "2026-03-01T00:00:00Z", "2026-03-16T00:00:00Z",
			[]string{"03-08T00:00", "03-15T00:00"}},
		{"an interval", "@every 90m", "UTC", "2026-03-01T00:00:00Z", "2026-03-01T05:00:00Z",
			[]string{"03-01T01:30", "03-01T03:00", "03-01T04:30"}},
		{"a rare day", "0 12 29 2 *", "UTC", "2026-03-01T00:00:00Z", "2028-03-01T00:00:00Z",
			[]string{"02-29T12:00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, due(t, tt.expression, tt.zone, tt.from, tt.to)); diff != "" {
				t.Errorf("due times (-want +got):\n%s", diff)
			}
		})
	}
}

// Every day of many years has one due time, wherever clocks change.
func TestOnceADay(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "America/Asuncion", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Chatham", "UTC"} {
		for _, expression := range []string{"0 0 * * *", "30 1 * * *", "30 2 * * *", "45 3 * * *"} {
			got := due(t, expression, zone, "2016-01-01T12:00:00Z", "2026-01-01T12:00:00Z")
			if len(got) != 3653 {
				t.Errorf("%s in %s: got %d due times in 3653 days", expression, zone, len(got))
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for expression, want := range map[string]string{
		"30 2 * *":             "five fields",
		"0 30 2 * * *":         "five fields",
		"61 2 * * *":           "61",
		"0 0 30 2 *":           "no such day",
		"TZ=UTC 30 2 * * *":    "timezone",
		"CRON_TZ=X 30 2 * * *": "timezone",
		"":                     "five fields",
		"@never":               "@never",
	} {
		if _, err := calendar.Parse(expression, "UTC"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q): got %v, want an error with %q", expression, err, want)
		}
	}
	var zone *calendar.ZoneError
	if _, err := calendar.Parse("@daily", "Europe/Berlin2"); !errors.As(err, &zone) || zone.Zone != "Europe/Berlin2" {
		t.Errorf("Parse with a zone that is none: got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"30 2 * * *", "*/5 1-3,7 1 */2 1-5", "@every 1s", "0 0 31 * *", "? ? ? ? ?"} {
		f.Add(seed, int64(1774746000))
	}
	f.Fuzz(func(t *testing.T, expression string, unix int64) {
		c, err := calendar.Parse(expression, "Europe/Berlin")
		if err != nil {
			return
		}
		at := time.Unix(unix%(1<<33), 0)
		next := c.Next(at)
		if next.IsZero() {
			return
		}
		// "@every" counts from where it is asked; a time of the day is the same
		// from wherever before it.
		every := strings.HasPrefix(strings.TrimSpace(expression), "@every")
		if !next.After(at) || !every && c.Next(next.Add(-time.Second)).After(next) {
			t.Errorf("Next(%v): got %v, and from a second before that %v", at, next, c.Next(next.Add(-time.Second)))
		}
	})
}
