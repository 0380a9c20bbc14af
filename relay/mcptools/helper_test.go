package mcptools_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"autoreview/relay"
	"autoreview/relay/mcptools"
	"autoreview/relay/store/memory"
)

// newLog returns an empty log in memory.
func newLog() *relay.Log { return relay.New(memory.New(nil), relay.Options{}) }

// post puts a message into the log and returns its id.
func post(t *testing.T, l *relay.Log, target, sender, text string) int64 {
	t.Helper()
	p, err := l.Post(t.Context(), relay.Draft{Target: target, Sender: sender, Text: text})
	if err != nil {
		t.Fatalf("Post: %v", err)
	}
	return p.ID
}

// listen serves the tools on loopback and returns their address.
func listen(t *testing.T, o mcptools.Options) string {
	t.Helper()
	return listenTo(t, mcptools.New(o))
}

func listenTo(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/mcp"
}

// object is the JSON of arguments and results.
type object = map[string]any

// result is the answer to one tools/call.
type result struct {
	Content []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	} `json:"content"`
	Structured json.RawMessage `json:"structuredContent"`
	IsError    bool            `json:"isError"`
}

func (r result) text() string {
	if len(r.Content) != 1 {
		return ""
	}
	return r.Content[0].Text
}

// fetched is what the reading tools return.
type fetched struct {
	Messages []relay.Message `json:"messages"`
	LatestID int64           `json:"latest_id"`
	Warning  string          `json:"warning"`
}

func (r result) fetched(t *testing.T) fetched {
	t.Helper()
	var f fetched
	r.decode(t, &f)
	return f
}

// decode reads a result that must not be an error.
func (r result) decode(t *testing.T, into any) {
	t.Helper()
	if r.IsError {
		t.Fatalf("got the error %q, want a result", r.text())
	}
	if err := json.Unmarshal(r.Structured, into); err != nil {
		t.Fatalf("structuredContent %s: %v", r.Structured, err)
	}
}

// request is a JSON-RPC request as a client sends it.
func request(ctx context.Context, url, body string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	return r
}

func callBody(tool string, args any, token any) string {
	params := object{"name": tool, "arguments": args}
	if token != nil {
		params["_meta"] = object{"progressToken": token}
	}
	b, err := json.Marshal(object{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// call calls a tool with raw HTTP; header is a list of names and values.
func call(t *testing.T, url, tool string, args any, header ...string) result {
	t.Helper()
	r := request(t.Context(), url, callBody(tool, args, nil))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	defer resp.Body.Close()
	var got result
	if err := json.Unmarshal(answer(t, resp), &got); err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	return got
}

// answer returns the result of a response, which may be JSON or a stream.
func answer(t *testing.T, resp *http.Response) json.RawMessage {
	t.Helper()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(resp.Body)
		t.Fatalf("got status %d %s, want 200", resp.StatusCode, body)
	}
	var last message
	for _, m := range readMessages(t, resp.Body) {
		last = m
	}
	if last.Result == nil {
		t.Fatalf("got error %s, want a result", last.Error)
	}
	return last.Result
}

// message is any JSON-RPC message of the server.
type message struct {
	ID     any             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// readMessages reads a JSON body or an event stream to its end.
func readMessages(t *testing.T, body io.Reader) []message {
	t.Helper()
	var all []message
	s := bufio.NewScanner(body)
	s.Buffer(nil, 64<<20)
	for s.Scan() {
		text, isData := bytes.CutPrefix(s.Bytes(), []byte("data: "))
		if !isData && !bytes.HasPrefix(text, []byte("{")) {
			continue
		}
		var m message
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatalf("message %s: %v", text, err)
		}
		all = append(all, m)
	}
	if err := s.Err(); err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	return all
}
