package codexrun

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// awaitExit returns when pid, a child, has exited; it is not reaped.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// bootID tells apart equal clock ticks of two boots.
var bootID = sync.OnceValue(func() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(id))
})

// startTime is "BOOT/TICKS": the start in clock ticks since the boot of that
// id. A process that has exited but is not reaped has none.
func startTime(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The second field is the name in parentheses and may hold anything.
	_, rest, ok := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
	fields := strings.Fields(rest)
	const state, start = 0, 19 // fields 3 and 22 of proc_pid_stat(5)
	if !ok || len(fields) <= start {
		return "", fmt.Errorf("reading the start time of process %d: unknown form", pid)
	}
	if s := fields[state]; s == "Z" || s == "X" {
		return "", os.ErrProcessDone
	}
	return bootID() + "/" + fields[start], nil
}

const (
	// A process that executes a program has no environment for a moment. Who has
	// none is looked at again, so often and after so long; some never have one.
	bareLooks = 10
	bareLook  = 2 * time.Millisecond
)

// strays are the processes that carry the run's id in the environment they
// were started with, whatever group or session they are in.
func strays(runID string) (pids []int) {
	if runID == "" {
		return nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var look []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && pid != os.Getpid() {
			look = append(look, pid)
		}
	}
	for n := 0; len(look) > 0 && n < bareLooks; n++ {
		if n > 0 {
			time.Sleep(bareLook)
		}
		var bare []int
		for _, pid := range look {
			has, empty := hasRunID(pid, runID)
			if has {
				pids = append(pids, pid)
			} else if empty && isProgram(pid) {
				bare = append(bare, pid)
			}
		}
		look = bare
	}
	return pids
}

// hasRunID says whether a process carries the id, and whether it carries nothing.
// Both are false for processes of other users, which cannot be ours.
func hasRunID(pid int, runID string) (has, empty bool) {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false, false
	}
	want := []byte(RunIDEnv + "=" + runID)
	for v := range bytes.SplitSeq(env, []byte{0}) {
		if bytes.Equal(v, want) {
			return true, false
		}
	}
	return false, len(env) == 0
}

// isProgram is false for the kernel's own threads, which are children of process
// 2, and for what has exited.
func isProgram(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const state, parent = 0, 1 // fields 3 and 4 of proc_pid_stat(5)
	return pid != 2 && len(fields) > parent && fields[parent] != "2" && fields[state] != "Z" && fields[state] != "X"
}

// killStrays sends SIGKILL to every stray, and returns how many there were.
func killStrays(runID string) int {
	pids := strays(runID)
	for _, pid := range pids {
		killStray(pid, runID)
	}
	return len(pids)
}

// killStray holds the process by a descriptor while it looks again who it is:
// its number may have changed hands since.
func killStray(pid int, runID string) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return // gone; every kernel that Go supports in practice has pidfds
	}
	defer unix.Close(fd)
	if has, _ := hasRunID(pid, runID); has {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}

// sweepStrays ends what a run left outside of its group and returns when it is
// gone, or after a second.
func sweepStrays(runID string) {
	for range 200 {
		if killStrays(runID) == 0 {
			return
		}
		time.Sleep(killPoll)
	}
}
