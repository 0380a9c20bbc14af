package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/relay/config"
	"autoreview/relay/relaytest"
	"autoreview/relay/server"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction(relaytest.LeakedFunction))
}

// get answers the status, the header and the body of a GET.
func get(t *testing.T, url string, header ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

func TestEveryDoorIsMountedAndNamed(t *testing.T) {
	r := relaytest.Start(t)
	info, err := r.Client().Info(t.Context())
	if err != nil || info.LogID == "" {
		t.Fatalf("Info: got %+v, %v, want a log id", info, err)
	}
	tests := []struct {
		path        string
		status      int
		contentType string
	}{
		{"/", 200, "text/html"},
		{"/assets/nothing-like-this.js", 404, ""},
		{"/ui/messages?target=proj-x", 200, "application/json"},
		{"/api/messages", 200, "application/json"},
		{"/api/channels", 200, "application/json"},
		{"/healthz", 200, "text/plain"},
		{"/readyz", 200, ""},
		{"/docs", 200, "text/html"},
		{"/openapi.json", 200, "application/json"},
		{"/mcp", 405, "application/json"},
		{"/nowhere", 404, "application/json"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			status, h, _ := get(t, r.URL+tt.path)
			if status != tt.status || !strings.HasPrefix(h.Get("Content-Type"), tt.contentType) {
				t.Errorf("GET: got %d %s, want %d %s", status, h.Get("Content-Type"), tt.status, tt.contentType)
			}
			if h.Get(client.HeaderLog) != info.LogID {
				t.Errorf("GET: got log %q, want %q", h.Get(client.HeaderLog), info.LogID)
			}
		})
	}
}

func TestGuardStandsBeforeEveryDoor(t *testing.T) {
	r := relaytest.Start(t, func(c *config.Config) { c.AllowedHosts = []string{"box"} })
	for _, path := range []string{"/", "/api/messages", "/mcp", "/healthz", "/ui/messages?target=a", "/nowhere"} {
		status, h, body := get(t, r.URL+path, "Host", "evil.example")
		if status != http.StatusMisdirectedRequest || h.Get(client.HeaderLog) == "" || !strings.Contains(body, `"ok":false`) {
			t.Errorf("GET %s for another host: got %d %s, want 421 in JSON and the log's id", path, status, body)
		}
		if status, _, _ := get(t, r.URL+path, "Origin", "https://evil.example"); status != http.StatusForbidden {
			t.Errorf("GET %s from another origin: got %d, want 403", path, status)
		}
		if status, _, _ := get(t, r.URL+path, "Host", "box:1"); status == http.StatusMisdirectedRequest {
			t.Errorf("GET %s for an allowed host: got 421", path)
		}
	}
}

// The original forgets everything and starts again at id 1, which makes every
// reader with a cursor deaf.
func TestRestartKeepsIDsAndMessages(t *testing.T) {
	r := relaytest.Start(t)
	c := r.Client()
	before := r.Post("proj-x", "claude", "packet")
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, stop := range []func(){r.Stop, r.Kill} {
		stop()
		r.Start()
		p, err := c.Read(t.Context(), relay.Query{Targets: []string{"proj-x"}, Since: before.ID - 1, Limit: 1})
		if err != nil || len(p.Messages) != 1 || p.Messages[0].Text != before.Text || p.LogID != info.LogID {
			t.Fatalf("Read after a restart: got %+v, %v, want the message %+v of the same log", p, err, before)
		}
		if next := r.Post("proj-x", "claude", "packet 2"); next.ID <= before.ID {
			t.Errorf("id after a restart: got %d, want more than %d", next.ID, before.ID)
		}
	}
}

// openStreams opens n event streams and reads the first line of each.
func openStreams(t *testing.T, r *relaytest.Relay, n int) []*http.Response {
	t.Helper()
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	var out []*http.Response
	for range n {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL+"/api/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
			t.Fatalf("reading a stream's first line: %v", err)
		}
		out = append(out, resp)
	}
	return out
}

// A stop does not wait for readers: streams and long-polls end at once and
// cleanly. A relay that waited for them would cut the streams off instead.
func TestStopWithManyReaders(t *testing.T) {
	r := relaytest.Start(t)
	streams := openStreams(t, r, 100)
	var polls sync.WaitGroup
	for range 10 {
		polls.Go(func() {
			p, err := r.Client().Wait(t.Context(), relay.Query{Targets: []string{"proj-x"}}, time.Hour)
			if err == nil {
				t.Errorf("Wait at a relay that stops: got %+v, want an error in the end", p)
			}
		})
	}
	r.Stop()
	for i, s := range streams {
		if _, err := io.Copy(io.Discard, s.Body); err != nil {
			t.Fatalf("stream %d: got %v, want a clean end", i, err)
		}
	}
	polls.Wait()
}

// Every post that was answered is there after the stop, and every one that was
// refused is not.
func TestPostsAtTheStopAreAnsweredOrRefused(t *testing.T) {
	r := relaytest.Start(t)
	c := r.Client()
	var mu sync.Mutex
	answered := make(map[string]bool)
	var posters sync.WaitGroup
	first := make(chan struct{}, 16)
	for i := range 16 {
		posters.Go(func() {
			for n := range 10_000 {
				text := strings.Repeat("x", i+1) + strings.Repeat("y", n+1)
				_, err := c.Post(context.WithoutCancel(t.Context()), relay.Draft{Target: "proj-x", Sender: "claude", Text: text})
				if err != nil {
					return
				}
				mu.Lock()
				answered[text] = true
				mu.Unlock()
				if n == 0 {
					first <- struct{}{}
				}
			}
		})
	}
	for range 16 {
		<-first
	}
	r.Stop()
	posters.Wait()
	r.Start()
	stored := make(map[string]bool)
	for q := (relay.Query{Targets: []string{"proj-x"}, Limit: relay.MaxLimit}); ; {
		p, err := c.Read(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range p.Messages {
			stored[m.Text] = true
		}
		if len(p.Messages) == 0 {
			break
		}
		q.Since = p.LatestID
	}
	for text := range answered {
		if !stored[text] {
			t.Errorf("an acknowledged message of %d bytes is not there", len(text))
		}
	}
	if len(stored) < len(answered) || len(answered) < 16 {
		t.Errorf("stored %d, answered %d", len(stored), len(answered))
	}
}

func testConfig(t *testing.T) config.Config {
	t.Helper()
	c, err := config.Load(config.Sources{
		Env:   func(string) (string, bool) { return "", false },
		Flags: map[string]string{"data": filepath.Join(t.TempDir(), "data"), "port": "0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSecondRelayOnTheSameData(t *testing.T) {
	r := relaytest.Start(t)
	second := r.Config
	second.Port = 0
	_, err := server.Open(t.Context(), server.Options{Config: second})
	var locked *server.LockedError
	if !errors.As(err, &locked) {
		t.Fatalf("Open: got %v, want a *LockedError", err)
	}
	if locked.Dir != second.Data || locked.Owner.PID != os.Getpid() || locked.Owner.URL != r.URL {
		t.Errorf("LockedError: got %+v, want folder %s, pid %d, url %s", locked, second.Data, os.Getpid(), r.URL)
	}
	for _, want := range []string{second.Data, r.URL} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error: got %q, want it to name %q", err, want)
		}
	}
	r.Stop()
	s, err := server.Open(t.Context(), server.Options{Config: second})
	if err != nil {
		t.Fatalf("Open after the first has stopped: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestTakenPort(t *testing.T) {
	original := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/channels" {
			io.WriteString(w, `{"channels":["proj-x"]}`)
			return
		}
		io.WriteString(w, `{"target":"proj-x","messages":[]}`)
	}))
	defer original.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	r := relaytest.Start(t)
	tests := []struct {
		url, who string
		relay    bool
	}{
		{r.URL, "a relay that is already running", true},
		{original.URL, "the original Python server", true},
		{other.URL, "another program that is not a relay", false},
	}
	for _, tt := range tests {
		t.Run(tt.who, func(t *testing.T) {
			c := testConfig(t)
			addr, err := net.ResolveTCPAddr("tcp", strings.TrimPrefix(tt.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			c.Port = addr.Port
			_, err = server.Open(t.Context(), server.Options{Config: c})
			var taken *server.PortError
			if !errors.As(err, &taken) {
				t.Fatalf("Open: got %v, want a *PortError", err)
			}
			if taken.Relay != tt.relay || !strings.Contains(err.Error(), tt.who) || !strings.Contains(err.Error(), c.Addr()) {
				t.Errorf("Open: got %q (relay %v), want %s at %s", err, taken.Relay, tt.who, c.Addr())
			}
			c.Port = 0
			s, err := server.Open(t.Context(), server.Options{Config: c})
			if err != nil {
				t.Fatalf("Open after a taken port: %v, want the data folder to be free again", err)
			}
			s.Close()
		})
	}
}

func TestDataFolderOfOthersIsSaid(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no modes")
	}
	for mode, want := range map[os.FileMode]bool{0o700: false, 0o755: false, 0o770: true, 0o777: true} {
		dir := t.TempDir()
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		var lines strings.Builder
		d, err := server.OpenData(t.Context(), dir, slog.New(slog.NewTextHandler(&lines, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if got := strings.Contains(lines.String(), "OTHERS MAY WRITE"); got != want {
			t.Errorf("mode %o: got %q, want a warning: %v", mode, lines.String(), want)
		}
	}
}

func TestFilesArePrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no modes")
	}
	c := testConfig(t)
	if err := os.MkdirAll(filepath.Dir(c.Log.Path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.Log.Path, []byte("from an earlier life\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := relaytest.Start(t, func(to *config.Config) { *to = c })
	r.Post("proj-x", "claude", "secret diff")
	err := filepath.WalkDir(c.Data, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && !e.IsDir() && info.Mode().Perm() != 0o600 {
			t.Errorf("mode of %s: got %v, want 0600", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRetention(t *testing.T) {
	r := relaytest.Start(t)
	for range 5 {
		r.Post("proj-x", "claude", "x")
	}
	r.Config.RetentionMessages = 2
	r.Restart()
	for {
		p, err := r.Client().Read(t.Context(), relay.Query{Targets: []string{"proj-x"}})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Messages) == 2 && p.OldestID == 4 && p.Head == 5 {
			return // the test's deadline is what fails otherwise
		}
		runtime.Gosched()
	}
}

// The bound on the number of messages holds between the hourly looks as well,
// whatever is posted.
func TestRetentionWhileTheLogGrows(t *testing.T) {
	r := relaytest.Start(t, func(c *config.Config) { c.RetentionMessages = 20 })
	const posts = 300
	for range posts {
		r.Post("proj-x", "claude", "x")
	}
	for {
		p, err := r.Client().Read(t.Context(), relay.Query{Targets: []string{"proj-x"}})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Messages) == 20 && p.OldestID == posts-20+1 && p.Head == posts {
			return // the test's deadline is what fails otherwise
		}
		runtime.Gosched()
	}
}

func readLines(t *testing.T, path string) []map[string]any {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]any
	for line := range strings.Lines(string(b)) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%s: %q is not JSON: %v", path, line, err)
		}
		out = append(out, m)
	}
	return out
}
