package supervisor

import (
	"testing"
	"time"

	"autoreview/supervisor/calendar"
)

func TestDueNow(t *testing.T) {
	c, err := calendar.Parse("0 3 * * *", "UTC")
	if err != nil {
		t.Fatal(err)
	}
	day := func(d, h, m int) time.Time { return time.Date(2026, 3, d, h, m, 0, 0, time.UTC) }
	tests := []struct {
		name      string
		last, now time.Time
		catchUp   bool
		want      dueTimes
	}{
		{"nothing yet", day(1, 4, 0), day(2, 2, 59), true, dueTimes{next: day(2, 3, 0)}},
		{"on the minute", day(1, 3, 0), day(2, 3, 0), false, dueTimes{at: day(2, 3, 0), run: true, next: day(3, 3, 0)}},
		{"a little late", day(1, 3, 0), day(2, 3, 2), false, dueTimes{at: day(2, 3, 0), run: true, next: day(3, 3, 0)}},
		{"missed, to be left", day(1, 3, 0), day(2, 9, 0), false, dueTimes{at: day(2, 3, 0), next: day(3, 3, 0)}},
		{"missed, to be made good for", day(1, 3, 0), day(2, 9, 0), true, dueTimes{at: day(2, 3, 0), run: true, next: day(3, 3, 0)}},
		{"several missed", day(1, 3, 0), day(5, 9, 0), true, dueTimes{at: day(5, 3, 0), run: true, missed: 3, next: day(6, 3, 0)}},
		{"years missed", day(1, 3, 0).AddDate(-20, 0, 0), day(5, 9, 0), true, dueTimes{at: day(5, 3, 0), run: true, missed: 30, next: day(6, 3, 0)}},
		{"a clock that went back", day(9, 3, 0), day(5, 9, 0), true, dueTimes{next: day(10, 3, 0)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := dueNow(c, tt.last, tt.now, tt.catchUp); got != tt.want {
				t.Errorf("dueNow: got %+v, want %+v", got, tt.want)
			}
		})
	}
}
