package sim_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"autoreview/supervisor/state"
)

// seamState is the state as one life sees it: each method stops at a seam.
type seamState struct {
	life *life
	in   state.Store
}

var _ state.Store = (*seamState)(nil)

// ask makes an effect on the state that has a result.
func ask[T any](ctx context.Context, s *seamState, write bool, label string, f func() (T, error)) (T, error) {
	var out T
	err := s.life.do(ctx, step{kind: kindState, write: write, label: "state " + label, effect: func() (err error) {
		out, err = f()
		return err
	}})
	if err != nil {
		var none T
		return none, err
	}
	return out, nil
}

func tell(ctx context.Context, s *seamState, label string, f func() error) error {
	return s.life.do(ctx, step{kind: kindState, write: true, label: "state " + label, effect: f})
}

// pair is for methods with two results.
type pair[A, B any] struct {
	a A
	b B
}

func ask2[A, B any](ctx context.Context, s *seamState, write bool, label string, f func() (A, B, error)) (A, B, error) {
	p, err := ask(ctx, s, write, label, func() (pair[A, B], error) {
		a, b, err := f()
		return pair[A, B]{a, b}, err
	})
	return p.a, p.b, err
}

func (s *seamState) Enqueue(ctx context.Context, b state.Batch, now time.Time) (int, error) {
	var ids []int64
	for _, it := range b.Items {
		ids = append(ids, it.Packet.ID)
	}
	return ask(ctx, s, true, fmt.Sprintf("Enqueue %s %v cursor %d", b.Watch, ids, b.Cursor), func() (int, error) { return s.in.Enqueue(ctx, b, now) })
}

func (s *seamState) Claim(ctx context.Context, watches []string, now time.Time) (state.Job, bool, error) {
	return ask2(ctx, s, true, fmt.Sprintf("Claim %v", watches), func() (state.Job, bool, error) { return s.in.Claim(ctx, watches, now) })
}

func (s *seamState) Due(ctx context.Context) (map[string]time.Time, error) {
	return ask(ctx, s, false, "Due", func() (map[string]time.Time, error) { return s.in.Due(ctx) })
}

func (s *seamState) Save(ctx context.Context, j state.Job, now time.Time) error {
	return tell(ctx, s, fmt.Sprintf("Save job %d %s", j.ID, j.State), func() error { return s.in.Save(ctx, j, now) })
}

func (s *seamState) Jobs(ctx context.Context, states ...state.JobState) ([]state.Job, error) {
	return ask(ctx, s, false, fmt.Sprintf("Jobs %v", states), func() ([]state.Job, error) { return s.in.Jobs(ctx, states...) })
}

func (s *seamState) Job(ctx context.Context, id int64) (state.Job, bool, error) {
	return ask2(ctx, s, false, fmt.Sprintf("Job %d", id), func() (state.Job, bool, error) { return s.in.Job(ctx, id) })
}

func (s *seamState) Open(ctx context.Context, watch string) (int, error) {
	return ask(ctx, s, false, "Open "+watch, func() (int, error) { return s.in.Open(ctx, watch) })
}

func (s *seamState) Change(ctx context.Context, id int64, now time.Time, change func(state.Job) state.Job) (state.Job, bool, error) {
	return ask2(ctx, s, true, fmt.Sprintf("Change %d", id), func() (state.Job, bool, error) { return s.in.Change(ctx, id, now, change) })
}

func (s *seamState) Again(ctx context.Context, id int64, now time.Time, key func(state.Job, int) string) (state.Job, bool, error) {
	return ask2(ctx, s, true, fmt.Sprintf("Again %d", id), func() (state.Job, bool, error) { return s.in.Again(ctx, id, now, key) })
}

func (s *seamState) Pause(ctx context.Context, watch string, now time.Time) error {
	return tell(ctx, s, "Pause "+watch, func() error { return s.in.Pause(ctx, watch, now) })
}

func (s *seamState) Resume(ctx context.Context, watch string) error {
	return tell(ctx, s, "Resume "+watch, func() error { return s.in.Resume(ctx, watch) })
}

func (s *seamState) Paused(ctx context.Context) (map[string]time.Time, error) {
	return ask(ctx, s, false, "Paused", func() (map[string]time.Time, error) { return s.in.Paused(ctx) })
}

func (s *seamState) StartRun(ctx context.Context, r state.Run) (int64, error) {
	return ask(ctx, s, true, fmt.Sprintf("StartRun job %d", r.Job), func() (int64, error) { return s.in.StartRun(ctx, r) })
}

func (s *seamState) SaveRun(ctx context.Context, r state.Run) error {
	return tell(ctx, s, fmt.Sprintf("SaveRun %d class %q", r.ID, r.Class), func() error { return s.in.SaveRun(ctx, r) })
}

func (s *seamState) OpenRuns(ctx context.Context) ([]state.Run, error) {
	return ask(ctx, s, false, "OpenRuns", func() ([]state.Run, error) { return s.in.OpenRuns(ctx) })
}

func (s *seamState) Runs(ctx context.Context, job int64) ([]state.Run, error) {
	return ask(ctx, s, false, fmt.Sprintf("Runs %d", job), func() ([]state.Run, error) { return s.in.Runs(ctx, job) })
}

func (s *seamState) Run(ctx context.Context, id int64) (state.Run, bool, error) {
	return ask2(ctx, s, false, fmt.Sprintf("Run %d", id), func() (state.Run, bool, error) { return s.in.Run(ctx, id) })
}

func (s *seamState) RecentRuns(ctx context.Context, limit int) ([]state.Run, error) {
	return ask(ctx, s, false, "RecentRuns", func() ([]state.Run, error) { return s.in.RecentRuns(ctx, limit) })
}

func (s *seamState) Spent(ctx context.Context, since time.Time) ([]state.Spend, error) {
	return ask(ctx, s, false, "Spent", func() ([]state.Spend, error) { return s.in.Spent(ctx, since) })
}

func (s *seamState) LastStart(ctx context.Context, class string) (time.Time, error) {
	return ask(ctx, s, false, "LastStart "+class, func() (time.Time, error) { return s.in.LastStart(ctx, class) })
}

func (s *seamState) ThreadUsage(ctx context.Context, thread string) (state.Usage, error) {
	return ask(ctx, s, false, "ThreadUsage "+thread, func() (state.Usage, error) { return s.in.ThreadUsage(ctx, thread) })
}

func (s *seamState) Thread(ctx context.Context, watch, seed string) (string, bool, error) {
	return ask2(ctx, s, false, "Thread "+watch, func() (string, bool, error) { return s.in.Thread(ctx, watch, seed) })
}

func (s *seamState) SetThread(ctx context.Context, watch, seed, id string) error {
	return tell(ctx, s, fmt.Sprintf("SetThread %s %q", watch, id), func() error { return s.in.SetThread(ctx, watch, seed, id) })
}

func (s *seamState) Cursor(ctx context.Context, watch, channel, logID string) (int64, bool, error) {
	return ask2(ctx, s, false, "Cursor "+watch, func() (int64, bool, error) { return s.in.Cursor(ctx, watch, channel, logID) })
}

func (s *seamState) HasCursor(ctx context.Context, watch, channel string) (bool, error) {
	return ask(ctx, s, false, "HasCursor "+watch, func() (bool, error) { return s.in.HasCursor(ctx, watch, channel) })
}

func (s *seamState) Cursors(ctx context.Context) (map[string]int64, error) {
	return ask(ctx, s, false, "Cursors", func() (map[string]int64, error) { return s.in.Cursors(ctx) })
}

func (s *seamState) AnsweredThrough(ctx context.Context, watch, channel, logID string) (int64, error) {
	return ask(ctx, s, false, "AnsweredThrough "+watch, func() (int64, error) { return s.in.AnsweredThrough(ctx, watch, channel, logID) })
}

func (s *seamState) Note(ctx context.Context, name string) (string, error) {
	return ask(ctx, s, false, "Note "+name[:strings.LastIndex(name, "/")+1], func() (string, error) { return s.in.Note(ctx, name) })
}

func (s *seamState) SetNote(ctx context.Context, name, value string) error {
	return tell(ctx, s, "SetNote "+value, func() error { return s.in.SetNote(ctx, name, value) })
}

func (s *seamState) Holds(ctx context.Context) (map[string]state.Hold, error) {
	return ask(ctx, s, false, "Holds", func() (map[string]state.Hold, error) { return s.in.Holds(ctx) })
}

func (s *seamState) ChangeHold(ctx context.Context, watch string, change func(state.Hold, bool) (state.Hold, bool)) (state.Hold, error) {
	return ask(ctx, s, true, "ChangeHold "+watch, func() (state.Hold, error) { return s.in.ChangeHold(ctx, watch, change) })
}

func (s *seamState) Fire(ctx context.Context, o state.Occasion, now time.Time) (bool, error) {
	return ask(ctx, s, true, fmt.Sprintf("Fire %s %s", o.Schedule, o.Due.UTC().Format(time.TimeOnly)), func() (bool, error) { return s.in.Fire(ctx, o, now) })
}

func (s *seamState) LastOccasion(ctx context.Context, schedule, spec string, now time.Time) (time.Time, error) {
	return ask(ctx, s, true, "LastOccasion "+schedule, func() (time.Time, error) { return s.in.LastOccasion(ctx, schedule, spec, now) })
}

func (s *seamState) Summaries(ctx context.Context, f state.Filter) ([]state.Summary, error) {
	return ask(ctx, s, false, "Summaries", func() ([]state.Summary, error) { return s.in.Summaries(ctx, f) })
}

func (s *seamState) Counts(ctx context.Context) ([]state.Count, error) {
	return ask(ctx, s, false, "Counts", func() ([]state.Count, error) { return s.in.Counts(ctx) })
}

func (s *seamState) Forget(ctx context.Context, before time.Time, most int) (state.Forgotten, error) {
	return ask(ctx, s, true, "Forget", func() (state.Forgotten, error) { return s.in.Forget(ctx, before, most) })
}
