package guard_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"autoreview/relay"
	"autoreview/relay/guard"
)

// keys are tokens by their secret. With the error set nothing can be read.
type keys struct {
	access map[string]relay.Access
	err    error
}

func (k keys) Access(secret string) (*relay.Access, error) {
	if k.err != nil {
		return nil, k.err
	}
	a, ok := k.access[secret]
	if !ok {
		return nil, &relay.Error{Code: relay.CodeUnauthorized, Text: "the token is not known"}
	}
	return &a, nil
}

// off are tokens that are not needed.
type off struct{}

func (off) Access(string) (*relay.Access, error) { return nil, nil }

// named answers with the name in the request's access.
var named = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	a, ok := relay.AccessFrom(r.Context())
	fmt.Fprintf(w, "%v %s", ok, a.Name)
})

func ask(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:8010"+path, nil)
	for i := 0; i < len(header); i += 2 {
		if header[i] == "remote" {
			r.RemoteAddr = header[i+1]
			continue
		}
		r.Header.Add(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

func TestBearer(t *testing.T) {
	h := guard.New(guard.Options{Tokens: keys{access: map[string]relay.Access{"s3cret": {Name: "claude"}}}})(named)
	tests := []struct {
		name   string
		header []string
		want   int
	}{
		{"the token", []string{"Authorization", "Bearer s3cret"}, 200},
		{"in lower case", []string{"Authorization", "bearer  s3cret "}, 200},
		{"none", nil, 401},
		{"empty", []string{"Authorization", ""}, 401},
		{"no scheme", []string{"Authorization", "s3cret"}, 401},
		{"another scheme", []string{"Authorization", "Basic s3cret"}, 401},
		{"no token", []string{"Authorization", "Bearer"}, 401},
		{"another token", []string{"Authorization", "Bearer s3cre"}, 401},
		{"two tokens", []string{"Authorization", "Bearer s3cret", "Authorization", "Bearer x"}, 401},
		{"a cookie", []string{"Cookie", "token=s3cret"}, 401},
		{"sent without expanding a variable", []string{"Authorization", "Bearer ${RELAY_TOKEN}"}, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rec := ask(h, "GET", "/api/messages", tt.header...)
			if rec.Code != tt.want {
				t.Errorf("got %d %s, want %d", rec.Code, rec.Body, tt.want)
			}
			if got := rec.Header().Get("WWW-Authenticate"); (got == `Bearer realm="relay"`) != (tt.want == 401) {
				t.Errorf("WWW-Authenticate: got %q", got)
			}
			if tt.want == 200 && rec.Body.String() != "true claude" {
				t.Errorf("the request's access: got %q", rec.Body)
			}
		})
	}
	if rec := ask(h, "GET", "/api/messages?token=s3cret"); rec.Code != 401 {
		t.Errorf("a token in the address: got %d, want 401", rec.Code)
	}
}

// Nothing is served without a token but the probe, and the page to log in on.
func TestRoutesThatNeedNoToken(t *testing.T) {
	var h http.Handler
	for path, want := range map[string]int{
		"/": 200, "/healthz": 200, "/assets/app.js": 200, "/assets/0123/vendor/preact.js": 200,
		"/readyz": 401, "/docs": 401, "/openapi.json": 401, "/mcp": 401, "/nowhere": 401, "/api/messages": 401,
		"/api/channels": 401, "/api/stream": 401, "/api/whoami": 401, "/ui/messages": 401, "/ui/text/1": 401,
		"/assets": 401, "/assetsx": 401, "//": 401, "/healthz/": 401, "/Healthz": 401, "/assets/../api/messages": 401,
		"/assets/%2e%2e/api/messages": 401, "/assets//x": 401, "/./": 401, "/api/../": 401,
	} {
		h = guard.New(guard.Options{Tokens: keys{}})(named)
		if rec := ask(h, "GET", path); rec.Code != want {
			t.Errorf("GET %s: got %d, want %d", path, rec.Code, want)
		}
		if rec := ask(h, "POST", path, "Content-Type", "application/json"); rec.Code != 401 {
			t.Errorf("POST %s: got %d, want 401", path, rec.Code)
		}
	}
	if rec := ask(h, "HEAD", "/healthz"); rec.Code != 200 {
		t.Errorf("HEAD /healthz: got %d, want 200", rec.Code)
	}
	if rec := ask(guard.New(guard.Options{Tokens: off{}})(named), "GET", "/api/messages"); rec.Body.String() != "false " {
		t.Errorf("with tokens off: got %d %s, want no access in the context", rec.Code, rec.Body)
	}
}

// Tokens that cannot be read let nobody in, and the client is not told why.
func TestUnreadableTokens(t *testing.T) {
	var lines bytes.Buffer
	h := guard.New(guard.Options{Tokens: keys{err: errors.New("tokens.json: disk on fire")}, Logger: slog.New(slog.NewTextHandler(&lines, nil))})(named)
	rec := ask(h, "GET", "/api/messages", "Authorization", "Bearer s3cret")
	if rec.Code != 503 || strings.Contains(rec.Body.String(), "fire") || rec.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %s, want 503", rec.Code, rec.Body)
	}
	if !strings.Contains(lines.String(), "level=ERROR") || !strings.Contains(lines.String(), "disk on fire") || strings.Contains(lines.String(), "s3cret") {
		t.Errorf("log: got %s", lines.String())
	}
	if rec := ask(h, "GET", "/healthz"); rec.Code != 200 {
		t.Errorf("the probe: got %d", rec.Code)
	}
}

func TestFailuresAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		h := guard.New(guard.Options{
			Tokens: keys{access: map[string]relay.Access{"good": {Name: "good"}}},
			Logger: slog.New(slog.NewTextHandler(&lines, nil)),
		})(named)
		guess := func(remote string) *httptest.ResponseRecorder {
			return ask(h, "GET", "/api/messages", "Authorization", "Bearer rly_guess", "remote", remote)
		}
		for i := range 30 {
			if rec := guess("192.0.2.1:1000"); rec.Code != 401 {
				t.Fatalf("guess %d: got %d, want 401", i, rec.Code)
			}
		}
		for range 100 {
			if rec := guess("192.0.2.1:2000"); rec.Code != 429 || rec.Header().Get("Retry-After") != "2" {
				t.Fatalf("past the limit: got %d, Retry-After %q, want 429 and 2", rec.Code, rec.Header().Get("Retry-After"))
			}
		}
		if rec := ask(h, "GET", "/api/messages", "Authorization", "Bearer good", "remote", "192.0.2.1:3"); rec.Code != 200 {
			t.Errorf("a good token at the same address: got %d, want 200", rec.Code)
		}
		if rec := guess("192.0.2.2:1"); rec.Code != 401 {
			t.Errorf("another address: got %d, want 401", rec.Code)
		}
		// One IPv6 network is one client.
		for i := range 31 {
			if rec, want := guess(fmt.Sprintf("[2001:db8::%x]:1", i)), 401; i < 30 && rec.Code != want {
				t.Fatalf("guess %d of a network: got %d, want %d", i, rec.Code, want)
			} else if i == 30 && rec.Code != 429 {
				t.Errorf("guess %d of a network: got %d, want 429", i, rec.Code)
			}
		}
		time.Sleep(2 * time.Second)
		if first, second := guess("192.0.2.1:1").Code, guess("192.0.2.1:1").Code; first != 401 || second != 429 {
			t.Errorf("two seconds later: got %d and %d, want 401 and 429", first, second)
		}
		if got := lines.String(); strings.Contains(got, "rly_guess") || strings.Count(got, "status=429") != 3 {
			t.Errorf("log: want no secret, and each refusal of many said once:\n%s", got)
		}
	})
}

// The token is asked for before anything of the body is read.
func TestTokenComesBeforeTheBody(t *testing.T) {
	r := request("POST", strings.Repeat("x", 1000))
	rec := serve(guard.Options{Tokens: keys{}, MaxBodyBytes: 10}, r)
	if rec.Code != 401 || rec.Header().Get("Connection") != "close" {
		t.Errorf("got %d, Connection %q, want 401 and close", rec.Code, rec.Header().Get("Connection"))
	}
	if r.Body == nil {
		t.Fatal("the body is gone")
	}
	r = request("POST", "x")
	r.Header.Set("Origin", "https://evil.example")
	if rec := serve(guard.Options{Tokens: keys{}}, r); rec.Code != 403 {
		t.Errorf("a foreign page without a token: got %d, want 403", rec.Code)
	}
}
