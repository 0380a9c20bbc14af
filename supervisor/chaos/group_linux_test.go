package chaos_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"autoreview/codexrun"
)

// auditGroups looks for members of the process groups of runs. A group whose
// number has a living leader is somebody else's by now: that the leader is not
// the run's was looked at before.
func (w *world) auditGroups(runs []codexrun.Process) {
	w.t.Helper()
	ours := make(map[int]bool)
	for _, p := range runs {
		ours[p.PGID] = true
	}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		// After the name in parentheses: state, parent, group.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 3 || fields[0] == "Z" {
			continue
		}
		group, err := strconv.Atoi(fields[2])
		if err != nil || !ours[group] {
			continue
		}
		if _, err := os.Stat("/proc/" + fields[2]); err != nil {
			w.t.Errorf("left over in the group of run %d: %s", group, stat)
		}
	}
}
