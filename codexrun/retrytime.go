package codexrun

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Codex writes when a limit is over in the local time of its machine, cut to
// the minute: "try again at 1:14 AM." for today, "try again at Oct 5th, 2025
// 3:04 PM." for another day. Versions before 0.50 wrote "Try again in 3 days 4
// hours 12 minutes.", and the service itself says "Please try again in 11.5s."
var (
	retryAt = regexp.MustCompile(`(?i)try again at (?:([a-z]{3})[a-z]* (\d{1,2})(?:st|nd|rd|th)?,? (\d{4}),?(?: at)? )?(\d{1,2}):(\d{2}) ?([ap])\.?m`)
	retryIn = regexp.MustCompile(`(?i)try again in ((?:less than a minute|[\d.]+ ?[a-z]+)(?:,? (?:and )?[\d.]+ ?[a-z]+|[\d.]+[a-z]+)*)`)
	amount  = regexp.MustCompile(`(?i)(\d+(?:\.\d+)?) ?([a-z]+)`)
)

// maxRetryIn bounds what is believed; the longest real window is a month.
const maxRetryIn = 62 * 24 * time.Hour

// parseRetry finds the time from which on a retry makes sense. A time of day
// is its next occurrence in now's location.
func parseRetry(text string, now time.Time) (time.Time, bool) {
	if m := retryAt.FindStringSubmatch(text); m != nil {
		return retryAtTime(m, now)
	}
	if m := retryIn.FindStringSubmatch(text); m != nil {
		if d, ok := parseSpan(m[1]); ok {
			return now.Add(d), true
		}
	}
	return time.Time{}, false
}

func retryAtTime(m []string, now time.Time) (time.Time, bool) {
	hour, minute := atoi(m[4]), atoi(m[5])
	if hour < 1 || hour > 12 || minute > 59 {
		return time.Time{}, false
	}
	hour %= 12
	if strings.EqualFold(m[6], "p") {
		hour += 12
	}
	if m[1] == "" {
		return nextTimeOfDay(hour, minute, now), true
	}
	month, err := time.Parse("Jan", m[1])
	if err != nil {
		return time.Time{}, false
	}
	day, year := atoi(m[2]), atoi(m[3])
	t := time.Date(year, month.Month(), day, hour, minute, 0, 0, now.Location())
	if t.Day() != day || t.Sub(now) > maxRetryIn {
		return time.Time{}, false
	}
	return t, true
}

func nextTimeOfDay(hour, minute int, now time.Time) time.Time {
	t := time.Date(now.Year(), now.Month(), now.Day(), hour, minute, 0, 0, now.Location())
	if t.After(now) {
		return t
	}
	// The seconds were cut off: in the minute itself, the limit is about to end
	// and not a day away.
	if end := t.Add(time.Minute); end.After(now) {
		return end
	}
	return time.Date(now.Year(), now.Month(), now.Day()+1, hour, minute, 0, 0, now.Location())
}

// parseSpan adds up "3 days 4 hours 12 minutes", "1h 2m", "11.5s".
func parseSpan(text string) (time.Duration, bool) {
	if strings.HasPrefix(strings.ToLower(text), "less than a minute") {
		return time.Minute, true
	}
	var sum time.Duration
	for _, m := range amount.FindAllStringSubmatch(text, -1) {
		unit := spanUnit(strings.ToLower(m[2]))
		n, err := strconv.ParseFloat(m[1], 64)
		if unit == 0 || err != nil || n*float64(unit) > float64(maxRetryIn) {
			return 0, false
		}
		if sum += time.Duration(n * float64(unit)); sum > maxRetryIn {
			return 0, false
		}
	}
	return sum, sum > 0
}

func spanUnit(s string) time.Duration {
	switch {
	case s == "ms" || strings.HasPrefix(s, "milli"):
		return time.Millisecond
	case s == "s" || strings.HasPrefix(s, "sec"):
		return time.Second
	case s == "m" || strings.HasPrefix(s, "min"):
		return time.Minute
	case s == "h" || s == "hr" || s == "hrs" || strings.HasPrefix(s, "hour"):
		return time.Hour
	case s == "d" || strings.HasPrefix(s, "day"):
		return 24 * time.Hour
	case s == "w" || strings.HasPrefix(s, "week"):
		return 7 * 24 * time.Hour
	}
	return 0
}

// atoi is for digits that a pattern has matched; too many of them make 0 or a
// number that no check accepts.
func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
