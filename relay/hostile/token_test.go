package hostile_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"autoreview/relay/token"
)

// open are the routes that show nothing of the log: the probe, and the page with
// its files, which must load for one to log in.
var open = map[string]bool{"/healthz": true, "/": true, "/assets/app.js": true}

// lock makes tokens of all kinds and returns them by name.
func lock(t *testing.T, r target) map[string]string {
	t.Helper()
	secret := map[string]string{
		"all":     r.NewToken(token.Token{Name: "all"}),
		"claude":  r.NewToken(token.Token{Name: "claude", Senders: []string{"claude"}}),
		"other":   r.NewToken(token.Token{Name: "other", Senders: []string{"codex"}}),
		"reader":  r.NewToken(token.Token{Name: "reader", ReadOnly: true}),
		"channel": r.NewToken(token.Token{Name: "channel", Channels: []string{"elsewhere"}}),
		"expired": r.NewToken(token.Token{Name: "expired", Expires: time.Now().Add(-time.Hour)}),
		"revoked": r.NewToken(token.Token{Name: "revoked"}),
	}
	if _, err := token.Open(filepath.Join(r.Config.Data, token.File)).Revoke("revoked"); err != nil {
		t.Fatal(err)
	}
	return secret
}

func bearer(secret string) []string { return []string{"Authorization", "Bearer " + secret} }

// locked checks that the relay lives and that nothing was stored; its own client
// has a token.
func (r target) locked(t *testing.T) {
	t.Helper()
	info, err := r.Client().Info(t.Context())
	if err != nil || info.Head != r.head {
		t.Errorf("head of the log: got %d, %v, want %d: something was stored", info.Head, err, r.head)
	}
}

// Whatever stands in for a token is none, on every route.
func TestNobodyGetsInWithoutAToken(t *testing.T) {
	for name, header := range credentials() {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			secret := lock(t, r)
			for i := range header {
				header[i] = strings.NewReplacer("‹all›", secret["all"], "‹revoked›", secret["revoked"], "‹expired›", secret["expired"]).Replace(header[i])
			}
			denied := 0
			for _, path := range routes {
				for _, send := range []string{get(path, header...), postJSON(path, draft, header...)} {
					resp, body := r.do(t, send)
					if open[path] && strings.HasPrefix(send, "GET") {
						if resp.StatusCode != 200 || strings.Contains(body, "a secret plan") {
							t.Errorf("GET %s: got %d, want 200 and no message", path, resp.StatusCode)
						}
						continue
					}
					wantError(t, resp, body)
					// Many failures of one address are bounded; the first
					// ones are told what is missing.
					denied++
					if want := http.StatusUnauthorized; resp.StatusCode != want && (resp.StatusCode != 429 || denied <= 30) {
						t.Errorf("%.40q: got %d %s, want %d", send, resp.StatusCode, body, want)
					}
					if resp.StatusCode == 401 && resp.Header.Get("WWW-Authenticate") == "" {
						t.Errorf("%.40q: got 401 without WWW-Authenticate", send)
					}
					for _, s := range secret {
						if strings.Contains(body, s) {
							t.Errorf("%.40q: the answer has a token in it", send)
						}
					}
				}
			}
			r.locked(t)
		})
	}
}

func credentials() map[string][]string {
	basic := func(s string) []string {
		return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(s))}
	}
	return map[string][]string{
		"nothing":                     {},
		"an empty header":             {"Authorization", ""},
		"no token behind Bearer":      {"Authorization", "Bearer"},
		"a token that never was":      bearer("rly_" + repeated("A", 43)),
		"a revoked one":               bearer("‹revoked›"),
		"an expired one":              bearer("‹expired›"),
		"a good one and a byte":       bearer("‹all›A"),
		"a good one in pieces":        bearer("‹all› x"),
		"a good one as Basic":         {"Authorization", "Basic ‹all›"},
		"a name and a password":       basic("all:all"),
		"no scheme":                   {"Authorization", "‹all›"},
		"two headers":                 {"Authorization", "Bearer ‹all›", "Authorization", "Bearer ‹all›"},
		"a cookie":                    {"Cookie", "token=‹all›; Authorization=Bearer ‹all›"},
		"another header":              {"X-Api-Key", "‹all›", "Proxy-Authorization", "Bearer ‹all›"},
		"a name in place of a secret": bearer("all"),
		"a wildcard":                  bearer("*"),
		"a NUL encoded":               bearer("‹all›%00"),
		"SQL":                         bearer("' OR '1'='1"),
		"a claim of a proxy":          {"X-Forwarded-For", "127.0.0.1", "X-Forwarded-User", "all", "X-Real-IP", "127.0.0.1"},
		"a job instead of a token":    {"X-Relay-Job", base64.RawURLEncoding.EncodeToString([]byte(`{"key":"k","target":"proj-x","sender":"claude"}`))},
	}
}

// A token in the address is none either: addresses are kept in histories and
// logs.
func TestTokenInTheQueryIsNone(t *testing.T) {
	r := start(t)
	secret := lock(t, r)
	for _, name := range []string{"token", "access_token", "key", "authorization"} {
		if resp, body := r.do(t, get("/api/messages?target=proj-x&"+name+"="+secret["all"])); resp.StatusCode != 401 {
			t.Errorf("?%s=: got %d %.100s, want 401", name, resp.StatusCode, body)
		}
	}
	r.locked(t)
}

// A good token does only what it is for, by REST, SSE and MCP, and no header or
// field changes that.
func TestTokensDoOnlyWhatTheyAreFor(t *testing.T) {
	r := start(t)
	secret := lock(t, r)
	job := []string{"X-Relay-Job", base64.RawURLEncoding.EncodeToString([]byte(`{"key":"k","target":"proj-x","sender":"claude","reply_to":1}`))}
	tool := func(name, arguments string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, name, arguments)
	}
	const read = `{"target":"proj-x","since_id":0}`
	as := func(who string, more ...string) []string { return append(bearer(secret[who]), more...) }
	hits := []hit{
		{"read-only: post", postJSON("/api/messages", draft, as("reader")...), 403, inJSON, "may only read"},
		{"read-only: post by tool", postJSON("/mcp", tool("post_message", draft), as("reader")...), 200, inRPC, "may only read"},
		{"read-only: post as a job", postJSON("/mcp", tool("post_message", draft), as("reader", job...)...), 200, inRPC, "may only read"},
		{"read-only: a POST that claims to be a GET", postJSON("/api/messages", draft, as("reader", "X-HTTP-Method-Override", "GET")...), 403, inJSON, "may only read"},
		{"another sender: post", postJSON("/api/messages", draft, as("other")...), 403, inJSON, "may not post as"},
		{"another sender: post by tool", postJSON("/mcp", tool("post_message", draft), as("other")...), 200, inRPC, "may not post as"},
		{"another sender: post as a job", postJSON("/mcp", tool("post_message", draft), as("other", job...)...), 200, inRPC, "may not post as"},
		{"another sender: with blanks", postJSON("/api/messages", field("sender", `" claude "`), as("other")...), 403, inJSON, "may not post as"},
		{"another sender: twice, the last one counts", postJSON("/api/messages", `{"sender":"codex",`+draft[1:], as("other")...), 403, inJSON, "may not post as"},
		{"another sender: in other letters", postJSON("/api/messages", field("sender", `"CODEX"`), as("other")...), 403, inJSON, "may not post as"},
		{"another sender: by the source", postJSON("/api/messages", draft, as("other", "X-Relay-Source", "codex")...), 403, inJSON, "may not post as"},
		{"another channel: post", postJSON("/api/messages", draft, as("channel")...), 403, inJSON, "may not use channel"},
		{"another channel: post by tool", postJSON("/mcp", tool("post_message", draft), as("channel")...), 200, inRPC, "may not use channel"},
		{"another channel: read", get("/api/messages?target=proj-x", as("channel")...), 403, inJSON, "may not use channel"},
		{"another channel: read by key", get("/api/messages?target=elsewhere&target=proj-x&key=k", as("channel")...), 403, inJSON, "may not use channel"},
		{"another channel: the default one", get("/api/messages", as("channel")...), 403, inJSON, "may not use channel"},
		{"another channel: wait", get("/api/messages?target=proj-x&since_id=0&wait=1", as("channel")...), 403, inJSON, "may not use channel"},
		{"another channel: stream", get("/api/stream?target=proj-x&since_id=0", as("channel")...), 403, inJSON, "may not use channel"},
		{"another channel: resume a stream", get("/api/stream?target=proj-x", as("channel", "Last-Event-ID", "0")...), 403, inJSON, "may not use channel"},
		{"another channel: fetch by tool", postJSON("/mcp", tool("fetch_messages", read), as("channel")...), 200, inRPC, "may not use channel"},
		{"another channel: wait by tool", postJSON("/mcp", tool("wait_for_messages", read), as("channel")...), 200, inRPC, "may not use channel"},
		{"another channel: the page's messages", get("/ui/messages?target=proj-x", as("channel")...), 403, inJSON, "may not use channel"},
		{"another channel: the page's text", get("/ui/text/1", as("channel")...), 404, inJSON, ""},
		{"a good token of a foreign page", get("/api/messages?target=proj-x", as("all", "Origin", "https://evil.example")...), 403, inJSON, "Invalid Origin"},
		{"a good token by another name", get("/api/messages?target=proj-x", as("all", "Host", "evil.example")...), 421, inJSON, "Invalid Host"},
		{"a good token as a form", post("/api/messages", "text/plain", draft, as("all")...), 415, inJSON, "application/json"},
	}
	for _, h := range hits {
		t.Run(h.name, func(t *testing.T) {
			resp, body := r.do(t, h.send)
			h.check(t, resp, body)
			r.locked(t)
		})
	}
	if resp, body := r.do(t, postJSON("/api/messages", draft, as("claude")...)); resp.StatusCode != 201 {
		t.Errorf("who may: got %d %s, want 201", resp.StatusCode, body)
	}
}
