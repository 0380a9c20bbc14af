package codexrun_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/codexrun/codextest"

	"github.com/google/go-cmp/cmp"
)

// tokenCount is a line as 0.169 writes it, with the limits given.
func tokenCount(at, limits string) string {
	return fmt.Sprintf(`{"timestamp":%q,"ordinal":12,"type":"event_msg","payload":{"type":"token_count","info":{"total_token_usage":{"input_tokens":100},"model_context_window":258400},"rate_limits":%s}}`, at, limits)
}

const recordedAt = "2026-11-23T03:31:09.568Z"

func TestReadWindows(t *testing.T) {
	at := time.Date(2026, 11, 23, 3, 31, 9, 568e6, time.UTC)
	primary := codexrun.Window{UsedPercent: 87.5, Span: 5 * time.Hour, Resets: time.Unix(1795406469, 0)}
	secondary := codexrun.Window{UsedPercent: 41.5, Span: 7 * 24 * time.Hour, Resets: time.Unix(1795491069, 0)}
	const both = `"primary":{"used_percent":87.5,"window_minutes":300,"resets_at":1795406469},"secondary":{"used_percent":41.5,"window_minutes":10080,"resets_at":1795491069}`
	tests := []struct {
		name  string
		lines []string
		want  codexrun.Windows
		none  bool
	}{
		{"as recorded", []string{tokenCount(recordedAt, `{"limit_id":"codex","limit_name":null,`+both+`,"credits":null,"plan_type":null}`)},
			codexrun.Windows{Recorded: at, Windows: []codexrun.Window{primary, secondary}}, false},
		{"without an id", []string{tokenCount(recordedAt, `{`+both+`}`)}, codexrun.Windows{Recorded: at, Windows: []codexrun.Window{primary, secondary}}, false},
		{"the last one counts", []string{tokenCount("2026-11-23T01:00:00Z", `{"primary":{"used_percent":1}}`), tokenCount(recordedAt, `{`+both+`}`), `{"type":"event_msg","payload":{"type":"task_complete"}}`},
			codexrun.Windows{Recorded: at, Windows: []codexrun.Window{primary, secondary}}, false},
		{"one window", []string{tokenCount(recordedAt, `{"primary":null,"secondary":{"used_percent":41.5,"window_minutes":10080,"resets_at":1795491069}}`)},
			codexrun.Windows{Recorded: at, Windows: []codexrun.Window{secondary}}, false},
		{"older form", []string{tokenCount(recordedAt, `{"primary":{"used_percent":100,"window_minutes":300,"resets_in_seconds":60}}`)},
			codexrun.Windows{Recorded: at, Windows: []codexrun.Window{{UsedPercent: 100, Span: 5 * time.Hour, Resets: at.Add(time.Minute)}}}, false},
		{"credit", []string{tokenCount(recordedAt, `{"primary":{"used_percent":100},"credits":{"has_credits":true,"unlimited":false,"balance":"3"}}`)},
			codexrun.Windows{Recorded: at, Windows: []codexrun.Window{{UsedPercent: 100}}, Paid: true}, false},
		{"limits of something else", []string{tokenCount(recordedAt, `{"limit_id":"codex_other",`+both+`}`)}, codexrun.Windows{}, true},
		{"no limits", []string{tokenCount(recordedAt, `null`), `{"rate_limits"`, `"rate_limits"`}, codexrun.Windows{}, true},
		{"said by a message", []string{`{"type":"response_item","payload":{"type":"message","rate_limits":{"primary":{"used_percent":100,"resets_at":9999999999}}}}`}, codexrun.Windows{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			home := t.TempDir()
			session(t, home, "2026/11/23", "a", at, tt.lines...)
			got, ok := codexrun.ReadWindows(home)
			if ok == tt.none {
				t.Errorf("ReadWindows: got %v, want the opposite", ok)
			}
			got.Recorded = got.Recorded.UTC()
			if diff := cmp.Diff(tt.want, got); !tt.none && diff != "" {
				t.Errorf("ReadWindows (-want +got):\n%s", diff)
			}
		})
	}
}

func session(t *testing.T, home, day, name string, written time.Time, lines ...string) {
	t.Helper()
	dir := filepath.Join(home, "sessions", filepath.FromSlash(day))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "rollout-"+name+".jsonl")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, written, written); err != nil {
		t.Fatal(err)
	}
}

// Of several files the newest record counts, also when another file was written
// later, and a long file is read from its end.
func TestReadWindowsOfSeveralSessions(t *testing.T) {
	home := t.TempDir()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	line := func(at time.Time, percent int) string {
		return tokenCount(at.Format(time.RFC3339), fmt.Sprintf(`{"primary":{"used_percent":%d}}`, percent))
	}
	session(t, home, "2025/12/31", "older year", now, line(now, 1))
	session(t, home, "2026/11/22", "yesterday", now.Add(-time.Hour), line(now.Add(-time.Hour), 2))
	session(t, home, "2026/11/23", "long", now.Add(-time.Minute), strings.Repeat("x", 3<<20), line(now.Add(-time.Minute), 3))
	session(t, home, "2026/11/23", "resumed", now, line(now.Add(-time.Hour), 4), `{"type":"event_msg"}`)
	session(t, home, "2026/10/01", "in october", now.Add(-50*24*time.Hour), line(now.Add(-50*24*time.Hour), 5))
	got, ok := codexrun.ReadWindows(home)
	if !ok || len(got.Windows) != 1 || got.Windows[0].UsedPercent != 3 {
		t.Errorf("ReadWindows: got %+v, %v; want the one of the long file", got, ok)
	}
	if _, ok := codexrun.ReadWindows(t.TempDir()); ok {
		t.Error("ReadWindows of an empty home: got something")
	}
}

func TestFullUntil(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	in := func(d time.Duration) time.Time { return now.Add(d) }
	tests := []struct {
		name    string
		windows codexrun.Windows
		want    time.Time
	}{
		{"none", codexrun.Windows{}, time.Time{}},
		{"not full", codexrun.Windows{Windows: []codexrun.Window{{UsedPercent: 99.9, Resets: in(time.Hour)}}}, time.Time{}},
		{"full", codexrun.Windows{Windows: []codexrun.Window{{UsedPercent: 100, Resets: in(time.Hour)}}}, in(time.Hour)},
		{"both full", codexrun.Windows{Windows: []codexrun.Window{{UsedPercent: 100, Resets: in(9 * time.Hour)}, {UsedPercent: 104, Resets: in(time.Hour)}}}, in(9 * time.Hour)},
		{"over", codexrun.Windows{Windows: []codexrun.Window{{UsedPercent: 100, Resets: in(-time.Second)}}}, time.Time{}},
		{"credit", codexrun.Windows{Paid: true, Windows: []codexrun.Window{{UsedPercent: 100, Resets: in(time.Hour)}}}, time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.windows.FullUntil(now); !got.Equal(tt.want) {
				t.Errorf("FullUntil: got %v, want %v", got, tt.want)
			}
		})
	}
}

// limited answers for the model with the headers of an account's limits.
func limited(t *testing.T, resets time.Time) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"content-type":                 "text/event-stream",
			"x-codex-primary-used-percent": "100", "x-codex-primary-window-minutes": "300", "x-codex-primary-reset-at": fmt.Sprint(resets.Unix()),
			"x-codex-secondary-used-percent": "12", "x-codex-secondary-window-minutes": "10080", "x-codex-secondary-reset-at": fmt.Sprint(resets.Add(time.Hour).Unix()),
		} {
			w.Header().Set(name, value)
		}
		for _, e := range []map[string]any{
			{"type": "response.created", "response": map[string]any{"id": "r"}},
			{"type": "response.output_item.done", "item": map[string]any{"type": "message", "role": "assistant", "content": []any{map[string]any{"type": "output_text", "text": "done"}}}},
			{"type": "response.completed", "response": map[string]any{"id": "r", "usage": map[string]any{"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}}},
		} {
			b, err := json.Marshal(e)
			if err != nil {
				t.Error(err)
			}
			fmt.Fprintf(w, "event: %s\ndata: %s\n\n", e["type"], b)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// What the real Codex is told of the account is what is read from its files.
func TestRealWindows(t *testing.T) {
	bin := codextest.Real(t)
	resets := time.Now().Add(90 * time.Minute).Truncate(time.Second)
	home, env := codextest.Home(t, codextest.Serve(t, codextest.Always("unused")))
	s := limited(t, resets)
	res := codexrun.Run(context.Background(), codexrun.Spec{
		Binary: bin, Dir: t.TempDir(), Prompt: "hello", Env: env, Timeout: time.Minute,
		Config: map[string]any{"model_provider": "limited", "model_providers": map[string]any{"limited": map[string]any{
			"name": "limited", "base_url": s.URL + "/v1", "wire_api": "responses",
		}}},
	}, codexrun.Observer{})
	if res.Class != codexrun.Completed {
		t.Fatalf("Run: got %s, %s", res.Class, res.Text)
	}
	w, ok := codexrun.ReadWindows(home)
	if !ok || !w.FullUntil(time.Now()).Equal(resets) || time.Since(w.Recorded) > time.Minute || len(w.Windows) != 2 {
		t.Errorf("ReadWindows: got %+v, %v; want the first of two windows full until %v", w, ok, resets)
	}
}
