//go:build unix

package chaos_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is one of the two programs over all its lives.
type program struct {
	t    *testing.T
	name string
	argv []string
	env  []string
	log  *os.File // a file, so that no process that outlives it holds a pipe
	// ready is what it has logged once it is up.
	ready  string
	disk   *disk
	capped spell // no room for its writes

	mu sync.Mutex
	// guarded by mu
	life    *life // nil while there is none
	lives   int
	refused int            // lives that found no room to begin
	felled  bool           // it is being brought back
	after   sync.WaitGroup // what brings it back
}

// life is one process.
type life struct {
	cmd   *exec.Cmd
	began time.Time
	said  int64         // how much of the log is of lives before
	done  chan struct{} // closed when it has ended
	// sent is the signal that is to end it, 0 for none; guarded by program.mu.
	sent syscall.Signal
}

func (p *program) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &life{cmd: exec.Command(p.argv[0], p.argv[1:]...), began: time.Now(), done: make(chan struct{})}
	l.cmd.Env, l.cmd.Stdout, l.cmd.Stderr = p.env, p.log, p.log
	if info, err := p.log.Stat(); err == nil {
		l.said = info.Size()
	}
	if err := l.cmd.Start(); err != nil {
		p.t.Errorf("starting %s: %v", p.name, err)
		return
	}
	p.life, p.lives, p.felled = l, p.lives+1, false
	go func() {
		defer close(l.done)
		_ = l.cmd.Wait() // its state says all
		p.ended(l)
	}()
}

// ended judges the end of a life: by our signal, and after SIGTERM in order.
func (p *program) ended(l *life) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.life = nil
	st, _ := l.cmd.ProcessState.Sys().(syscall.WaitStatus)
	lived := time.Since(l.began).Round(time.Millisecond)
	fmt.Fprintf(p.log, "-- %s: life %d (pid %d) ended after %s: %v, sent %v\n", p.name, p.lives, l.cmd.Process.Pid, lived, l.cmd.ProcessState, l.sent)
	switch {
	case st.Signaled() && st.Signal() == syscall.SIGKILL && l.sent != 0:
	case l.sent == syscall.SIGTERM && st.Exited() && st.ExitStatus() == 0:
	case l.sent == syscall.SIGTERM && st.Signaled() && st.Signal() == syscall.SIGTERM && lived < 2*time.Second:
		// It came before there was a handler.
	case st.Exited() && st.ExitStatus() == 1 && p.hadNoRoom(l):
		p.refused++
	default:
		p.t.Errorf("%s ended by itself or not in order: %v after %s, we had sent %v", p.name, l.cmd.ProcessState, lived, l.sent)
	}
}

// hadNoRoom reports whether a life ended before it was up, on a disk that was
// full meanwhile. One that is up must get over that.
func (p *program) hadNoRoom(l *life) bool {
	if !p.disk.since(l.began) && !p.capped.since(l.began) {
		return false
	}
	return !p.isUp(l)
}

// isUp reports whether a life has said that it is up.
func (p *program) isUp(l *life) bool {
	log, err := os.Open(p.log.Name())
	if err != nil {
		return false
	}
	defer log.Close()
	said, err := io.ReadAll(io.NewSectionReader(log, l.said, 1<<20))
	return err == nil && bytes.Contains(said, []byte(p.ready))
}

// end sends a signal that ends the program. It reports false when it does not
// run, or is ending.
func (p *program) end(sig syscall.Signal) (*life, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.life
	if l == nil || l.sent != 0 {
		return nil, false
	}
	l.sent = sig
	_ = l.cmd.Process.Signal(sig) // it may have ended just now
	return l, true
}

// fell ends the program by a signal and brings it back some time after it has
// ended.
func (p *program) fell(sig syscall.Signal, down time.Duration) bool {
	l, ok := p.end(sig)
	if !ok {
		return false
	}
	p.mu.Lock()
	p.felled = true
	p.mu.Unlock()
	p.after.Go(func() {
		p.awaitEnd(l)
		time.Sleep(down)
		p.start()
	})
	return true
}

// stopTime is how long a program may take to end in order.
const stopTime = 30 * time.Second

func (p *program) awaitEnd(l *life) {
	timer := time.AfterFunc(stopTime, func() {
		p.t.Errorf("%s did not end within %s of %v", p.name, stopTime, l.sent)
		_ = l.cmd.Process.Kill()
	})
	defer timer.Stop()
	<-l.done
}

// poke sends a signal that does not end it.
func (p *program) poke(sig syscall.Signal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.listensLocked() && p.life.cmd.Process.Signal(sig) == nil
}

// listensLocked reports whether a signal that does not end it would not.
func (p *program) listensLocked() bool {
	// Before a program has asked for the signal, it ends by it.
	return p.life != nil && p.life.sent == 0 && p.isUp(p.life)
}

// revive starts it when it has ended by itself.
func (p *program) revive() {
	p.mu.Lock()
	gone := p.life == nil && !p.felled
	p.mu.Unlock()
	if gone {
		p.start()
	}
}

// healthy waits until the program runs and no fault of it is going on.
func (p *program) healthy() {
	p.capped.over.Wait()
	p.after.Wait()
	p.revive()
}

// stop ends it in order, for good.
func (p *program) stop() {
	p.after.Wait()
	if l, ok := p.end(syscall.SIGTERM); ok {
		p.awaitEnd(l)
	}
}

// destroy makes sure that nothing of it outlives the test.
func (p *program) destroy() {
	p.after.Wait()
	if l, ok := p.end(syscall.SIGKILL); ok {
		<-l.done
	}
}
