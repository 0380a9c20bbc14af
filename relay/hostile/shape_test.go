package hostile_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Requests that servers and proxies read in different ways.
func TestShapesOfRequests(t *testing.T) {
	r := start(t)
	long := repeated("a", 200_000)
	r.run(t, []hit{
		{"no host", "GET /api/messages HTTP/1.1\r\n\r\n", 400, ofHTTP, ""},
		{"an empty host", get("/api/messages", "Host", ""), 421, inJSON, "Invalid Host"},
		{"no host, as HTTP/1.0 may", "POST /api/messages HTTP/1.0\r\nContent-Type: application/json\r\n\r\n" + draft, 421, inJSON, "Invalid Host"},
		{"two hosts", get("/api/messages", "Host", "‹relay›", "Host", "evil.example"), 400, ofHTTP, ""},
		{"another host in the request line", get("http://evil.example/api/messages"), 421, inJSON, "Invalid Host"},
		{"our host in the request line, another in the header", "GET http://‹relay›/api/channels HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200, noError, ""},
		{"forwarded for another host", get("/api/messages", "Host", "evil.example", "X-Forwarded-Host", "‹relay›", "Forwarded", "host=‹relay›"), 421, inJSON, "Invalid Host"},
		{"a host in X-Forwarded-Host alone", get("/api/channels", "X-Forwarded-Host", "evil.example"), 200, noError, ""},
		{"two lengths", post("/api/messages", "application/json", draft, "Content-Length", "5", "Content-Length", "62"), 400, ofHTTP, ""},
		{"a length with a sign", post("/api/messages", "application/json", draft, "Content-Length", "+62"), 400, ofHTTP, ""},
		{"a coding nobody knows", post("/api/messages", "application/json", draft, "Transfer-Encoding", "xchunked"), 501, ofHTTP, ""},
		{"chunked twice", post("/api/messages", "application/json", "0\r\n\r\n", "Transfer-Encoding", "chunked, chunked"), 501, ofHTTP, ""},
		{"chunked, and not", post("/api/messages", "application/json", "0\r\n\r\n", "Transfer-Encoding", "chunked, identity"), 501, ofHTTP, ""},
		{"a blank before the colon", get("/api/messages", "Origin ", "http://evil.example"), 400, ofHTTP, ""},
		{"a header without a colon", "GET /api/messages HTTP/1.1\r\nHost: ‹relay›\r\nOrigin\r\n\r\n", 400, ofHTTP, ""},
		{"a NUL in a header", get("/api/messages", "X-Relay-Source", "a\x00b"), 400, ofHTTP, ""},
		{"a control character in the path", get("/api/\x01messages"), 400, ofHTTP, ""},
		{"a version to come", "GET /api/messages HTTP/9.9\r\nHost: ‹relay›\r\n\r\n", 505, ofHTTP, ""},
		{"no version", "GET /api/messages\r\n\r\n", 400, ofHTTP, ""},
		{"no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, ofHTTP, ""},
		{"HTTP/2 without asking", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 421, inJSON, "Invalid Host"},
		{"a flood of headers", get("/api/messages", flood(10_000)...), 431, ofHTTP, ""},
		{"a header of 200 KB", get("/api/messages", "Cookie", long), 431, ofHTTP, ""},
		{"a path of 200 KB", get("/api/messages?target=" + long), 431, ofHTTP, ""},
	})
}

func flood(n int) []string {
	header := make([]string, 0, 2*n)
	for range n {
		header = append(header, "X-Header", "value")
	}
	return header
}

// Nothing that travels as the body of one request is served as the next one.
func TestNoRequestIsSmuggled(t *testing.T) {
	r := start(t)
	inner := postJSON("/api/messages", draft)
	for name, outer := range map[string]string{
		"behind a length that is too short": "POST /api/messages HTTP/1.1\r\nHost: ‹relay›\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nabcd",
		"behind chunks and a length":        "POST /api/messages HTTP/1.1\r\nHost: ‹relay›\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"behind a refused origin":           "POST /api/messages HTTP/1.1\r\nHost: ‹relay›\r\nOrigin: https://evil.example\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
		"behind a refused host":             "POST /api/messages HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\n{}",
		"behind a bad length":               "POST /api/messages HTTP/1.1\r\nHost: ‹relay›\r\nContent-Length: 2, 3\r\n\r\n{}",
		"behind an upgrade":                 "GET /api/stream HTTP/1.1\r\nHost: ‹relay›\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nOrigin: https://evil.example\r\nContent-Length: 2\r\n\r\n{}",
	} {
		t.Run(name, func(t *testing.T) {
			conn := r.dial(t)
			defer conn.Close()
			if _, err := io.WriteString(conn, strings.ReplaceAll(outer+inner, "‹relay›", r.addr)); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(conn)
			resp, err := http.ReadResponse(in, nil)
			if err != nil || resp.StatusCode < 400 {
				t.Fatalf("the first answer: got %v, %v, want a refusal", resp, err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			// The relay ends the connection, or takes no more from it.
			if resp, err := http.ReadResponse(in, nil); err == nil && resp.StatusCode == http.StatusCreated {
				t.Errorf("the request inside was served: got %d", resp.StatusCode)
			}
			r.unharmed(t)
		})
	}
}

// Methods that are none of the route's, and headers that claim another one.
func TestMethods(t *testing.T) {
	r := start(t)
	var hits []hit
	for _, path := range routes {
		for _, method := range []string{"PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "BREW", "get", "OPTIONS"} {
			h := hit{name: method + " " + path, send: request(method, path, draft, "Content-Type", "application/json"), status: 405, says: "not allowed"}
			switch {
			case path == "/nowhere" || path == "/debug/pprof/" || path == "/metrics":
				h.status, h.says = 404, ""
			case path == "/mcp" && method == "DELETE":
				h.status, h.says, h.form = 200, "", noError // ends a session, and there is none
			case path == "/mcp":
				h.says = "takes POST only"
			}
			hits = append(hits, h)
		}
	}
	override := []string{"X-HTTP-Method-Override", "POST", "X-HTTP-Method", "POST", "X-Method-Override", "POST", "Content-Type", "application/json"}
	hits = append(hits,
		hit{"a GET that claims to be a POST", request("GET", "/api/messages", draft, override...), 200, noError, ""},
		hit{"a GET that claims to be a POST in its query", request("GET", "/api/messages?_method=POST", draft, "Content-Type", "application/json"), 200, noError, ""},
		hit{"a DELETE that claims to be a GET", request("DELETE", "/api/messages", "", "X-HTTP-Method-Override", "GET"), 405, inJSON, "not allowed"},
		hit{"CONNECT", "CONNECT ‹relay› HTTP/1.1\r\nHost: ‹relay›\r\n\r\n", 404, inJSON, ""},
		hit{"CONNECT elsewhere", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 421, inJSON, "Invalid Host"},
		hit{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: ‹relay›\r\n\r\n", 200, noError, ""},
		hit{"a preflight", request("OPTIONS", "/api/messages", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type"), 403, inJSON, "Invalid Origin"},
		hit{"a preflight into the private network", request("OPTIONS", "/mcp", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Private-Network", "true"), 403, inJSON, "Invalid Origin"},
		hit{"an upgrade to a WebSocket", get("/api/stream", "Origin", "https://evil.example", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="), 403, inJSON, "Invalid Origin"},
	)
	r.run(t, hits)
}

// Paths that would lead out of the page's files, or past the guard.
func TestPaths(t *testing.T) {
	r := start(t)
	var hits []hit
	for _, path := range []string{
		"/assets/..%2f..%2fgo.mod", "/assets/%2e%2e/%2e%2e/etc/passwd", "/assets/..%5c..%5cgo.mod", "/assets/app.js%00.html", "/assets/app.js/", "/assets/",
		"/assets/C:%5cWindows%5cwin.ini", "/assets//etc/passwd", "/assets/%252e%252e%252fgo.mod", "/assets/.git/config", "/..%2f..%2fetc/passwd",
		"/ui/text/..%2f1", "/ui/text/1%2f..%2f1", "/ui/text/", "/ui/", "/api/", "/api/messages/", "/api/messages/1", "/api/messages;x=1", "/API/MESSAGES",
		"/api/messages%2f", "/api%2fmessages", "/api/messages%00", "/api/messages%20", "/mcp/", "/mcp%2f", "/healthz/", "/.well-known/oauth-protected-resource", "/favicon.ico",
		"/relay.db", "/tokens.json", "/log/relay.log",
	} {
		hits = append(hits, hit{name: path, send: get(path), status: 404})
	}
	for _, path := range []string{"/ui/text/1'--", "/ui/text/99999999999999999999", "/ui/text/-1", "/ui/text/0x1", "/ui/text/1e0", "/ui/text/%31%20"} {
		hits = append(hits, hit{name: path, send: get(path), status: 400})
	}
	// Not in their shortest form; a redirect would repeat the POST elsewhere.
	for _, path := range []string{"//api/messages", "/api/../api/messages", "/./api/messages", "/assets/../api/messages", "/healthz/../api/messages", "//evil.example/api/messages"} {
		hits = append(hits, hit{name: path, send: post(path, "application/json", draft), status: 404})
	}
	r.run(t, hits)
}
