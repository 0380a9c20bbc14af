package record_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"autoreview/supervisor/record"
)

var update = flag.Bool("update", false, "write the golden files anew")

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func sample(dir string) record.Record {
	return record.Record{
		Run: 7, Job: 3, Watch: "proj-x", Channel: "proj-x", Packets: []int64{41, 42}, Generation: 2, Attempt: 1,
		Codex: "0.169.0", Binary: "/home/mia/bin/codex",
		Argv: []string{"exec", "--json", "-C", "/home/mia/repo", "-c", `model_providers.x.key="sk-secret"`, "-"},
		Env:  []string{"HOME", "OPENAI_API_KEY", "PATH"}, Dir: "/home/mia/repo",
		Prompt:  record.NewPrompt("please review"),
		Started: t0, Ended: t0.Add(61500 * time.Millisecond), PID: 99, Thread: "0199c0de", Class: "completed", Tokens: 1234,
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		write(t, path, got)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestRecordIsReadBack(t *testing.T) {
	dir := t.TempDir()
	if _, err := record.Read(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read of nothing: got %v, want fs.ErrNotExist", err)
	}
	want := sample(dir)
	for range 2 {
		if err := record.Write(dir, want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := record.Read(dir)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Read: %v (-want +got):\n%s", err, diff)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("files: got %v, %v, want one", files, err)
	}
	if info, err := files[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode: got %v, %v, want 0600", info.Mode(), err)
	}
	if err := record.Write(filepath.Join(dir, "none"), want); err == nil {
		t.Error("Write into no folder: got no error")
	}
}

// What the real Codex has said, as it is shown.
func TestLinesOfRecordedRuns(t *testing.T) {
	for _, name := range []string{"shell_command", "mcp_tool_ok", "mcp_tool_denied", "file_change", "reasoning", "rate_limit_429_recover", "error_500", "success"} {
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join("..", "..", "codexrun", "testdata", "events", name+".jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for line := range strings.Lines(string(raw)) {
				if l, ok := record.Render([]byte(line)); ok {
					fmt.Fprintf(&b, "%s: %s\n", l.Kind, l.Text)
				}
			}
			golden(t, name+".txt", b.String())
		})
	}
}

func TestWhatIsNoEventIsNotShown(t *testing.T) {
	for _, raw := range []string{"", "{", "[]", "null", `"text"`, `{"type":"new.event"}`, `{"type":"item.completed"}`, `{"type":"item.completed","item":{"type":"todo_list"}}`, `{"type":"item.updated","item":{"type":"command_execution","command":"ls"}}`} {
		if l, ok := record.Render([]byte(raw)); ok {
			t.Errorf("Render(%q): got %+v, want nothing", raw, l)
		}
	}
	// A field of another shape does not hide the rest.
	if l, ok := record.Render([]byte(`{"type":"error","message":"it broke","usage":"new shape"}`)); !ok || l.Text != "it broke" {
		t.Errorf("Render of a field in a new shape: got %+v, %v", l, ok)
	}
}

func FuzzRender(f *testing.F) {
	f.Add([]byte(`{"type":"item.completed","item":{"type":"command_execution","exit_code":1,"changes":[{}]}}`))
	f.Add([]byte(`{"type":"turn.completed","usage":{"input_tokens":1e99}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if l, ok := record.Render(raw); ok && l.Kind == "" {
			t.Errorf("Render(%q): got a line of no kind", raw)
		}
	})
}

// A tail gives each line once, in order, with its time, and never half a line.
func TestTail(t *testing.T) {
	dir := t.TempDir()
	tail := record.NewTail(7, dir)
	read := func() (got []string) {
		t.Helper()
		err := tail.Read(func(l record.Line) error {
			at := "-"
			if !l.Time.IsZero() {
				at = l.Time.Format("05.000")
			}
			got = append(got, fmt.Sprintf("%d %s %s %s", l.Run, at, l.Kind, l.Text))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	expect := func(when string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, read()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	expect("before there is a file")
	events, times := filepath.Join(dir, "events.jsonl"), filepath.Join(dir, "times.txt")
	all := `{"type":"thread.started","thread_id":"a"}` + "\n" + `{"type":"turn.started"}` + "\n" + `{"type":"err`
	write(t, times, fmt.Sprintf("%d\n%d\n%d\n", t0.UnixMilli(), t0.Add(time.Second).UnixMilli(), t0.Add(2*time.Second).UnixMilli()))
	write(t, events, all)
	expect("with a line that is being written", "7 00.000 thread thread a")
	expect("with nothing new")
	write(t, events, all+`or","message":"m"}`+"\n"+`{"type":"error","message":"n"}`+"\n")
	expect("with one line that has a time and one that has none", "7 02.000 error m", "7 - error n")
}

func TestTailStopsWhenItIsTold(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "events.jsonl"), strings.Repeat(`{"type":"error","message":"m"}`+"\n", 3))
	enough, n := errors.New("enough"), 0
	err := record.NewTail(1, dir).Read(func(record.Line) error {
		if n++; n == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || n != 2 {
		t.Errorf("Read: got %v after %d lines, want it to stop at the second", err, n)
	}
}

// The page needs nothing else, and what is masked is in no part of it.
func TestExport(t *testing.T) {
	dir := t.TempDir()
	if err := record.Write(dir, sample(dir)); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "events.jsonl"), `{"type":"thread.started","thread_id":"0199c0de"}
{"type":"item.completed","item":{"type":"command_execution","command":"cat .env","aggregated_output":"KEY=sk-secret\n<script>alert(1)</script>\n","exit_code":0}}
{"type":"turn.completed","usage":{"input_tokens":1200,"output_tokens":34}}
`)
	write(t, filepath.Join(dir, "times.txt"), fmt.Sprintf("%d\n", t0.Add(time.Second).UnixMilli()))
	write(t, filepath.Join(dir, "stderr.txt"), "warning: sk-secret is set\n")
	var b strings.Builder
	mask := func(s string) string {
		return strings.ReplaceAll(strings.ReplaceAll(s, "sk-secret", "[masked]"), "/home/mia", "~")
	}
	if err := record.Export(&b, dir, mask); err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{"sk-secret", "/home/mia", "<script", "http://", "https://", "src="} {
		if strings.Contains(b.String(), never) {
			t.Errorf("the page has %q in it", never)
		}
	}
	golden(t, "export.html", b.String())
}

func TestExportOfARunThatNobodyLivedToRecord(t *testing.T) {
	dir := t.TempDir()
	r := sample(dir)
	r.Ended, r.Class = time.Time{}, ""
	if err := record.Write(dir, r); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := record.Export(&b, dir, strings.ToUpper); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "NOT RECORDED") || !strings.Contains(b.String(), "Codex told of none") {
		t.Errorf("page: got\n%s", b.String())
	}
	if err := record.Export(&b, t.TempDir(), strings.ToUpper); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Export of nothing: got %v, want fs.ErrNotExist", err)
	}
}
