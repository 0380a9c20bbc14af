//go:build unix

package codexrun_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"autoreview/codexrun"
)

// groupExists says whether a process of the group is running. One that has
// exited and waits for init to reap it does not count.
func groupExists(pgid int) bool {
	if runtime.GOOS != "linux" {
		return pgid > 1 && syscall.Kill(-pgid, 0) == nil
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is good
	for _, file := range stats {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // gone
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if fields[0] != "Z" && fields[2] == strconv.Itoa(pgid) {
			return true
		}
	}
	return false
}

// orphan starts the fake as a leftover of an earlier life: a group leader that
// Run does not know.
func orphan(t *testing.T, do string) codexrun.Process {
	t.Helper()
	f := newFakeRun(t, do)
	args, err := codexrun.Args(f.spec)
	if err != nil {
		t.Fatal(err)
	}
	runID := "orphan-" + t.Name()
	cmd := exec.Command(f.spec.Binary.Path, args...)
	cmd.Env = append(append(os.Environ(), f.spec.Env...), codexrun.RunIDEnv+"="+runID)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-done
	})
	if _, err := stdin.Write([]byte("prompt")); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	// Wait for the plan to be under way, then reap as init would.
	waitForItem(t, stdout)
	go func() {
		defer close(done)
		_ = cmd.Wait()
	}()
	start, err := codexrun.StartTime(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return codexrun.Process{PID: cmd.Process.Pid, PGID: cmd.Process.Pid, StartTime: start, RunID: runID}
}

func waitForItem(t *testing.T, stdout interface{ Read([]byte) (int, error) }) {
	t.Helper()
	seen := ""
	buf := make([]byte, 4096)
	for {
		n, err := stdout.Read(buf)
		seen += string(buf[:n])
		if strings.Contains(seen, "item.completed") {
			return
		}
		if err != nil {
			t.Fatalf("reading the orphan's events: %v after %q", err, seen)
		}
	}
}

func TestKillEndsALeftover(t *testing.T) {
	p := orphan(t, "children stubborn command:ready hang")
	if !codexrun.Alive(p) {
		t.Fatalf("Alive(%+v): got false before Kill", p)
	}
	if err := codexrun.Kill(p); err != nil {
		t.Fatalf("Kill: %v", err)
	}
	if codexrun.Alive(p) || groupExists(p.PGID) || len(codexrun.Strays(p.RunID)) > 0 {
		t.Errorf("after Kill: alive %v, group %v, strays %v", codexrun.Alive(p), groupExists(p.PGID), codexrun.Strays(p.RunID))
	}
	if err := codexrun.Kill(p); err != nil {
		t.Errorf("second Kill: %v", err)
	}
}

// TestKillSparesAReusedPID: the number alone is not enough.
func TestKillSparesAReusedPID(t *testing.T) {
	p := orphan(t, "command:ready hang")
	for name, other := range map[string]codexrun.Process{
		"another start time": {PID: p.PID, PGID: p.PGID, StartTime: p.StartTime + "0", RunID: "other"},
		"no start time":      {PID: p.PID, PGID: p.PGID},
		"init":               {PID: 1, PGID: 1, StartTime: "x"},
		"nothing":            {},
	} {
		if err := codexrun.Kill(other); err != nil {
			t.Errorf("Kill of %s: %v", name, err)
		}
		if !codexrun.Alive(p) {
			t.Fatalf("Kill of %s hit the process", name)
		}
	}
}

// TestKillFindsStrays: what is left when the leader has gone already.
func TestKillFindsStrays(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("strays are found on Linux only")
	}
	p := orphan(t, "children command:ready hang")
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if n := len(codexrun.Strays(p.RunID)); n < 2 {
		t.Fatalf("strays: got %d, want the two children", n)
	}
	if err := codexrun.Kill(p); err != nil {
		t.Fatalf("Kill: %v", err)
	}
	if left := codexrun.Strays(p.RunID); len(left) > 0 {
		t.Errorf("strays after Kill: got %v", left)
	}
}

// TestRunsLeakNothing: after many runs, the same goroutines, descriptors and
// children as before.
func TestRunsLeakNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("descriptors are counted in /proc")
	}
	plans := []string{"answer", "children answer", "crash", "hang", "fail:auth"}
	f := newFakeRun(t, "answer")
	run := func(do string) {
		spec := f.spec
		spec.Env = append(spec.Env[:1:1], "FAKE_CODEX_DO="+do)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		codexrun.Run(ctx, spec, codexrun.Observer{Event: func(e codexrun.Event) {
			if do == "hang" && e.Type == "turn.started" {
				cancel()
			}
		}})
	}
	run("answer") // what is made once is made
	before := resources(t)
	for i := range 50 {
		run(plans[i%len(plans)])
	}
	after := resources(t)
	for range 100 {
		if after == before {
			break
		}
		time.Sleep(10 * time.Millisecond) // goroutines of os/exec end on their own
		after = resources(t)
	}
	if after != before {
		t.Errorf("after 50 runs: got %+v, want %+v", after, before)
	}
}

type held struct{ goroutines, descriptors, children int }

func resources(t *testing.T) held {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	children := 0
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		data, err := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
		if err == nil && len(data) > 0 {
			children++
		}
	}
	return held{runtime.NumGoroutine(), len(fds), children}
}
