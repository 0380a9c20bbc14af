//go:build unix

package supervisor_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state/sqlite"
)

// A supervisor in a process of its own, which can be told to kill itself (with
// SIGKILL: nothing is cleaned up) at a step of its work.
const (
	childEnv = "SUPERVISOR_TEST_CONFIG" // the configuration file
	pointEnv = "SUPERVISOR_TEST_DIE_AT" // a point, "" to live on
)

// The points, in the order in which a packet passes them.
const (
	dieReading   = "packet read, no job yet"
	dieEnqueued  = "job enqueued, not started"
	dieStarted   = "codex started, prompt not written"
	dieThread    = "codex working"
	dieCompleted = "codex completed, answer not saved"
	diePosting   = "answer saved, not posted"
	diePosted    = "answer posted, not recorded"
)

func die(at string) {
	if os.Getenv(pointEnv) == at {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way
	}
}

// mortalRelay and mortalCodex pass everything on, and die at their points.
type mortalRelay struct{ supervisor.Relay }

func (m mortalRelay) Wait(ctx context.Context, q relay.Query, d time.Duration) (relay.Page, error) {
	p, err := m.Relay.Wait(ctx, q, d)
	if len(p.Messages) > 0 {
		die(dieReading)
	}
	return p, err
}

func (m mortalRelay) Post(ctx context.Context, d relay.Draft) (relay.Posted, error) {
	die(diePosting)
	p, err := m.Relay.Post(ctx, d)
	die(diePosted)
	return p, err
}

type mortalCodex struct{ supervisor.CLI }

func (m mortalCodex) Find(ctx context.Context, name string) (codexrun.Binary, error) {
	die(dieEnqueued)
	return m.CLI.Find(ctx, name)
}

func (m mortalCodex) Run(ctx context.Context, spec codexrun.Spec, obs codexrun.Observer) codexrun.Result {
	started, thread := obs.Started, obs.Thread
	obs.Started = func(p codexrun.Process) error {
		err := started(p)
		die(dieStarted)
		return err
	}
	obs.Thread = func(id string) error {
		err := thread(id)
		die(dieThread)
		return err
	}
	res := m.CLI.Run(ctx, spec, obs)
	die(dieCompleted)
	return res
}

// child is the main of such a process.
func child() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cfg, _, err := config.Load(os.Getenv(childEnv), os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	st, err := sqlite.Open(ctx, filepath.Join(cfg.StateDir, "state.db"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer st.Close()
	s, err := supervisor.New(supervisor.Options{
		Config: cfg, Relay: mortalRelay{client.New(client.Options{BaseURL: cfg.Relay})}, State: st, Codex: mortalCodex{},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err == nil {
		err = s.Run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// process is a running child.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	log *lockedBuffer
}

func startChild(t *testing.T, configPath, dieAt string, env []string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(exe), log: new(lockedBuffer)}
	p.cmd.Env = append(append(os.Environ(), env...), childEnv+"="+configPath, pointEnv+"="+dieAt)
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("the supervisor's log:\n%s", p.log)
		}
	})
	return p
}

// awaitDeath waits until the child has killed itself.
func (p *process) awaitDeath() {
	p.t.Helper()
	timer := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Signal(syscall.SIGTERM) })
	defer timer.Stop()
	_ = p.cmd.Wait()
	if st, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || st.Signal() != syscall.SIGKILL {
		p.t.Fatalf("the supervisor ended with %v, want death by SIGKILL", p.cmd.ProcessState)
	}
}

// stop ends the child as a service manager does.
func (p *process) stop() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the supervisor ended with %v, want exit code 0", err)
	}
}
