package setup_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"autoreview/supervisor/setup"
	"autoreview/supervisor/setup/jsonedit"
	"autoreview/templates"
)

// A file that cannot be read stays, with the reason and the line, and the
// others are done.
func TestBrokenFilesAreLeft(t *testing.T) {
	broken := map[string]struct{ text, said string }{
		"repo/.codex/config.toml":    {"model = \"x\"\nbroken\n", ".codex/config.toml: line 2: not valid TOML"},
		"repo/.mcp.json":             {"{\n\n  \"a\": }\n", ".mcp.json: line 3: not valid JSON"},
		"repo/.claude/settings.json": {"[]\n", ".claude/settings.json: line 1: the file does not hold an object"},
		"repo/CLAUDE.md":             {"# A\n<!-- autoreview:begin 12 -->\nlost\n", "CLAUDE.md: line 2: the markers autoreview:begin and autoreview:end do not make one section"},
		"repo/.gitignore":            {"a\x00b", ".gitignore: is not plain text"},
		"repo/.vscode/tasks.json":    {"{ \"tasks\": [\n", ".vscode/tasks.json: line 3: not valid JSON: the file ends too early"},
		"home/.codex/config.toml":    {"= 1\n", "~/.codex/config.toml: line 1: not valid TOML"},
		"repo/autoreview.toml":       {"[[watch]]\nchannel = \n", "autoreview.toml: line 2: not valid TOML"},
		"repo/.vscode/settings.json": {"{\"a\": 1 \"b\": 2}", ".vscode/settings.json: line 1: not valid JSON"},
	}
	files := map[string]string{}
	for name, b := range broken {
		files[name] = b.text
	}
	p := newPlace(t, files)
	r := p.init(func(o *setup.Options) { o.VSCodeSettings = true })
	for name, b := range broken {
		if got := p.read(name); got != b.text {
			t.Errorf("%s: got %q, want it untouched", name, got)
		}
		if !has(problems(r), b.said) {
			t.Errorf("%s: got problems %q, want %q", name, problems(r), b.said)
		}
	}
	if got := names(r); len(got) != 1 || got[0] != ".claude/commands/review-packet.md" {
		t.Errorf("changes: got %q, want the one file that is not broken", got)
	}
}

func TestWhatIsNoFileIsLeft(t *testing.T) {
	p := newPlace(t, nil)
	for _, dir := range []string{"repo/CLAUDE.md", "repo/.mcp.json"} {
		if err := os.MkdirAll(p.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	link(t, p.path("repo/nowhere"), p.path("repo/.gitignore"))
	p.write("secret", "mine\n")
	if err := os.MkdirAll(p.path("repo/.codex"), 0o700); err != nil {
		t.Fatal(err)
	}
	link(t, p.path("secret"), p.path("repo/.codex/config.toml"))
	link(t, p.path("home"), p.path("repo/.vscode"))
	p.write("home/tasks.json", "{}\n")
	link(t, p.path("home/.codex"), p.path("repo/.claude"))
	before := p.snapshot()
	r := p.init(nil)
	for _, want := range []string{
		"CLAUDE.md: is not a file", ".mcp.json: is not a file", ".gitignore: is a symbolic link to nothing",
		".codex/config.toml: is reached by a symbolic link that leads out of the repository",
		".vscode/tasks.json: is reached by a symbolic link that leads out of the repository",
		".claude/settings.json: is reached by a symbolic link that leads out of the repository",
		".claude/commands/review-packet.md: is reached by a symbolic link that leads out of the repository",
	} {
		if !has(problems(r), want) {
			t.Errorf("problems: got %q, want %q", problems(r), want)
		}
	}
	before["repo/autoreview.toml"] = p.snapshot()["repo/autoreview.toml"]
	p.wantSnapshot(before)
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Skip(err)
	}
}

// Modes stay, and a link within the repository or in the home folder stays one.
func TestModesAndLinksStay(t *testing.T) {
	p := newPlace(t, map[string]string{"repo/docs/agents.md": "# A\n", "home/dotfiles/codex.toml": "model = \"x\"\n", "repo/.gitignore": "/bin\n"})
	link(t, "docs/agents.md", p.path("repo/CLAUDE.md"))
	link(t, "../dotfiles/codex.toml", p.path("home/.codex/config.toml"))
	for name, mode := range map[string]fs.FileMode{"repo/docs/agents.md": 0o640, "home/dotfiles/codex.toml": 0o600, "repo/.gitignore": 0o755} {
		if err := os.Chmod(p.path(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	before := p.snapshot()
	p.init(func(o *setup.Options) { o.Trust = true })
	after := p.snapshot()
	for _, name := range []string{"repo/CLAUDE.md", "home/.codex/config.toml"} {
		if after[name] != before[name] {
			t.Errorf("%s: got %q, want %q", name, after[name], before[name])
		}
	}
	for name, want := range map[string]string{"repo/docs/agents.md": "-rw-r-----", "home/dotfiles/codex.toml": "-rw-------", "repo/.gitignore": "-rwxr-xr-x"} {
		if mode, text, _ := strings.Cut(after[name], "\n"); mode != want || text == before[name] {
			t.Errorf("%s: got mode %s, want %s and a change", name, mode, want)
		}
	}
	p.undo()
	p.wantSnapshot(before)
}

// What the user has decided otherwise stays, and is said.
func TestTheUsersChoicesStay(t *testing.T) {
	tests := map[string]struct{ name, text, problem, note string }{
		"another relay":     {"repo/.mcp.json", `{"mcpServers": {"relay": {"type": "http", "url": "http://other"}}}`, ".mcp.json: has another server by the name of relay", ""},
		"a started relay":   {"repo/.mcp.json", `{"mcpServers": {"relay": {"command": "relay", "args": ["stdio"]}}}`, ".mcp.json: has another server", ""},
		"a codex command":   {"repo/.codex/config.toml", "[mcp_servers.autoreview_relay]\ncommand = \"x\"\n", "is started by a command", ""},
		"a codex value":     {"repo/.codex/config.toml", "mcp_servers = 3\n", "line 1: mcp_servers is a value here", ""},
		"a disabled server": {"repo/.claude/settings.json", `{"permissions": {"allow": ["mcp__relay__*"]}, "disabledMcpjsonServers": ["relay"]}`, "disables the server relay", ""},
		"an invalid hook":   {"repo/.claude/settings.json", `{"permissions": {"allow": ["mcp__relay"]}, "enableAllProjectMcpServers": true, "hooks": {"post-tool-call": []}}`, "", "no event of Claude Code"},
		"a task":            {"repo/.vscode/tasks.json", `{"version": "2.0.0", "tasks": [{"label": "autoreview", "command": "x"}]}`, "", "has a task autoreview already"},
		"old tasks":         {"repo/.vscode/tasks.json", `{"version": "0.1.0", "command": "x"}`, "has tasks of version 0.1.0", ""},
		"a command":         {"repo/.claude/commands/review-packet.md", "mine\n", "", "review-packet.md is there already"},
		"a distrust":        {"home/.codex/config.toml", "[projects.\"ROOT\"]\ntrust_level = \"untrusted\"\n", "is untrusted; change that there first", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, nil)
			text := strings.ReplaceAll(test.text, "ROOT", p.root)
			p.write(test.name, text)
			r := p.init(func(o *setup.Options) { o.Trust = test.name == "home/.codex/config.toml" })
			if got := p.read(test.name); got != text {
				t.Errorf("got %q, want it untouched", got)
			}
			if test.problem != "" && !has(problems(r), test.problem) {
				t.Errorf("problems: got %q, want %q", problems(r), test.problem)
			}
			if test.note != "" && !has(r.Notes, test.note) {
				t.Errorf("notes: got %q, want %q", r.Notes, test.note)
			}
		})
	}
}

// A server of the user's for the same relay is completed, and what they chose
// in it stays.
func TestAKnownRelayIsCompleted(t *testing.T) {
	p := newPlace(t, map[string]string{
		"repo/.mcp.json":          "{\"mcpServers\": {\"relay\": {\"type\": \"http\", \"url\": \"http://127.0.0.1:8010/mcp\", \"timeout\": 5}}}\n",
		"repo/.codex/config.toml": "[mcp_servers.autoreview_relay]\nurl = \"http://old/mcp\"\ntool_timeout_sec = 600\nrequired = true\n",
	})
	before := p.snapshot()
	r := p.init(nil)
	if got, want := p.read("repo/.mcp.json"), "\"timeout\": 5, \"alwaysLoad\": true}"; !strings.Contains(got, want) {
		t.Errorf(".mcp.json: got %q, want %q in it", got, want)
	}
	got := p.read("repo/.codex/config.toml")
	for _, want := range []string{"url = \"http://127.0.0.1:8010/mcp\"\ntool_timeout_sec = 600\nrequired = true\nstartup_timeout_sec = 15\n", "approval_mode"} {
		if !strings.Contains(got, want) {
			t.Errorf("config.toml: got %q, want %q in it", got, want)
		}
	}
	if !has(r.Notes, "no Codex starts while the relay is down") {
		t.Errorf("notes: got %q, want one about required", r.Notes)
	}
	p.undo()
	p.wantSnapshot(before)
}

// Claude Code may have a token of its own, and a later run does not forget it.
func TestClaudesOwnToken(t *testing.T) {
	p := newPlace(t, nil)
	p.init(func(o *setup.Options) { o.TokenEnv, o.ClaudeTokenEnv = "CODEX_TOKEN", "CLAUDE_TOKEN" })
	if got := p.read("repo/.mcp.json"); !strings.Contains(got, "Bearer ${CLAUDE_TOKEN:-}") {
		t.Errorf(".mcp.json: got %q, want Claude's own token", got)
	}
	if got := p.read("repo/.codex/config.toml"); !strings.Contains(got, `bearer_token_env_var = "CODEX_TOKEN"`) {
		t.Errorf("config.toml: got %q, want the supervisor's token", got)
	}
	if r := p.init(nil); len(r.Changes)+len(r.Problems) > 0 {
		t.Errorf("without the flags: got changes of %q and problems %q, want neither", names(r), problems(r))
	}
	p.init(func(o *setup.Options) { o.ClaudeTokenEnv = "OTHER" })
	if got := p.read("repo/.mcp.json"); !strings.Contains(got, "Bearer ${OTHER:-}") {
		t.Errorf(".mcp.json: got %q, want the other token", got)
	}
}

func TestStaleSettingsAreOffered(t *testing.T) {
	p := newPlace(t, map[string]string{
		"repo/.codex/config.toml": "[mcp.claudecodex]\nurl = \"x\"\n", "home/.codex/config.toml": "[mcp.claudecodex]\nurl = \"x\"\n",
		"repo/.claude/hooks.json": "{}", "repo/.vscode/tasks.json": `{"version": "2.0.0", "tasks": [{"label": "loop", "args": [".codex/auto-review-loop.sh"]}]}`,
	})
	r := p.init(nil)
	for _, want := range []string{".codex/config.toml has [mcp.claudecodex]", "~/.codex/config.toml has [mcp.claudecodex]"} {
		if !has(r.Stale, want) {
			t.Errorf("stale: got %q, want %q", r.Stale, want)
		}
	}
	for _, want := range []string{"hooks.json is not read", "starts the bash loop in the task loop"} {
		if !has(r.Notes, want) {
			t.Errorf("notes: got %q, want %q", r.Notes, want)
		}
	}
	if !strings.Contains(p.read("repo/.codex/config.toml"), "claudecodex") {
		t.Error("it was taken out without having been asked for")
	}
	r = p.init(func(o *setup.Options) { o.RemoveStale = true })
	if got := p.read("home/.codex/config.toml"); got != "" || len(r.Stale) > 0 {
		t.Errorf("with RemoveStale: got %q and stale %q, want nothing", got, r.Stale)
	}
}

// Codex goes by the main repository of a worktree.
func TestTrust(t *testing.T) {
	p := newPlace(t, nil)
	r := p.init(nil)
	if !has(r.Notes, "does not trust this repository") {
		t.Errorf("notes: got %q, want one that it is not trusted", r.Notes)
	}
	p.init(func(o *setup.Options) { o.Trust = true })
	want := "[projects.\"" + p.root + "\"]\ntrust_level = \"trusted\"\n"
	if got := p.read("home/.codex/config.toml"); got != want {
		t.Errorf("config.toml: got %q, want %q", got, want)
	}
	if r = p.init(nil); !has(r.Notes, "Codex trusts this repository") {
		t.Errorf("notes: got %q, want one that it is trusted", r.Notes)
	}
	tree := newPlace(t, nil)
	if err := os.RemoveAll(tree.path("repo/.git")); err != nil {
		t.Fatal(err)
	}
	tree.write("repo/.git", "gitdir: "+tree.path("main/.git/worktrees/repo")+"\n")
	tree.init(func(o *setup.Options) { o.Trust = true })
	if got := tree.read("home/.codex/config.toml"); !strings.Contains(got, "[projects.\""+tree.path("main")+"\"]") {
		t.Errorf("worktree: got %q, want the main repository in it", got)
	}
}

func TestServices(t *testing.T) {
	p := newPlace(t, nil)
	r := setup.Plan(p.options(func(o *setup.Options) { o.Service, o.GOOS = true, "windows" }))
	if !has(problems(r), "services for systemd and launchd only; on windows") {
		t.Errorf("windows: got problems %q, want one about it", problems(r))
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	// Names with everything that means something in a unit file; systemd itself
	// refuses a program with quotes.
	program := filepath.Join(p.dir, `b in%n`, "autoreview")
	if err := os.MkdirAll(filepath.Dir(program), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(p.dir, `my %i "$x\y repo`)
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	p.root = root
	p.init(func(o *setup.Options) {
		o.Service, o.ProgramPath, o.Channel = true, program, "proj-x"
		o.ServiceEnv = []string{`PATH=/a b:/c"d\e%h`}
	})
	unit := p.path("home/.config/systemd/user/autoreview-proj-x.service")
	verify := exec.Command("systemd-analyze", "--user", "verify", unit)
	verify.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+p.dir, "HOME="+p.home)
	out, err := verify.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: got %v and %q, want neither\n%s", err, out, p.read("home/.config/systemd/user/autoreview-proj-x.service"))
	}
}

// The documentation shows what is written.
func TestDocumentationShowsTheSnippets(t *testing.T) {
	site := templates.Site{Channel: "proj-x", Sender: "claude", Reviewer: "codex", Relay: "http://127.0.0.1:8010"}
	for snippet, page := range map[string]string{
		templates.SnippetClaude:  "docs/claude.md",
		templates.SnippetCommand: "examples/claude/review-packet.md",
	} {
		text, err := templates.Snippet(snippet, site)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(page)))
		if err != nil || !strings.Contains(string(got), text) {
			t.Errorf("%s (%v): want this in it:\n%s", page, err, text)
		}
	}
}

// The example for those without an autoreview.toml is the same task.
func TestExampleIsTheTask(t *testing.T) {
	example, err := os.ReadFile(filepath.Join("..", "..", "examples", "vscode", "tasks.json"))
	if err != nil {
		t.Fatal(err)
	}
	p := newPlace(t, nil)
	p.init(nil)
	tasks := func(src []byte) map[string]any {
		t.Helper()
		v, _, err := jsonedit.Get(src, "tasks")
		list, _ := v.([]any)
		if err != nil || len(list) != 1 {
			t.Fatalf("tasks: got %v and error %v, want one", v, err)
		}
		task, _ := list[0].(map[string]any)
		return task
	}
	got, want := tasks(example), tasks([]byte(p.read("repo/.vscode/tasks.json")))
	if options, ok := got["options"].(map[string]any); ok {
		delete(options, "env")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("examples/vscode/tasks.json differs (-init +example):\n%s", diff)
	}
}

// A diff must not tell the terminal anything.
func TestDiffIsPlainText(t *testing.T) {
	p := newPlace(t, map[string]string{"repo/.gitignore": "a\x1b]0;title\a\u009b31m\u202e\r\n"})
	for _, c := range setup.Plan(p.options(nil)).Changes {
		if d := c.Diff(); strings.ContainsAny(d, "\x1b\a\u009b\u202e\r") || !strings.HasPrefix(d, "--- ") {
			t.Errorf("%s: got %q, want no control characters", c.Name, d)
		}
	}
}
