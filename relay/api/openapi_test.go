package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"autoreview/relay"
	"autoreview/relay/api"
	"autoreview/relay/guard"
	"autoreview/relay/store/memory"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// contract is the OpenAPI document as it is served, with every object closed:
// clients may meet new fields one day, but our own must all be described.
type contract struct {
	t        *testing.T
	doc      map[string]any
	compiler *jsonschema.Compiler
	seen     map[string]bool // :: "GET /path 200" → a real answer was checked
}

func loadContract(t *testing.T, raw []byte) *contract {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	doc := v.(map[string]any)
	for _, s := range at(doc, "components", "schemas") {
		if s := s.(map[string]any); s["properties"] != nil {
			s["additionalProperties"] = false
		}
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	return &contract{t: t, doc: doc, compiler: c, seen: make(map[string]bool)}
}

func at(v any, path ...string) map[string]any {
	for _, p := range path {
		v = v.(map[string]any)[p]
	}
	m, _ := v.(map[string]any)
	return m
}

// promised lists every answer that the document describes.
func (c *contract) promised() map[string]bool {
	all := make(map[string]bool)
	for path, item := range at(c.doc, "paths") {
		for method, op := range item.(map[string]any) {
			for status := range at(op, "responses") {
				all[strings.ToUpper(method)+" "+path+" "+status] = true
			}
		}
	}
	return all
}

// check holds a real answer against what the document says of it.
func (c *contract) check(method, path string, status int, contentType string, body []byte) {
	c.t.Helper()
	where := fmt.Sprintf("%s %s %d", method, path, status)
	pointer := "#/paths/" + escape(path) + "/" + strings.ToLower(method) + "/responses/" + strconv.Itoa(status)
	response := at(c.doc, "paths", path, strings.ToLower(method), "responses", strconv.Itoa(status))
	if ref, ok := response["$ref"].(string); ok {
		pointer = ref
		response = at(c.doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
	essence, _, _ := strings.Cut(contentType, ";")
	if at(response, "content", essence) == nil {
		c.t.Errorf("%s: answered as %q, which is not described: %s", where, contentType, body)
		return
	}
	c.seen[where] = true
	c.validate(where, pointer+"/content/"+escape(essence)+"/schema", essence, body)
}

func (c *contract) validate(where, pointer, essence string, body []byte) {
	c.t.Helper()
	schema, err := c.compiler.Compile("openapi.json" + pointer)
	if err != nil {
		c.t.Fatalf("%s: %v", where, err)
	}
	var v any = string(body)
	if essence == "application/json" {
		if v, err = jsonschema.UnmarshalJSON(bytes.NewReader(body)); err != nil {
			c.t.Fatalf("%s: %v", where, err)
		}
	}
	if err := schema.Validate(v); err != nil {
		c.t.Errorf("%s: %v\n%s", where, err, body)
	}
}

func escape(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(s)
}

// TestOpenAPIExamples holds each example against the schema beside it.
func TestOpenAPIExamples(t *testing.T) {
	c := loadContract(t, open(t, nil).get("/openapi.json").Body.Bytes())
	found := 0
	var walk func(v any, pointer string)
	walk = func(v any, pointer string) {
		m, ok := v.(map[string]any)
		if !ok {
			return
		}
		if ex, ok := m["example"]; ok && m["schema"] != nil {
			raw, err := json.Marshal(ex)
			if err != nil {
				t.Fatal(err)
			}
			c.validate("example of "+pointer, "#"+pointer+"/schema", "application/json", raw)
			found++
		}
		for k, child := range m {
			walk(child, pointer+"/"+escape(k))
		}
	}
	walk(c.doc, "")
	if found < 8 {
		t.Errorf("found %d examples, want at least 8", found)
	}
}

// openPruned is a fixture whose first keyed message, "gone", is no longer there.
func openPruned(t *testing.T) fixture {
	t.Helper()
	store := memory.New(clock)
	f := fixture{t: t, log: relay.New(store, relay.Options{})}
	f.post(relay.Draft{Target: "proj-x", Sender: "claude", Text: "old", Key: "gone"})
	f.post(relay.Draft{Target: "proj-x", Sender: "claude", Text: "question", Kind: relay.KindPacket, Key: "k"})
	f.post(relay.Draft{Target: "proj-x", Sender: "codex", Text: "answer", Kind: relay.KindReview, ReplyTo: 2, Meta: []byte(`{"verdict":"approve"}`)})
	if n, err := store.Prune(t.Context(), relay.Retention{MaxMessages: 2}); n != 1 || err != nil {
		t.Fatalf("Prune: got %d, %v, want 1", n, err)
	}
	f.h = guard.New(guard.Options{})(api.New(api.Options{Log: f.log, Channels: []string{"codex"}}))
	return f
}

// Every answer that the document describes is one the relay really gives, and
// looks as described.
func TestRealAnswersMatchOpenAPI(t *testing.T) {
	f := openPruned(t)
	c := loadContract(t, f.get("http://localhost/openapi.json").Body.Bytes())
	ok := f.h
	unavailable := guard.New(guard.Options{})(openBroken(t, &relay.Error{Code: relay.CodeUnavailable, Text: "the log is closing"}).h)
	failing := guard.New(guard.Options{})(openBroken(t, errors.New("on fire")).h)
	small := guard.New(guard.Options{MaxBodyBytes: 5})(f.h)
	text := func(s string) string { return `{"target":"proj-x","sender":"claude","text":"` + s + `"` }
	requests := []struct {
		h            http.Handler
		method, path string
		body         string
	}{
		{ok, "GET", "/api/messages?limit=2", ""},
		{ok, "GET", "/api/messages?target=nobody&since_id=3", ""},
		{ok, "GET", "/api/messages?limit=x", ""},
		{failing, "GET", "/api/messages", ""},
		{unavailable, "GET", "/api/messages", ""},
		{ok, "POST", "/api/messages", text("hi") + `,"kind":"note","meta":{"a":[1]},"reply_to":2}`},
		{ok, "POST", "/api/messages", text("hi") + `,"key":"k"}`},
		{ok, "POST", "/api/messages", text("hi") + `,"key":"gone"}`},
		{ok, "POST", "/api/messages", text("") + `}`},
		{ok, "POST", "/api/messages", text(strings.Repeat("x", relay.DefaultTextBytes+1)) + `}`},
		{small, "POST", "/api/messages", text("hi") + `}`},
		{failing, "POST", "/api/messages", text("hi") + `}`},
		{unavailable, "POST", "/api/messages", text("hi") + `}`},
		{ok, "GET", "/api/channels", ""},
		{ok, "GET", "/api/channels?details=1", ""},
		{ok, "GET", "/api/channels?details=x", ""},
		{failing, "GET", "/api/channels", ""},
		{unavailable, "GET", "/api/channels", ""},
		{ok, "GET", "/api/stream?since_id=0", ""},
		{ok, "GET", "/api/stream?since_id=x", ""},
		{failing, "GET", "/api/stream", ""},
		{unavailable, "GET", "/api/stream", ""},
		{ok, "GET", "/api/whoami", ""},
		{ok, "GET", "/healthz", ""},
		{ok, "GET", "/readyz", ""},
		{failing, "GET", "/readyz", ""},
		{ok, "GET", "/docs", ""},
		{ok, "GET", "/openapi.json", ""},
	}
	for _, r := range requests {
		c.answer(r.h, r.method, r.path, r.body, nil)
	}
	locked := guard.New(guard.Options{Tokens: nobody{}})(f.h)
	busy := guard.New(guard.Options{MaxRequestsPerSecond: 1})(f.h)
	for range 2 {
		busy.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://localhost/readyz", nil))
	}
	for _, path := range slices.Sorted(maps.Keys(at(c.doc, "paths"))) {
		c.answer(ok, "GET", path, "", func(r *http.Request) { r.Host = "evil.example" })
		c.answer(ok, "GET", path, "", func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") })
		if path != "/healthz" {
			c.answer(locked, "GET", path, "", nil)
			c.answer(busy, "GET", path, "", nil)
		}
	}
	c.answer(locked, "POST", "/api/messages", text("hi"), nil)
	c.answer(busy, "POST", "/api/messages", text("hi"), nil)
	c.answer(ok, "POST", "/api/messages", text("hi"), func(r *http.Request) { r.Host = "evil.example" })
	c.answer(ok, "POST", "/api/messages", text("hi"), func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") })
	c.answer(ok, "POST", "/api/messages", text("hi"), func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") })
	c.slowPost(f)
	if diff := cmp.Diff(c.promised(), c.seen); diff != "" {
		t.Errorf("described answers that were never seen (-) or seen and not described (+)\n%s", diff)
	}
}

// nobody are tokens of which none is valid.
type nobody struct{}

func (nobody) Access(string) (*relay.Access, error) {
	return nil, &relay.Error{Code: relay.CodeUnauthorized, Text: "the token is not known"}
}

// answer sends a request and checks what comes back. A stream is ended once it
// has sent what there was.
func (c *contract) answer(h http.Handler, method, path, body string, change func(*http.Request)) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	req := httptest.NewRequestWithContext(ctx, method, "http://localhost"+path, strings.NewReader(body))
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	if change != nil {
		change(req)
	}
	rec := httptest.NewRecorder()
	if strings.HasPrefix(path, "/api/stream?since_id=0") {
		h.ServeHTTP(&untilMessage{rec, cancel}, req)
		c.streamed(rec.Body.String())
	} else {
		h.ServeHTTP(rec, req)
	}
	path, _, _ = strings.Cut(path, "?")
	c.check(method, path, rec.Code, rec.Header().Get("Content-Type"), rec.Body.Bytes())
	refusedByGuard := slices.Contains([]int{401, 403, 408, 413, 415, 421, 429}, rec.Code)
	if rec.Header().Get(api.HeaderLog) == "" && !refusedByGuard {
		c.t.Errorf("%s %s %d: no %s", method, path, rec.Code, api.HeaderLog)
	}
}

// untilMessage is a client that leaves after the first message.
type untilMessage struct {
	*httptest.ResponseRecorder
	leave func()
}

func (u *untilMessage) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("event: message")) {
		defer u.leave()
	}
	return u.ResponseRecorder.Write(b)
}

func (c *contract) streamed(stream string) {
	c.t.Helper()
	for name, schema := range map[string]string{"hello": "Hello", "message": "Message"} {
		_, rest, found := strings.Cut(stream, "event: "+name+"\n")
		_, rest, _ = strings.Cut(rest, "data: ")
		data, _, _ := strings.Cut(rest, "\n")
		if !found {
			c.t.Errorf("stream has no %s:\n%s", name, stream)
			continue
		}
		c.validate("event "+name, "#/components/schemas/"+schema, "application/json", []byte(data))
	}
}

// slowPost is a POST whose body does not arrive; it needs a real connection.
func (c *contract) slowPost(f fixture) {
	c.t.Helper()
	srv := httptest.NewServer(guard.New(guard.Options{BodyTimeout: time.Millisecond})(f.h))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	req := "POST /api/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
	if _, err := conn.Write([]byte(req)); err != nil {
		c.t.Fatal(err)
	}
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(conn); err != nil {
		c.t.Fatal(err)
	}
	var status int
	if _, err := fmt.Sscanf(raw.String(), "HTTP/1.1 %d", &status); err != nil {
		c.t.Fatalf("answer %q: %v", raw.String(), err)
	}
	_, body, _ := bytes.Cut(raw.Bytes(), []byte("\r\n\r\n"))
	c.check(http.MethodPost, "/api/messages", status, "application/json", body)
}

// The answers that belong to no operation have the form of an error too.
func TestErrorsOutsideTheContract(t *testing.T) {
	f := open(t, nil)
	c := loadContract(t, f.get("/openapi.json").Body.Bytes())
	for _, req := range []*http.Request{
		httptest.NewRequest(http.MethodGet, "/nowhere", nil),
		httptest.NewRequest(http.MethodDelete, "/api/messages", nil),
	} {
		rec := f.do(req)
		c.validate(req.Method+" "+req.URL.Path, "#/components/schemas/Error", "application/json", rec.Body.Bytes())
	}
}
