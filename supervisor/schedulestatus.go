package supervisor

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

// ScheduleStatus is how a schedule stands.
type ScheduleStatus struct {
	Name string `json:"schedule"`
	Task string `json:"task"`
	// Watch is where it answers, "" for a retention run.
	Watch string `json:"watch,omitempty"`
	// Last is the latest due time that something was done for, zero for none, and
	// Result what came of it. Job did it, 0 when it needed none.
	Last   time.Time `json:"last,omitzero"`
	Result string    `json:"result,omitempty"`
	Job    int64     `json:"job,omitempty"`
	// Next is the due time to come, zero when no supervisor runs that can be asked.
	Next time.Time `json:"next,omitzero"`
}

// schedules says how all schedules stand.
func (v *View) schedules(ctx context.Context, sit situation) ([]ScheduleStatus, error) {
	var out []ScheduleStatus
	for _, sched := range v.cfg.Schedules {
		st := ScheduleStatus{Name: sched.Name, Task: string(cmp.Or(sched.Task, config.TaskReview)), Watch: sched.Watch}
		if v.live != nil {
			st.Next = v.live.nextDue(sched.Name).UTC()
		}
		last := v.lastJob
		if sched.Task == config.TaskRetention {
			last = v.lastRetention
		}
		if err := last(ctx, sit, &st); err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

func (v *View) lastRetention(ctx context.Context, _ situation, st *ScheduleStatus) error {
	r, ok, err := lastRetained(ctx, v.state, st.Name)
	if ok {
		st.Last, st.Result = r.Due, r.String()
	}
	return err
}

func (v *View) lastJob(ctx context.Context, sit situation, st *ScheduleStatus) error {
	jobs, err := v.state.Summaries(ctx, state.Filter{Schedule: st.Name, Limit: 1})
	if err != nil || len(jobs) == 0 {
		return err
	}
	j := v.describe(sit, jobs[0])
	st.Last, st.Job, st.Result = jobs[0].Occasion, j.ID, string(j.State)
	switch j.State {
	case JobDone:
		st.Result = fmt.Sprintf("%s, #%d", j.result(), j.AnswerID)
	case JobFailed:
		st.Result = fmt.Sprintf("failed (%s), #%d", j.Class, j.AnswerID)
	}
	return nil
}

// result is what a job came to that is done: a review's verdict, or that what
// is none was posted.
func (s JobStatus) result() string {
	switch {
	case s.Verdict != "":
		return s.Verdict
	case s.Schedule != "":
		return "posted"
	}
	return "reviewed"
}
