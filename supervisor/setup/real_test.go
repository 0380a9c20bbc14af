package setup_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"autoreview/codexrun/codextest"
	"autoreview/relay/relaytest"
	"autoreview/supervisor/setup"
)

// server is what `codex mcp list --json` says about one.
type server struct {
	Name      string
	Enabled   bool
	Transport struct {
		Type              string
		URL               string
		BearerTokenEnvVar string `json:"bearer_token_env_var"`
	}
	StartupTimeoutSec float64 `json:"startup_timeout_sec"`
	ToolTimeoutSec    float64 `json:"tool_timeout_sec"`
}

// codexServers asks the real Codex, in dir, which servers it knows.
func codexServers(t *testing.T, codex, codexHome, dir string) []server {
	t.Helper()
	cmd := exec.Command(codex, "mcp", "list", "--json")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CODEX_HOME="+codexHome, "HOME="+t.TempDir(),
		"HTTPS_PROXY=http://127.0.0.1:9", "HTTP_PROXY=http://127.0.0.1:9", "ALL_PROXY=http://127.0.0.1:9", "NO_PROXY=127.0.0.1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var servers []server
	if err == nil {
		err = json.Unmarshal(out, &servers)
	}
	if err != nil {
		t.Fatalf("codex mcp list: %v: %s%s", err, out, stderr.String())
	}
	return servers
}

func wantServer(t *testing.T, servers []server, tokenEnv string) {
	t.Helper()
	i := slices.IndexFunc(servers, func(s server) bool { return s.Name == setup.ServerName })
	if i < 0 {
		t.Fatalf("servers: got %+v, want %s among them", servers, setup.ServerName)
	}
	s := servers[i]
	if !s.Enabled || s.Transport.Type != "streamable_http" || s.Transport.URL != "http://127.0.0.1:8010/mcp" ||
		s.Transport.BearerTokenEnvVar != tokenEnv || s.StartupTimeoutSec != 15 || s.ToolTimeoutSec != 120 {
		t.Errorf("server: got %+v, want the relay's with timeouts 15 and 120 and token %q", s, tokenEnv)
	}
}

// The real Codex reads the server from every form of file that it is put into.
func TestCodexReadsTheServer(t *testing.T) {
	codex := codextest.Real(t)
	for name, text := range map[string]string{
		"new file":      "",
		"lived in":      lived["repo/.codex/config.toml"],
		"byte order":    "\xef\xbb\xbf[tui]\nnotifications = true\n",
		"inline":        "mcp_servers = { docs = { command = \"docs\" } }\n",
		"dotted":        "mcp_servers.docs.command = \"docs\"\n\n[tui]\nnotifications = true\n",
		"sub-table":     "[mcp_servers.autoreview_relay.tools.post_message]\napproval_mode = \"prompt\"\n",
		"inline server": "[mcp_servers]\nautoreview_relay = { url = \"http://old/mcp\" }\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, map[string]string{"repo/.codex/config.toml": text})
			p.init(func(o *setup.Options) { o.Trust, o.Network = true, true })
			servers := codexServers(t, codex.Path, p.path("home/.codex"), p.root)
			wantServer(t, servers, "")
			if strings.Contains(text, "docs") && len(servers) != 2 {
				t.Errorf("servers: got %+v, want the user's own as well", servers)
			}
		})
	}
}

// Codex goes by the trust that init records, and by nothing before.
func TestCodexGoesByTheTrust(t *testing.T) {
	codex := codextest.Real(t)
	p := newPlace(t, map[string]string{"home/.codex/config.toml": "# mine\n[tui]\nnotifications = true\n"})
	p.init(func(o *setup.Options) { o.TokenEnv = "RELAY_TOKEN" })
	if got := codexServers(t, codex.Path, p.path("home/.codex"), p.root); len(got) > 0 {
		t.Errorf("servers before: got %+v, want none", got)
	}
	p.init(func(o *setup.Options) { o.Trust = true })
	wantServer(t, codexServers(t, codex.Path, p.path("home/.codex"), p.root), "RELAY_TOKEN")
	p.undo()
	if got := codexServers(t, codex.Path, p.path("home/.codex"), p.root); len(got) > 0 {
		t.Errorf("servers after undo: got %+v, want none", got)
	}
}

// claude is the real Claude Code in a folder of its own, which has seen the
// user trust the repository, as its dialog asks for.
type claude struct {
	path, root string
	env        []string
}

func realClaude(t *testing.T, p *place) claude {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", ".tools", "node_modules", ".bin", "claude"))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		why := fmt.Sprintf("no real Claude Code: %v (`make tools` installs it)", err)
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		fmt.Fprintf(os.Stderr, "SKIPPED %s: %s\n", t.Name(), why)
		t.Skip(why)
	}
	known, err := json.Marshal(map[string]any{
		"hasCompletedOnboarding": true,
		"projects":               map[string]any{p.root: map[string]any{"hasTrustDialogAccepted": true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.write("claude/.claude.json", string(known))
	return claude{path: path, root: p.root, env: append(os.Environ(),
		"HOME="+p.path("claude"), "CLAUDE_CONFIG_DIR="+p.path("claude"),
		"DISABLE_AUTOUPDATER=1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "DISABLE_TELEMETRY=1", "DISABLE_ERROR_REPORTING=1",
		"HTTPS_PROXY=http://127.0.0.1:9", "HTTP_PROXY=http://127.0.0.1:9", "NO_PROXY=127.0.0.1",
	)}
}

func (c claude) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(c.path, args...)
	cmd.Dir, cmd.Env = c.root, c.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("claude %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// The real Claude Code takes the server of .mcp.json, and connects to it without
// asking because of .claude/settings.json.
func TestClaudeCodeConnects(t *testing.T) {
	p := newPlace(t, map[string]string{"repo/.claude/settings.json": "{\n  \"permissions\": {\n    \"deny\": [\"WebSearch\"]\n  }\n}\n"})
	c := realClaude(t, p)
	r := relaytest.Start(t)
	p.init(func(o *setup.Options) { o.Relay = r.URL })
	out := c.run(t, "mcp", "list")
	if !strings.Contains(out, "relay: "+r.URL+"/mcp (HTTP)") || !strings.Contains(out, "Connected") {
		t.Errorf("claude mcp list: got %q, want the relay connected", out)
	}
	// Without the settings it would wait for an answer.
	if err := os.WriteFile(p.path("repo/.claude/settings.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := c.run(t, "mcp", "list"); strings.Contains(out, "Connected") {
		t.Errorf("claude mcp list without the settings: got %q, want it not connected", out)
	}
}
