package setup

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"

	"autoreview/supervisor/config"
	"autoreview/supervisor/setup/tomledit"
	"autoreview/templates"
)

// site finds out what the agents are told, and plans autoreview.toml when there
// is none. One that is there is the user's: it is followed and not changed.
func (p *planner) site() {
	p.Site = templates.Site{
		Channel: p.Channel, Relay: p.Relay, TokenEnv: p.TokenEnv,
		Sender: config.DefaultSender, Reviewer: config.DefaultReplyAs,
	}
	d := p.draft(p.config)
	if d.exists && !d.blocked {
		p.follow(d)
	}
	if p.Site.Channel == "" {
		p.Site.Channel = channelOf(p.Root)
	}
	if p.Site.Relay == "" {
		p.Site.Relay = config.DefaultRelay
	}
	text, err := templates.Snippet(templates.SnippetConfig, p.Site)
	if !d.exists || err == nil && string(d.cur) == text {
		p.own(d, "the supervisor's configuration, with a channel named after the repository", templates.SnippetConfig, p.Site)
	}
}

// follow takes the site from the configuration that is there.
func (p *planner) follow(d *draft) {
	root, _, err := tomledit.Get(d.cur)
	if err != nil {
		d.blocked, d.broken = true, true
		p.problem(d.path, err.Error())
		return
	}
	have, _ := root.(map[string]any)
	w := p.watchOf(have)
	p.settle(&p.Site.Relay, strings.TrimRight(str(have, "relay", config.DefaultRelay), "/"), "relay")
	p.settle(&p.Site.TokenEnv, str(have, "token_env", ""), "token-env")
	if w == nil {
		p.problem(d.path, "has no [[watch]]; `autoreview check` says what is wrong")
		return
	}
	p.settle(&p.Site.Channel, str(w, "channel", ""), "channel")
	p.Site.Reviewer = str(w, "reply_as", config.DefaultReplyAs)
	if senders, ok := w["senders"].([]any); ok && len(senders) > 0 {
		if s, ok := senders[0].(string); ok {
			p.Site.Sender = s
		}
	}
}

// settle takes what the file says; a flag that says something else is told so.
func (p *planner) settle(value *string, inFile, flag string) {
	if *value != "" && *value != inFile {
		p.problem(p.config, fmt.Sprintf("says %q and not %q as --%s does; change it there, or leave the flag out", inFile, *value, flag))
	}
	*value = inFile
}

// watchOf is the watch of this repository, or else the first one.
func (p *planner) watchOf(have map[string]any) map[string]any {
	list, _ := have["watch"].([]any)
	var first map[string]any
	for _, item := range list {
		w, ok := item.(map[string]any)
		if !ok {
			continue
		}
		if dir := str(w, "workdir", "."); dir == p.Root || filepath.Join(p.Root, dir) == p.Root {
			return w
		}
		if first == nil {
			first = w
		}
	}
	return first
}

func str(table map[string]any, key, def string) string {
	if s, ok := table[key].(string); ok {
		return s
	}
	return def
}

// channelOf names a channel after a folder.
func channelOf(root string) string {
	const most = 64
	name := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-", r):
			return unicode.ToLower(r)
		default:
			return '-'
		}
	}, filepath.Base(root))
	if r := []rune(name); len(r) > most {
		name = string(r[:most])
	}
	if strings.Trim(name, "-._") == "" {
		return "review"
	}
	return name
}

// own plans a file that belongs to autoreview as a whole. One that is there and
// that was changed by somebody stays.
func (p *planner) own(d *draft, why, snippet string, data any) {
	text, err := templates.Snippet(snippet, data)
	if err != nil {
		p.problem(d.path, err.Error())
		return
	}
	if d.exists && string(d.cur) != text && !p.wrote(d) {
		p.note("%s is there already, with other content: left as it is", p.name(d.path))
		return
	}
	d.do(why, Part{Kind: partFile}, func([]byte) ([]byte, error) { return []byte(text), nil })
}

// wrote says that the file has exactly what an earlier run left.
func (p *planner) wrote(d *draft) bool {
	for i := len(p.Record.Edits) - 1; i >= 0; i-- {
		if e := p.Record.Edits[i]; e.Path == d.path {
			return e.After == sum(d.cur, true)
		}
	}
	return false
}
