// Package calendar tells when a schedule is due. A due time is an instant: it
// does not depend on when it is asked for, so that it can serve as a key.
//
// Where clocks change, a time of day is due once a day: one that is skipped in
// spring is due when the clocks have jumped, and of two in autumn the first
// counts. A schedule that names no hour goes by elapsed time, and has neither a
// gap nor a rush then.
package calendar

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // for systems without a time zone database

	"github.com/robfig/cron/v3"
)

// Calendar is a schedule's due times. It is immutable.
type Calendar struct {
	schedule cron.Schedule
	zone     *time.Location
	byDay    bool // names hours: due by the clock on the wall
}

// everyHour are the bits of a field of hours that names none.
const everyHour = 1<<24 - 1

// Parse reads five fields (minute, hour, day of the month, month, day of the
// week) or a word such as "@daily" or "@every 2h". zone is the name of a time
// zone, "" or "Local" for the machine's own.
func Parse(expression, zone string) (Calendar, error) {
	if strings.HasPrefix(expression, "TZ=") || strings.HasPrefix(expression, "CRON_TZ=") {
		return Calendar{}, errors.New("want the time zone in the key timezone")
	}
	if zone == "" {
		zone = "Local"
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return Calendar{}, &ZoneError{zone}
	}
	s, err := cron.ParseStandard(expression)
	if err != nil {
		return Calendar{}, fmt.Errorf("%s; want five fields such as \"30 2 * * *\", or \"@daily\"", strings.TrimPrefix(err.Error(), "cron: "))
	}
	c := Calendar{schedule: s, zone: location}
	if spec, ok := s.(*cron.SpecSchedule); ok {
		c.byDay = spec.Hour&everyHour != everyHour
		if c.byDay {
			// Asked about the clock on the wall, as if clocks never changed.
			spec.Location = time.UTC
		} else {
			spec.Location = location
		}
		if spec.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
			return Calendar{}, errors.New("there is no such day")
		}
	}
	return c, nil
}

// ZoneError says that there is no time zone of that name.
type ZoneError struct{ Zone string }

// Error names it.
func (e *ZoneError) Error() string { return fmt.Sprintf("there is no time zone %q", e.Zone) }

// Next returns the first due time after t.
func (c Calendar) Next(t time.Time) time.Time {
	if !c.byDay {
		return c.schedule.Next(t.In(c.zone))
	}
	// A day back, because what the wall shows may be behind by what was jumped.
	for wall := wallOf(t.In(c.zone)).Add(-24 * time.Hour); ; {
		wall = c.schedule.Next(wall)
		if wall.IsZero() {
			return time.Time{}
		}
		if at := instant(wall, c.zone); at.After(t) {
			return at
		}
	}
}

// wallOf is what a clock on the wall shows, as if it were UTC.
func wallOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// instant is when the clocks of a zone show wall for the first time, or, when
// they jump over it, when they have jumped.
func instant(wall time.Time, zone *time.Location) time.Time {
	// time.Date guarantees only that it uses one of the two offsets around a
	// change, so both are tried: the earlier instant that shows wall counts.
	guess := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	var first time.Time
	for _, near := range []time.Time{guess.Add(-26 * time.Hour), guess.Add(26 * time.Hour)} {
		_, offset := near.Zone()
		at := time.Unix(wall.Unix()-int64(offset), 0).In(zone)
		if wallOf(at).Equal(wall) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	if !first.IsZero() {
		return first
	}
	return afterGap(guess)
}

// afterGap is when the clocks jump over the time that guess was made of.
func afterGap(guess time.Time) time.Time {
	start, end := guess.Add(-3 * time.Hour).ZoneBounds()
	if !end.IsZero() && end.Before(guess.Add(3*time.Hour)) {
		return end
	}
	return start
}
