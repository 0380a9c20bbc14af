package codexrun_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"

	"github.com/google/go-cmp/cmp"
)

const (
	metaLine   = `{"timestamp":"%[2]s","type":"session_meta","payload":{"id":"%[1]s","timestamp":"%[2]s","cwd":"/repo"}}` + "\n"
	userLine   = `{"type":"response_item","payload":{"type":"message","role":"user","content":[{"type":"input_text","text":%q}]}}` + "\n"
	threadFile = "sessions/2026/11/%02d/rollout-2026-11-%02dT00-00-00-%s.jsonl"
)

func TestThreads(t *testing.T) {
	home := t.TempDir()
	write := func(day int, id, text string) string {
		path := filepath.Join(home, fmt.Sprintf(threadFile, day, day, id))
		writeFile(t, path, text)
		return path
	}
	meta := func(id string, day int) string {
		return fmt.Sprintf(metaLine, id, fmt.Sprintf("2026-11-%02dT10:00:00Z", day))
	}
	old := write(1, "aaa", meta("aaa", 1)+
		`{"type":"response_item","payload":{"type":"message","role":"developer","content":[{"type":"input_text","text":"no"}]}}`+"\n"+
		fmt.Sprintf(userLine, "# AGENTS.md instructions for /repo\n\nno")+
		fmt.Sprintf(userLine, "<environment_context>no</environment_context>")+
		"not json\n"+fmt.Sprintf(userLine, "  review the parser\n")+fmt.Sprintf(userLine, "and more"))
	young := write(3, "ccc", meta("ccc", 3)+fmt.Sprintf(userLine, strings.Repeat("p", 100_000)))
	asked := write(2, "bbb", meta("bbb", 2)) // ended before it was asked anything
	write(4, "ddd", "broken")
	write(5, "eee", "")
	write(6, "fff", strings.Repeat("x", 5<<20))

	got, err := codexrun.Threads(home)
	if err != nil {
		t.Fatal(err)
	}
	day := func(d int) time.Time { return time.Date(2026, 11, d, 10, 0, 0, 0, time.UTC) }
	want := []codexrun.ThreadInfo{
		{ID: "ccc", Started: day(3), Dir: "/repo", Prompt: strings.Repeat("p", 2000), File: young},
		{ID: "bbb", Started: day(2), Dir: "/repo", File: asked},
		{ID: "aaa", Started: day(1), Dir: "/repo", Prompt: "review the parser", File: old},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Threads (-want +got):\n%s", diff)
	}
}

func TestThreadsOfAnEmptyHome(t *testing.T) {
	got, err := codexrun.Threads(filepath.Join(t.TempDir(), "none"))
	if err != nil || len(got) != 0 {
		t.Errorf("Threads: got %v, %v, want none", got, err)
	}
}
