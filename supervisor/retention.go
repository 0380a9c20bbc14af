package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

// forgetBatch is how many jobs are removed at once, so that the state is not
// locked for long.
const forgetBatch = 200

// retained is what a retention run removed, as a note of the state keeps it. The
// note is what makes a due time pass: a run that was cut off has none, so the
// next life begins it again and finishes what is left of it.
type retained struct {
	Due     time.Time `json:"due"`
	Jobs    int       `json:"jobs"`
	Runs    int       `json:"runs"`
	Folders int       `json:"folders"`
	Bytes   int64     `json:"bytes"`
}

func (r retained) String() string {
	return fmt.Sprintf("removed %d jobs with %d runs, and %d folders of runs with %d kB", r.Jobs, r.Runs, r.Folders, r.Bytes>>10)
}

func retentionNote(schedule string) string { return "retention/" + schedule }

// lastRetained is what the latest retention run of a schedule removed; ok is
// false when there was none.
func lastRetained(ctx context.Context, st state.Store, schedule string) (r retained, ok bool, err error) {
	v, err := st.Note(ctx, retentionNote(schedule))
	if err != nil || v == "" {
		return retained{}, false, err
	}
	if err := json.Unmarshal([]byte(v), &r); err != nil {
		return retained{}, false, fmt.Errorf("reading what schedule %q removed: %w", schedule, err)
	}
	return r, true, nil
}

// fireRetention removes what the schedule does not keep and lets the occasion
// pass. It needs no Codex, no relay and no worker.
func (s *Supervisor) fireRetention(ctx context.Context, sched config.Schedule, d dueTimes, o state.Occasion) error {
	log := s.log.With("schedule", sched.Name, "due", d.at, "missed", d.missed)
	if !d.run {
		log.Warn("schedule was missed, leaving it out")
		_, err := s.state.Fire(ctx, o, s.now())
		return err
	}
	last, ok, err := lastRetained(ctx, s.state, sched.Name)
	if err != nil {
		return err
	}
	if !ok || !last.Due.Equal(d.at) {
		r, err := s.retain(ctx, sched)
		if err != nil {
			return err
		}
		r.Due = d.at.UTC()
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if err := s.state.SetNote(ctx, retentionNote(sched.Name), string(b)); err != nil {
			return err
		}
		log.Info("retention run ended", "jobs", r.Jobs, "runs", r.Runs, "folders", r.Folders, "bytes", r.Bytes)
		s.live.touch()
	}
	o.Run = false // there is nothing for a worker
	_, err = s.state.Fire(ctx, o, s.now())
	return err
}

// retain removes ended jobs by their age, and the folders of runs as they are
// removed at any other time.
func (s *Supervisor) retain(ctx context.Context, sched config.Schedule) (r retained, err error) {
	before := s.now().AddDate(0, 0, -sched.KeepDays)
	for {
		gone, err := s.state.Forget(ctx, before, forgetBatch)
		if err != nil {
			return r, err
		}
		r.Jobs, r.Runs = r.Jobs+gone.Jobs, r.Runs+gone.Runs
		if gone.Jobs < forgetBatch {
			break
		}
	}
	p := s.pruneFolders(ctx)
	r.Folders, r.Bytes = p.Runs, p.Bytes
	return r, ctx.Err()
}
