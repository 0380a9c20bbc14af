package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	first  = `{"id":1,"ts":1795392000.25,"target":"proj-x","sender":"claude","text":"1"}`
	second = `{"id":2,"ts":1795392000.25,"target":"proj-x","sender":"claude","text":"2"}`
	third  = `{"id":3,"ts":1795392000.25,"target":"proj-x","sender":"claude","text":"3"}`
)

// What a client of the original relies on is the same here, byte for byte but
// for the added fields. Where the original failed with a plain-text 500 or took
// what it should not, the answer is a clear refusal: these cases say "was".
func TestSeedParityREST(t *testing.T) {
	const valid = `{"target":"proj-x","sender":"claude","text":"hi"}`
	const cursors = `,"latest_id":3,"oldest_id":1,"head_id":3}`
	tests := []struct {
		name, method, path, typ, body string
		status                        int
		want                          string // the whole body, or its start when it ends in "..."
		wantType                      string
	}{
		{"healthz", "GET", "/healthz", "", "", 200, "ok", "text/plain; charset=utf-8"},
		{"docs", "GET", "/docs", "", "", 200, "<!doctype html>...", "text/html; charset=utf-8"},
		{"openapi", "GET", "/openapi.json", "", "", 200, "{\n  \"openapi\": \"3.1.0\",\n  \"info\": {\n    \"title\": \"Claude-Codex MCP Relay\",\n    \"version\": \"1.0.0\",...", ""},
		{"channels", "GET", "/api/channels", "", "", 200, `{"channels":["claude","codex","proj-x"]}`, ""},

		{"messages, default target", "GET", "/api/messages", "", "", 200, `{"target":"proj-x","messages":[` + first + "," + second + "," + third + "]" + cursors, ""},
		{"messages, empty target", "GET", "/api/messages?target=", "", "", 200, `{"target":"proj-x","messages":[` + first + "...", ""},
		{"messages, newest, oldest first", "GET", "/api/messages?target=proj-x&limit=2", "", "", 200, `{"target":"proj-x","messages":[` + second + "," + third + "]" + cursors, ""},
		{"messages, limit 0 is 1", "GET", "/api/messages?limit=0", "", "", 200, `{"target":"proj-x","messages":[` + third + "]" + cursors, ""},
		{"messages, negative limit is 1", "GET", "/api/messages?limit=-7", "", "", 200, `{"target":"proj-x","messages":[` + third + "]" + cursors, ""},
		{"messages, limit over 500", "GET", "/api/messages?limit=99999999999999999999", "", "", 200, `{"target":"proj-x","messages":[` + first + "...", ""},
		{"messages, unknown target", "GET", "/api/messages?target=nobody", "", "", 200, `{"target":"nobody","messages":[],"latest_id":0,"oldest_id":1,"head_id":3}`, ""},
		{"messages, limit=abc was 500", "GET", "/api/messages?limit=abc", "", "", 400, `{"ok":false,"error":"limit must be an integer, not \"abc\"","field":"limit"}`, ""},

		{"post", "POST", "/api/messages", "application/json", valid, 201, `{"ok":true,"posted":4,"message":{"id":4,"ts":1795392000.25,"target":"proj-x","sender":"claude","text":"hi"}}`, ""},
		{"post trims names, not text", "POST", "/api/messages", "application/json", `{"target":" proj-x\n","sender":"\tclaude ","text":" hi\n"}`, 201, `{"ok":true,"posted":4,"message":{"id":4,"ts":1795392000.25,"target":"proj-x","sender":"claude","text":" hi\n"}}`, ""},
		{"post ignores unknown fields", "POST", "/api/messages", "application/json", `{"target":"proj-x","sender":"claude","text":"hi","id":99}`, 201, `{"ok":true,"posted":4,...`, ""},
		{"post of bad JSON", "POST", "/api/messages", "application/json", `{"target":`, 400, `{"ok":false,"error":"Request body must be valid JSON"}`, ""},
		{"post of nothing", "POST", "/api/messages", "application/json", ``, 400, `{"ok":false,"error":"Request body must be valid JSON"}`, ""},
		{"post of what is not UTF-8", "POST", "/api/messages", "application/json", "{\"target\":\"\xff\"}", 400, `{"ok":false,"error":"Request body must be valid JSON"}`, ""},
		{"post of a list", "POST", "/api/messages", "application/json", `[1]`, 400, `{"ok":false,"error":"Request body must be a JSON object"}`, ""},
		{"post without target", "POST", "/api/messages", "application/json", `{}`, 400, `{"ok":false,"error":"target is required","field":"target"}`, ""},
		{"post with null target", "POST", "/api/messages", "application/json", `{"target":null}`, 400, `{"ok":false,"error":"target is required","field":"target"}`, ""},
		{"post with blank target", "POST", "/api/messages", "application/json", `{"target":" "}`, 400, `{"ok":false,"error":"target is required","field":"target"}`, ""},
		{"post without sender", "POST", "/api/messages", "application/json", `{"target":"a"}`, 400, `{"ok":false,"error":"sender is required","field":"sender"}`, ""},
		{"post without text", "POST", "/api/messages", "application/json", `{"target":"a","sender":"b"}`, 400, `{"ok":false,"error":"text is required","field":"text"}`, ""},
		{"post with null text", "POST", "/api/messages", "application/json", `{"target":"a","sender":"b","text":null}`, 400, `{"ok":false,"error":"text is required","field":"text"}`, ""},
		{"post with blank text", "POST", "/api/messages", "application/json", `{"target":"a","sender":"b","text":" \n\t"}`, 400, `{"ok":false,"error":"text is required","field":"text"}`, ""},
		{"post with number as target was 500", "POST", "/api/messages", "application/json", `{"target":5,"sender":"b","text":"c"}`, 400, `{"ok":false,"error":"target must be a string, not the number 5","field":"target"}`, ""},
		{"post with list as sender was 500", "POST", "/api/messages", "application/json", `{"target":"a","sender":[],"text":"c"}`, 400, `{"ok":false,"error":"sender must be a string, not an array","field":"sender"}`, ""},
		{"post with object as text was stored as a repr", "POST", "/api/messages", "application/json", `{"target":"a","sender":"b","text":{"a":1}}`, 400, `{"ok":false,"error":"text must be a string, not an object","field":"text"}`, ""},
		{"post with 0 as text was stored", "POST", "/api/messages", "application/json", `{"target":"a","sender":"b","text":0}`, 400, `{"ok":false,"error":"text must be a string, not the number 0","field":"text"}`, ""},
		{"post of 30 MB was stored", "POST", "/api/messages", "application/json", `{"target":"a","sender":"b","text":"` + strings.Repeat("x", 30_000_000) + `"}`, 413, `{"ok":false,"error":"request body is larger than the limit of ...`, ""},
		{"post as text/plain was taken", "POST", "/api/messages", "text/plain", valid, 415, `{"ok":false,"error":"Invalid Content-Type header: it must be application/json"}`, ""},

		{"wrong method was 404", "DELETE", "/api/messages", "", "", 405, `{"ok":false,...`, ""},
		{"wrong method was 404", "PUT", "/api/messages", "application/json", valid, 405, `{"ok":false,...`, ""},
		{"wrong method was 404", "POST", "/healthz", "", "", 405, `{"ok":false,...`, ""},
		{"elsewhere", "GET", "/nowhere", "", "", 404, `{"ok":false,"error":"there is nothing at /nowhere, see /docs"}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := open(t, nil)
			f.fill("proj-x", 3)
			req := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
			if tt.typ != "" {
				req.Header.Set("Content-Type", tt.typ)
			}
			rec := f.do(req)
			if rec.Code != tt.status {
				t.Errorf("status: got %d, want %d", rec.Code, tt.status)
			}
			want, isStart := strings.CutSuffix(tt.want, "...")
			got := strings.TrimSuffix(rec.Body.String(), "\n")
			if isStart {
				got = got[:min(len(got), len(want))]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("body (-want +got)\n%s", diff)
			}
			if tt.wantType == "" {
				tt.wantType = "application/json"
			}
			if got := rec.Header().Get("Content-Type"); got != tt.wantType {
				t.Errorf("Content-Type: got %q, want %q", got, tt.wantType)
			}
		})
	}
}

// Limits of the original's window: 200 unless asked for, 500 at most, the
// newest of them, oldest first.
func TestSeedParityWindow(t *testing.T) {
	f := open(t, nil)
	f.fill("proj-x", 510)
	for query, want := range map[string][2]int64{
		"": {311, 510}, "?limit=1": {510, 510}, "?limit=500": {11, 510}, "?limit=501": {11, 510}, "?limit=100000": {11, 510},
	} {
		p := f.page("/api/messages" + query)
		got := [2]int64{p.Messages[0].ID, p.Messages[len(p.Messages)-1].ID}
		if got != want || int64(len(p.Messages)) != want[1]-want[0]+1 {
			t.Errorf("%q: got %d messages %v, want %v", query, len(p.Messages), got, want)
		}
	}
}

// A channel is listed once, whether configured, observed or both.
func TestSeedParityChannels(t *testing.T) {
	f := open(t, nil)
	f.fill("codex", 1)
	f.fill("another", 1)
	if got, want := strings.TrimSpace(f.get("/api/channels").Body.String()), `{"channels":["another","claude","codex","proj-x"]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if rec := f.do(httptest.NewRequest(http.MethodHead, "/healthz", nil)); rec.Code != 200 {
		t.Errorf("HEAD /healthz: got %d, want 200", rec.Code)
	}
}
