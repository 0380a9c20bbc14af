package doctor

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"autoreview/supervisor/config"
	"autoreview/supervisor/setup"
)

// checkCodexRelay says whether a Codex in the user's own hands finds the relay.
// Reviews need nothing of it.
func checkCodexRelay(_ context.Context, s *snapshot) Result {
	if !s.configured() {
		return nothing
	}
	servers, err := s.servers()
	if err != nil {
		return nothing
	}
	const fix = "autoreview init"
	i := slices.IndexFunc(servers, func(c codexServer) bool { return c.Name == setup.ServerName })
	if i < 0 {
		if c, err := s.ourCodex(); err == nil && c.table("mcp_servers", setup.ServerName) != nil {
			r := warn("Codex does not list the relay", c.path+" has it, and Codex does not read that file", "autoreview init --trust")
			return r
		}
		return ok("Codex has no server %q; reviews do not need it, your own sessions would", setup.ServerName)
	}
	server, want := servers[i], s.cfg.Relay+"/mcp"
	switch {
	case !server.Enabled:
		return warn("the relay is disabled in Codex", "`enabled = false`", "take that line out of [mcp_servers."+setup.ServerName+"]")
	case !sameAddress(server.Transport.URL, want):
		return s.repairable(warn(fmt.Sprintf("Codex looks for the relay at %s", server.Transport.URL), "autoreview uses "+want, fix))
	case s.whoami().needsToken && server.Transport.TokenEnv == "":
		return s.repairable(warn("Codex has no token for the relay", "the relay needs one, and bearer_token_env_var is not set", fix))
	case server.Transport.TokenEnv != "" && s.Getenv(server.Transport.TokenEnv) == "":
		return warn("Codex has no token for the relay", fmt.Sprintf("bearer_token_env_var is %s, and that variable is not set here", server.Transport.TokenEnv),
			"export "+server.Transport.TokenEnv+"=... where you start Codex")
	}
	return ok("Codex lists the relay at %s", server.Transport.URL)
}

// sameAddress compares two addresses; the names of this machine are one.
func sameAddress(a, b string) bool { return address(a) == address(b) }

func address(raw string) string {
	u, err := url.Parse(strings.TrimRight(raw, "/"))
	if err != nil {
		return raw
	}
	host := u.Hostname()
	if host == "localhost" || host == "::1" {
		host = "127.0.0.1"
	}
	port := u.Port()
	if port == "" && u.Scheme == "http" {
		port = "80"
	}
	return u.Scheme + "://" + host + ":" + port + u.Path
}

// checkApproval looks for the keys that let Codex use the relay's tools without
// asking. The relay marks its tools as harmless, which is enough for Codex; the
// keys are for relays and versions where it is not.
func checkApproval(_ context.Context, s *snapshot) Result {
	bin, err := s.codex()
	if err != nil {
		return nothing
	}
	c, server := s.relayTable()
	if server == nil {
		return nothing
	}
	var missing []string
	tools, _ := server["tools"].(map[string]any)
	for _, name := range relayTools {
		if tool, _ := tools[name].(map[string]any); tool["approval_mode"] != "approve" {
			missing = append(missing, name)
		}
	}
	byDefault := server["default_tools_approval_mode"] == "approve" && bin.AtLeast(0, 128)
	switch {
	case byDefault || len(missing) == 0:
		return ok("the relay's tools are approved in %s", c.path)
	case s.annotated():
		return ok("the relay marks its tools as harmless, so Codex runs them; approval keys are missing for %s", strings.Join(missing, ", "))
	}
	return s.repairable(warn("the relay's tools are not approved in "+c.path,
		"missing: "+strings.Join(missing, ", ")+"; `codex exec` denies such a call and goes on without it", "autoreview init"))
}

// relayTable is where the relay is configured for Codex: in the repository,
// when Codex trusts it, else by the user.
func (s *snapshot) relayTable() (codexConfig, map[string]any) {
	user, err := s.userCodex()
	if err != nil {
		return codexConfig{}, nil
	}
	ours, err := s.ourCodex()
	if t := ours.table("mcp_servers", setup.ServerName); err == nil && t != nil && trustLevel(user, s.workdirs()[0]) == "trusted" {
		return ours, t
	}
	return user, user.table("mcp_servers", setup.ServerName)
}

// repairable is a result that setting up the repository puts right.
func (s *snapshot) repairable(r Result) Result {
	if s.Repair != nil {
		r.repair = s.setUp
	}
	return r
}

// sandboxed says whether any watch runs Codex in its sandbox.
func (s *snapshot) sandboxed() bool {
	return !s.configured() || slices.ContainsFunc(s.cfg.Watches, func(w config.Watch) bool {
		return w.Sandbox == "read-only" || w.Sandbox == "workspace-write"
	})
}
