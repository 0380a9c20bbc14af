package codexrun_test

import (
	"testing"
	"time"

	"autoreview/codexrun"
)

func TestRetryTimes(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skipf("no time zones here: %v", err)
	}
	now := time.Date(2026, 11, 23, 13, 14, 30, 0, berlin)
	tests := []struct {
		text string
		want time.Time
	}{
		{"or try again at 1:14 AM.", time.Date(2026, 11, 24, 1, 14, 0, 0, berlin)},
		{"Try again at 11:59 PM.", time.Date(2026, 11, 23, 23, 59, 0, 0, berlin)},
		{"Try again at 12:00 AM.", time.Date(2026, 11, 24, 0, 0, 0, 0, berlin)},
		{"try again at 12:30 PM.", time.Date(2026, 11, 24, 12, 30, 0, 0, berlin)},
		{"try again at 1:13 PM.", time.Date(2026, 11, 24, 13, 13, 0, 0, berlin)},
		// Codex cuts the seconds: this minute has not passed.
		{"try again at 1:14 PM.", time.Date(2026, 11, 23, 13, 15, 0, 0, berlin)},
		{"try again at Dec 1st, 2026 3:04 PM.", time.Date(2026, 12, 1, 15, 4, 0, 0, berlin)},
		{"or try again at Nov 30th, 2026 12:05 AM.", time.Date(2026, 11, 30, 0, 5, 0, 0, berlin)},
		{"Try again in 3 days 4 hours 12 minutes.", now.Add(76*time.Hour + 12*time.Minute)},
		{"Try again in less than a minute.", now.Add(time.Minute)},
		{"Please try again in 11.5s. Visit x", now.Add(11500 * time.Millisecond)},
		{"Please try again in 1h2m.", now.Add(62 * time.Minute)},
		{"try again in 250ms", now.Add(250 * time.Millisecond)},
		{"Try again later.", time.Time{}},
		{"try again at 25:00 PM", time.Time{}},
		{"try again at Feb 31st, 2027 1:00 AM", time.Time{}},
		{"try again at Dec 1st, 2099 1:00 AM", time.Time{}},
		{"try again in 99999999999 days", time.Time{}},
		{"try again in 5 parsecs", time.Time{}},
		{"", time.Time{}},
	}
	for _, tt := range tests {
		got, ok := codexrun.ParseRetry(tt.text, now)
		if ok == tt.want.IsZero() || !got.Equal(tt.want) {
			t.Errorf("ParseRetry(%q): got %v, %v, want %v", tt.text, got, ok, tt.want)
		}
	}
}

// FuzzRetryTime: whatever a message says, nothing is put off beyond what a real
// limit lasts, and a time of day is never in the past.
func FuzzRetryTime(f *testing.F) {
	for _, s := range []string{
		"try again at 1:14 AM.", "try again at Oct 5th, 2025 3:04 PM.",
		"Try again in 3 days 4 hours 12 minutes.", "try again in 1.5s", "try again in 9e9 days",
	} {
		f.Add(s, int64(1795402528))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		now := time.Unix(unix%(1<<36), 0)
		got, ok := codexrun.ParseRetry(text, now)
		if ok && got.Sub(now) > 63*24*time.Hour {
			t.Errorf("ParseRetry(%q, %v): got %v, more than two months away", text, now, got)
		}
		if !ok && !got.IsZero() {
			t.Errorf("ParseRetry(%q): got %v and false", text, got)
		}
	})
}
