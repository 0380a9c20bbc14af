package setup

import (
	"bytes"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"

	"autoreview/supervisor/setup/jsonedit"
	"autoreview/templates"
)

// claude plans what Claude Code needs: the server, the permission to use it,
// and the habit.
func (p *planner) claude() {
	if p.NoClaude {
		return
	}
	p.mcpServer(p.draft(p.at(".mcp.json")), "Claude Code finds the relay, with its tools loaded from the start", p.claudeServer())
	p.claudeSettings(p.draft(p.at(".claude", "settings.json")))
	memory := p.draft(p.at("CLAUDE.md"))
	if agents, ok, _ := p.read(p.at("AGENTS.md")); ok && bytes.Equal(agents, memory.before) {
		p.note("CLAUDE.md and AGENTS.md are one text here: Codex reads the section for Claude Code as well")
	}
	p.section(memory, "Claude Code posts its work for review", templates.SnippetClaude, markdown)
	p.own(p.draft(p.at(".claude", "commands", "review-packet.md")), "the command /review-packet", templates.SnippetCommand, p.Site)
	if _, ok, _ := p.read(p.at(".claude", "hooks.json")); ok {
		p.note(".claude/hooks.json is not read by Claude Code; hooks belong into .claude/settings.json")
	}
}

func (p *planner) claudeServer() jsonedit.Object {
	server := jsonedit.Object{{Name: "type", Value: "http"}, {Name: "url", Value: p.Site.Relay + "/mcp"}}
	name := p.ClaudeTokenEnv
	if name == "" {
		name = p.Site.TokenEnv
	}
	if name != "" {
		// One that is not set must be empty: without a default the text itself
		// would be sent.
		server = append(server, jsonedit.Member{Name: "headers", Value: jsonedit.Object{
			{Name: "Authorization", Value: "Bearer ${" + name + ":-}"},
		}})
	}
	return append(server, jsonedit.Member{Name: "alwaysLoad", Value: true})
}

// mcpServer plans the entry of the relay in a file with mcpServers. An entry of
// the user's for the same relay is completed, another one stays.
func (p *planner) mcpServer(d *draft, why string, want jsonedit.Object) {
	key := []string{"mcpServers", ClaudeServer}
	have, ok, err := jsonedit.Get(d.cur, key...)
	if err != nil {
		p.block(d, err)
		return
	}
	object, _ := have.(map[string]any)
	for i, m := range want {
		if m.Name == "headers" && object["headers"] != nil && p.ClaudeTokenEnv == "" {
			want[i].Value = object["headers"]
		}
	}
	plain, _ := jsonedit.Plain(want).(map[string]any)
	last, recorded := p.Record.last(d.path, partJSON, key...)
	switch {
	case !ok || recorded && same(last.Value, have):
		p.setJSON(d, why, want, key...)
	case object["url"] != plain["url"] || object["command"] != plain["command"]:
		p.problem(d.path, fmt.Sprintf("has another server by the name of %s already; rename or remove it, then run this again", ClaudeServer))
	default:
		for _, m := range want {
			if object[m.Name] == nil {
				p.setJSON(d, why, m.Value, append(slices.Clone(key), m.Name)...)
				why = ""
			}
		}
		p.present = append(p.present, located{d.path, Part{Kind: partJSON, Key: key, Value: plain}})
	}
}

func (p *planner) setJSON(d *draft, why string, value any, key ...string) {
	part := Part{Kind: partJSON, Key: key, Value: jsonedit.Plain(value), Made: madeJSON(d, key)}
	if old, ok, err := jsonedit.Get(d.cur, key...); err == nil && ok {
		part.Old = old
	}
	d.do(why, part, func(src []byte) ([]byte, error) { return jsonedit.Set(src, value, key...) })
}

func (p *planner) appendJSON(d *draft, why string, element any, key ...string) {
	part := Part{Kind: partElement, Key: key, Value: jsonedit.Plain(element), Made: madeJSON(d, key)}
	d.do(why, part, func(src []byte) ([]byte, error) { return jsonedit.Append(src, element, key...) })
}

// madeJSON is how many names of a key lead to something that is there.
func madeJSON(d *draft, key []string) int {
	for n := len(key); n > 0; n-- {
		if _, ok, _ := jsonedit.Get(d.cur, key[:n]...); ok {
			return n
		}
	}
	return 0
}

// claudeSettings plans the permission to use the relay's tools, and the answer
// to Claude Code's question whether it may use a server of .mcp.json.
func (p *planner) claudeSettings(d *draft) {
	root, _, err := jsonedit.Get(d.cur)
	if err != nil {
		p.block(d, err)
		return
	}
	have, _ := root.(map[string]any)
	permissions, _ := have["permissions"].(map[string]any)
	rule := "mcp__" + ClaudeServer
	if allow, _ := permissions["allow"].([]any); !slices.Contains(allow, any(rule+"__*")) {
		p.appendJSON(d, "Claude Code may use the relay's tools without asking", rule, "permissions", "allow")
	}
	if disabled, _ := have["disabledMcpjsonServers"].([]any); slices.Contains(disabled, any(ClaudeServer)) {
		p.problem(d.path, fmt.Sprintf("disables the server %s; take it out of disabledMcpjsonServers", ClaudeServer))
	} else if have["enableAllProjectMcpServers"] != true {
		p.appendJSON(d, "Claude Code uses the server of .mcp.json without asking", ClaudeServer, "enabledMcpjsonServers")
	}
	if hooks, _ := have["hooks"].(map[string]any); hooks["post-tool-call"] != nil {
		p.note(".claude/settings.json has a hook post-tool-call, which is no event of Claude Code: it may ignore the whole file because of it")
	}
}

// copilot plans the section for an agent in VS Code, on request.
func (p *planner) copilot() {
	if p.Copilot {
		p.section(p.draft(p.at(".github", "copilot-instructions.md")),
			"an agent in VS Code looks for feedback after each task (--copilot)", templates.SnippetCopilot, markdown)
	}
}

// desktop plans the entry in Claude Desktop's configuration, on request. It
// speaks only stdio to local servers, and does not know the shell's PATH.
func (p *planner) desktop() {
	if !p.Desktop {
		return
	}
	if p.ConfigDir == "" || p.RelayPath == "" {
		p.problem("claude_desktop_config.json", "the relay program was not found, or no configuration folder is known")
		return
	}
	d := p.draft(filepath.Join(p.ConfigDir, "Claude", "claude_desktop_config.json"))
	d.private = true
	server := jsonedit.Object{
		{Name: "command", Value: p.RelayPath},
		{Name: "args", Value: jsonedit.List{"stdio", "--url", p.Site.Relay}},
	}
	p.mcpServer(d, "Claude Desktop starts `relay stdio` (--claude-desktop); restart it", server)
	if v, _, _ := jsonedit.Get(d.cur, "mcpServers", "claude-codex-mcp-relay", "args"); reflect.DeepEqual(v, []any{}) {
		p.note("%s has a server claude-codex-mcp-relay that starts npx with nothing to run; it can go", p.name(d.path))
	}
	if p.Site.TokenEnv != "" {
		p.note("Claude Desktop does not know %s; `relay stdio` needs it in its env there", p.Site.TokenEnv)
	}
}
