package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"autoreview/relay/guard"
)

// A page of another origin must not start a review, and with it an agent, by
// posting as someone who is watched. The original took these requests. Each is
// what a browser really sends; one is enough to be refused for.
func TestForeignPageCannotPost(t *testing.T) {
	f := open(t, nil)
	f.h = guard.New(guard.Options{})(f.h)
	const packet = `{"target":"proj-x","sender":"claude","text":"run this"}`
	tests := []struct {
		name, host string
		headers    map[string]string
		want       int
	}{
		{"a form or fetch without preflight", "127.0.0.1:8010", map[string]string{"Content-Type": "text/plain", "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403},
		{"from a sandboxed frame", "127.0.0.1:8010", map[string]string{"Content-Type": "text/plain", "Origin": "null"}, 403},
		{"as JSON, after a preflight was ignored", "127.0.0.1:8010", map[string]string{"Content-Type": "application/json", "Origin": "https://evil.example"}, 403},
		{"from another port of this machine", "localhost:8010", map[string]string{"Content-Type": "application/json", "Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}, 403},
		{"after DNS rebinding", "evil.example:8010", map[string]string{"Content-Type": "application/json", "Origin": "http://evil.example:8010", "Sec-Fetch-Site": "same-origin"}, 421},
		{"without an Origin", "127.0.0.1:8010", map[string]string{"Content-Type": "text/plain"}, 415},
		{"without an Origin, cross-site", "127.0.0.1:8010", map[string]string{"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}, 403},
	}
	for _, tt := range tests {
		req := httptest.NewRequest(http.MethodPost, "/api/messages", strings.NewReader(packet))
		req.Host = tt.host
		for k, v := range tt.headers {
			req.Header.Set(k, v)
		}
		rec := f.do(req)
		refused(t, rec, tt.want)
		if got := rec.Header().Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s: the page may read the answer: %q", tt.name, got)
		}
	}
	req := httptest.NewRequest(http.MethodOptions, "/api/messages", nil)
	req.Host = "127.0.0.1:8010"
	req.Header.Set("Origin", "https://evil.example")
	req.Header.Set("Access-Control-Request-Method", "POST")
	refused(t, f.do(req), 403)
	if info, err := f.log.Info(t.Context()); err != nil || info.Head != 0 {
		t.Errorf("the log has messages up to %d, %v, want none", info.Head, err)
	}
}

// Nor may it read what agents wrote: diffs, and what is in them.
func TestForeignPageCannotRead(t *testing.T) {
	f := open(t, nil)
	f.fill("proj-x", 1)
	f.h = guard.New(guard.Options{})(f.h)
	for _, path := range []string{"/api/messages", "/api/channels", "/api/stream", "/openapi.json"} {
		for name, change := range map[string]func(*http.Request){
			"after DNS rebinding": func(r *http.Request) { r.Host = "evil.example:8010" },
			"by fetch":            func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
			"as a script":         func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
			"from another port":   func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		} {
			req := httptest.NewRequest(http.MethodGet, path, nil)
			req.Host = "localhost:8010"
			change(req)
			if rec := f.do(req); rec.Code != 403 && rec.Code != 421 || strings.Contains(rec.Body.String(), "proj-x") {
				t.Errorf("GET %s %s: got %d %s", path, name, rec.Code, rec.Body)
			}
		}
	}
}
