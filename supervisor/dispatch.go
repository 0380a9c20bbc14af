package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"autoreview/codexrun"
	"autoreview/supervisor/state"
)

// dispatch claims jobs when they are due and runs at most Config.Workers of
// them at once. It sleeps until a packet arrives, a run ends, or the next job is
// due. It returns when ctx ends and every worker has returned.
func (s *Supervisor) dispatch(ctx context.Context) error {
	done := make(chan struct{})
	running := 0
	defer func() {
		for ; running > 0; running-- {
			<-done
		}
	}()
	for ctx.Err() == nil {
		timer, err := s.claimDue(ctx, func(j state.Job) bool {
			running++
			go func() {
				defer func() { done <- struct{}{} }()
				s.work(ctx, j)
			}()
			return running < s.cfg.Workers
		}, running < s.cfg.Workers)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer:
		case <-done:
			running--
		}
	}
	return nil
}

// claimDue starts what is due while there is room, and returns a timer for what
// is due next; with no room there is none, for a run must end first.
func (s *Supervisor) claimDue(ctx context.Context, start func(state.Job) (room bool), room bool) (<-chan time.Time, error) {
	for room {
		j, ok, err := s.state.Claim(ctx, s.names, s.now())
		if err != nil {
			return nil, err
		}
		if !ok {
			due, err := s.state.Due(ctx)
			if err != nil || len(due) == 0 {
				return nil, err
			}
			next := slices.MinFunc(slices.Collect(maps.Values(due)), time.Time.Compare)
			return time.After(max(next.Sub(s.now()), time.Millisecond)), nil
		}
		room = start(j)
	}
	return nil, nil
}

// rescue ends the processes that an earlier life left running and gives their
// jobs back to the queue. The attempts they began stay counted.
func (s *Supervisor) rescue(ctx context.Context) error {
	runs, err := s.state.OpenRuns(ctx)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if err := s.endLeftover(ctx, r); err != nil {
			return err
		}
	}
	jobs, err := s.state.Jobs(ctx, state.Running)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if err := s.requeue(ctx, j); err != nil {
			return err
		}
	}
	return nil
}

// diedRunning is the reason of an attempt that the supervisor did not survive.
const diedRunning = "the supervisor ended while it was running"

// requeue takes a job that was running back to the queue, or gives it up when
// it has ended the supervisor too often to be tried again.
func (s *Supervisor) requeue(ctx context.Context, j state.Job) error {
	j.State, j.Due = state.Queued, s.now()
	j.Class, j.Reason = string(codexrun.Killed), diedRunning
	w, known := s.watches[j.Watch]
	if known && decide(codexrun.Killed, j.Attempt, 0, time.Time{}, s.now(), 0).do == actGiveUp {
		d := noticeDraft(w, j, codexrun.Killed, diedRunning)
		j.State, j.Answer, j.Outcome = state.Answered, &d, state.Failed
	}
	s.log.Info("rescued job", "watch", j.Watch, "job", j.ID, "packets", j.PacketIDs(), "attempt", j.Attempt, "state", j.State)
	return s.state.Save(ctx, j, s.now())
}

func (s *Supervisor) endLeftover(ctx context.Context, r state.Run) error {
	if len(r.Process) > 0 {
		var p codexrun.Process
		if err := json.Unmarshal(r.Process, &p); err != nil {
			return fmt.Errorf("run %d: reading its process: %w", r.ID, err)
		}
		if err := s.codex.Kill(p); err != nil {
			// Its group may be somebody else's by now: better two runs than a
			// supervisor that cannot start.
			s.log.Warn("could not end a leftover process", "job", r.Job, "pid", p.PID, "err", err)
		}
	}
	r.Class, r.Text, r.Ended = string(codexrun.Killed), diedRunning, s.now()
	return s.state.SaveRun(ctx, r)
}
