//go:build darwin || freebsd || netbsd || openbsd

package codexrun

import (
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// awaitExit returns when pid, a child, has exited; it is not reaped.
func awaitExit(pid int) {
	if awaitEvent(pid) {
		return
	}
	for {
		if _, err := startTime(pid); err != nil {
			return
		}
		time.Sleep(10 * killPoll)
	}
}

// awaitEvent waits by kqueue; false when that is not to be had.
func awaitEvent(pid int) bool {
	kq, err := unix.Kqueue()
	if err != nil {
		return false
	}
	defer unix.Close(kq)
	events := make([]unix.Kevent_t, 1)
	unix.SetKevent(&events[0], pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	events[0].Fflags = unix.NOTE_EXIT
	for {
		n, err := unix.Kevent(kq, events, events, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ESRCH):
			return true // it has exited already
		case err != nil || n == 0:
			return false
		}
		failed := events[0].Flags&unix.EV_ERROR != 0
		return !failed || unix.Errno(events[0].Data) == unix.ESRCH
	}
}

// startTime asks ps, which knows it on every system. A process that has exited
// but is not reaped has none.
func startTime(pid int) (string, error) {
	cmd := exec.Command("ps", "-o", "stat=,lstart=", "-p", strconv.Itoa(pid))
	cmd.Env = []string{"LC_ALL=C", "PATH=/bin:/usr/bin", "TZ=UTC"}
	out, err := cmd.Output()
	if err != nil {
		return "", err
	}
	state, start, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if start = strings.TrimSpace(start); start == "" || strings.HasPrefix(state, "Z") {
		return "", errors.New("no such process")
	}
	return start, nil
}
