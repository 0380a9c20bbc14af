package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"autoreview/codexrun"
	"autoreview/supervisor/config"
	"autoreview/supervisor/setup"
	"autoreview/supervisor/setup/tomledit"
)

// relayTools are the tools of the relay that change something, or that a
// version without a default approval has to be told of.
var relayTools = []string{"post_message", "fetch_messages", "wait_for_messages", "list_channels"}

// codexConfig is a config.toml of Codex; a missing file is an empty one.
type codexConfig struct {
	path  string
	there bool
	root  map[string]any
}

func readCodexConfig(path string) (codexConfig, error) {
	c := codexConfig{path: path}
	src, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.there = true
	v, _, err := tomledit.Get(src)
	if err != nil {
		return c, err
	}
	c.root, _ = v.(map[string]any)
	return c, nil
}

// table is the table at path, nil when there is none.
func (c codexConfig) table(path ...string) map[string]any {
	t := c.root
	for _, name := range path {
		t, _ = t[name].(map[string]any)
	}
	return t
}

func (c codexConfig) text(key string) string {
	s, _ := c.root[key].(string)
	return s
}

// checkCodexConfig has Codex itself read the user's configuration, after a look
// for what is not even TOML.
func checkCodexConfig(_ context.Context, s *snapshot) Result {
	c, err := s.userCodex()
	if err != nil {
		return fail(c.path+" cannot be read", err.Error(), "correct it: Codex does not start with it")
	}
	if p, err := s.ourCodex(); err != nil {
		cause := err.Error() + "; a Codex that trusts this repository does not start in it"
		return fail(p.path+" cannot be read", cause, "correct it")
	}
	if _, err := s.codex(); err != nil {
		return nothing
	}
	if _, err := s.servers(); err != nil {
		return fail("Codex refuses its configuration", err.Error(), "correct "+c.path)
	}
	if !c.there {
		return ok("no %s; Codex uses its defaults", c.path)
	}
	return ok("%s", c.path)
}

// checkStale finds the table that older instructions had people write.
func checkStale(_ context.Context, s *snapshot) Result {
	var found []string
	for _, read := range []func() (codexConfig, error){s.userCodex, s.ourCodex} {
		if c, err := read(); err == nil && c.table("mcp") != nil {
			names := slices.Sorted(maps.Keys(c.table("mcp")))
			found = append(found, fmt.Sprintf("[mcp.%s] in %s", strings.Join(names, "], [mcp."), c.path))
		}
	}
	if len(found) == 0 {
		return ok("no stale [mcp.…] table")
	}
	return warn(strings.Join(found, "; "), "no version of Codex reads such a table; from 0.163 on it complains about it in each run",
		"autoreview init --remove-stale, or delete it; the table is called [mcp_servers."+setup.ServerName+"] now")
}

// checkServers says which MCP servers the user's configuration gives every
// review: they run outside of the sandbox.
func checkServers(_ context.Context, s *snapshot) Result {
	c, err := s.userCodex()
	if err != nil {
		return nothing
	}
	servers := c.table("mcp_servers")
	var names, parts = []string{}, []Result{}
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		server, _ := servers[name].(map[string]any)
		if server["enabled"] == false {
			continue
		}
		names = append(names, name)
		parts = append(parts, s.judgeServer(c, name, server))
	}
	if len(names) == 0 {
		return ok("your Codex configuration adds no MCP servers to a review")
	}
	return worst(fmt.Sprintf("your Codex configuration adds to every review: %s", strings.Join(names, ", ")), parts...)
}

func (s *snapshot) judgeServer(c codexConfig, name string, server map[string]any) Result {
	switch {
	case name == setup.ServerName && server["command"] != nil && s.delivers(config.DeliverMCP):
		return fail(fmt.Sprintf("[mcp_servers.%s] has a command", name), `with deliver = "mcp" each review adds a url to it, and Codex refuses a server that has both`,
			fmt.Sprintf("rename that table in %s", c.path))
	case server["required"] == true:
		return warn(fmt.Sprintf("the MCP server %q is required", name), "no review starts while it does not answer",
			fmt.Sprintf("take `required` out of [mcp_servers.%s] in %s", name, c.path))
	}
	return nothing
}

func (s *snapshot) delivers(d config.Deliver) bool {
	return slices.ContainsFunc(s.cfg.Watches, func(w config.Watch) bool { return w.Deliver == d })
}

// checkTrust says whether Codex reads the repository's own configuration.
// Reviews do not, unless project_config = "use".
func checkTrust(_ context.Context, s *snapshot) Result {
	user, err := s.userCodex()
	if err != nil {
		return nothing
	}
	ours, err := s.ourCodex()
	if err != nil {
		return nothing
	}
	uses := slices.ContainsFunc(s.cfg.Watches, func(w config.Watch) bool { return w.UseProjectConfig })
	level := trustLevel(user, s.workdirs()[0])
	switch {
	case !ours.there && !uses:
		return ok("not needed: there is no %s", ours.path)
	case level == "trusted":
		return ok("Codex trusts this repository")
	}
	detail := "Codex does not trust this repository yet"
	if level != "" {
		detail = fmt.Sprintf("this repository is %q for Codex", level)
	}
	cause := "it ignores " + ours.path + ", in your own sessions too"
	if uses {
		cause = `project_config = "use" has no effect, for ` + cause
	} else {
		cause += "; reviews do not need it"
	}
	return warn(detail, cause, "autoreview init --trust")
}

// trustLevel is what the user's configuration says about a folder, "" for
// nothing.
func trustLevel(c codexConfig, dir string) string {
	level := ""
	for _, key := range codexrun.TrustKeys(dir) {
		switch v, _ := c.table("projects", key)["trust_level"].(string); v {
		case "untrusted":
			return v
		case "":
		default:
			level = v
		}
	}
	return level
}

// codexServer is an MCP server as `codex mcp list --json` has it.
type codexServer struct {
	Name      string `json:"name"`
	Enabled   bool   `json:"enabled"`
	Transport struct {
		Type     string `json:"type"`
		URL      string `json:"url"`
		TokenEnv string `json:"bearer_token_env_var"`
	} `json:"transport"`
}

// listServers asks Codex which MCP servers it has in the repository. It is
// asked with a home of links to its own: listing them makes a folder there.
func (s *snapshot) listServers() ([]codexServer, error) {
	bin, err := s.codex()
	if err != nil {
		return nil, err
	}
	home, done, err := linkedHome(s.codexHome())
	if err != nil {
		return nil, err
	}
	defer done()
	out, _, err := askCodex(s.ctx, bin, s.root(), []string{"CODEX_HOME=" + home}, "mcp", "list", "--json")
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), home, s.codexHome()))
	}
	var servers []codexServer
	if err := json.Unmarshal(out, &servers); err != nil {
		return nil, fmt.Errorf("reading the answer of codex mcp list --json: %w", err)
	}
	return servers, nil
}

// linkedHome is a folder with a link to each file of another. done removes it.
func linkedHome(home string) (dir string, done func(), err error) {
	entries, err := os.ReadDir(home)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", nil, err
	}
	if dir, err = os.MkdirTemp("", "autoreview-doctor-"); err != nil {
		return "", nil, err
	}
	done = func() { _ = os.RemoveAll(dir) }
	for _, e := range entries {
		if err := os.Symlink(filepath.Join(home, e.Name()), filepath.Join(dir, e.Name())); err != nil {
			done()
			return home, func() {}, nil // where links are not allowed
		}
	}
	return dir, done, nil
}
