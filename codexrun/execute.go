package codexrun

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
	"unicode/utf8"
)

// MaxPrompt is how many characters Codex takes as a prompt.
const MaxPrompt = 1 << 20

// Run runs `codex exec` to its end and says how it ended; every failure is a
// Class of the result. When Run returns, the process group is gone, and on
// Linux also what left the group, as far as it kept its environment. The end of
// ctx ends the run, with context.Cause(ctx) as the text of its result. A thread
// that Codex does not have is replaced by a fresh one, once, within Run.
// Concurrent runs are independent of each other.
func Run(ctx context.Context, spec Spec, obs Observer) Result {
	started := time.Now()
	res := run(ctx, spec, obs, started)
	res.Started, res.Took = started, time.Since(started)
	return res
}

func run(ctx context.Context, spec Spec, obs Observer, started time.Time) Result {
	if v, refused := refuse(spec); refused {
		return Result{Class: v.class, Text: v.text, ExitCode: -1}
	}
	spec = withRunID(spec)
	var deadline time.Time
	if spec.Timeout > 0 {
		deadline = started.Add(spec.Timeout)
	}
	res, unknown := runOnce(ctx, spec, obs, deadline)
	if !unknown {
		return res
	}
	spec.Resume, spec.Fork = "", ""
	if spec.FreshPrompt != "" {
		spec.Prompt = spec.FreshPrompt
	}
	res, _ = runOnce(ctx, spec, obs, deadline)
	res.Replaced = true
	return res
}

// refuse finds what need not be tried.
func refuse(spec Spec) (verdict, bool) {
	switch {
	case spec.Binary.Path == "":
		return verdict{class: NoCodex, text: "no codex: " + installHint}, true
	case !spec.Binary.Supported():
		return verdict{class: NoCodex, text: fmt.Sprintf("codex %s is too old: %s or newer is needed", spec.Binary.Version, MinVersion)}, true
	case spec.Prompt == "":
		return verdict{class: BadConfig, text: "the prompt is empty"}, true
	case utf8.RuneCountInString(spec.Prompt) > MaxPrompt:
		return verdict{class: InputTooLarge, text: fmt.Sprintf("the prompt is over %d characters", MaxPrompt)}, true
	case !isDir(spec.Dir):
		return verdict{class: BadConfig, text: fmt.Sprintf("the working directory %q does not exist", spec.Dir)}, true
	}
	return verdict{}, false
}

// runOnce runs one process. unknown says that the thread to go on from does
// not exist, so that a fresh one is to be tried.
func runOnce(ctx context.Context, spec Spec, obs Observer, deadline time.Time) (res Result, unknown bool) {
	args, err := Args(spec)
	if err != nil {
		return Result{Class: BadConfig, Text: oneLine(err.Error()), ExitCode: -1}, false
	}
	files, err := openFiles(spec)
	if err != nil {
		return Result{Class: Crashed, Text: oneLine(err.Error()), ExitCode: -1}, false
	}
	defer files.close()
	if ctx.Err() != nil {
		return Result{Class: Killed, Text: oneLine(context.Cause(ctx).Error()), ExitCode: -1}, false
	}
	x := &execution{spec: spec, obs: obs, files: files, stderr: tail{max: maxStderr}}
	if spec.MCP != nil {
		x.record.server, x.record.must = spec.MCP.Name, spec.MCP.Must
	}
	if err := x.start(args); err != nil {
		return Result{Class: startClass(err), Text: oneLine(fmt.Sprintf("starting codex: %v", err)), ExitCode: -1}, false
	}
	x.loop(ctx, deadline)
	x.finish()
	return x.result(time.Now())
}

func startClass(err error) Class {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return NoCodex
	}
	return Crashed
}
