package setup_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"autoreview/supervisor/config"
	"autoreview/supervisor/setup"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The files of somebody who has all of them already, in every style.
var lived = map[string]string{
	"repo/.codex/config.toml":                        "# ours\r\nmodel = \"x\"\r\n\r\n[mcp.claudecodex]\r\ntransport = \"sse\"\r\n\r\n[sandbox_workspace_write]\r\nnetwork_access = false # safe\r\n",
	"repo/.mcp.json":                                 "\xef\xbb\xbf{\r\n\t\"mcpServers\": {\r\n\t\t\"docs\": {\"command\": \"docs\"}\r\n\t}\r\n}",
	"repo/.claude/settings.json":                     "{\n  \"permissions\": {\n    \"allow\": [\n      \"Bash(ls:*)\"\n    ]\n  },\n  \"model\": \"opus\"\n}\n",
	"repo/CLAUDE.md":                                 "# Project\r\n\r\nBe nice.",
	"repo/.github/copilot-instructions.md":           "Be brief.\n\n",
	"repo/.gitignore":                                "/bin",
	"repo/.vscode/tasks.json":                        "{\n  // See the docs\n  \"version\": \"2.0.0\",\n  \"tasks\": [\n    { \"label\": \"build\", \"command\": \"make\", }, // daily\n  ],\n}\n",
	"repo/.vscode/settings.json":                     "{\n    \"editor.tabSize\": 2, // two\n}",
	"home/.codex/config.toml":                        "model = \"y\"\n\n[projects.\"/somewhere/else\"]\ntrust_level = \"trusted\"",
	"home/.config/Claude/claude_desktop_config.json": "{\"mcpServers\":{\"claude-codex-mcp-relay\":{\"command\":\"npx\",\"args\":[]}}}",
}

var empty = map[string]string{
	"repo/.codex/config.toml": "", "repo/.mcp.json": "", "repo/.claude/settings.json": "\n", "repo/CLAUDE.md": "",
	"repo/.gitignore": "\n", "repo/.vscode/tasks.json": "// none yet\n", "repo/.vscode/settings.json": "{}",
}

func cases() map[string]struct {
	files map[string]string
	set   func(*setup.Options)
} {
	type c = struct {
		files map[string]string
		set   func(*setup.Options)
	}
	return map[string]c{
		"new repository":             {nil, nil},
		"new repository, everything": {nil, everything},
		"lived in":                   {lived, nil},
		"lived in, everything":       {lived, everything},
		"empty files":                {empty, nil},
		"empty files, everything":    {empty, everything},
		"macos":                      {lived, func(o *setup.Options) { everything(o); o.GOOS = "darwin" }},
	}
}

// A second run changes nothing, and undo gives back the same bytes, modes,
// folders and links.
func TestTwiceIsOnceAndUndoIsNever(t *testing.T) {
	for name, c := range cases() {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, c.files)
			before := p.snapshot()
			r := p.init(c.set)
			if len(r.Problems) > 0 || len(r.Changes) < 6 {
				t.Fatalf("got changes of %q and problems %q, want changes alone", names(r), problems(r))
			}
			after := p.snapshot()
			if again := p.init(c.set); len(again.Changes) > 0 {
				t.Errorf("second run: got changes of %q, want none:\n%s", names(again), again.Changes[0].Diff())
			}
			p.wantSnapshot(after)
			p.undo()
			p.wantSnapshot(before)
			if _, err := os.Stat(p.record); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("record: got %v, want none left", err)
			}
			if again := setup.Undo(p.options(nil)); len(again.Changes) > 0 {
				t.Errorf("second undo: got changes of %q, want none", names(again))
			}
		})
	}
}

// Several runs with more and more are undone by one undo.
func TestUndoCoversEveryRun(t *testing.T) {
	p := newPlace(t, lived)
	before := p.snapshot()
	p.init(nil)
	p.init(func(o *setup.Options) { o.Network = true })
	p.init(func(o *setup.Options) { o.Trust, o.Copilot = true, true })
	p.init(func(o *setup.Options) { o.RemoveStale = true })
	p.undo()
	p.wantSnapshot(before)
}

// What is written, to the byte.
func TestGolden(t *testing.T) {
	for name, c := range cases() {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, c.files)
			p.init(c.set)
			var a txtar.Archive
			for _, name := range slices.Sorted(mapKeys(p.snapshot())) {
				if info, err := os.Stat(p.path(name)); err == nil && info.Mode().IsRegular() && !strings.HasPrefix(name, "state") {
					text := strings.NewReplacer(p.dir, "DIR", "\r", "^M", "\xef\xbb\xbf", "^BOM").Replace(p.read(name))
					if !strings.HasSuffix(text, "\n") {
						text += "^EOF\n"
					}
					a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(text)})
				}
			}
			golden := filepath.Join("testdata", strings.NewReplacer(" ", "-", ",", "").Replace(name)+".txtar")
			if *update {
				if err := os.WriteFile(golden, txtar.Format(&a), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(txtar.Format(&a))); diff != "" {
				t.Errorf("%s differs (-want +got):\n%s", golden, diff)
			}
		})
	}
}

func mapKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// The supervisor takes the configuration as it is made, whatever the
// repository's name.
func TestConfigurationLoads(t *testing.T) {
	for folder, want := range map[string]string{
		"proj-x": "proj-x", "My Project (2)": "my-project--2-", "größe": "größe", "...": "review", `a"b\c`: "a-b-c", "日本": "日本",
	} {
		p := newPlace(t, nil)
		root := filepath.Join(p.dir, folder)
		if err := os.Mkdir(root, 0o700); err != nil {
			t.Fatal(err)
		}
		p.root = root
		r := p.init(func(o *setup.Options) { o.TokenEnv = "RELAY_TOKEN" })
		cfg, warnings, err := config.Load(filepath.Join(root, "autoreview.toml"), func(name string) string {
			return map[string]string{"HOME": p.home, "RELAY_TOKEN": "x"}[name]
		})
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: Load: got %v and warnings %v, want none", folder, err, warnings)
			continue
		}
		if got := cfg.Watches[0].Channel; got != want || r.Site.Channel != want {
			t.Errorf("%s: got channel %q (%q), want %q", folder, got, r.Site.Channel, want)
		}
		if cfg.TokenEnv != "RELAY_TOKEN" || cfg.Watches[0].Workdir != root {
			t.Errorf("%s: got token_env %q and workdir %q", folder, cfg.TokenEnv, cfg.Watches[0].Workdir)
		}
	}
}

// An autoreview.toml that is there is followed by everything else.
func TestFollowsTheConfiguration(t *testing.T) {
	text := "relay = \"http://127.0.0.1:9000\"\ntoken_env = \"TOK\"\n\n[[watch]]\nchannel = \"other\"\nworkdir = \"/elsewhere\"\n\n[[watch]]\nchannel = \"mine\"\nsenders = [\"ann\"]\nreply_as = \"rev\"\n"
	p := newPlace(t, map[string]string{"repo/autoreview.toml": text})
	r := p.init(nil)
	if len(r.Problems) > 0 {
		t.Fatalf("problems: got %q, want none", problems(r))
	}
	if got := p.read("repo/autoreview.toml"); got != text {
		t.Errorf("autoreview.toml: got %q, want it untouched", got)
	}
	for name, want := range map[string]string{
		"repo/CLAUDE.md":                         `post_message(target="mine", sender="ann"`,
		"repo/.mcp.json":                         `"Authorization": "Bearer ${TOK:-}"`,
		"repo/.codex/config.toml":                "url = \"http://127.0.0.1:9000/mcp\"\nbearer_token_env_var = \"TOK\"\n",
		"repo/.claude/commands/review-packet.md": "`sender` \"rev\"",
	} {
		if got := p.read(name); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q in it", name, got, want)
		}
	}
	r = setup.Plan(p.options(func(o *setup.Options) { o.Channel = "else" }))
	if !has(problems(r), `autoreview.toml: says "mine" and not "else" as --channel does`) {
		t.Errorf("another channel: got problems %q, want one about it", problems(r))
	}
}

// Another address is carried into what init wrote before.
func TestAddressMoves(t *testing.T) {
	p := newPlace(t, nil)
	before := p.snapshot()
	p.init(nil)
	p.edit("repo/autoreview.toml", "127.0.0.1:8010", "127.0.0.1:9000")
	r := p.init(nil)
	if len(r.Problems) > 0 {
		t.Errorf("problems: got %q, want none", problems(r))
	}
	for _, name := range []string{"repo/.mcp.json", "repo/.codex/config.toml"} {
		if got := p.read(name); !strings.Contains(got, `"http://127.0.0.1:9000/mcp"`) || strings.Contains(got, "8010") {
			t.Errorf("%s: got %q, want the new address alone", name, got)
		}
	}
	p.edit("repo/autoreview.toml", "127.0.0.1:9000", "127.0.0.1:8010")
	p.undo()
	p.wantSnapshot(before)
}
