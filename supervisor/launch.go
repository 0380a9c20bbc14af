package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"autoreview/codexrun"
	"autoreview/supervisor/config"
	"autoreview/supervisor/record"
	"autoreview/supervisor/state"
	"autoreview/supervisor/verdict"
)

// launch is one attempt at a job: one run of Codex, and the runs that ask again
// when its answer is no verdict.
type launch struct {
	s     *Supervisor
	w     config.Watch
	plan  *plan
	job   *state.Job
	bin   codexrun.Binary
	dir   string     // where Codex runs
	tree  state.Tree // what dir holds when it is a worktree of its own
	began time.Time
	since int64 // see newestByReviewer

	repo    repoFacts // known from the first prompt on
	reading <-chan repoFacts

	run  state.Run   // the latest
	used state.Usage // by all runs of this attempt
	kept record.Record
}

// seed is the watch's session setting as a thread is kept for.
func seed(w config.Watch) string { return string(w.Session.Mode) + ":" + w.Session.ID }

// first runs the review itself.
func (l *launch) first(ctx context.Context) codexrun.Result {
	spec, err := l.spec(ctx)
	l.repo = <-l.reading
	if l.tree.Base != "" {
		l.repo.commit = l.tree.Base
	}
	if err == nil {
		err = l.fillPrompt(ctx, &spec)
	}
	if err != nil {
		res := codexrun.Result{Class: codexrun.BadConfig, Text: err.Error()}
		if l.run.ID != 0 {
			l.endRun(ctx, res)
		}
		return res
	}
	return l.exec(ctx, spec)
}

// spec decides everything of a run but its prompt. It makes the run's record
// and folder.
func (l *launch) spec(ctx context.Context) (codexrun.Spec, error) {
	w := l.w
	spec := codexrun.Spec{
		Binary: l.bin, Dir: l.dir, Sandbox: codexrun.Sandbox(w.Sandbox), Network: w.NetworkAccess,
		UseProjectConfig: w.UseProjectConfig, Model: w.Model, Profile: w.Profile, Plugins: w.Plugins,
		Config: w.CodexConfig, ExtraArgs: w.ExtraArgs,
		Timeout: w.Timeout, IdleTimeout: w.IdleTimeout,
		Unset: slices.Clone(gitElsewhere),
	}
	if w.Deliver == config.DeliverMCP {
		if err := l.addRelay(&spec); err != nil {
			return spec, err
		}
	} else {
		if l.task() != config.TaskDigest {
			spec.Schema = verdict.Schema()
		}
		if l.s.cfg.TokenEnv != "" {
			// This Codex has no business with the relay.
			spec.Unset = append(spec.Unset, l.s.cfg.TokenEnv)
		}
	}
	if err := l.chooseThread(ctx, &spec); err != nil {
		return spec, err
	}
	return spec, l.newRun(ctx, &spec)
}

func (l *launch) log() *slog.Logger { return l.s.log.With("watch", l.w.Name, "job", l.job.ID) }

func (l *launch) chooseThread(ctx context.Context, spec *codexrun.Spec) error {
	if l.w.Session.Mode == config.SessionFresh {
		return nil
	}
	var id string
	var known bool
	err := l.s.await(ctx, l.log(), func(ctx context.Context) (err error) {
		id, known, err = l.s.state.Thread(ctx, l.w.Name, seed(l.w))
		return err
	})
	switch {
	case err != nil:
		return err
	case known:
		spec.Resume = id
	case l.w.Session.Mode == config.SessionResume:
		spec.Resume = l.w.Session.ID
	case l.w.Session.Mode == config.SessionFork:
		spec.Fork = l.w.Session.ID
	}
	return nil
}

func (l *launch) newRun(ctx context.Context, spec *codexrun.Spec) error {
	l.run = state.Run{Job: l.job.ID, Attempt: l.job.Attempt, Codex: l.bin.Version, Started: l.s.now()}
	var id int64
	err := l.s.await(ctx, l.log(), func(ctx context.Context) (err error) {
		id, err = l.s.state.StartRun(ctx, l.run)
		return err
	})
	if err != nil {
		return err
	}
	l.run.ID = id
	l.run.Dir = filepath.Join(l.s.runsDir, strconv.FormatInt(id, 10))
	spec.RunDir = l.run.Dir
	if err := os.MkdirAll(l.run.Dir, 0o700); err != nil {
		return fmt.Errorf("creating the run's folder: %w", err)
	}
	return nil
}

// exec runs Codex and keeps the record: the process before it gets its prompt,
// the thread as soon as it is known, and the end.
func (l *launch) exec(ctx context.Context, spec codexrun.Spec) codexrun.Result {
	log := l.s.log.With("watch", l.w.Name, "job", l.job.ID, "run", l.run.ID)
	l.keepStart(spec)
	res := l.s.codex.Run(ctx, spec, codexrun.Observer{
		Started: func(p codexrun.Process) error {
			log.Debug("codex started", "pid", p.PID)
			b, err := json.Marshal(p)
			if err != nil {
				return err
			}
			l.run.Process = b
			l.keepProcess(p)
			return l.s.state.SaveRun(ctx, l.run)
		},
		Thread: func(id string) error { return l.keepThread(ctx, id) },
		Event: func(e codexrun.Event) {
			showProgress(log, e)
			l.s.live.event(l.job.ID, e)
		},
	})
	if res.Replaced {
		log.Warn("codex does not know the thread, went on in a fresh one", "asked_for", spec.Resume+spec.Fork, "thread", res.ThreadID)
	}
	res = l.judge(res)
	l.endRun(ctx, res)
	l.keepEnd(res)
	log.Info("codex ended", "class", res.Class, "took", res.Took.Round(time.Millisecond), "thread", res.ThreadID, "tokens", l.run.Used.Total(), "reason", res.Text)
	return res
}

func (l *launch) keepThread(ctx context.Context, id string) error {
	l.run.Thread, l.job.Thread = id, id
	if err := l.s.state.SaveRun(ctx, l.run); err != nil {
		return err
	}
	if l.w.Session.Mode == config.SessionFresh {
		return nil
	}
	return l.s.state.SetThread(ctx, l.w.Name, seed(l.w), id)
}

func (l *launch) endRun(ctx context.Context, res codexrun.Result) {
	before, err := l.s.state.ThreadUsage(context.WithoutCancel(ctx), res.ThreadID)
	if err != nil {
		l.s.log.Warn("could not read what the thread used before", "run", l.run.ID, "err", err)
	}
	now := usage(res.ThreadUsage)
	l.run.ThreadUsed, l.run.Used = now, now.Minus(before)
	if now == (state.Usage{}) {
		l.run.ThreadUsed = before
	}
	l.used = l.used.Plus(l.run.Used)
	l.run.Thread, l.run.Class, l.run.Text, l.run.Exit, l.run.Ended = res.ThreadID, string(res.Class), res.Text, res.ExitCode, l.s.now()
	// One that is not stored counts as running until the next start.
	log := l.s.log.With("watch", l.w.Name, "job", l.job.ID, "run", l.run.ID)
	l.s.insist(ctx, log, func(ctx context.Context) error { return l.s.state.SaveRun(ctx, l.run) })
}

func usage(u codexrun.Usage) state.Usage {
	return state.Usage{Input: u.InputTokens, Cached: u.CachedInputTokens, Output: u.OutputTokens, Reasoning: u.ReasoningTokens}
}

// meta is what a review says about the run that it came from.
func (l *launch) meta() runMeta {
	return runMeta{
		ID: l.run.ID, Codex: l.bin.Version, Thread: l.job.Thread, Tokens: l.used.Total(),
		Seconds: l.s.now().Sub(l.began).Round(time.Millisecond).Seconds(), Commit: l.repo.commit,
	}
}
