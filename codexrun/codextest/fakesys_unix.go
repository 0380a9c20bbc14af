//go:build unix

package codextest

import (
	"os"
	"os/exec"
	"syscall"
)

func newSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func suicide() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	hang() // until the signal arrives
}
