package setup

import (
	"fmt"
	"path/filepath"
	"strings"

	"autoreview/supervisor/setup/tomledit"
)

// tools are the relay's MCP tools.
var tools = []string{"post_message", "fetch_messages", "wait_for_messages", "list_channels"}

const codexComment = "The relay, for a Codex that you run yourself. The supervisor does not need it.\nThe approvals are a safety net: the relay marks its tools as harmless."

// codexProject plans the repository's .codex/config.toml.
func (p *planner) codexProject() {
	d := p.draft(p.at(".codex", "config.toml"))
	p.stale(d)
	p.codexServer(d)
	if p.Network {
		p.setTOML(d, "commands in Codex's workspace-write sandbox may use the network (--network)",
			tomledit.Entry{Path: []string{"sandbox_workspace_write", "network_access"}, Value: true})
	}
}

func (p *planner) codexServer(d *draft) {
	server := func(key ...string) []string { return append([]string{"mcp_servers", ServerName}, key...) }
	value, there, err := tomledit.Get(d.cur, server()...)
	if err != nil {
		p.block(d, err)
		return
	}
	have, _ := value.(map[string]any)
	if have["command"] != nil {
		p.problem(d.path, fmt.Sprintf("has a server %s that is started by a command; the relay is reached by its address", ServerName))
		return
	}
	if have["required"] == true {
		p.note("%s says required = true for %s: no Codex starts while the relay is down", p.name(d.path), ServerName)
	}
	why := "your own Codex finds the relay, and may use its tools"
	entries := p.codexEntries(server)
	fresh, err := tomledit.Set(nil, "", entries...)
	if err != nil {
		p.problem(d.path, err.Error())
		return
	}
	whole := Part{Kind: partTOML, Key: server(), Made: p.made(d, server())}
	whole.Value, _, _ = tomledit.Get(fresh, server()...)
	switch {
	case !there:
		d.do(why, whole, func(src []byte) ([]byte, error) { return tomledit.Set(src, codexComment, entries...) })
	case same(whole.Value, have):
		p.present = append(p.present, located{d.path, whole})
	default:
		p.setTOML(d, why, p.missing(d, entries)...)
	}
}

// codexEntries are the keys of the server's table. There is no required among
// them: with it no Codex starts while the relay is down.
func (p *planner) codexEntries(server func(...string) []string) []tomledit.Entry {
	entries := []tomledit.Entry{{Path: server("url"), Value: p.Site.Relay + "/mcp"}}
	if p.Site.TokenEnv != "" {
		entries = append(entries, tomledit.Entry{Path: server("bearer_token_env_var"), Value: p.Site.TokenEnv})
	}
	entries = append(entries,
		tomledit.Entry{Path: server("startup_timeout_sec"), Value: 15},
		tomledit.Entry{Path: server("tool_timeout_sec"), Value: 120},
		// Codex 0.120 knows only the approval of each tool, later ones both.
		tomledit.Entry{Path: server("default_tools_approval_mode"), Value: "approve"})
	for _, tool := range tools {
		entries = append(entries, tomledit.Entry{Path: server("tools", tool, "approval_mode"), Value: "approve"})
	}
	return entries
}

// missing leaves out what the user has chosen otherwise. The address and the
// token have to be right.
func (p *planner) missing(d *draft, entries []tomledit.Entry) []tomledit.Entry {
	var out []tomledit.Entry
	for _, e := range entries {
		have, ok, _ := tomledit.Get(d.cur, e.Path...)
		last := e.Path[len(e.Path)-1]
		if !ok || (last == "url" || last == "bearer_token_env_var") && !same(have, e.Value) {
			out = append(out, e)
		}
	}
	return out
}

// setTOML sets keys one by one, each a part of its own.
func (p *planner) setTOML(d *draft, why string, entries ...tomledit.Entry) {
	for _, e := range entries {
		old, _, err := tomledit.Get(d.cur, e.Path...)
		if err != nil {
			p.block(d, err)
			return
		}
		part := Part{Kind: partTOML, Key: e.Path, Value: e.Value, Old: old, Made: p.made(d, e.Path)}
		before := len(d.parts)
		d.do(why, part, func(src []byte) ([]byte, error) { return tomledit.Set(src, "", e) })
		if len(d.parts) > before {
			why = ""
		}
	}
}

// made is how many names of a key lead to something that is there.
func (p *planner) made(d *draft, key []string) int {
	for n := len(key); n > 0; n-- {
		if _, ok, _ := tomledit.Get(d.cur, key[:n]...); ok {
			return n
		}
	}
	return 0
}

// block gives a file up that cannot be parsed.
func (p *planner) block(d *draft, err error) {
	if !d.blocked {
		d.blocked, d.broken = true, true
		p.problem(d.path, err.Error())
	}
}

// stale finds the original's [mcp.claudecodex], which no version of Codex reads.
func (p *planner) stale(d *draft) {
	if d.blocked {
		return
	}
	if _, ok, err := tomledit.Get(d.cur, "mcp", "claudecodex"); err != nil || !ok {
		return
	}
	if !p.RemoveStale {
		p.Stale = append(p.Stale, fmt.Sprintf(
			"%s has [mcp.claudecodex], which Codex does not read: it wants [mcp_servers.NAME], and knows no transport \"sse\". Versions since 0.163 warn about it, and --strict-config refuses it",
			p.name(d.path)))
		return
	}
	d.do("without [mcp.claudecodex], which no version of Codex reads",
		Part{Kind: partRemoved, Key: []string{"mcp", "claudecodex"}},
		func(src []byte) ([]byte, error) { return tomledit.Delete(src, "mcp", "claudecodex") })
}

// codexUser looks into the user's own configuration of Codex: whether it trusts
// the repository, without which the repository's file is not read.
func (p *planner) codexUser() {
	if p.CodexHome == "" {
		return
	}
	d := p.draft(filepath.Join(p.CodexHome, "config.toml"))
	d.private = true
	p.stale(d)
	level, at, err := p.trust(d)
	switch {
	case d.blocked:
	case err != nil:
		p.block(d, err)
	case p.Trust && level == "untrusted":
		p.problem(d.path, fmt.Sprintf("says that %s is untrusted; change that there first", at))
	case p.Trust:
		p.setTOML(d, "Codex trusts this repository and reads its .codex/config.toml (--trust)",
			tomledit.Entry{Path: []string{"projects", at, "trust_level"}, Value: "trusted"})
	case level == "trusted":
		p.note("Codex trusts this repository: your own Codex reads .codex/config.toml")
	default:
		p.note("Codex does not trust this repository, so your own Codex does not read .codex/config.toml; --trust records it. Reviews do not depend on it")
	}
}

// trust returns what Codex's configuration says about the repository, and under
// which folder it says so, or should: a worktree goes by its main repository.
func (p *planner) trust(d *draft) (level, at string, err error) {
	at = p.mainRepository()
	for _, dir := range []string{p.Root, at} {
		v, _, err := tomledit.Get(d.cur, "projects", dir, "trust_level")
		if err != nil {
			return "", at, err
		}
		if s, ok := v.(string); ok {
			return s, dir, nil
		}
	}
	return "", at, nil
}

// mainRepository is the folder of the repository that a worktree belongs to, or
// Root. In a worktree .git is a file that names a folder in the other one's.
func (p *planner) mainRepository() string {
	src, ok, err := p.read(p.at(".git"))
	if err != nil || !ok {
		return p.Root
	}
	dir, ok := strings.CutPrefix(strings.TrimSpace(string(src)), "gitdir: ")
	dir = filepath.Clean(filepath.FromSlash(dir))
	if git := filepath.Dir(filepath.Dir(dir)); ok && filepath.IsAbs(dir) && filepath.Base(filepath.Dir(dir)) == "worktrees" && filepath.Base(git) == ".git" {
		return filepath.Dir(git)
	}
	return p.Root
}
