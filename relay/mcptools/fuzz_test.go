package mcptools_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"autoreview/relay/mcptools"
)

// answerTo serves one tools/call without a network.
func answerTo(t *testing.T, h http.Handler, tool, args, job string) result {
	t.Helper()
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `","arguments":` + args + `}}`
	r := httptest.NewRequest(http.MethodPost, "/mcp", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(mcptools.HeaderJob, job)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var m message
	var got result
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
		t.Fatalf("got %d %s: %v", w.Code, w.Body, err)
	}
	if m.Error != nil {
		t.Fatalf("%s %s: got the protocol error %s, want a result", tool, args, m.Error)
	}
	if err := json.Unmarshal(m.Result, &got); err != nil {
		t.Fatalf("result %s: %v", m.Result, err)
	}
	return got
}

// Whatever arguments a model makes up, it gets a result or a readable error.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, `"x"`, `{"target":"t","since_id":"5.0","limit":1e1}`, `{"target":"t","since_id":-0.0}`,
		`{"target":5}`, `{"target":"t","sender":"s","text":"x","meta":"{\"a\":[1]}"}`, `{"target":"t","since_id":1e300,"timeout_seconds":"1e-9"}`,
		`{"target":"\u0000","sender":"s","text":"x"}`, `{"target":"t","since_id":" ","timeout_seconds":0,"x":{}}`,
	} {
		f.Add(seed)
	}
	h := mcptools.New(mcptools.Options{Log: newLog()})
	f.Fuzz(func(t *testing.T, args string) {
		var v any
		if json.Unmarshal([]byte(args), &v) != nil {
			return // no JSON, or a number that no float can hold: refused before it gets here
		}
		for _, tool := range []string{"post_message", "fetch_messages", "list_channels"} {
			got := answerTo(t, h, tool, args, "")
			if text := got.text(); text == "" || got.IsError && (text == "internal error" || len(text) > 500) {
				t.Errorf("%s %s: got %v %q, want a result or a readable error", tool, args, got.IsError, text)
			}
		}
	})
}

// A job header from nowhere posts a review of that job or nothing.
func FuzzJobHeader(f *testing.F) {
	for _, seed := range []string{
		`{"key":"k","target":"t","sender":"s","reply_to":0,"packets":[1]}`, `{"key":"k","target":"t","sender":"s"}`,
		`{}`, `[]`, `null`, `{"key":5}`, `{"key":"k","target":"t","sender":"s","packets":"1"}`, `{`, "",
	} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(seed)))
	}
	f.Add("=")
	f.Fuzz(func(t *testing.T, job string) {
		if job == "" {
			return
		}
		l := newLog()
		got := answerTo(t, mcptools.New(mcptools.Options{Log: l}), "post_message", `{"target":"t","sender":"other","text":"x"}`, job)
		i, err := l.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.IsError != (i.Head == 0) {
			t.Fatalf("got error %v and %d messages", got.IsError, i.Head)
		}
		if i.Head == 1 {
			if m := messageOf(t, l, 1); m.Kind != "review" || m.Key == "" {
				t.Errorf("got %+v, want a review with the job's key", m)
			}
		}
	})
}
