package codexrun

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// drainTimeout is how long the pipes may stay open after the process group is
// gone: somebody outside of it may hold them.
const drainTimeout = 2 * time.Second

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
	p.RunID = runID(x.spec)
	if x.obs.Started != nil {
		if err := x.obs.Started(p); err != nil {
			x.end(stopRefused, err)
			return nil
		}
	}
	x.inDone = make(chan struct{})
	go x.write()
	return nil
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
			progress := x.line(line)
			switch {
			case exited == nil:
			case x.record.over():
				idle.become(lingerGraces * x.grace())
			case progress:
				idle.reset()
			}
		case <-exited:
			// It ended as it ended: nothing that comes now is a reason.
			exited, done, wall, x.ladder = nil, nil, nil, nil
			idle.stop()
			drain = time.After(drainTimeout)
		case <-drain:
			closeAll(x.stdout, x.errOut)
		case <-done:
			done = nil
			x.end(stopContext, context.Cause(ctx))
		case <-wall:
			x.end(stopWall, nil)
		case <-idle.c():
			x.end(x.silence(), nil)
		case <-x.ladder:
			x.climb()
		}
	}
}

// silence is what it means that nothing comes any more.
func (x *execution) silence() stop {
	if x.record.over() {
		return stopLinger
	}
	return stopSilent
}

func (x *execution) readEnded() {
	if errors.Is(x.readErr, errLineTooLong) {
		x.end(stopLine, nil)
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
	_, retry := e.Retry()
	return !retry
}

// thread looks at the id of the thread that Codex began. A wrong one is ended
// at once, before it spends tokens.
func (x *execution) thread() bool {
	id := x.record.threadID
	if x.spec.Resume != "" && !strings.EqualFold(id, x.spec.Resume) {
		x.step = stepKill - 1
		x.end(stopThread, nil)
		return false
	}
	if x.obs.Thread == nil {
		return true
	}
	if err := x.obs.Thread(id); err != nil {
		x.end(stopRefused, err)
		return false
	}
	return true
}

// The steps of the end ladder. The last is repeated: only a process that hangs
// in the kernel withstands it, and nobody is served by forgetting that one.
const (
	stepInterrupt = iota + 1
	stepTerminate
	stepKill
)

// end begins to end the process. The first reason holds; cause is the error
// behind it, if there is one.
func (x *execution) end(reason stop, cause error) {
	if x.stop != notStopped {
		return
	}
	x.stop = reason
	if cause != nil {
		x.cause = cause.Error()
	}
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
	x.ladder = time.After(x.grace())
}

const (
	defaultGrace = 3 * time.Second
	// lingerGraces is how many times the grace a process may take to exit once
	// its turn is over.
	lingerGraces = 3
)

func (x *execution) grace() time.Duration {
	if x.spec.Grace > 0 {
		return x.spec.Grace
	}
	return defaultGrace
}

// finish ends what is left and waits for the goroutines of start.
func (x *execution) finish() {
	sweepStrays(runID(x.spec))
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
