package codexrun

import (
	"errors"
	"fmt"
	"time"
)

// RunIDEnv is the environment variable by which whatever a run started can be
// told from everything else.
const RunIDEnv = "AUTOREVIEW_RUN_ID"

const (
	killTimeout = 5 * time.Second
	killPoll    = 5 * time.Millisecond
)

// Kill ends what is left of a run of an earlier life: the process group, if its
// leader is still the process that was recorded (a reused pid is never hit),
// and on Linux everything that carries the run's id in its environment. It
// returns when all of it is gone, at once if it already was, and with an error
// if it is not gone after 5 s. Do not call it for a run of this process: end
// that by its context.
func Kill(p Process) error {
	deadline := time.Now().Add(killTimeout)
	for {
		var err error
		if isLeader(p) {
			err = killGroup(p)
		}
		killStrays(p.RunID)
		if !Alive(p) {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("process %d is still running", p.PID), err)
		}
		time.Sleep(killPoll) // a process that is not our child cannot be waited for
	}
}

// Alive says whether anything that Kill would end is running.
func Alive(p Process) bool { return isLeader(p) || len(strays(p.RunID)) > 0 }

// isLeader says whether the recorded process itself is running. Without a start
// time that cannot be known, and the answer is no.
func isLeader(p Process) bool {
	if p.PID <= 1 || p.StartTime == "" {
		return false
	}
	now, err := startTime(p.PID)
	return err == nil && now == p.StartTime
}
