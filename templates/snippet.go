package templates

import (
	"bytes"
	"embed"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strings"
	"text/template"
)

// The names of the snippets: texts that `autoreview init` puts into files of
// the user. Their data is Site, except for the last two, which take Service.
const (
	// SnippetConfig is a new autoreview.toml.
	SnippetConfig = "autoreview.toml.tmpl"
	// SnippetClaude teaches Claude Code to post packets, in CLAUDE.md.
	SnippetClaude = "claude.md.tmpl"
	// SnippetCommand is the command /review-packet of Claude Code.
	SnippetCommand = "review-packet.md.tmpl"
	// SnippetCopilot has an agent in VS Code look for feedback.
	SnippetCopilot = "copilot.md.tmpl"
	// SnippetIgnore is what git has to ignore.
	SnippetIgnore = "gitignore.tmpl"
	// SnippetUnit is a systemd user unit.
	SnippetUnit = "autoreview.service.tmpl"
	// SnippetAgent is a launchd agent.
	SnippetAgent = "autoreview.plist.tmpl"
)

// Site is a repository that is being set up.
type Site struct {
	Channel string
	// Sender posts the packets, Reviewer the reviews.
	Sender, Reviewer string
	// Relay is the relay's base URL.
	Relay string
	// TokenEnv names the variable with the relay's token; "" is none.
	TokenEnv string
}

// Service is a supervisor that is started with the user's session.
type Service struct {
	Site
	// Label is the service's own name.
	Label string
	// Program, Config and Dir are absolute paths: of autoreview, of
	// autoreview.toml and of the repository. Log is where the output goes, when
	// nothing else takes it.
	Program, Config, Dir, Log string
	// Env is what the service cannot know otherwise, as NAME=value.
	Env []string
}

//go:embed snippet
var snippets embed.FS

// Snippet renders one of the snippets.
func Snippet(name string, data any) (string, error) {
	t, err := template.New(name).Option("missingkey=error").Funcs(template.FuncMap{
		"toml": quoteTOML, "arg": quoteArg, "env": quoteEnv, "path": escapePercent, "xml": escapeXML,
		"key": func(kv string) string { k, _, _ := strings.Cut(kv, "="); return k },
		"val": func(kv string) string { _, v, _ := strings.Cut(kv, "="); return v },
	}).ParseFS(snippets, "snippet/"+name)
	if err != nil {
		return "", fmt.Errorf("parsing snippet: %w", err)
	}
	var b strings.Builder
	if err := t.Execute(&b, data); err != nil {
		return "", fmt.Errorf("rendering snippet: %w", err)
	}
	return b.String(), nil
}

// quoteTOML writes a basic string: the escapes of JSON are TOML's as well.
func quoteTOML(s string) (string, error) {
	b, err := json.Marshal(s)
	return string(b), err
}

// quoteEnv writes an assignment of a unit file, whose specifiers begin with a
// percent sign.
func quoteEnv(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%").Replace(s) + `"`
}

// quoteArg writes an argument of a command in a unit file, where a dollar begins
// a variable as well.
func quoteArg(s string) string { return strings.ReplaceAll(quoteEnv(s), "$", "$$") }

// escapePercent is for the values of a unit file that are taken as they are.
func escapePercent(s string) string { return strings.ReplaceAll(s, "%", "%%") }

func escapeXML(s string) (string, error) {
	var b bytes.Buffer
	err := xml.EscapeText(&b, []byte(s))
	return b.String(), err
}
