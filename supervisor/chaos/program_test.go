//go:build unix

package chaos_test

import (
	"fmt"
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

	mu sync.Mutex
	// guarded by mu
	life  *life // nil while there is none
	lives int
	after sync.WaitGroup // what brings it back
}

// life is one process.
type life struct {
	cmd   *exec.Cmd
	began time.Time
	done  chan struct{} // closed when it has ended
	// sent is the signal that is to end it, 0 for none; guarded by program.mu.
	sent syscall.Signal
}

// listening is when a program surely handles signals, also on a busy machine.
const listening = time.Second

func (p *program) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &life{cmd: exec.Command(p.argv[0], p.argv[1:]...), began: time.Now(), done: make(chan struct{})}
	l.cmd.Env, l.cmd.Stdout, l.cmd.Stderr = p.env, p.log, p.log
	if err := l.cmd.Start(); err != nil {
		p.t.Errorf("starting %s: %v", p.name, err)
		return
	}
	p.life, p.lives = l, p.lives+1
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
	default:
		p.t.Errorf("%s ended by itself or not in order: %v after %s, we had sent %v", p.name, l.cmd.ProcessState, lived, l.sent)
	}
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
	// Before a program has asked for the signal, it ends by it.
	if p.life == nil || time.Since(p.life.began) < listening {
		return false
	}
	return p.life.sent == 0 && p.life.cmd.Process.Signal(sig) == nil
}

// healthy waits until the program runs and no fault of it is going on.
func (p *program) healthy() {
	p.after.Wait()
	p.mu.Lock()
	gone := p.life == nil
	p.mu.Unlock()
	if gone {
		p.start() // it had ended by itself, which has been said
	}
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
