package codexrun

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Window is one of the windows in which an account may use Codex so much.
type Window struct {
	// UsedPercent is how much of it is used; 100 is all.
	UsedPercent float64
	// Span is how long the window is, 0 when that is not recorded.
	Span time.Duration
	// Resets is when it is over, zero when that is not recorded.
	Resets time.Time
}

// Windows is what Codex recorded of the account last.
type Windows struct {
	Recorded time.Time
	Windows  []Window
	// Paid says that there is credit beyond the windows, so that a full one
	// stops nothing.
	Paid bool
}

// FullUntil is when the last of the windows resets that are full at now, zero
// when none is, or there is credit.
func (w Windows) FullUntil(now time.Time) time.Time {
	var until time.Time
	for _, v := range w.Windows {
		if !w.Paid && v.UsedPercent >= 100 && v.Resets.After(now) && v.Resets.After(until) {
			until = v.Resets
		}
	}
	return until
}

const (
	// windowDays is in how many days' folders is looked for a record, windowFiles
	// in how many files, windowTail in how much of each.
	windowDays, windowFiles, windowTail = 3, 4, 512 << 10
)

// ReadWindows returns what Codex recorded last in its session files below
// codexHomeDir ("" means CODEX_HOME or ~/.codex). It looks only at the files of
// the latest days that were written last; ok is false when nothing is found in
// them. What is recorded may be out of date, and may be of another account: it
// is a hint.
func ReadWindows(codexHomeDir string) (w Windows, ok bool) {
	if codexHomeDir == "" {
		codexHomeDir = codexHome(nil)
	}
	for _, file := range latestSessions(filepath.Join(codexHomeDir, "sessions")) {
		if found, there := windowsOf(file); there && (!ok || found.Recorded.After(w.Recorded)) {
			w, ok = found, true
		}
	}
	return w, ok
}

// latestSessions are the session files that were written last, newest first.
func latestSessions(sessions string) []string {
	type file struct {
		path    string
		written time.Time
	}
	var files []file
	for _, day := range latestDays(sessions) {
		entries, err := os.ReadDir(day)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil && filepath.Ext(e.Name()) == ".jsonl" && info.Mode().IsRegular() {
				files = append(files, file{filepath.Join(day, e.Name()), info.ModTime()})
			}
		}
	}
	slices.SortFunc(files, func(a, b file) int { return b.written.Compare(a.written) })
	var paths []string
	for _, f := range files[:min(len(files), windowFiles)] {
		paths = append(paths, f.path)
	}
	return paths
}

// latestDays are the folders YYYY/MM/DD that are latest by their names.
func latestDays(sessions string) []string {
	var days []string
	for _, year := range latestNames(sessions) {
		for _, month := range latestNames(year) {
			for _, day := range latestNames(month) {
				if days = append(days, day); len(days) == windowDays {
					return days
				}
			}
		}
	}
	return days
}

// latestNames are the folders in a folder, the highest name first.
func latestNames(dir string) []string {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range slices.Backward(entries) {
		if e.IsDir() {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	return names
}

// windowsOf reads the last record near the end of a session file.
func windowsOf(path string) (Windows, bool) {
	f, err := os.Open(path)
	if err != nil {
		return Windows{}, false
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > windowTail {
		if _, err := f.Seek(-windowTail, io.SeekEnd); err != nil {
			return Windows{}, false
		}
	}
	tail, err := io.ReadAll(io.LimitReader(f, windowTail))
	if err != nil {
		return Windows{}, false
	}
	for _, line := range slices.Backward(bytes.Split(tail, []byte{'\n'})) {
		if w, ok := parseWindows(line); ok {
			return w, true
		}
	}
	return Windows{}, false
}

type recordedWindow struct {
	UsedPercent     float64 `json:"used_percent"`
	WindowMinutes   int64   `json:"window_minutes"`
	ResetsAt        int64   `json:"resets_at"`         // seconds since the epoch
	ResetsInSeconds *int64  `json:"resets_in_seconds"` // as older versions wrote it
}

// parseWindows reads one line of a session file: a token_count event with the
// limits of the account. Limits that hold for something else are left out.
func parseWindows(line []byte) (Windows, bool) {
	if !bytes.Contains(line, []byte(`"rate_limits"`)) {
		return Windows{}, false
	}
	var v struct {
		Timestamp time.Time `json:"timestamp"`
		Payload   struct {
			Type   string `json:"type"`
			Limits *struct {
				ID        string          `json:"limit_id"`
				Primary   *recordedWindow `json:"primary"`
				Secondary *recordedWindow `json:"secondary"`
				Credits   *struct {
					HasCredits bool `json:"has_credits"`
					Unlimited  bool `json:"unlimited"`
				} `json:"credits"`
			} `json:"rate_limits"`
		} `json:"payload"`
	}
	if json.Unmarshal(line, &v) != nil || v.Payload.Type != "token_count" || v.Payload.Limits == nil {
		return Windows{}, false
	}
	l := v.Payload.Limits
	if l.ID != "" && l.ID != "codex" || l.Primary == nil && l.Secondary == nil {
		return Windows{}, false
	}
	w := Windows{Recorded: v.Timestamp, Paid: l.Credits != nil && (l.Credits.HasCredits || l.Credits.Unlimited)}
	for _, r := range []*recordedWindow{l.Primary, l.Secondary} {
		if r != nil {
			w.Windows = append(w.Windows, r.window(v.Timestamp))
		}
	}
	return w, true
}

func (r recordedWindow) window(recorded time.Time) Window {
	w := Window{UsedPercent: r.UsedPercent, Span: time.Duration(r.WindowMinutes) * time.Minute}
	switch {
	case r.ResetsAt > 0:
		w.Resets = time.Unix(r.ResetsAt, 0)
	case r.ResetsInSeconds != nil:
		w.Resets = recorded.Add(time.Duration(*r.ResetsInSeconds) * time.Second)
	}
	return w
}
