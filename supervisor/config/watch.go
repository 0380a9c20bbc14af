package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"
	"unicode"
	"unicode/utf8"
)

// watch reads one [[watch]].
func (t *table) watch() Watch {
	w := Watch{
		Channel:          t.label("channel", ""),
		Senders:          t.senders(),
		ReplyAs:          t.label("reply_as", DefaultReplyAs),
		Workdir:          t.folder("workdir"),
		Sandbox:          t.sandbox(),
		NetworkAccess:    t.boolean("network_access", false),
		Session:          t.session(),
		UseProjectConfig: t.enum("project_config", "ignore", nil, "ignore", "use") == "use",
		Deliver:          Deliver(t.enum("deliver", string(DeliverSupervisor), nil, string(DeliverSupervisor), string(DeliverMCP))),
		Model:            t.word("model"),
		Profile:          t.profile(),
		Plugins:          t.boolean("plugins", false),
		CodexConfig:      t.codexConfig(),
		ExtraArgs:        t.extraArgs(),
		Template:         t.template(),
		Timeout:          t.duration("timeout", DefaultTimeout, time.Second),
		Coalesce:         t.duration("coalesce", 0, 0),
		Start:            t.start(),
		Limits:           t.limits("limits"),
		Retry:            t.retry(),
	}
	w.Isolate = t.isolate(w.Workdir)
	if w.Channel == "" && !t.has("channel") {
		t.problem("channel", "is missing; want the channel to watch, such as channel = \"proj-x\"")
	}
	w.Name = t.label("name", w.Channel)
	w.IdleTimeout = t.idleTimeout(w.Timeout)
	t.network(w)
	t.finish(aboveWatch)
	return w
}

const maxNameChars = 128 // the relay's limit for channels and senders

// label reads the name of a channel, a sender or a watch.
func (t *table) label(key, def string) string {
	s := t.str(key, def)
	if wrong := checkName(s); t.has(key) && s != "" && wrong != "" {
		t.problem(key, "%s", wrong)
	}
	return s
}

// checkName returns what a relay would not take about a name, or "".
func checkName(s string) string {
	switch {
	case strings.TrimSpace(s) == "":
		return "is blank; want a name"
	case s != strings.TrimSpace(s):
		return "want no space at either end"
	case utf8.RuneCountInString(s) > maxNameChars:
		return "want at most 128 characters"
	case strings.ContainsFunc(s, unicode.IsControl):
		return "want no control characters"
	}
	return ""
}

func (t *table) senders() []string {
	list := t.strs("senders", []string{DefaultSender})
	seen := map[string]bool{}
	for _, s := range list {
		if wrong := checkName(s); wrong != "" {
			t.problem("senders", "%q: %s", shorten(s), wrong)
		}
		if seen[s] {
			t.problem("senders", "%q is there twice", shorten(s))
		}
		seen[s] = true
	}
	if v, ok := t.values["senders"].([]any); ok && len(v) == 0 {
		t.problem("senders", "the list is empty, so nothing would be reviewed; want at least one sender")
	}
	return list
}

// folder reads a path that must be a folder; the default is the one of the
// configuration.
func (t *table) folder(key string) string {
	path := t.file(key, t.base)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.problem(key, "there is no folder %q", path)
	case err != nil:
		t.problem(key, "cannot be used: %v", err)
	case !info.IsDir():
		t.problem(key, "want a folder, and %q is a file", path)
	}
	return path
}

// word reads a string without white space.
func (t *table) word(key string) string {
	s := t.str(key, "")
	if strings.ContainsFunc(s, unicode.IsSpace) || strings.HasPrefix(s, "-") {
		t.problem(key, "want one word, got %q", shorten(s))
	}
	return s
}

func (t *table) sandbox() string {
	near := map[string]string{
		"readonly": "read-only", "workspace": "workspace-write", "full-access": "danger-full-access",
		"dangerously-bypass-approvals-and-sandbox": "bypass", "none": "bypass", "yolo": "bypass",
		"--dangerously-bypass-approvals-and-sandbox": "bypass", "--full-auto": "workspace-write",
	}
	if t.values["sandbox"] == "full-auto" {
		t.warn("sandbox", `"full-auto" is taken as "workspace-write": Codex has no --full-auto any more`)
		t.known = append(t.known, "sandbox")
		return "workspace-write"
	}
	s := t.enum("sandbox", DefaultSandbox, near, "read-only", "workspace-write", "danger-full-access", "bypass")
	if s == "danger-full-access" || s == "bypass" {
		t.warn("sandbox", "%q lets the text of a packet, or of any file Codex reads, talk it into running anything on this machine; a review needs read-only", s)
	}
	return s
}

// network checks network_access against the sandbox.
func (t *table) network(w Watch) {
	switch {
	case !t.has("network_access"):
	case w.NetworkAccess && w.Sandbox == "read-only":
		t.problem("network_access", `Codex can open the network only with sandbox = "workspace-write"; in read-only this key would do nothing. `+
			"Posting the review needs no network in the sandbox, whichever way it is delivered")
	case !w.NetworkAccess && (w.Sandbox == "danger-full-access" || w.Sandbox == "bypass"):
		t.warn("network_access", "false has no effect: with %q there is no sandbox that could keep commands off the network", w.Sandbox)
	}
}

// profile reads the name of a Codex profile. Codex itself ignores one that does
// not exist without a word.
func (t *table) profile() string {
	s := t.word("profile")
	if s == "" {
		return ""
	}
	if strings.ContainsAny(s, `/\`) {
		t.problem("profile", "want the name of a profile, got the path %q", shorten(s))
		return ""
	}
	file := filepath.Join(codexHome(t.env), s+".config.toml")
	if _, err := os.Stat(file); err != nil {
		t.problem("profile", "Codex would ignore it: there is no file %q", file)
	}
	return s
}

// template reads the path of a prompt template and parses it. Whether its
// fields exist is seen when it is first tried, which needs its data.
func (t *table) template() string {
	path := t.file("template", "")
	if path == "" {
		return ""
	}
	src, err := os.ReadFile(path)
	if err != nil {
		t.problem("template", "cannot be read: %v", err)
		return path
	}
	if _, err := template.New(filepath.Base(path)).Parse(string(src)); err != nil {
		t.problem("template", "is not a template: %v", err)
	}
	return path
}

// idleTimeout defaults to timeout where that is the shorter one. 0s switches
// it off.
func (t *table) idleTimeout(timeout time.Duration) time.Duration {
	d := t.duration("idle_timeout", min(DefaultIdleTimeout, timeout), 0)
	if t.has("idle_timeout") && d > timeout {
		t.warn("idle_timeout", "%s never passes, because timeout ends the run after %s", d, timeout)
	}
	return d
}
