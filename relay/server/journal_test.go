package server_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"autoreview/relay"
	"autoreview/relay/config"
	"autoreview/relay/relaytest"
	"autoreview/relay/server"
)

// The facts of the original's two logs, under the same keys, as JSON lines.
func TestLogs(t *testing.T) {
	r := relaytest.Start(t)
	first := r.Post("proj-x", " claude ", "zwölf\n<&>")
	meta := []byte(`{"a":1}`)
	if _, err := r.Client().Post(t.Context(), relay.Draft{Target: "proj-x", Sender: "codex", Text: "ok", Kind: relay.KindReview,
		ReplyTo: first.ID, Meta: meta, Key: "k", Source: "supervisor"}); err != nil {
		t.Fatal(err)
	}
	callFetch(t, r.URL)
	r.Stop()

	var events []map[string]any
	for _, line := range readLines(t, r.Config.Log.Path) {
		if _, ok := line["time"].(string); !ok || line["level"] != "INFO" {
			t.Errorf("activity log: %v has no time or level", line)
		}
		delete(line, "time")
		delete(line, "level")
		if line["msg"] == "post_message" || line["msg"] == "fetch_messages" {
			events = append(events, line)
		}
	}
	want := []map[string]any{
		{"msg": "post_message", "id": 1.0, "target": "proj-x", "sender": "claude", "text_len": 9.0, "source": "web-ui"},
		{"msg": "post_message", "id": 2.0, "target": "proj-x", "sender": "codex", "text_len": 2.0, "source": "supervisor"},
		{"msg": "fetch_messages", "target": "proj-x", "since_id": 1.0, "limit": 200.0, "returned": 1.0, "latest_id": 2.0},
	}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Errorf("activity log (-want +got):\n%s", diff)
	}

	archive := readLines(t, r.Config.ChannelLog.Path)
	for _, line := range archive {
		if ts, ok := line["ts"].(float64); !ok || ts < 1e9 {
			t.Errorf("archive: %v has no ts", line)
		}
		delete(line, "ts")
	}
	want = []map[string]any{
		{"id": 1.0, "target": "proj-x", "sender": "claude", "text": "zwölf\n<&>", "source": "web-ui"},
		{"id": 2.0, "target": "proj-x", "sender": "codex", "text": "ok", "source": "supervisor", "kind": "review",
			"reply_to": 1.0, "meta": map[string]any{"a": 1.0}, "key": "k"},
	}
	if diff := cmp.Diff(want, archive); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
}

// lumberjack refuses a record larger than a file; the archive must not lose the
// largest message there can be, however small its files are configured.
func TestArchiveHoldsTheLargestMessage(t *testing.T) {
	var out bytes.Buffer
	c := testConfig(t)
	c.ChannelLog.MaxMB = 1
	s, err := server.Open(t.Context(), server.Options{Config: c, Logger: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("\x01", relay.DefaultTextBytes) // six bytes each in JSON
	if _, err := s.Log().Post(t.Context(), relay.Draft{Target: "proj-x", Sender: "claude", Text: text}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	lines := readLines(t, c.ChannelLog.Path)
	if len(lines) != 1 || lines[0]["text"] != text {
		t.Errorf("archive: got %d lines, want the one message whole", len(lines))
	}
	if !strings.Contains(out.String(), "key=channel_log_max_mb configured_mb=1 used_mb=25") {
		t.Errorf("log: got %q, want a warning that the size was raised", out.String())
	}
}

func TestLogsRotate(t *testing.T) {
	r := relaytest.Start(t, func(c *config.Config) {
		c.MaxTextBytes = 100_000
		c.ChannelLog.MaxMB = 2
		c.ChannelLog.Backups = 1
	})
	text := strings.Repeat("x", 100_000)
	for range 45 { // 4.6 MB: two rotations
		if _, err := r.Log().Post(t.Context(), relay.Draft{Target: "proj-x", Sender: "claude", Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(r.Config.Data, "log", "channel_messages*.log"))
	if err != nil || len(files) < 2 {
		t.Fatalf("files: got %v, %v, want rotated ones", files, err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if os.IsNotExist(err) {
			continue // lumberjack removes the oldest in the background
		}
		if err != nil || info.Size() > 2<<20 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v, want at most 2 MB and mode 0600", f, info, err)
		}
	}
}
