package codexrun_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"autoreview/codexrun"
)

// A process that is about to execute something has no environment to look into at
// that moment. It is found all the same.
func TestKillFindsAProcessThatExecutes(t *testing.T) {
	script := filepath.Join(t.TempDir(), "again")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec \"$0\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 40 {
		cmd := exec.Command(script)
		cmd.Env = append(os.Environ(), codexrun.RunIDEnv+"="+script)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		err := codexrun.Kill(codexrun.Process{RunID: script})
		var alive bool
		select {
		case <-ended:
		case <-time.After(time.Second):
			alive = true
		}
		_ = syscall.Kill(cmd.Process.Pid, syscall.SIGKILL)
		<-ended
		if err != nil || alive {
			t.Fatalf("Kill: got %v, and the process is alive: %v", err, alive)
		}
	}
}
