package sim_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"autoreview/codexrun"
)

// seamCodex is Codex as one life of the supervisor has it.
type seamCodex struct{ life *life }

// Find implements supervisor.Codex.
func (c *seamCodex) Find(ctx context.Context, _ string) (codexrun.Binary, error) {
	err := c.life.do(ctx, step{kind: kindCodex, label: "codex Find", effect: func() error { return nil }})
	return codexrun.Binary{Path: "codex", Version: codexrun.NewestVersion}, err
}

// Windows is what Codex has recorded of the account.
func (c *seamCodex) Windows() (codexrun.Windows, bool) {
	w := c.life.w
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.account, !w.account.Recorded.IsZero()
}

// Kill implements supervisor.Codex.
func (c *seamCodex) Kill(id codexrun.Process) error {
	return c.life.do(context.Background(), step{kind: kindCodex, write: true, label: fmt.Sprintf("codex Kill %d", id.PID), effect: func() error {
		if p := c.life.w.process(id.PID); p != nil {
			p.die()
		}
		return nil
	}})
}

// Run implements supervisor.Codex, with the contract of codexrun.Run.
func (c *seamCodex) Run(ctx context.Context, spec codexrun.Spec, obs codexrun.Observer) codexrun.Result {
	started := time.Now()
	deadline := time.NewTimer(spec.Timeout)
	defer deadline.Stop()
	res, unknown := c.once(ctx, spec, obs, deadline.C)
	if unknown {
		spec.Resume, spec.Fork = "", ""
		if spec.FreshPrompt != "" {
			spec.Prompt = spec.FreshPrompt
		}
		res, _ = c.once(ctx, spec, obs, deadline.C)
		res.Replaced = true
	}
	res.Started, res.Took = started, time.Since(started)
	return res
}

func killed(err error) codexrun.Result {
	return codexrun.Result{Class: codexrun.Killed, Text: err.Error(), ExitCode: -1}
}

// once is one process. unknown says that it does not know its thread.
func (c *seamCodex) once(ctx context.Context, spec codexrun.Spec, obs codexrun.Observer, deadline <-chan time.Time) (res codexrun.Result, unknown bool) {
	w := c.life.w
	var p *process
	run := strings.TrimPrefix(spec.RunDir[strings.LastIndex(spec.RunDir, "/"):], "/")
	err := c.life.do(ctx, step{kind: kindCodex, write: true, label: "codex Start of run " + run, effect: func() error {
		p = w.spawn(c.life, spec)
		return nil
	}})
	if err != nil {
		if p != nil && !errors.Is(err, errDead) {
			p.die()
		}
		return killed(err), false
	}
	if err := obs.Started(codexrun.Process{PID: p.pid, PGID: p.pid, RunID: strconv.Itoa(p.pid)}); err != nil {
		return c.end(p, killed(err)), false
	}
	if err := c.life.do(ctx, step{kind: kindCodex, write: true, label: "codex Prompt of run " + run, effect: p.prompt}); err != nil {
		return c.end(p, killed(err)), false
	}
	for {
		e, err := p.next(ctx, deadline)
		switch {
		case w.isDead(c.life):
			return killed(errDead), false
		case errors.Is(err, errDeadline):
			return c.end(p, codexrun.Result{Class: codexrun.TimeoutWall, Text: err.Error(), ThreadID: p.thread}), false
		case err != nil:
			return c.end(p, killed(err)), false
		case e.result != nil:
			return *e.result, e.unknown
		}
		if err := obs.Thread(e.thread); err != nil {
			return c.end(p, killed(err)), false
		}
	}
}

// end ends a process, unless who would have to do it is dead.
func (c *seamCodex) end(p *process, res codexrun.Result) codexrun.Result {
	if !c.life.w.isDead(c.life) {
		p.die()
	}
	if res.ThreadID == "" && p.said {
		res.ThreadID = p.thread
	}
	return res
}
