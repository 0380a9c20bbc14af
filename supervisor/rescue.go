package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"autoreview/codexrun"
	"autoreview/supervisor/state"
)

// rescue ends the processes that an earlier life left running, removes the
// worktrees they ran in, and gives their jobs back to the queue. The attempts they began stay counted.
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
	s.removeWorktrees(ctx)
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
	w, known := s.watchOf(j.Watch)
	if known && decide(policyFor(w, codexrun.Killed), j.Attempt, 0, time.Time{}, s.now(), 0).do == actGiveUp {
		d := noticeDraft(answersAs(w, j), j, codexrun.Killed, diedRunning)
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
