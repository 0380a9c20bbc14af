//go:build unix

package doctor_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"autoreview/relay/token"
	"autoreview/supervisor/doctor"
)

// standIn answers in a relay's place.
func (p *place) standIn(routes map[string]http.HandlerFunc) {
	p.t.Helper()
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.HandleFunc(pattern, h)
	}
	srv := httptest.NewServer(mux)
	p.t.Cleanup(srv.Close)
	p.relayAt(srv.URL)
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Relay-Log", "abc")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

const channelsBody = `{"channels":[],"details":[],"log_id":"abc","head_id":0}`

func original(p *place) {
	p.standIn(map[string]http.HandlerFunc{
		"GET /api/channels": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"channels":["proj-x"]}`) },
		"GET /api/messages": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"target":"proj-x","messages":[]}`) },
	})
}

// withTokens turns tokens on at a real relay and gives the place one.
func withTokens(p *place, tok token.Token) (secret string) {
	r := p.relay()
	secret, err := token.Open(filepath.Join(r.Config.Data, token.File)).New(tok)
	if err != nil {
		p.t.Fatal(err)
	}
	p.add(`token_env = "RELAY_TOKEN"`)
	p.set("RELAY_TOKEN", secret)
	return secret
}

func TestRelay(t *testing.T) {
	real := func(p *place) { p.relay() }
	handshake := func(tools string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body := make([]byte, r.ContentLength)
			_, _ = r.Body.Read(body)
			result := `{"serverInfo":{"name":"other","version":"0.1"}}`
			if strings.Contains(string(body), "tools/list") {
				result = `{"tools":[` + tools + `]}`
			}
			var id int
			_, _ = fmt.Sscanf(string(body[strings.Index(string(body), `"id":`):]), `"id":%d`, &id)
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%d,"result":%s}`, id, result)
		}
	}
	at := func(skew time.Duration) func(p *place) {
		return func(p *place) { p.relay(); p.env.Now = func() time.Time { return time.Now().Add(skew) } }
	}
	run(t, []situation{
		{"answers", "relay", real, doctor.OK, []string{"log "}},
		{"is not there", "relay", nil, doctor.Warn, []string{"connection refused", "autoreview up"}},
		{"is not there, and is another machine's", "relay", func(p *place) { p.relayAt("https://127.0.0.1:1") }, doctor.Fail, []string{"start the relay there"}},
		{"is the original server", "relay", original, doctor.Warn, []string{"Python server"}},
		{"is something else", "relay", func(p *place) {
			p.standIn(map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }})
		}, doctor.Fail, []string{"something else answers"}},
		{"is not configured", "relay", func(p *place) { p.add("nonsense = 1") }, "", nil},

		{"agrees", "relay_clock", real, doctor.OK, nil},
		{"is ahead", "relay_clock", at(-time.Minute), doctor.Warn, []string{"1m0s ahead of ours"}},
		{"is far behind", "relay_clock", at(time.Hour), doctor.Fail, []string{"behind ours", "timedatectl"}},

		{"is writable", "relay_store", real, doctor.OK, nil},
		{"is not writable", "relay_store", func(p *place) {
			p.standIn(map[string]http.HandlerFunc{
				"GET /api/channels": says(200, channelsBody),
				"GET /readyz":       says(503, `{"ok":false,"error":"the log cannot be written to"}`),
			})
		}, doctor.Fail, []string{"the log cannot be written to", "disk"}},

		{"shakes hands", "relay_mcp", real, doctor.OK, []string{"4 tools"}},
		{"has no MCP", "relay_mcp", func(p *place) {
			p.standIn(map[string]http.HandlerFunc{"GET /api/channels": says(200, channelsBody)})
		}, doctor.Fail, []string{"404"}},
		{"lacks a tool", "relay_mcp", func(p *place) {
			p.standIn(map[string]http.HandlerFunc{"GET /api/channels": says(200, channelsBody), "POST /mcp": handshake(`{"name":"post_message"}`)})
		}, doctor.Fail, []string{"lacks tools: fetch_messages"}},

		{"is as new as we are", "relay_version", real, doctor.OK, []string{"version dev"}},
		{"is of another version", "relay_version", func(p *place) { p.relay(); p.env.Version = "1.2.3" }, doctor.Warn, []string{"1.2.3", "restart"}},

		{"has it", "relay_port", real, doctor.OK, []string{"the relay's"}},
		{"is free", "relay_port", nil, doctor.OK, []string{"is free"}},
		{"is taken", "relay_port", func(p *place) {
			p.standIn(map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }})
		}, doctor.Fail, []string{"is taken by", "another port"}},
	})
}

func TestToken(t *testing.T) {
	run(t, []situation{
		{"not needed", "relay_token", func(p *place) { p.relay() }, doctor.OK, []string{"needs no token"}},
		{"there all the same", "relay_token", func(p *place) {
			p.relay()
			p.add(`token_env = "RELAY_TOKEN"`)
			p.set("RELAY_TOKEN", "x")
		}, doctor.OK, []string{"RELAY_TOKEN all the same"}},
		{"good", "relay_token", func(p *place) { withTokens(p, token.Token{Name: "sup", Senders: []string{"codex"}}) }, doctor.OK, []string{`"sup"`}},
		{"none is named", "relay_token", func(p *place) {
			secret := withTokens(p, token.Token{Name: "sup"})
			p.write("repo/autoreview.toml", "relay = %q\n[[watch]]\nchannel = \"proj-x\"\n", p.relayURL())
			_ = secret
		}, doctor.Fail, []string{"token_env is not set", "relay token new"}},
		{"not set", "relay_token", func(p *place) {
			withTokens(p, token.Token{Name: "sup"})
			p.set("RELAY_TOKEN", "")
		}, doctor.Fail, []string{"export RELAY_TOKEN"}},
		{"unknown", "relay_token", func(p *place) {
			withTokens(p, token.Token{Name: "sup"})
			p.set("RELAY_TOKEN", "wrong-secret")
		}, doctor.Fail, []string{"401"}},
		{"of another sender", "relay_token", func(p *place) {
			withTokens(p, token.Token{Name: "sup", Senders: []string{"claude"}})
		}, doctor.Fail, []string{"may not post as codex"}},
		{"of another channel", "relay_token", func(p *place) {
			withTokens(p, token.Token{Name: "sup", Channels: []string{"other"}})
		}, doctor.Fail, []string{"no access to the channel proj-x"}},
		{"read-only", "relay_token", func(p *place) { withTokens(p, token.Token{Name: "sup", ReadOnly: true}) }, doctor.Fail, []string{"read-only"}},

		{"missing for Codex", "codex_relay", func(p *place) {
			withTokens(p, token.Token{Name: "sup"})
			listing(p, p.relayURL()+"/mcp", "")
		}, doctor.Warn, []string{"bearer_token_env_var"}},
		{"missing for Claude Code", "claude_relay", func(p *place) {
			withTokens(p, token.Token{Name: "sup"})
			p.write("repo/.mcp.json", `{"mcpServers":{"relay":{"type":"http","url":"%s/mcp"}}}`, p.relayURL())
		}, doctor.Warn, []string{"Authorization"}},
	})
}

// relayURL is the address in the configuration.
func (p *place) relayURL() string {
	p.t.Helper()
	r := p.examine("relay")
	url, _, _ := strings.Cut(strings.TrimPrefix(r.Detail, "no relay answers at "), " ")
	return strings.TrimSuffix(url, ",")
}

// No result holds a secret, whatever is wrong.
func TestNoResultHoldsASecret(t *testing.T) {
	p := newPlace(t)
	secret := withTokens(p, token.Token{Name: "sup", Senders: []string{"claude"}})
	p.set("CODEX_API_KEY", "sk-codex-secret")
	p.set("OPENAI_API_KEY", "sk-openai-secret")
	p.write("home/.codex/auth.json", `{"OPENAI_API_KEY":"sk-file-secret"}`)
	p.write("repo/.mcp.json", `{"mcpServers":{"relay":{"type":"http","url":"http://x/mcp","headers":{"Authorization":"Bearer sk-claude-secret"}}}}`)
	r, err := doctor.Examine(t.Context(), p.env)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := doctor.PrintJSON(&out, r); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{secret, "sk-codex-secret", "sk-openai-secret", "sk-file-secret", "sk-claude-secret"} {
		if strings.Contains(out.String(), s) {
			t.Errorf("the report holds the secret %q:\n%s", s, out.String())
		}
	}
}
