package mcptools_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"go.uber.org/goleak"

	"autoreview/relay"
	"autoreview/relay/mcptools"
)

func TestOnlyPostIsServed(t *testing.T) {
	url := listen(t, mcptools.Options{Log: newLog()})
	for method, want := range map[string]int{
		http.MethodGet: 405, http.MethodHead: 405, http.MethodPut: 405, http.MethodPatch: 405, http.MethodOptions: 405,
		http.MethodDelete: 200, // codex ends the session that it does not have
	} {
		r, _ := http.NewRequestWithContext(t.Context(), method, url, nil)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: got %d, want %d", method, resp.StatusCode, want)
		}
		if want == 405 && resp.Header.Get("Allow") != "POST, DELETE" {
			t.Errorf("%s: got Allow %q, want POST, DELETE", method, resp.Header.Get("Allow"))
		}
		if method == http.MethodGet && !strings.HasPrefix(string(body), `{"error":"`) {
			t.Errorf("GET: got %s, want a JSON error", body)
		}
	}
}

func TestOversizedRequestIsRefused(t *testing.T) {
	url := listen(t, mcptools.Options{Log: newLog(), Limits: relay.Limits{TextBytes: 1000}})
	for _, c := range []struct {
		bytes, want int
	}{{1_000_000, 200}, {1_100_000, 413}} {
		resp, err := http.DefaultClient.Do(request(t.Context(), url, callBody("list_channels", object{"x": strings.Repeat("x", c.bytes)}, nil)))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("request of %d bytes: got %d, want %d", c.bytes, resp.StatusCode, c.want)
		}
	}
}

// The longest text still passes when every byte of it is escaped.
func TestLongestTextPassesWhateverItsEscapes(t *testing.T) {
	url := listen(t, mcptools.Options{Log: newLog(), Limits: relay.Limits{TextBytes: 400_000}})
	text := strings.Repeat(`\u0001`, 399_999) + "x"
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"post_message","arguments":{"target":"t","sender":"s","text":"` + text + `"}}}`
	resp, err := http.DefaultClient.Do(request(t.Context(), url, body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := string(answer(t, resp)); !strings.Contains(got, `"posted":1`) {
		t.Errorf("got %s, want it posted", got)
	}
}

// hidden is a middleware's writer: it can be flushed by http.ResponseController
// only.
type hidden struct{ w http.ResponseWriter }

func (h hidden) Header() http.Header         { return h.w.Header() }
func (h hidden) WriteHeader(status int)      { h.w.WriteHeader(status) }
func (h hidden) Write(p []byte) (int, error) { return h.w.Write(p) }
func (h hidden) Unwrap() http.ResponseWriter { return h.w }

// The headers of a waiting call arrive long before its answer, also through a
// middleware that wraps the response.
func TestWaitAnswersAsAStreamAtOnce(t *testing.T) {
	l := newLog()
	h := mcptools.New(mcptools.Options{Log: l})
	url := listenTo(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(hidden{w}, r) }))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // ends a failing test
	defer cancel()
	resp, err := http.DefaultClient.Do(request(ctx, url,
		callBody("wait_for_messages", object{"target": "proj-x", "since_id": 0, "timeout_seconds": 3000}, "tok")))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Errorf("Content-Type: got %q, want text/event-stream", ct)
	}
	// Only now is there anything to answer with.
	post(t, l, "proj-x", "codex", "done")
	if got := string(answer(t, resp)); !strings.Contains(got, "done") {
		t.Errorf("got %s, want the message", got)
	}
}

func connect(t *testing.T, url string, opts ...client.ClientOption) *client.Client {
	t.Helper()
	c, err := client.NewStreamableHttpClient(url)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range opts {
		o(c)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := mcp.InitializeRequest{}
	r.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	r.Params.ClientInfo = mcp.Implementation{Name: "test", Version: "1"}
	if _, err := c.Initialize(t.Context(), r); err != nil {
		t.Fatalf("Initialize: %v", err)
	}
	return c
}

func callWith(ctx context.Context, c *client.Client, tool string, args object, token any) (string, error) {
	r := mcp.CallToolRequest{}
	r.Params.Name, r.Params.Arguments = tool, args
	if token != nil {
		r.Params.Meta = &mcp.Meta{ProgressToken: token}
	}
	res, err := c.CallTool(ctx, r)
	if err != nil {
		return "", err
	}
	return res.Content[0].(mcp.TextContent).Text, nil
}

// A restart of the relay is invisible: the same client goes on, in the protocol
// of sessions and in the one without.
func TestRestartIsInvisible(t *testing.T) {
	for name, opts := range map[string][]client.ClientOption{
		"initialized": {client.WithProtocolVersion(mcp.LATEST_LEGACY_PROTOCOL_VERSION)},
		"stateless":   nil,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog()
			var mu sync.Mutex
			h := mcptools.New(mcptools.Options{Log: l})
			url := listenTo(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				now := h
				mu.Unlock()
				now.ServeHTTP(w, r)
			}))
			c := connect(t, url, opts...)
			for i := range 3 {
				got, err := callWith(t.Context(), c, "post_message", object{"target": "t", "sender": "s", "text": "x"}, nil)
				if want := fmt.Sprintf(`{"ok":true,"posted":%d}`, i+1); err != nil || got != want {
					t.Errorf("post %d: got %s, %v, want %s", i+1, got, err, want)
				}
				mu.Lock()
				h = mcptools.New(mcptools.Options{Log: l})
				mu.Unlock()
			}
		})
	}
}

// A hundred clients wait at once, each for its own channel, with the same
// request ids and the same tokens: each gets its message and no other.
func TestConcurrentWaitsDoNotMix(t *testing.T) {
	const n = 100
	l := newLog()
	url := listen(t, mcptools.Options{Log: l})
	var waiting, answered sync.WaitGroup
	waiting.Add(n)
	for i := range n {
		answered.Go(func() {
			channel := fmt.Sprintf("channel-%d", i)
			resp, err := http.DefaultClient.Do(request(t.Context(), url,
				callBody("wait_for_messages", object{"target": channel, "since_id": 0, "timeout_seconds": 3000}, "tok")))
			waiting.Done()
			if err != nil {
				t.Errorf("%s: %v", channel, err)
				return
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if want := "for " + channel + "."; err != nil || strings.Count(string(body), "for channel-") != 2 || strings.Count(string(body), want) != 2 {
				t.Errorf("%s: got %s, %v, want %q in text and structure", channel, body, err, want)
			}
		})
	}
	waiting.Wait() // every stream has begun
	for i := range n {
		post(t, l, fmt.Sprintf("channel-%d", i), "codex", fmt.Sprintf("for channel-%d.", i))
	}
	answered.Wait()
}

// Clients number their requests from zero: what one of them cancels must not be
// another's call of the same number.
func TestCancellationDoesNotReachOtherClients(t *testing.T) {
	l := newLog()
	url := listen(t, mcptools.Options{Log: l})
	resp, err := http.DefaultClient.Do(request(t.Context(), url,
		callBody("wait_for_messages", object{"target": "proj-x", "since_id": 0, "timeout_seconds": 3000}, "tok")))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for _, meta := range []string{
		`{}`,
		`{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`,
	} {
		r := request(t.Context(), url, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7,"_meta":`+meta+`}}`)
		if strings.Contains(meta, "2026") {
			r.Header.Set("Mcp-Protocol-Version", "2026-07-28")
			r.Header.Set("Mcp-Method", "notifications/cancelled")
		}
		cancelled, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		cancelled.Body.Close()
		if cancelled.StatusCode != http.StatusAccepted {
			t.Errorf("cancellation: got %d, want 202", cancelled.StatusCode)
		}
	}
	post(t, l, "proj-x", "codex", "done")
	if got := string(answer(t, resp)); !strings.Contains(got, "done") {
		t.Errorf("got %s, want the message", got)
	}
}

// When a client closes its connection, nothing of its wait is left.
func TestClosedConnectionLeavesNoGoroutine(t *testing.T) {
	before := goleak.IgnoreCurrent()
	h := &counted{Handler: mcptools.New(mcptools.Options{Log: newLog()}), done: make(chan struct{}, 10)}
	s := httptest.NewServer(h)
	transport := &http.Transport{}
	ctx, hangUp := context.WithCancel(t.Context())
	for range 10 {
		resp, err := transport.RoundTrip(request(ctx, s.URL, callBody("wait_for_messages", object{"target": "proj-x", "since_id": 0, "timeout_seconds": 3000}, "tok")))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
	}
	hangUp()
	for i := range 10 {
		select {
		case <-h.done:
		case <-time.After(10 * time.Second):
			t.Fatalf("only %d of 10 waits ended when their client went away", i)
		}
	}
	transport.CloseIdleConnections()
	s.Close()
	goleak.VerifyNone(t, before)
}

// counted tells when a request is done.
type counted struct {
	http.Handler
	done chan struct{}
}

func (c *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.Handler.ServeHTTP(w, r)
	c.done <- struct{}{}
}

// mcp-go's own client: what a Go program sees.
func TestClientSeesProgressAndResult(t *testing.T) {
	l := newLog()
	c := connect(t, listen(t, mcptools.Options{Log: l}), client.WithProtocolVersion(mcp.LATEST_LEGACY_PROTOCOL_VERSION))
	began := make(chan struct{}, 10)
	c.OnNotification(func(n mcp.JSONRPCNotification) {
		if n.Method == "notifications/progress" {
			began <- struct{}{}
		}
	})
	go func() {
		<-began
		post(t, l, "proj-x", "codex", "done")
	}()
	got, err := callWith(t.Context(), c, "wait_for_messages", object{"target": "proj-x", "since_id": 0, "timeout_seconds": 3000}, "tok")
	if err != nil || !strings.Contains(got, `"text":"done"`) {
		t.Errorf("got %s, %v, want the message", got, err)
	}
}

func TestUnknownToolAndMethodAreProtocolErrors(t *testing.T) {
	url := listen(t, mcptools.Options{Log: newLog()})
	for _, body := range []string{callBody("delete_message", object{}, nil), `{"jsonrpc":"2.0","id":1,"method":"resources/list"}`, `{`, ``} {
		resp, err := http.DefaultClient.Do(request(t.Context(), url, body))
		if err != nil {
			t.Fatal(err)
		}
		all := readMessages(t, resp.Body)
		resp.Body.Close()
		if len(all) != 1 || all[0].Error == nil {
			t.Errorf("%q: got %+v, want one error", body, all)
		}
	}
}
