//go:build unix

package supervisor_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"autoreview/codexrun/codextest"
	"autoreview/relay/client"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state/sqlite"
)

// original answers as the Python server does: no cursor, no keys, no stream, and
// everything in memory.
type original struct {
	mu       sync.Mutex
	messages []map[string]any // guarded by mu
}

func (o *original) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case r.URL.Path != "/api/messages":
		http.NotFound(w, r)
	case r.Method == http.MethodPost:
		var m map[string]any
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			http.Error(w, "Internal Server Error", http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "posted": len(o.messages) + 1, "message": o.addLocked(m)})
	default:
		out := []map[string]any{}
		for _, m := range o.messages {
			if m["target"] == r.URL.Query().Get("target") {
				out = append(out, m)
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"target": r.URL.Query().Get("target"), "messages": out})
	}
}

func (o *original) addLocked(m map[string]any) map[string]any {
	m = map[string]any{"id": len(o.messages) + 1, "ts": float64(time.Now().UnixMicro()) / 1e6, "target": m["target"], "sender": m["sender"], "text": m["text"]}
	o.messages = append(o.messages, m)
	return m
}

func (o *original) packet(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.addLocked(map[string]any{"target": "proj-x", "sender": "claude", "text": text})
}

func (o *original) restart() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.messages = nil
}

func (o *original) reviews() (texts []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.messages {
		if m["sender"] == "codex" {
			texts = append(texts, m["text"].(string))
		}
	}
	return texts
}

// The bash loop's environment alone, against the original Python server: it is
// reviewed once what is posted, LASTFILE stays the plain integer it was, and a
// restart of the server, whose ids begin again, is no deafness (D1).
func TestBashLoopAgainstTheOriginalServer(t *testing.T) {
	o := new(original)
	srv := httptest.NewServer(o)
	defer srv.Close()
	fake := codextest.Fake(t)
	dir := t.TempDir()
	lastFile := filepath.Join(dir, "last_id")
	vars := map[string]string{"BASE_URL": srv.URL, "TARGET": "proj-x", "INTERVAL": "1", "LASTFILE": lastFile, "WATCH_SENDER": "claude", "HOME": dir, "XDG_STATE_HOME": dir}
	cfg, _, err := config.FromEnv(func(name string) string { return vars[name] }, dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg.CodexBin = fake.Path
	st, err := sqlite.Open(t.Context(), filepath.Join(cfg.StateDir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	c := client.New(client.Options{BaseURL: cfg.Relay, PollInterval: 50 * time.Millisecond})
	defer c.Close()
	log := new(lockedBuffer)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the supervisor's log:\n%s", log)
		}
	})
	sup, err := supervisor.New(supervisor.Options{Config: cfg, Relay: c, State: st, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sup.Run(ctx) }()

	await := func(want ...string) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			got := o.reviews()
			if len(got) == len(want) {
				for i := range want {
					if !strings.HasPrefix(got[i], want[i]) {
						t.Fatalf("review %d: got %q, want it to begin with %q", i, got[i], want[i])
					}
				}
				return
			}
			if len(got) > len(want) || time.Now().After(deadline) {
				t.Fatalf("got %d reviews, want %d", len(got), len(want))
			}
		}
	}
	o.packet("one")
	await("**Review of #1:")
	o.packet("two")
	await("**Review of #1:", "**Review of #3:")
	awaitFile(t, lastFile, "3")
	o.restart()
	o.packet("after the restart")
	await("**Review of #1:")
	o.packet("and another")
	await("**Review of #1:", "**Review of #3:")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func awaitFile(t *testing.T, path, want string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		b, err := os.ReadFile(path)
		if got := strings.TrimSpace(string(b)); err == nil && got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: got %q, %v; want %q", path, b, err, want)
		}
	}
}
