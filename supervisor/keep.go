package supervisor

import (
	"context"
	"time"

	"autoreview/codexrun"
	"autoreview/supervisor/record"
	"autoreview/supervisor/state"
)

// Meter is told what the supervisor does, for somebody who measures. Its methods
// must not block.
type Meter interface {
	// Handed says how long after its newest packet was posted the first Codex of
	// a job was started.
	Handed(watch string, after time.Duration)
	// Ran says how a run ended, how long it took and what it used.
	Ran(watch string, class codexrun.Class, took time.Duration, used state.Usage)
}

type noMeter struct{}

func (noMeter) Handed(string, time.Duration)                           {}
func (noMeter) Ran(string, codexrun.Class, time.Duration, state.Usage) {}

// keepStart writes down what is about to run. A review does not fail because its
// record cannot be written.
func (l *launch) keepStart(spec codexrun.Spec) {
	argv, err := codexrun.Args(spec)
	if err != nil {
		argv = nil // the run will say the same
	}
	l.kept = record.Record{
		Run: l.run.ID, Job: l.job.ID, Watch: l.w.Name, Channel: l.w.Channel, Packets: l.job.PacketIDs(),
		Generation: l.job.Generation, Attempt: l.job.Attempt,
		Codex: l.bin.Version, Binary: l.bin.Path, Argv: argv, Env: codexrun.EnvNames(spec), Dir: spec.Dir,
		Prompt: record.NewPrompt(spec.Prompt), Started: l.s.now(),
	}
	l.keep()
}

func (l *launch) keep() {
	if err := record.Write(l.run.Dir, l.kept); err != nil {
		l.s.log.Warn("could not keep the record of a run", "run", l.run.ID, "err", err)
	}
}

// keepProcess takes note of a run that has a process.
func (l *launch) keepProcess(p codexrun.Process) {
	l.s.live.started(l.job.ID, l.run.ID)
	first := l.kept.PID == 0 && l.job.Attempt == 1 && l.used == (state.Usage{})
	l.kept.PID = p.PID
	if n := len(l.job.Packets); first && n > 0 {
		posted := time.UnixMicro(int64(l.job.Packets[n-1].TS * 1e6))
		l.s.meter.Handed(l.w.Name, max(l.s.now().Sub(posted), 0))
	}
}

// keepEnd takes note of how a run ended.
func (l *launch) keepEnd(res codexrun.Result) {
	r := &l.kept
	r.Ended, r.Thread, r.Replaced = l.s.now(), res.ThreadID, res.Replaced
	r.Class, r.Text, r.Exit, r.Signal, r.Tokens = string(res.Class), res.Text, res.ExitCode, res.Signal, l.run.Used.Total()
	l.keep()
	l.s.meter.Ran(l.w.Name, res.Class, res.Took, l.run.Used)
	l.s.live.touch()
	if l.s.runsEnded.Add(1)%forgetEvery == 0 {
		signal(l.s.manyRuns)
	}
}

// The folders of runs are looked through at the start, when the oldest is due,
// and, as they may also grow too large, daily and after so many runs.
const (
	forgetLeast = time.Hour
	forgetMost  = 24 * time.Hour
	forgetEvery = 100
)

// forgetRuns removes the folders of old runs until ctx ends.
func (s *Supervisor) forgetRuns(ctx context.Context) {
	for {
		next := s.forgetOnce(ctx)
		wait := forgetMost
		if !next.IsZero() {
			wait = min(max(next.Sub(s.now()), forgetLeast), forgetMost)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.manyRuns:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// forgetOnce removes what is due and returns when more will be.
func (s *Supervisor) forgetOnce(ctx context.Context) (next time.Time) {
	return s.pruneFolders(ctx).Next
}

// pruneFolders removes the folders of runs that are not to be kept. What cannot be
// removed now is left for the next time.
func (s *Supervisor) pruneFolders(ctx context.Context) record.Pruned {
	open, err := s.state.OpenRuns(ctx)
	if err != nil {
		s.log.Warn("could not look for old runs", "err", err)
		return record.Pruned{}
	}
	inUse := make(map[int64]bool)
	for _, r := range open {
		inUse[r.ID] = true
	}
	cfg := s.plan.Load().cfg
	keep := record.Keep{Age: time.Duration(cfg.RunsKeepDays) * 24 * time.Hour, Bytes: int64(cfg.RunsKeepMB) << 20}
	p, err := record.Prune(s.runsDir, keep, s.now(), func(run int64) bool { return inUse[run] })
	if p.Runs > 0 {
		s.log.Info("removed the folders of old runs", "runs", p.Runs, "bytes", p.Bytes)
	}
	if err != nil {
		s.log.Warn("could not remove the folders of old runs", "err", err)
	}
	return p
}
