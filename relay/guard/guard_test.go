package guard_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"autoreview/relay/guard"
)

// echo answers with the size of the body that came through.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%d of %d, %v", len(b), r.ContentLength, err)
})

func request(method, body string) *http.Request {
	r := httptest.NewRequest(method, "http://127.0.0.1:8010/mcp", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func serve(o guard.Options, r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	guard.New(o)(echo).ServeHTTP(rec, r)
	return rec
}

func TestRefusalsInOrder(t *testing.T) {
	r := request("POST", strings.Repeat("x", 200))
	r.Host = "evil.example"
	r.Header.Set("Origin", "https://evil.example")
	r.Header.Set("Content-Type", "text/plain")
	steps := []struct {
		status int
		error  string
		mend   func()
	}{
		{421, "Invalid Host header", func() { r.Host = "localhost" }},
		{403, "Invalid Origin header", func() { r.Header.Del("Origin") }},
		{415, "Invalid Content-Type header", func() { r.Header.Set("Content-Type", "application/json") }},
		{413, "limit of 100 bytes", func() { r.Body, r.ContentLength = http.NoBody, 0 }},
	}
	o := guard.Options{MaxBodyBytes: 100}
	for _, step := range steps {
		rec := serve(o, r)
		var body struct {
			OK    *bool
			Error string
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
			t.Fatalf("body %s: %v", rec.Body, err)
		}
		if rec.Code != step.status || body.OK == nil || *body.OK || !strings.Contains(body.Error, step.error) {
			t.Errorf("got %d %s, want %d with %q", rec.Code, rec.Body, step.status, step.error)
		}
		if got := rec.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("%d: Content-Type is %q", rec.Code, got)
		}
		if got := rec.Header().Get("Connection"); got != "close" {
			t.Errorf("%d with an unread body: Connection is %q, want close", rec.Code, got)
		}
		step.mend()
	}
	if rec := serve(o, r); rec.Code != 200 {
		t.Errorf("mended: got %d %s, want 200", rec.Code, rec.Body)
	}
}

func TestSecurityHeaders(t *testing.T) {
	foreign := request("POST", "{}")
	foreign.Header.Set("Origin", "https://evil.example")
	for name, r := range map[string]*http.Request{"let through": request("GET", ""), "refused": foreign} {
		h := serve(guard.Options{}, r).Header()
		for header, want := range map[string]string{
			"Content-Security-Policy":      "frame-ancestors 'none'",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Referrer-Policy":              "no-referrer",
			"X-Content-Type-Options":       "nosniff",
			"X-Frame-Options":              "DENY",
		} {
			if got := h.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
		if got := h.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s: Access-Control-Allow-Origin is %q, want none", name, got)
		}
	}
}

// The limit holds whether or not a request says how long its body is, and what
// passes reaches the door whole.
func TestBodyLimit(t *testing.T) {
	for _, known := range []bool{true, false} {
		for size, want := range map[int]int{1: 200, 99: 200, 100: 200, 101: 413, 5000: 413} {
			r := request("POST", strings.Repeat("x", size))
			if !known {
				r.ContentLength = -1
			}
			rec := serve(guard.Options{MaxBodyBytes: 100}, r)
			if rec.Code != want {
				t.Errorf("%d bytes, length known %v: got %d, want %d", size, known, rec.Code, want)
			}
			if whole := fmt.Sprintf("%d of %d, <nil>", size, size); want == 200 && rec.Body.String() != whole {
				t.Errorf("%d bytes, length known %v: the door got %s", size, known, rec.Body)
			}
		}
	}
}

// A body that says it is too large is not read at all.
func TestTooLargeBodyIsNotRead(t *testing.T) {
	r := request("POST", "")
	r.Body, r.ContentLength = io.NopCloser(iotest.ErrReader(errors.New("read"))), 101
	if rec := serve(guard.Options{MaxBodyBytes: 100}, r); rec.Code != 413 {
		t.Errorf("got %d %s, want 413", rec.Code, rec.Body)
	}
	r.ContentLength = 100
	if rec := serve(guard.Options{MaxBodyBytes: 100}, r); rec.Code != 400 {
		t.Errorf("a body that breaks off: got %d %s, want 400", rec.Code, rec.Body)
	}
}

// A client that never sends the body it promised gets an answer and does not
// keep its connection.
func TestBodyThatNeverArrives(t *testing.T) {
	srv := httptest.NewServer(guard.New(guard.Options{BodyTimeout: time.Millisecond})(echo))
	defer srv.Close()
	for status, head := range map[string]string{
		"408": "Host: localhost\r\nContent-Type: application/json\r\n",
		"421": "Host: evil.example\r\nContent-Type: application/json\r\n",
		"415": "Host: localhost\r\n",
	} {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\n%sContent-Length: 100\r\n\r\n{", head)
		answer, err := io.ReadAll(conn)
		conn.Close()
		if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 "+status)) {
			t.Errorf("got %.80q, %v, want status %s and the end of the connection", answer, err, status)
		}
	}
}

// The time limit is the body's: it does not end a door's long wait.
func TestBodyTimeoutEndsWithTheBody(t *testing.T) {
	const timeout = 50 * time.Millisecond
	srv := httptest.NewServer(guard.New(guard.Options{BodyTimeout: timeout})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
			fmt.Fprint(w, "cut short")
		case <-time.After(4 * timeout):
			fmt.Fprint(w, "waited")
		}
	})))
	defer srv.Close()
	resp, err := http.Post(srv.URL, "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); string(body) != "waited" || err != nil {
		t.Errorf("got %q, %v, want waited", body, err)
	}
}

func TestCheck(t *testing.T) {
	good := guard.Options{
		AllowedHosts:   []string{"box", "box:*", "box:8010", "10.0.0.5", "::1", "[::1]", "[::1]:80", "fe80::1:*"},
		AllowedOrigins: []string{"https://relay.example", "http://box:8010", "vscode-webview://abc"},
	}
	if err := good.Check(); err != nil {
		t.Errorf("Check of good entries: %v", err)
	}
	bad := guard.Options{
		AllowedHosts:   []string{"", "*", "http://box", "box:port", "*.example", "a b", "box/"},
		AllowedOrigins: []string{"null", "*", "relay.example", "https://relay.example/", "https://*.example"},
	}
	err := bad.Check()
	if err == nil {
		t.Fatal("Check of bad entries: no error")
	}
	for _, entry := range append(bad.AllowedHosts, bad.AllowedOrigins...) {
		if !strings.Contains(err.Error(), fmt.Sprintf("%q", entry)) {
			t.Errorf("Check does not name %q", entry)
		}
	}
	if got := strings.Count(err.Error(), "\n") + 1; got != 12 {
		t.Errorf("Check reports %d entries, want 12:\n%v", got, err)
	}
}

func TestRefusalIsLogged(t *testing.T) {
	var lines bytes.Buffer
	r := request("POST", "{}")
	r.Header.Set("Origin", "https://evil.example")
	serve(guard.Options{Logger: slog.New(slog.NewTextHandler(&lines, nil))}, r)
	if got := lines.String(); !strings.Contains(got, "request refused") || !strings.Contains(got, "evil.example") {
		t.Errorf("log: got %q", got)
	}
}

// A client that does not read its answer does not keep the door waiting.
func TestAnswerThatIsNotRead(t *testing.T) {
	ended := make(chan error, 1)
	srv := httptest.NewServer(guard.New(guard.Options{AnswerTimeout: 50 * time.Millisecond})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				ended <- err
				return
			}
		}
	})))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the door's write: got %v, want its deadline", err)
	}
}
