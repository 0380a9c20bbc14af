package codexrun

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

const (
	// lingerTimeout is how long a process may take to exit after its turn is
	// complete.
	lingerTimeout = 10 * time.Second
	// drainTimeout is how long the pipes may stay open after the process group
	// is gone: somebody outside of it may hold them.
	drainTimeout = 2 * time.Second
)

// execution is one process from its start to its end. Its fields belong to the
// goroutine that calls loop, except where a comment says otherwise.
type execution struct {
	spec  Spec
	obs   Observer
	files *files

	group          *group
	stdin          io.WriteCloser
	stdout, errOut *os.File      // our ends of the pipes
	lines          chan []byte   // from the reader; closed at the end of stdout
	readErr        error         // of the reader, to be read after lines is closed
	exited         chan struct{} // closed when exit and signal are set
	errDone        chan struct{} // closed when stderr has ended
	inDone         chan struct{} // closed when the prompt is written; nil before
	exit           int
	signal         string
	stderr         tail

	record record
	stop   stop
	cause  string
	step   int              // of the end ladder, 0 before it
	ladder <-chan time.Time // fires when the next step is due
}

func (x *execution) start(args []string) error {
	cmd := exec.Command(x.spec.Binary.Path, args...)
	cmd.Dir = x.spec.Dir
	cmd.Env = runEnv(os.Environ(), x.spec)
	if err := x.pipes(cmd); err != nil {
		return err
	}
	group, err := startGroup(cmd)
	// The child has its own copies of its ends.
	closeAll(cmd.Stdout.(*os.File), cmd.Stderr.(*os.File))
	if err != nil {
		closeAll(x.stdout, x.errOut)
		return err
	}
	x.group = group
	x.lines, x.exited, x.errDone = make(chan []byte), make(chan struct{}), make(chan struct{})
	go x.read()
	go x.readStderr()
	go x.wait()
	p := group.process()
	p.RunID = lookupEnv(x.spec.Env, RunIDEnv)
	if x.obs.Started != nil {
		if err := x.obs.Started(p); err != nil {
			x.refuse(err)
			return nil
		}
	}
	x.inDone = make(chan struct{})
	go x.write()
	return nil
}

// pipes are our own and not exec's, since those would make Wait wait for
// whoever else holds them.
func (x *execution) pipes(cmd *exec.Cmd) error {
	var err error
	if x.stdin, err = cmd.StdinPipe(); err != nil {
		return err
	}
	var out, errOut *os.File
	if x.stdout, out, err = os.Pipe(); err != nil {
		return err
	}
	if x.errOut, errOut, err = os.Pipe(); err != nil {
		closeAll(x.stdout, out)
		return err
	}
	cmd.Stdout, cmd.Stderr = out, errOut
	return nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

func (x *execution) read() {
	defer close(x.lines)
	x.readErr = readLines(x.stdout, maxLine, func(line []byte) { x.lines <- line })
}

func (x *execution) readStderr() {
	defer close(x.errDone)
	_, _ = io.Copy(&x.stderr, x.errOut) // what came is kept
}

func (x *execution) wait() {
	defer close(x.exited)
	x.exit, x.signal = x.group.wait()
}

// write gives the process its prompt. It may have ended and not want it.
func (x *execution) write() {
	defer close(x.inDone)
	_, _ = io.WriteString(x.stdin, strings.ToValidUTF8(x.spec.Prompt, "\uFFFD"))
	_ = x.stdin.Close()
}

// loop takes events until the process has exited and its output is read.
func (x *execution) loop(ctx context.Context, deadline time.Time) {
	lines, exited, done := x.lines, x.exited, ctx.Done()
	wall := timerUntil(deadline)
	idle := newWatchdog(x.spec.IdleTimeout)
	defer idle.stop()
	var drain <-chan time.Time
	for lines != nil || exited != nil {
		select {
		case line, ok := <-lines:
			if !ok {
				lines = nil
				x.readEnded()
				continue
			}
			if x.line(line) {
				idle.reset()
			}
			if x.record.completed {
				idle.become(lingerTimeout)
			}
		case <-exited:
			exited, drain = nil, time.After(drainTimeout)
		case <-drain:
			closeAll(x.stdout, x.errOut)
		case <-done:
			done = nil
			x.cause = context.Cause(ctx).Error()
			x.end(stopContext)
		case <-wall:
			x.end(stopWall)
		case <-idle.c():
			x.end(x.silence())
		case <-x.ladder:
			x.climb()
		}
	}
}

func (x *execution) silence() stop {
	if x.record.completed {
		return stopLinger
	}
	return stopSilent
}

func (x *execution) readEnded() {
	if errors.Is(x.readErr, errLineTooLong) {
		x.end(stopLine)
	}
}

// line takes one line of standard output and reports whether it is progress.
func (x *execution) line(line []byte) bool {
	x.files.line(line)
	e, ok := parseEvent(line)
	if !ok {
		return false
	}
	x.record.add(e)
	if e.Type == "thread.started" && !x.thread() {
		return false
	}
	if x.obs.Event != nil {
		x.obs.Event(e)
	}
	return !isRetryEvent(e)
}

// thread looks at the id of the thread that Codex began. A wrong one is ended
// at once, before it spends tokens.
func (x *execution) thread() bool {
	id := x.record.threadID
	if x.spec.Resume != "" && !strings.EqualFold(id, x.spec.Resume) {
		x.step = stepKill - 1
		x.end(stopThread)
		return false
	}
	if x.obs.Thread == nil {
		return true
	}
	if err := x.obs.Thread(id); err != nil {
		x.refuse(err)
		return false
	}
	return true
}

func (x *execution) refuse(err error) {
	x.cause = err.Error()
	x.end(stopRefused)
}

// The steps of the end ladder. The last is repeated: only a process that hangs
// in the kernel withstands it, and nobody is served by forgetting that one.
const (
	stepInterrupt = iota + 1
	stepTerminate
	stepKill
)

// end begins to end the process. The first reason holds.
func (x *execution) end(reason stop) {
	if x.stop != notStopped {
		return
	}
	x.stop = reason
	x.climb()
}

func (x *execution) climb() {
	x.step = min(x.step+1, stepKill)
	switch x.step {
	case stepInterrupt:
		x.group.interrupt()
	case stepTerminate:
		x.group.terminate()
	default:
		x.group.kill()
	}
	grace := x.spec.Grace
	if grace <= 0 {
		grace = defaultGrace
	}
	x.ladder = time.After(grace)
}

// finish ends what is left and waits for the goroutines of start.
func (x *execution) finish() {
	sweepStrays(lookupEnv(x.spec.Env, RunIDEnv))
	_ = x.stdin.Close()
	if x.inDone != nil {
		<-x.inDone
	}
	select {
	case <-x.errDone:
	case <-time.After(drainTimeout):
		_ = x.errOut.Close()
		<-x.errDone
	}
	closeAll(x.stdout, x.errOut)
	x.group.close()
	x.files.stderr(x.stderr.String())
}

func (x *execution) result(now time.Time) (res Result, unknown bool) {
	stderr := x.stderr.String()
	v := classify(outcome{
		record: x.record, stop: x.stop, cause: x.cause,
		exit: x.exit, signal: x.signal, stderr: stderr,
	}, now)
	res = Result{
		Class: v.class, Text: v.text, RetryAt: v.retryAt,
		ThreadID: x.record.threadID, Final: x.record.final, ThreadUsage: x.record.usage,
		ExitCode: x.exit, Signal: x.signal, Stderr: stderr,
	}
	return res, x.unknownThread(v, stderr)
}

// unknownThread says whether the run failed because its thread does not exist.
func (x *execution) unknownThread(v verdict, stderr string) bool {
	if x.spec.Resume == "" && x.spec.Fork == "" || v.class != BadSession {
		return false
	}
	return x.stop == stopThread || strings.Contains(stderr, "no rollout found")
}

// runEnv is the environment of a run.
func runEnv(base []string, spec Spec) []string {
	env := slices.DeleteFunc(slices.Clone(base), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(spec.Unset, name)
	})
	env = append(env, "PWD="+spec.Dir)
	env = append(env, spec.Env...)
	if dir := spec.Binary.helperDir(); dir != "" {
		env = append(env, "PATH="+dir+string(os.PathListSeparator)+lookupEnv(env, "PATH"))
	}
	return env
}
