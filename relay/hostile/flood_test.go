package hostile_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"autoreview/relay/config"
)

// send opens a connection and sends the start of a request.
func (r target) send(t *testing.T, start string) net.Conn {
	t.Helper()
	conn := r.dial(t)
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, strings.ReplaceAll(start, "‹relay›", r.addr)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Clients that hold connections and send nothing, or a byte now and then, keep
// nobody else waiting.
func TestSlowClientsHoldNobodyUp(t *testing.T) {
	r := start(t)
	var slow []net.Conn
	for range 100 {
		slow = append(slow,
			r.send(t, ""),
			r.send(t, "POST /api/messages HTTP/1.1\r\nHost: ‹relay›\r\nX-Slow: a"),
			r.send(t, "POST /api/messages HTTP/1.1\r\nHost: ‹relay›\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"),
			r.send(t, "POST /mcp HTTP/1.1\r\nHost: ‹relay›\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"),
		)
	}
	for range 3 {
		for _, conn := range slow {
			// The relay may have closed it; that is its right.
			_, _ = conn.Write([]byte("a"))
		}
		r.unharmed(t)
	}
	if resp, body := r.do(t, postJSON("/api/messages", draft)); resp.StatusCode != http.StatusCreated {
		t.Errorf("a client that is not slow: got %d %s, want 201", resp.StatusCode, body)
	}
}

// However slow a client is, there is an end: 10 s for the head of a request and
// 30 s for its body.
func TestSlowClientsAreCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	r := start(t)
	for _, tt := range []struct {
		name, start string
		status      int // 0: the connection ends without an answer
	}{
		{"in the head", "POST /api/messages HTTP/1.1\r\nHost: ‹relay›\r\nX-Slow: a", 0},
		{"in the body", "POST /api/messages HTTP/1.1\r\nHost: ‹relay›\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", 408},
		{"in a chunk", "POST /mcp HTTP/1.1\r\nHost: ‹relay›\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", 408},
		{"after a refusal", "POST /mcp HTTP/1.1\r\nHost: ‹relay›\r\nOrigin: https://evil.example\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn := r.send(t, tt.start)
			if err := conn.SetReadDeadline(time.Now().Add(45 * time.Second)); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(conn)
			resp, err := http.ReadResponse(in, nil)
			switch {
			case tt.status == 0 && err != io.EOF && err != io.ErrUnexpectedEOF:
				t.Errorf("got %v, %v, want the end of the connection", resp, err)
			case tt.status != 0 && (err != nil || resp.StatusCode != tt.status):
				t.Errorf("got %v, %v, want %d", resp, err, tt.status)
			}
			if _, err := io.Copy(io.Discard, in); err != nil {
				if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
					t.Errorf("the connection is still open: %v", err)
				}
			}
			r.unharmed(t)
		})
	}
}

// Past the bounds a client is told when to come back, and others are served.
func TestFloodsAreBounded(t *testing.T) {
	tooMany := func(t *testing.T, resp *http.Response, body string) {
		t.Helper()
		wantError(t, resp, body)
		if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); resp.StatusCode != 429 || err != nil || after < 1 {
			t.Errorf("got %d, Retry-After %q, want 429 and a number of seconds", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	}
	t.Run("streams", func(t *testing.T) {
		r := start(t, func(c *config.Config) { c.MaxStreamsPerClient = 5 })
		for range 5 {
			conn := r.send(t, get("/api/stream"))
			if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || resp.StatusCode != 200 {
				t.Fatalf("a stream: got %v, %v, want 200", resp, err)
			}
		}
		for _, send := range []string{get("/api/stream"), get("/api/messages?since_id=9&wait=50"), postJSON("/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)} {
			resp, body := r.do(t, send)
			tooMany(t, resp, body)
		}
		r.unharmed(t)
	})
	t.Run("requests", func(t *testing.T) {
		r := start(t, func(c *config.Config) { c.MaxRequestsPerSecond = 5 })
		refused := 0
		for range 40 {
			if resp, body := r.do(t, get("/api/channels")); resp.StatusCode != 200 {
				tooMany(t, resp, body)
				refused++
			}
		}
		if refused == 0 {
			t.Error("40 requests at once were all answered, want a bound of 10")
		}
		if resp, body := r.do(t, get("/healthz")); resp.StatusCode != 200 {
			t.Errorf("the probe: got %d %s, want 200", resp.StatusCode, body)
		}
	})
	t.Run("connections", func(t *testing.T) {
		r := start(t)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 60 {
					conn, err := net.Dial("tcp", r.addr)
					if err != nil {
						t.Errorf("connecting: %v", err)
						return
					}
					t.Cleanup(func() { _ = conn.Close() })
				}
			})
		}
		all.Wait()
		r.unharmed(t)
	})
	t.Run("hostile requests of many at once", func(t *testing.T) {
		r := start(t)
		sends := []string{
			post("/api/messages", "text/plain", draft), postJSON("/api/messages", draft, "Origin", "null"), postJSON("/api/messages", draft, "Host", "evil.example"),
			postJSON("/api/messages", repeated(`{"a":`, 10_000)), postJSON("/mcp", "["), get("/api/stream", "Last-Event-ID", "x"), "\x00\x00\r\n\r\n",
		}
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				for j := range 40 {
					send := strings.ReplaceAll(sends[(i+j)%len(sends)], "‹relay›", r.addr)
					if err := fire(r.addr, send); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		r.unharmed(t)
	})
}

func fire(addr, send string) error {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, send)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return fmt.Errorf("reading the answer to %.60q: %w", send, err)
	}
	if resp.StatusCode < 400 {
		return fmt.Errorf("%.60q: got %d, want a refusal", send, resp.StatusCode)
	}
	return nil
}
