package codexrun_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"autoreview/codexrun"
)

func TestLinesOfAnyLength(t *testing.T) {
	long := strings.Repeat("x", 3<<20)
	var got []string
	err := codexrun.ReadLines(strings.NewReader("a\n\n"+long+"\nlast"), 4<<20, func(line []byte) {
		got = append(got, string(line))
	})
	if err != nil || len(got) != 3 || got[0] != "a" || got[1] != long || got[2] != "last" {
		t.Errorf("ReadLines: got %d lines, %v, want a, 3 MiB and last", len(got), err)
	}
}

// TestAbsurdLinesAreRefused: memory is bounded by the limit.
func TestAbsurdLinesAreRefused(t *testing.T) {
	var got int
	err := codexrun.ReadLines(strings.NewReader("ok\n"+strings.Repeat("x", 1000)+"\nmore\n"), 500, func([]byte) { got++ })
	if !errors.Is(err, codexrun.ErrLineTooLong) || got != 1 {
		t.Errorf("ReadLines: got %d lines and %v, want 1 and %v", got, err, codexrun.ErrLineTooLong)
	}
}

func TestItems(t *testing.T) {
	var denied codexrun.Item
	for line := range bytes.Lines(recorded(t, "mcp_tool_denied")) {
		e, ok := codexrun.ParseEvent(line)
		if !ok {
			t.Fatalf("ParseEvent(%s): got none", line)
		}
		if item, ok := e.Item(); ok && item.Type == "mcp_tool_call" {
			denied = item
		}
	}
	if denied.Server != "relay" || denied.Tool != "post_message" || denied.Status != "failed" || !strings.Contains(denied.Error.Message, "approval") {
		t.Errorf("item of a denied call: got %+v", denied)
	}
}

// FuzzEvent: a line of any content is an event with a type or none, and says
// nothing that breaks a run.
func FuzzEvent(f *testing.F) {
	files, err := filepath.Glob("testdata/events/*.jsonl")
	if err != nil || len(files) == 0 {
		f.Fatalf("recorded streams: got %d, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			f.Add(line)
		}
	}
	f.Add([]byte(`{"type":"turn.completed","usage":{"input_tokens":1e99}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, ok := codexrun.ParseEvent(line)
		if ok && (e.Type == "" || !json.Valid(e.Raw)) {
			t.Errorf("ParseEvent(%q): got %q, %q", line, e.Type, e.Raw)
		}
		e.Item()
		class, _, _, _ := codexrun.ClassifyStream(line, codexrun.Ended{}, noon)
		if class == codexrun.Completed && !bytes.Contains(line, []byte("turn")) && !bytes.Contains(line, []byte(`\u`)) {
			t.Errorf("class of %q: got completed", line)
		}
	})
}
