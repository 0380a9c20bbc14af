//go:build unix

package chaos_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"autoreview/codexrun"
	"autoreview/supervisor"
)

// ask holds that the supervisor, asked over its control socket as a user asks
// it, knows that all is done, and says what its database says.
func (w *world) ask() {
	w.t.Helper()
	var why string
	w.until(20*time.Second, "status tells that nothing is open, as the state has it", func() bool {
		why = w.askOnce()
		return why == ""
	})
	if why != "" {
		w.t.Errorf("status: %s", why)
	}
}

// askOnce says what was not as it should be. A schedule may be due at any moment.
func (w *world) askOnce() string {
	cmd := exec.Command(w.path("bin/autoreview"), "status", "--json", "--ended", "1", "--config", w.path(configFile))
	cmd.Env = w.environ()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		return fmt.Sprintf("%v, %s", err, &stderr)
	}
	var st supervisor.Status
	if err := json.Unmarshal(out, &st); err != nil {
		return err.Error()
	}
	w.supervisor.mu.Lock()
	pid := w.supervisor.life.cmd.Process.Pid
	w.supervisor.mu.Unlock()
	if !st.Running || st.PID != pid || len(st.Watches) != len(channels) || len(st.Jobs) != 1 {
		return fmt.Sprintf("the supervisor runs as %d with %d watches, got %s", pid, len(channels), out)
	}
	var told []string
	for _, x := range st.Watches {
		if x.State != supervisor.WatchWatching || x.Queued+x.Waiting+x.Running > 0 || x.Held != nil {
			return fmt.Sprintf("%s is not idle: %s", x.Name, out)
		}
		for what, n := range map[string]int64{"done": int64(x.Done), "failed": int64(x.Failed), "read": x.ReadThrough} {
			if n > 0 {
				told = append(told, fmt.Sprintf("%s %s %d", x.Name, what, n))
			}
		}
	}
	slices.Sort(told)
	db := w.open(stateFile)
	defer db.Close()
	if has := w.counted(db); !slices.Equal(told, has) {
		return fmt.Sprintf("told %v, the state has %v", told, has)
	}
	return ""
}

// kept is what may be in the folders of both programs once they have ended.
var kept = map[string]*regexp.Regexp{
	"disk/state":           regexp.MustCompile(`^(state\.db|lock|runs|worktrees)$`),
	"disk/state/worktrees": regexp.MustCompile(`^$`),
	"disk/state/runs":      regexp.MustCompile(`^[0-9]+$`),
	"disk/data":            regexp.MustCompile(`^(relay\.db|lock|log|archive)$`),
	"disk/tmp":             regexp.MustCompile(`^codex-bwrap-synthetic-mount-targets`), // Codex's own
}

// auditFiles looks for files that should be gone.
func (w *world) auditFiles() {
	w.t.Helper()
	for dir, may := range kept {
		entries, err := os.ReadDir(w.path(dir))
		if err != nil {
			w.t.Errorf("looking for what is left: %v", err)
		}
		for _, e := range entries {
			if !may.MatchString(e.Name()) {
				w.t.Errorf("left in %s: %s", dir, e.Name())
			}
		}
	}
}

// auditProcesses looks for anything that was started here, where a system shows
// it: by the mark in its environment, by the id of a run, by the group of one.
func (w *world) auditProcesses(recorded []string) {
	w.t.Helper()
	var runs []codexrun.Process
	for _, raw := range recorded {
		var p codexrun.Process
		if raw != "" && json.Unmarshal([]byte(raw), &p) == nil {
			runs = append(runs, p)
		}
	}
	ids := make(map[string]bool)
	for _, p := range runs {
		ids[codexrun.RunIDEnv+"="+p.RunID] = p.RunID != ""
		// Its id is looked for once for all of them.
		if p.RunID = ""; codexrun.Alive(p) {
			w.t.Errorf("process %d of a run is left over", p.PID)
		}
	}
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil || !w.ours(env, ids) {
			continue
		}
		argv, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		w.t.Errorf("left over: %s %s", filepath.Base(filepath.Dir(file)), strings.ReplaceAll(string(argv), "\x00", " "))
	}
	w.auditGroups(runs)
}

func (w *world) ours(env []byte, ids map[string]bool) bool {
	for v := range bytes.SplitSeq(env, []byte{0}) {
		if string(v) == w.mark() || ids[string(v)] {
			return true
		}
	}
	return false
}
