package supervisor

import (
	"context"
	"fmt"
	"strings"

	"autoreview/supervisor/record"
	"autoreview/supervisor/state"
)

// Follow calls each for every step of every run of a job, in their order. With
// wait it goes on until the job has ended, woken by each event of Codex;
// otherwise, or when no supervisor runs, it returns with what there is. The
// error is a *Refusal when there is no such job, and each's when it returns one.
func (v *View) Follow(ctx context.Context, id int64, wait bool, each func(record.Line) error) error {
	f := follower{each: each, tails: make(map[int64]*followed)}
	seen := int64(-1)
	for {
		var changed <-chan struct{}
		var version int64
		if v.live != nil {
			changed, version = v.live.next()
		}
		ended, err := false, error(nil)
		if version != seen {
			ended, err = f.all(ctx, v, id)
		} else {
			err = f.events()
		}
		if err != nil || ended || !wait || changed == nil {
			return err
		}
		seen = version
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// follower remembers what it has told.
type follower struct {
	each  func(record.Line) error
	tails map[int64]*followed // :: run → how far it was told
	last  string              // how the job stood
}

type followed struct {
	tail  *record.Tail
	ended bool
}

// all tells what is new of a job, and reports whether it has ended.
func (f *follower) all(ctx context.Context, v *View, id int64) (ended bool, err error) {
	st, err := v.job(ctx, id)
	if err != nil {
		return false, err
	}
	runs, err := v.state.Runs(ctx, id)
	if err != nil {
		return false, err
	}
	for _, r := range runs {
		if err := f.run(r); err != nil {
			return false, err
		}
	}
	return st.State == JobDone || st.State == JobFailed, f.state(st)
}

// events tells what Codex has said since, and asks nobody else: there may be many
// a second.
func (f *follower) events() error {
	for _, t := range f.tails {
		if t.ended {
			continue
		}
		if err := t.tail.Read(f.each); err != nil {
			return err
		}
	}
	return nil
}

// run tells what is new of a run.
func (f *follower) run(r state.Run) error {
	t, ok := f.tails[r.ID]
	if !ok {
		t = &followed{tail: record.NewTail(r.ID, r.Dir)}
		f.tails[r.ID] = t
		text := fmt.Sprintf("run %d: attempt %d, codex %s", r.ID, r.Attempt, r.Codex)
		if err := f.each(record.Line{Run: r.ID, Time: r.Started, Kind: record.Note, Text: text}); err != nil {
			return err
		}
	}
	if t.ended {
		return nil
	}
	if err := t.tail.Read(f.each); err != nil {
		return err
	}
	if r.Ended.IsZero() {
		return nil
	}
	t.ended = true
	text := fmt.Sprintf("run %d ended: %s", r.ID, r.Class)
	if r.Text != "" {
		text += ": " + r.Text
	}
	return f.each(record.Line{Run: r.ID, Time: r.Ended, Kind: record.Note, Text: text})
}

// state tells how the job stands, when that is news and does not show by its
// events.
func (f *follower) state(st JobStatus) error {
	text := st.sentence()
	if st.State == JobRunning && st.Phase != PhasePosting && st.Phase != PhaseStopping || text == f.last {
		return nil
	}
	f.last = text
	return f.each(record.Line{Time: st.Updated, Kind: record.Note, Text: text})
}

// sentence says in a line how a job stands.
func (s JobStatus) sentence() string {
	text := fmt.Sprintf("job %d: %s", s.ID, s.State)
	switch s.State {
	case JobRunning:
		text += ": " + string(s.Phase)
	case JobDone:
		text += fmt.Sprintf(": %s, #%d", s.result(), s.AnswerID)
		if s.Class != "" {
			text += fmt.Sprintf(" (%s): %s", s.Class, s.Reason)
		}
	case JobFailed:
		text += fmt.Sprintf(" (%s): %s", s.Class, s.Reason)
	default:
		if s.Reason != "" {
			text += ": " + s.Reason
		}
		if !s.Until.IsZero() {
			text += ", until " + s.Until.Local().Format("15:04:05")
		}
	}
	return strings.Join(strings.Fields(text), " ")
}
