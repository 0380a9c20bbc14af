package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"autoreview/supervisor/setup"
	"autoreview/supervisor/setup/jsonedit"
)

// checkClaude finds Claude Code. Reviews work without it: anybody may post.
func checkClaude(ctx context.Context, _ *snapshot) Result {
	path, err := exec.LookPath("claude")
	if err != nil {
		return warn("not found", "there is no claude in PATH; packets can be posted by anything else", "npm install -g @anthropic-ai/claude-code, or have it in PATH")
	}
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return warn(path+" does not run", err.Error(), "run it by hand: claude --version")
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	return ok("%s, version %s", path, version)
}

// claudeState is what Claude Code keeps about the user, from .claude.json.
type claudeState struct {
	path    string
	servers map[string]any // known in every folder
	project map[string]any // what it keeps about this one
}

func (s *snapshot) claudeHome() string {
	if dir := s.Getenv("CLAUDE_CONFIG_DIR"); dir != "" {
		return dir
	}
	return filepath.Join(s.home(), ".claude")
}

func (s *snapshot) readClaude() (claudeState, error) {
	c := claudeState{path: filepath.Join(s.home(), ".claude.json")}
	if dir := s.Getenv("CLAUDE_CONFIG_DIR"); dir != "" {
		c.path = filepath.Join(dir, ".claude.json")
	}
	root, _, err := readJSON(c.path)
	if err != nil {
		return c, fmt.Errorf("%s: %w", c.path, err)
	}
	c.servers = object(root, "mcpServers")
	c.project = object(root, "projects", s.root())
	return c, nil
}

// readJSON reads a file of JSON, with comments; there is false for a missing or
// empty one.
func readJSON(path string) (root map[string]any, there bool, err error) {
	src, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, true, err
	}
	v, ok, err := jsonedit.Get(src)
	if err != nil || !ok {
		return nil, err != nil, err
	}
	root, isObject := v.(map[string]any)
	if !isObject {
		return nil, true, errors.New("want an object")
	}
	return root, true, nil
}

// object is the object at path, nil for none.
func object(root map[string]any, path ...string) map[string]any {
	for _, name := range path {
		root, _ = root[name].(map[string]any)
	}
	return root
}

// claudeRelay is the relay's entry for Claude Code, and where it is.
type claudeRelay struct {
	entry map[string]any
	place string
	// shared says that it is in .mcp.json, which Claude Code asks about.
	shared bool
}

// claudeRelays are the entries that lead to the relay or have its name, the one
// that Claude Code takes first.
func (s *snapshot) claudeRelays(c claudeState, shared map[string]any) []claudeRelay {
	var found []claudeRelay
	add := func(servers map[string]any, place string, isShared bool) {
		for _, name := range slices.Sorted(maps.Keys(servers)) {
			entry := object(servers, name)
			u, _ := s.expand(text(entry, "url"))
			if name == setup.ClaudeServer || sameAddress(u, s.cfg.Relay+"/mcp") {
				found = append(found, claudeRelay{entry, place, isShared})
			}
		}
	}
	add(object(c.project, "mcpServers"), c.path+" for this folder", false)
	add(shared, ".mcp.json", true)
	add(c.servers, c.path, false)
	return found
}

func text(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

// checkClaudeRelay says whether Claude Code knows the relay.
func checkClaudeRelay(_ context.Context, s *snapshot) Result {
	if !s.configured() {
		return nothing
	}
	path := filepath.Join(s.root(), ".mcp.json")
	root, _, err := readJSON(path)
	if err != nil {
		return fail(path+" cannot be read", err.Error(), "correct it: Claude Code has none of its servers")
	}
	c, err := s.claude()
	if err != nil {
		return warn("Claude Code's own state cannot be read", err.Error(), "start claude once in this folder")
	}
	found := s.claudeRelays(c, object(root, "mcpServers"))
	want := s.cfg.Relay + "/mcp"
	if len(found) == 0 {
		return s.repairable(warn("Claude Code does not know the relay", "neither .mcp.json nor "+c.path+" has a server for it",
			"autoreview init, or claude mcp add --transport http relay "+want))
	}
	return s.judgeClaudeRelay(c, found[0], want)
}

func (s *snapshot) judgeClaudeRelay(c claudeState, r claudeRelay, want string) Result {
	u, unset := s.expand(text(r.entry, "url"))
	header, unsetToken := s.expand(text(object(r.entry, "headers"), "Authorization"))
	switch kind := text(r.entry, "type"); {
	case kind == "stdio" || kind == "" && r.entry["command"] != nil:
		return ok("Claude Code reaches the relay over stdio, by %s", r.place)
	case kind != "http":
		return s.repairable(warn("the relay's entry in "+r.place+" has no type \"http\"", fmt.Sprintf("its type is %q, and Claude Code does not connect", kind), `add "type": "http"`))
	case unset != "" || unsetToken != "":
		return warn("a variable of the relay's entry in "+r.place+" is not set", fmt.Sprintf("%s has no value here and no default, and Claude Code sends its name instead", unset+unsetToken),
			fmt.Sprintf("export it where you start claude, or give it a default: ${%s:-...}", unset+unsetToken))
	case !sameAddress(u, want):
		return s.repairable(warn("Claude Code looks for the relay at "+u, "autoreview uses "+want, "correct the url in "+r.place))
	case s.whoami().needsToken && strings.TrimSpace(strings.TrimPrefix(header, "Bearer")) == "":
		return warn("Claude Code has no token for the relay", "the relay needs one, and the entry in "+r.place+" sends no Authorization",
			`add "headers": {"Authorization": "Bearer ${RELAY_TOKEN:-}"} and export RELAY_TOKEN`)
	case r.shared && refusedByUser(c.project):
		return warn("Claude Code was told not to use the relay of .mcp.json", `"disabledMcpjsonServers" has it`, "in claude: /mcp, and enable it")
	}
	note := ""
	if r.entry["alwaysLoad"] != true {
		note = `; with "alwaysLoad": true its tools would be there from the first request on`
	}
	return ok("Claude Code has the relay by %s%s", r.place, note)
}

func refusedByUser(project map[string]any) bool {
	list, _ := project["disabledMcpjsonServers"].([]any)
	return slices.Contains(list, any(setup.ClaudeServer))
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}`)

// expand replaces ${VAR} and ${VAR:-default} as Claude Code does. unset is the
// first variable that has neither a value nor a default.
func (s *snapshot) expand(raw string) (expanded, unset string) {
	expanded = variable.ReplaceAllStringFunc(raw, func(found string) string {
		m := variable.FindStringSubmatch(found)
		if v := s.Getenv(m[1]); v != "" {
			return v
		}
		if m[2] == "" {
			if unset == "" {
				unset = m[1]
			}
			return found
		}
		return m[3]
	})
	return expanded, unset
}
