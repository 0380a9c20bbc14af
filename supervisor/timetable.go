package supervisor

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"autoreview/supervisor/calendar"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

const (
	// lookAgain bounds the sleep until a due time: a machine that slept, or whose
	// clock was set, has not noticed that time went by.
	lookAgain = time.Minute
	// onTime is how late a due time may be met without counting as missed.
	onTime = 2 * lookAgain
	// lookBack bounds how far back missed times are counted.
	lookBack = 31 * 24 * time.Hour
)

// keepTime makes the jobs of the schedules at their due times until ctx ends.
func (s *Supervisor) keepTime(ctx context.Context) {
	for ctx.Err() == nil {
		var timer <-chan time.Time
		if next := s.fireDue(ctx); !next.IsZero() {
			timer = time.After(min(max(next.Sub(s.now()), time.Millisecond), lookAgain))
		}
		select {
		case <-ctx.Done():
		case <-timer:
		case <-s.replanned:
		}
	}
}

// fireDue fires what is due and returns when the next is, zero without a
// schedule.
func (s *Supervisor) fireDue(ctx context.Context) (next time.Time) {
	p := s.plan.Load()
	for _, sched := range p.cfg.Schedules {
		at, err := s.fire(ctx, p, sched)
		if err != nil && ctx.Err() == nil {
			s.log.Error("could not keep a schedule, trying again", "schedule", sched.Name, "err", err)
			at = s.now().Add(lookAgain)
		}
		s.live.expect(sched.Name, at)
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

func (s *Supervisor) fire(ctx context.Context, p *plan, sched config.Schedule) (next time.Time, err error) {
	now, spec := s.now(), sched.Cron+"\n"+sched.Timezone
	last, err := s.state.LastOccasion(ctx, sched.Name, spec, now)
	if err != nil {
		return time.Time{}, err
	}
	d := dueNow(p.calendars[sched.Name], last, now, sched.CatchUp)
	if d.at.IsZero() {
		return d.next, nil
	}
	if sched.Task == config.TaskRetention {
		return d.next, s.fireRetention(ctx, sched, d, state.Occasion{Schedule: sched.Name, Spec: spec, Due: d.at})
	}
	w := p.watches[sched.Watch]
	made, err := s.state.Fire(ctx, state.Occasion{
		Schedule: sched.Name, Spec: spec, Due: d.at, Run: d.run,
		Watch: w.Name, Channel: w.Channel, Workdir: w.Workdir, ReplyAs: w.ReplyAs,
		Key: fmt.Sprintf("job/%s/%s/%d/1/%s", w.Name, sched.Name, d.at.Unix(), rand.Text()),
	}, now)
	if err != nil {
		return time.Time{}, err
	}
	log := s.log.With("schedule", sched.Name, "watch", w.Name, "due", d.at, "missed", d.missed)
	switch {
	case made:
		log.Info("schedule is due")
		s.wakeDispatcher()
	case d.run:
		log.Warn("schedule is due while its last review is still owed, leaving this one out")
	default:
		log.Warn("schedule was missed, leaving it out")
	}
	return d.next, nil
}

// dueTimes is what a schedule's calendar says of the time since it was looked at
// last.
type dueTimes struct {
	at     time.Time // the latest due time, zero for none
	run    bool      // whether to run for it
	missed int       // how many due times before it were missed
	next   time.Time // the first one to come
}

// dueNow is pure: what is due in the time after last, up to now.
func dueNow(c calendar.Calendar, last, now time.Time, catchUp bool) dueTimes {
	var d dueTimes
	if from := now.Add(-lookBack); last.Before(from) {
		last = from
	}
	for at := c.Next(last); ; at = c.Next(at) {
		if at.IsZero() || at.After(now) {
			d.next = at
			break
		}
		if !d.at.IsZero() {
			d.missed++
		}
		d.at = at
	}
	d.run = !d.at.IsZero() && (catchUp || now.Sub(d.at) <= onTime)
	return d
}
