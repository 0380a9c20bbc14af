//go:build linux || darwin || freebsd || netbsd || openbsd

package codexrun

import (
	"errors"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// group is a process that leads a group of its own.
type group struct {
	cmd *exec.Cmd

	mu sync.Mutex
	// guarded by mu
	reaped bool // the group's number may belong to somebody else
}

// startGroup starts cmd as the leader of a new process group.
func startGroup(cmd *exec.Cmd) (*group, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &group{cmd: cmd}, nil
}

func (g *group) process() Process {
	pid := g.cmd.Process.Pid
	start, _ := startTime(pid) // "" says that it cannot be had
	return Process{PID: pid, PGID: pid, StartTime: start}
}

// interrupt, terminate and kill are the steps of the end ladder.
func (g *group) interrupt() { g.signal(syscall.SIGINT) }
func (g *group) terminate() { g.signal(syscall.SIGTERM) }
func (g *group) kill()      { g.signal(syscall.SIGKILL) }

func (g *group) signal(sig syscall.Signal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.reaped {
		_ = syscall.Kill(-g.cmd.Process.Pid, sig) // the last of them may have gone
	}
}

// wait returns when the leader has exited and the rest of its group has been
// sent SIGKILL. sig is the name of the signal that ended the leader, or "".
func (g *group) wait() (exit int, sig string) {
	awaitExit(g.cmd.Process.Pid)
	g.mu.Lock()
	defer g.mu.Unlock()
	// Before the leader is reaped its number cannot be given to anybody else.
	_ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL)
	_ = g.cmd.Wait() // its state says all
	g.reaped = true
	state := g.cmd.ProcessState
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return -1, unix.SignalName(ws.Signal())
	}
	return state.ExitCode(), ""
}

// close has nothing to release here.
func (g *group) close() {}

func killGroup(p Process) error {
	if p.PGID <= 1 {
		return nil
	}
	if err := syscall.Kill(-p.PGID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}
