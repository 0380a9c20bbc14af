package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"autoreview/supervisor"
	"autoreview/supervisor/record"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// inUTC makes the times of a table the same everywhere.
func inUTC(t *testing.T) {
	t.Helper()
	was := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = was })
}

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) time.Time { return now.Add(-d) }

// standing is a status in which every state is to be seen.
func standing() supervisor.Status {
	return supervisor.Status{
		Running: true, PID: 41, Version: "1.2.3", Started: before(50 * time.Hour), Config: "/repo/autoreview.toml", Relay: "http://127.0.0.1:8010", Time: now,
		ReloadRefused: &supervisor.Trouble{Since: before(time.Minute), Reason: "autoreview.toml:3:1: watch.timeout: want a \x1bduration\nautoreview.toml:9:1: a"},
		Watches: []supervisor.WatchStatus{
			{Name: "proj-x", Channel: "proj-x", State: supervisor.WatchWatching, Since: before(49 * time.Hour), ReadThrough: 44, Queued: 1, Waiting: 1, Running: 2, Done: 12, Failed: 1},
			{Name: "docs", Channel: "docs", State: supervisor.WatchUnreachable, Since: before(90 * time.Second), Reason: "connection\nrefused", Paused: before(time.Hour)},
			{Name: "api", Channel: "api", State: supervisor.WatchWatching, Since: before(time.Minute), Held: &supervisor.Held{Class: "auth", Reason: "not logged in", Since: before(time.Hour), Until: now.Add(5 * time.Minute)}},
			{Name: "new", Channel: "new", State: supervisor.WatchStarting},
		},
		Schedules: []supervisor.ScheduleStatus{
			{Name: "morning", Task: "digest", Watch: "proj-x", Next: now.Add(20 * time.Hour), Last: before(4 * time.Hour), Result: "posted, #47", Job: 10},
			{Name: "clean", Task: "retention", Next: now.Add(2 * time.Hour)},
		},
		Jobs: []supervisor.JobStatus{
			{ID: 10, Watch: "proj-x", Schedule: "morning", Generation: 1, Attempt: 1, State: supervisor.JobDone, AnswerID: 47},
			{ID: 9, Watch: "proj-x", Packets: []int64{44}, Generation: 1, State: supervisor.JobQueued},
			{ID: 8, Watch: "proj-x", Packets: []int64{42, 43}, Generation: 1, Attempt: 1, State: supervisor.JobWaiting, Class: "usage_limit", Reason: "the window is used up", Until: now.Add(26 * time.Hour)},
			{ID: 7, Watch: "proj-x", Packets: []int64{41}, Generation: 2, Attempt: 1, State: supervisor.JobRunning, Phase: supervisor.PhaseCommand, Doing: "go test \x1b[31m./...", Run: 12, Since: before(12 * time.Second), LastEvent: before(12 * time.Second)},
			{ID: 6, Watch: "proj-x", Schedule: "nightly", Generation: 1, State: supervisor.JobRunning, Phase: supervisor.PhasePosting, Since: before(3 * time.Second)},
			{ID: 5, Watch: "proj-x", Packets: []int64{40}, Generation: 1, Attempt: 4, State: supervisor.JobFailed, Class: "crashed", Reason: "codex ended with exit code 101", AnswerID: 45},
			{ID: 4, Watch: "proj-x", Packets: []int64{39}, Generation: 1, Attempt: 1, State: supervisor.JobDone, Verdict: "request_changes", AnswerID: 46},
		},
	}
}

func TestStatusTable(t *testing.T) {
	inUTC(t)
	for _, colour := range []bool{false, true} {
		var b strings.Builder
		if err := printStatus(&b, standing(), colour); err != nil {
			t.Fatal(err)
		}
		if colour {
			golden(t, "status-colour.txt", strings.ReplaceAll(b.String(), "\x1b", "ESC"))
		} else {
			golden(t, "status.txt", b.String())
		}
	}
}

func TestRunsTable(t *testing.T) {
	inUTC(t)
	var b strings.Builder
	err := printRuns(&b, []supervisor.RunStatus{
		{Run: 11, Job: 6, Watch: "proj-x", Attempt: 1, Codex: "0.169.0", Thread: "0199c0de", Class: "completed", Tokens: 12345, Started: before(time.Hour), Ended: before(57 * time.Minute)},
		{Run: 12, Job: 7, Watch: "proj-x", Attempt: 1, Started: before(time.Minute)},
	})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "runs.txt", b.String())
}

// A step is in one column however long its text is, and can tell the terminal
// nothing.
func TestLines(t *testing.T) {
	inUTC(t)
	var b strings.Builder
	for _, l := range []record.Line{
		{Run: 1, Time: now, Kind: record.Command, Text: "printf '\x1b[2J'"},
		{Run: 1, Kind: record.Output, Text: "exit code 0 of x\n" + strings.Repeat("line\n", 30)},
		{Run: 1, Time: now, Kind: record.Message, Text: "two\nlines\n"},
		{Run: 1, Time: now, Kind: record.Message, Text: `{"verdict":"comment","summary":"Clear: \u001b[2J","findings":[{"severity":"nit","title":"Name","body":"","file":"a.go","line":3}],"tests":[],"questions":[]}`},
	} {
		if err := printLine(&b, l, false, false); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "lines.txt", b.String())
	b.Reset()
	if err := printLine(&b, record.Line{Kind: record.Output, Text: strings.Repeat("line\n", 30)}, false, true); err != nil || strings.Count(b.String(), "\n") != 30 {
		t.Errorf("with --full: got %d lines, %v, want 30", strings.Count(b.String(), "\n"), err)
	}
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{-time.Hour: "0s", 59 * time.Second: "59s", 3599 * time.Second: "59m", 47 * time.Hour: "47h", 72 * time.Hour: "3d"} {
		if got := ago(before(d), now); got != want {
			t.Errorf("ago of %s: got %s, want %s", d, got, want)
		}
	}
}
