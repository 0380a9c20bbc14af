// Package hostile_test is what a hostile client can send to a relay, over every
// route: foreign pages, forged headers, broken and huge bodies, tricks with
// names and paths, floods, and tokens that are not good for it. Each case says
// the exact status, that nothing was stored, and that the relay goes on
// answering. The cases are bytes on the wire, as no well-behaved client would
// send most of them.
package hostile_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"autoreview/relay"
	"autoreview/relay/config"
	"autoreview/relay/relaytest"
)

// patience bounds every wait; it is only ever spent by a failure.
const patience = 20 * time.Second

// draft is a message that the relay takes when it comes from a client that it
// trusts. Whatever else a case does wrong, this is what it tries to have stored.
const draft = `{"target":"proj-x","sender":"claude","text":"run rm -rf / please"}`

// routes are all that the relay serves, and one that it does not.
var routes = []string{
	"/", "/assets/app.js", "/ui/messages?target=proj-x", "/ui/text/1", "/api/messages", "/api/messages?since_id=0&wait=1", "/api/channels",
	"/api/stream", "/api/whoami", "/mcp", "/healthz", "/readyz", "/metrics", "/debug/pprof/", "/docs", "/openapi.json", "/nowhere",
}

// The forms that a refusal can have.
const (
	inJSON  = iota // {"ok":false,"error":"..."}
	ofHTTP         // what net/http says before any handler is asked
	inRPC          // a JSON-RPC error or a tool's error, with status 200 or 400
	noError        // no refusal: it was answered, and there was nothing to store
)

// hit is one request. In send, ‹relay› stands for its host and port.
type hit struct {
	name   string
	send   string
	status int
	form   int
	says   string // what the answer has in it; "" is anything
}

// target is the relay that is hit.
type target struct {
	*relaytest.Relay
	addr string
	head int64 // of the log before the hits
}

// start starts a relay with one message in it. The rate is not bounded: the hits
// come faster than people type.
func start(t *testing.T, changes ...func(*config.Config)) target {
	t.Helper()
	changes = append([]func(*config.Config){func(c *config.Config) { c.MaxRequestsPerSecond, c.MaxTextBytes = 0, 1<<20 }}, changes...)
	r := relaytest.Start(t, changes...)
	m := r.Post("proj-x", "claude", "a secret plan")
	return target{r, strings.TrimPrefix(r.URL, "http://"), m.ID}
}

// get, post and request write a request. Pairs of headers follow; Host is set
// unless it is among them.
func get(path string, header ...string) string { return request("GET", path, "", header...) }

func post(path, contentType, body string, header ...string) string {
	return request("POST", path, body, append([]string{"Content-Type", contentType}, header...)...)
}

func postJSON(path, body string, header ...string) string {
	return post(path, "application/json", body, append([]string{"Accept", "application/json, text/event-stream"}, header...)...)
}

func request(method, path, body string, header ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, path)
	host, length := true, body != ""
	for i := 0; i+1 < len(header); i += 2 {
		host = host && header[i] != "Host"
		length = length && header[i] != "Content-Length" && header[i] != "Transfer-Encoding"
		fmt.Fprintf(&b, "%s: %s\r\n", header[i], header[i+1])
	}
	if host {
		b.WriteString("Host: ‹relay›\r\n")
	}
	if length {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	return b.String() + "\r\n" + body
}

// do sends bytes over a connection of their own and reads one answer. What has
// no length ends when the relay or the reader has had enough.
func (r target) do(t *testing.T, send string) (*http.Response, string) {
	t.Helper()
	conn := r.dial(t)
	defer conn.Close()
	// The relay may answer, and close, before it has read all.
	go func() { _, _ = io.WriteString(conn, strings.ReplaceAll(send, "‹relay›", r.addr)) }()
	in := bufio.NewReader(conn)
	method, _, _ := strings.Cut(send, " ")
	resp, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	var body []byte
	if resp.Header.Get("Content-Type") == "text/event-stream" {
		body, _ = io.ReadAll(io.LimitReader(resp.Body, 64))
	} else if body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	return resp, string(body)
}

func (r target) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", r.addr, patience)
	if err != nil {
		t.Fatalf("the relay takes no connection: %v", err)
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// run makes the hits and checks each of them.
func (r target) run(t *testing.T, hits []hit) {
	t.Helper()
	for _, h := range hits {
		t.Run(h.name, func(t *testing.T) {
			resp, body := r.do(t, h.send)
			h.check(t, resp, body)
			r.unharmed(t)
		})
	}
}

func (h hit) check(t *testing.T, resp *http.Response, body string) {
	t.Helper()
	if resp.StatusCode != h.status || !strings.Contains(body, h.says) {
		t.Errorf("got %d %.300s, want %d and %q", resp.StatusCode, body, h.status, h.says)
	}
	if strings.Contains(body, "a secret plan") && h.form != noError {
		t.Errorf("the answer gives a message away: %.300s", body)
	}
	for name := range resp.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("the answer has the header %s: another origin could read it", name)
		}
	}
	method, _, _ := strings.Cut(h.send, " ")
	switch h.form {
	case inJSON:
		if method != "HEAD" {
			wantError(t, resp, body)
		}
	case inRPC:
		wantRPCError(t, body)
	}
}

// wantError holds a body to the form of all refusals.
func wantError(t *testing.T, resp *http.Response, body string) {
	t.Helper()
	var e struct {
		OK    *bool  `json:"ok"`
		Error string `json:"error"`
	}
	dec := json.NewDecoder(strings.NewReader(body))
	if err := dec.Decode(&e); err != nil || e.OK == nil || *e.OK || e.Error == "" || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %s %.300s, want an error in JSON", resp.Header.Get("Content-Type"), body)
	}
}

func wantRPCError(t *testing.T, body string) {
	t.Helper()
	if _, data, ok := strings.Cut(body, "data: "); ok {
		body = data
	}
	var a struct {
		Error  json.RawMessage
		Result struct {
			IsError bool `json:"isError"`
		}
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil || len(a.Error) == 0 && !a.Result.IsError {
		t.Errorf("got %.300s, want an error of JSON-RPC or of a tool", body)
	}
}

// unharmed checks that nothing was stored, and that the relay answers another
// client that asks for the store.
func (r target) unharmed(t *testing.T) {
	t.Helper()
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(r.URL + "/readyz")
	if err != nil {
		t.Fatalf("the relay answers no more: %v", err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	info, err := r.Log().Info(t.Context())
	if err != nil || info.Head != r.head {
		t.Errorf("head of the log: got %d, %v, want %d: something was stored", info.Head, err, r.head)
	}
}

// stored returns the messages that came after the start.
func (r target) stored(t *testing.T) []relay.Message {
	t.Helper()
	p, err := r.Log().Read(t.Context(), relay.Query{Since: r.head})
	if err != nil {
		t.Fatal(err)
	}
	return p.Messages
}

// Before anything else: the hits could succeed. A client that does nothing wrong
// has the draft stored, and each route is there.
func TestTheHitsCouldSucceed(t *testing.T) {
	r := start(t)
	if resp, body := r.do(t, postJSON("/api/messages", draft)); resp.StatusCode != http.StatusCreated {
		t.Errorf("the draft: got %d %s, want 201", resp.StatusCode, body)
	}
	call := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"post_message","arguments":%s}}`, draft)
	if resp, body := r.do(t, postJSON("/mcp", call)); resp.StatusCode != http.StatusOK || !strings.Contains(body, "posted") {
		t.Errorf("the draft over MCP: got %d %s, want 200", resp.StatusCode, body)
	}
	if got := r.stored(t); len(got) != 2 || got[0].Text != got[1].Text {
		t.Errorf("stored: got %+v, want the draft twice", got)
	}
	for _, path := range routes {
		resp, body := r.do(t, get(path))
		want := http.StatusOK
		switch path {
		case "/mcp":
			want = http.StatusMethodNotAllowed
		case "/nowhere", "/debug/pprof/":
			want = http.StatusNotFound
		}
		if resp.StatusCode != want {
			t.Errorf("GET %s: got %d %.100s, want %d", path, resp.StatusCode, body, want)
		}
	}
}

func repeated(part string, n int) string { return string(bytes.Repeat([]byte(part), n)) }
