package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"autoreview/relay"
	"autoreview/relay/api"
	"autoreview/relay/store/memory"
)

// fixture is a door over a log in memory whose clock stands still, so that
// answers can be compared as text.
type fixture struct {
	t   testing.TB
	log *relay.Log
	h   http.Handler
}

func clock() time.Time { return time.Unix(1_795_392_000, 250_000_000) }

// open makes a fixture; change, if not nil, sees the options before the door
// is made.
func open(t testing.TB, change func(*api.Options)) fixture {
	t.Helper()
	log := relay.New(memory.New(clock), relay.Options{})
	o := api.Options{Log: log, Channels: []string{"proj-x", "codex", "claude"}}
	if change != nil {
		change(&o)
	}
	return fixture{t: t, log: log, h: api.New(o)}
}

// fill posts n messages "1" to "n" to a channel.
func (f fixture) fill(target string, n int) {
	f.t.Helper()
	for i := range n {
		f.post(relay.Draft{Target: target, Sender: "claude", Text: fmt.Sprint(i + 1)})
	}
}

func (f fixture) post(d relay.Draft) relay.Message {
	f.t.Helper()
	p, err := f.log.Post(context.Background(), d)
	if err != nil {
		f.t.Fatalf("Post(%+v): %v", d, err)
	}
	return *p.Message
}

func (f fixture) do(req *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	f.h.ServeHTTP(rec, req)
	return rec
}

func (f fixture) get(path string) *httptest.ResponseRecorder {
	return f.do(httptest.NewRequest(http.MethodGet, path, nil))
}

func (f fixture) send(body string) *httptest.ResponseRecorder {
	return f.do(jsonPost(body))
}

func jsonPost(body string) *http.Request {
	req := httptest.NewRequest(http.MethodPost, "/api/messages", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	return req
}

// page is a decoded GET /api/messages.
type page struct {
	Target   string          `json:"target"`
	Messages []relay.Message `json:"messages"`
	LatestID int64           `json:"latest_id"`
	OldestID int64           `json:"oldest_id"`
	HeadID   int64           `json:"head_id"`
}

func decode[T any](t testing.TB, rec *httptest.ResponseRecorder, status int) T {
	t.Helper()
	var v T
	if rec.Code != status {
		t.Fatalf("status: got %d, want %d; body %s", rec.Code, status, rec.Body)
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
		t.Fatalf("body %q: %v", rec.Body, err)
	}
	return v
}

func (f fixture) page(path string) page {
	f.t.Helper()
	return decode[page](f.t, f.get(path), http.StatusOK)
}

// refused checks that an answer is the JSON of an error and returns its text.
func refused(t testing.TB, rec *httptest.ResponseRecorder, status int) string {
	t.Helper()
	body := decode[struct {
		OK    *bool
		Error string
	}](t, rec, status)
	if body.OK == nil || *body.OK || body.Error == "" {
		t.Errorf("body: got %s, want ok false and an error", rec.Body)
	}
	if got := rec.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type: got %q, want application/json", got)
	}
	return body.Error
}

func ids(messages []relay.Message) []int64 {
	out := []int64{}
	for _, m := range messages {
		out = append(out, m.ID)
	}
	return out
}

// broken is a log that fails.
type broken struct {
	api.Log
	err error
}

func (b broken) Post(context.Context, relay.Draft) (relay.Posted, error) {
	return relay.Posted{}, b.err
}
func (b broken) Read(context.Context, relay.Query) (relay.Page, error) { return relay.Page{}, b.err }
func (b broken) Channels(context.Context) ([]relay.Channel, error)     { return nil, b.err }
func (b broken) Check(context.Context) error                           { return b.err }
func (b broken) Info(context.Context) (relay.Info, error) {
	return relay.Info{LogID: "broken"}, nil
}

func openBroken(t testing.TB, err error) fixture {
	return open(t, func(o *api.Options) { o.Log = broken{Log: o.Log, err: err} })
}

func TestEveryAnswerCarriesTheLogsID(t *testing.T) {
	f := open(t, nil)
	info, err := f.log.Info(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/healthz", "/api/messages", "/api/messages?limit=abc", "/nowhere", "/docs", "//x"} {
		if got := f.get(path).Header().Get(api.HeaderLog); got != info.LogID {
			t.Errorf("GET %s: %s is %q, want %q", path, api.HeaderLog, got, info.LogID)
		}
	}
}

// What is wrong inside is logged; a client learns nothing of it.
func TestInternalErrorsStayInside(t *testing.T) {
	var lines strings.Builder
	f := open(t, func(o *api.Options) {
		o.Log = broken{Log: o.Log, err: errors.New("disk /var/lib/secret on fire")}
		o.Logger = logTo(&lines)
	})
	for _, rec := range []*httptest.ResponseRecorder{
		f.get("/api/messages"), f.get("/api/channels"), f.get("/api/stream"), f.send(`{"target":"a","sender":"b","text":"c"}`),
	} {
		if got := refused(t, rec, http.StatusInternalServerError); got != "internal error" {
			t.Errorf("error: got %q, want internal error", got)
		}
	}
	if got := strings.Count(lines.String(), "on fire"); got != 4 {
		t.Errorf("log names the cause %d times, want 4:\n%s", got, lines.String())
	}
}

func TestUnavailableIs503(t *testing.T) {
	f := openBroken(t, &relay.Error{Code: relay.CodeUnavailable, Text: "the log is closing"})
	for _, rec := range []*httptest.ResponseRecorder{
		f.get("/api/messages"), f.get("/readyz"), f.send(`{"target":"a","sender":"b","text":"c"}`),
	} {
		if got := refused(t, rec, http.StatusServiceUnavailable); got != "the log is closing" {
			t.Errorf("error: got %q, want the log is closing", got)
		}
		if rec.Header().Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
}

func TestReadyz(t *testing.T) {
	stop, cancel := context.WithCancel(context.Background())
	f := open(t, func(o *api.Options) { o.Stop = stop })
	if rec := f.get("/readyz"); rec.Code != 200 || strings.TrimSpace(rec.Body.String()) != `{"ok":true}` {
		t.Errorf("ready: got %d %s", rec.Code, rec.Body)
	}
	cancel()
	refused(t, f.get("/readyz"), http.StatusServiceUnavailable)
	if rec := f.get("/healthz"); rec.Code != 200 {
		t.Errorf("healthz while stopping: got %d, want 200", rec.Code)
	}
	got := refused(t, openBroken(t, errors.New("database is locked")).get("/readyz"), http.StatusServiceUnavailable)
	if got != "the log cannot be written to" {
		t.Errorf("error: got %q", got)
	}
}

// The texts of net/http's mux are not JSON and must not show.
func TestNothingElseIsServed(t *testing.T) {
	f := open(t, nil)
	for _, path := range []string{"/nowhere", "/api", "/api/", "/api/messages/", "//api/messages", "/api/../healthz", "/api/./channels", "/mcp"} {
		if got := refused(t, f.get(path), http.StatusNotFound); !strings.Contains(got, path) {
			t.Errorf("GET %s: error %q does not name the path", path, got)
		}
	}
	allow := map[string]string{"/api/messages": "GET, HEAD, POST"}
	for _, path := range []string{"/api/messages", "/api/channels", "/api/stream", "/healthz", "/readyz", "/docs", "/openapi.json"} {
		want := allow[path]
		if want == "" {
			want = "GET, HEAD"
			refused(t, f.do(httptest.NewRequest(http.MethodPost, path, nil)), http.StatusMethodNotAllowed)
		}
		for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"} {
			rec := f.do(httptest.NewRequest(method, path, nil))
			if got := refused(t, rec, http.StatusMethodNotAllowed); !strings.Contains(got, method) {
				t.Errorf("%s %s: error %q does not name the method", method, path, got)
			}
			if got := rec.Header().Get("Allow"); got != want {
				t.Errorf("%s %s: Allow is %q, want %q", method, path, got, want)
			}
		}
	}
}

func TestHeadWorksWhereGetDoes(t *testing.T) {
	f := open(t, nil)
	srv := httptest.NewServer(f.h)
	defer srv.Close()
	for _, path := range []string{"/api/messages", "/api/channels", "/api/stream", "/healthz", "/readyz", "/docs", "/openapi.json"} {
		resp, err := http.Head(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || len(body) > 0 {
			t.Errorf("HEAD %s: got %d, %d bytes, %v", path, resp.StatusCode, len(body), err)
		}
	}
}

func TestDocsLoadNothingFromOutside(t *testing.T) {
	f := open(t, func(o *api.Options) { o.Version = "1.2.3<b>" })
	rec := f.get("/docs")
	html := rec.Body.String()
	for _, bad := range []string{"<script", "<link", "<img", "http-equiv", "style=\"", "1.2.3<b>"} {
		if strings.Contains(html, bad) {
			t.Errorf("docs contain %q", bad)
		}
	}
	if !strings.Contains(html, "1.2.3&lt;b&gt;") {
		t.Error("docs do not show the version")
	}
	policy := rec.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "style-src 'sha256-", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %q lacks %q", policy, want)
		}
	}
}
