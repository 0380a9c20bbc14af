package setup_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"autoreview/supervisor/setup"
)

// What the user changes after init stays, however the files look by then, and
// what init put in goes.
func TestLaterEditsStay(t *testing.T) {
	p := newPlace(t, lived)
	p.init(everything)

	// Claude Code writes its settings anew when a permission is given.
	p.write("repo/.claude/settings.json", reformat(t, strings.Replace(p.read("repo/.claude/settings.json"), `"mcp__relay"`, `"mcp__relay", "Bash(go test:*)"`, 1), "    "))
	// A formatter, and a new server.
	mcp := strings.TrimPrefix(p.read("repo/.mcp.json"), "\xef\xbb\xbf")
	p.write("repo/.mcp.json", strings.Replace(reformat(t, mcp, "  "), `"docs": {`, `"new": {}, "docs": {`, 1))
	p.edit("repo/.codex/config.toml", "model = \"x\"\r\n", "model = \"z\"\r\n")
	p.write("repo/.codex/config.toml", p.read("repo/.codex/config.toml")+"\r\n[tui]\r\ntheme = \"dark\" # night\r\n")
	p.edit("repo/CLAUDE.md", "Be nice.", "Be kind.")
	p.write("repo/CLAUDE.md", p.read("repo/CLAUDE.md")+"\nMore.\n")
	p.edit("repo/.gitignore", "/bin\n", "/bin\n/dist\n")
	p.edit("repo/.vscode/tasks.json", "// daily", "// hourly")
	p.edit("repo/.vscode/settings.json", `"editor.tabSize": 2`, `"editor.tabSize": 8`)
	p.write("home/.codex/config.toml", p.read("home/.codex/config.toml")+"\n[projects.\"/third\"]\ntrust_level = \"trusted\"\n")

	r := p.undo()
	if len(r.Problems)+len(r.Notes) > 0 {
		t.Errorf("got problems %q and notes %q, want none", problems(r), r.Notes)
	}
	for name, want := range map[string]string{
		"repo/.claude/settings.json": "{\n    \"permissions\": {\n        \"allow\": [\n            \"Bash(ls:*)\",\n            \"Bash(go test:*)\"\n        ]\n    },\n    \"model\": \"opus\"\n}\n",
		"repo/.mcp.json":             "{\n  \"mcpServers\": {\n    \"new\": {}, \"docs\": {\n      \"command\": \"docs\"\n    }\n  }\n}",
		"repo/.codex/config.toml":    "# ours\r\nmodel = \"z\"\r\n\r\n[sandbox_workspace_write]\r\nnetwork_access = false # safe\r\n\r\n[tui]\r\ntheme = \"dark\" # night\r\n",
		"repo/CLAUDE.md":             "# Project\r\n\r\nBe kind.\nMore.\n",
		"repo/.gitignore":            "/bin\n/dist",
		"repo/.vscode/tasks.json":    "{\n  // See the docs\n  \"version\": \"2.0.0\",\n  \"tasks\": [\n    { \"label\": \"build\", \"command\": \"make\", }, // hourly\n  ],\n}\n",
		"repo/.vscode/settings.json": "{\n    \"editor.tabSize\": 8, // two\n}",
		"home/.codex/config.toml":    "model = \"y\"\n\n[projects.\"/somewhere/else\"]\ntrust_level = \"trusted\"\n[projects.\"/third\"]\ntrust_level = \"trusted\"\n",
	} {
		if got := p.read(name); got != want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, want)
		}
	}
	if _, err := os.Stat(p.path("repo/autoreview.toml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("autoreview.toml: got %v, want it gone", err)
	}
}

// What the user changed within what init put in is the user's: it stays, and is
// said to.
func TestChangedPartsStay(t *testing.T) {
	p := newPlace(t, nil)
	p.init(nil)
	edits := []struct{ name, from, to, said string }{
		{"repo/.codex/config.toml", "tool_timeout_sec = 120", "tool_timeout_sec = 300", "mcp_servers/autoreview_relay"},
		{"repo/.mcp.json", "8010", "9999", "mcpServers/relay"},
		{"repo/CLAUDE.md", "Every change", "Each change", "the section of autoreview"},
		{"repo/autoreview.toml", "read-only\"\n", "workspace-write\"\n", "the file"},
		{"repo/.vscode/tasks.json", "\"reveal\": \"never\"", "\"reveal\": \"always\"", ""},
		{"repo/.claude/commands/review-packet.md", "Ask for", "Beg for", "the file"},
	}
	after := map[string]string{}
	for _, e := range edits {
		p.edit(e.name, e.from, e.to)
		after[e.name] = p.read(e.name)
	}
	r := p.undo()
	for _, e := range edits {
		if e.said == "" {
			continue
		}
		if !slices.ContainsFunc(r.Notes, func(n string) bool {
			return strings.HasPrefix(n, strings.TrimPrefix(e.name, "repo/")+": "+e.said+" was changed")
		}) {
			t.Errorf("%s: got notes %q, want one that says it stays", e.name, r.Notes)
		}
		if got := p.read(e.name); got != after[e.name] {
			t.Errorf("%s: got %q, want it as the user left it", e.name, got)
		}
	}
	for _, name := range []string{"repo/.claude/settings.json", "repo/.gitignore"} {
		if _, err := os.Stat(p.path(name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: got %v, want it gone", name, err)
		}
	}
	// When the user has put a thing back, the next undo takes it.
	p.edit("repo/CLAUDE.md", "Each change", "Every change")
	p.undo()
	if _, err := os.Stat(p.path("repo/CLAUDE.md")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("CLAUDE.md: got %v, want it gone", err)
	}
}

// A file that init made and others used since stays, without init's part; one
// in which only init's scaffold is left goes.
func TestUndoOfSharedFiles(t *testing.T) {
	p := newPlace(t, nil)
	p.init(nil)
	p.edit("repo/.vscode/tasks.json", "\"tasks\": [\n", "\"tasks\": [\n    {\"label\": \"mine\"},\n")
	p.write("repo/.mcp.json", reformat(t, p.read("repo/.mcp.json"), "\t"))
	p.write("repo/.claude/settings.json", reformat(t, p.read("repo/.claude/settings.json"), "\t"))
	p.write("repo/.codex/config.toml", "model = \"late\"\n\n"+p.read("repo/.codex/config.toml"))
	p.undo()
	if got, want := p.read("repo/.vscode/tasks.json"), "{\n  \"version\": \"2.0.0\",\n  \"tasks\": [\n    {\"label\": \"mine\"}\n  ]\n}\n"; got != want {
		t.Errorf("tasks.json: got %q, want %q", got, want)
	}
	if got, want := p.read("repo/.codex/config.toml"), "model = \"late\"\n\n"; got != want {
		t.Errorf("config.toml: got %q, want %q", got, want)
	}
	for _, name := range []string{"repo/.mcp.json", "repo/.claude"} {
		if _, err := os.Stat(p.path(name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: got %v, want it gone", name, err)
		}
	}
}

// A key that a later edit put below init's table must not slip into another
// table when init's lines go.
func TestUndoKeepsMeaning(t *testing.T) {
	p := newPlace(t, map[string]string{"repo/.codex/config.toml": "[tui]\ntheme = \"dark\"\n"})
	p.init(func(o *setup.Options) { o.Network = true })
	p.edit("repo/.codex/config.toml", "network_access = true\n", "network_access = true\nwritable_roots = [\"/srv\"]\n")
	p.undo()
	if got, want := p.read("repo/.codex/config.toml"), "[tui]\ntheme = \"dark\"\n\n[sandbox_workspace_write]\nwritable_roots = [\"/srv\"]\n"; got != want {
		t.Errorf("config.toml: got %q, want %q", got, want)
	}
}

// In a clone there is no record: undo goes by what init would put in.
func TestUndoWithoutARecord(t *testing.T) {
	p := newPlace(t, lived)
	before := p.snapshot()
	p.init(nil)
	if err := os.Remove(p.record); err != nil {
		t.Fatal(err)
	}
	r := p.undo()
	if len(r.Problems) > 0 {
		t.Errorf("problems: got %q, want none", problems(r))
	}
	after := p.snapshot()
	for name, text := range before {
		if strings.Join(strings.Fields(after[name]), "") != strings.Join(strings.Fields(text), "") {
			t.Errorf("%s: got %q, want %q up to blanks", name, after[name], text)
		}
	}
	for name, text := range after {
		if _, ok := before[name]; !ok && !strings.HasPrefix(text, "d") {
			t.Errorf("%s: got %q, want it gone", name, text)
		}
	}
}

// What the user had before init is the user's, also when all that init put in is
// gone and undo has no record to go by.
func TestUndoTwiceIsOnce(t *testing.T) {
	p := newPlace(t, map[string]string{
		"repo/.claude/settings.json": "{\"permissions\": {\"allow\": [\"mcp__relay\"]}, \"enabledMcpjsonServers\": [\"relay\"]}\n",
		"repo/.mcp.json":             "{\"mcpServers\": {\"relay\": {\"type\": \"http\", \"url\": \"http://127.0.0.1:8010/mcp\", \"alwaysLoad\": true}}}\n",
	})
	before := p.snapshot()
	p.init(nil)
	p.undo()
	p.wantSnapshot(before)
	if r := p.undo(); len(r.Changes) > 0 {
		t.Errorf("undo again: got changes of %s, want none", r.Changes[0].Name)
	}
	p.wantSnapshot(before)
}

// A run that was cut off has its record already, so that all of it can be
// undone.
func TestUndoOfAnInterruptedRun(t *testing.T) {
	p := newPlace(t, lived)
	before := p.snapshot()
	r := setup.Plan(p.options(nil))
	p.apply(r)
	for i, c := range r.Changes { // every other file was not reached
		if i%2 == 0 && c.Existed {
			p.write(strings.TrimPrefix(c.Path, p.dir+"/"), string(c.Before))
		} else if i%2 == 0 {
			if err := os.Remove(c.Path); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.undo()
	after := p.snapshot()
	for name, text := range before {
		if after[name] != text {
			t.Errorf("%s: got %q, want %q", name, after[name], text)
		}
	}
}

// What cannot be read now can be undone later.
func TestUndoKeepsTheRecordOfWhatItCannotRead(t *testing.T) {
	p := newPlace(t, nil)
	before := p.snapshot()
	p.init(nil)
	text := p.read("repo/.mcp.json")
	if err := errors.Join(os.Remove(p.path("repo/.mcp.json")), os.Mkdir(p.path("repo/.mcp.json"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if r := p.undo(); !has(problems(r), ".mcp.json: is not a file") {
		t.Errorf("problems: got %q, want one about .mcp.json", problems(r))
	}
	if err := os.Remove(p.path("repo/.mcp.json")); err != nil {
		t.Fatal(err)
	}
	p.write("repo/.mcp.json", text)
	p.undo()
	p.wantSnapshot(before)
}

// The change that was shown is the one that is made, or none.
func TestChangedMeanwhile(t *testing.T) {
	p := newPlace(t, lived)
	r := setup.Plan(p.options(nil))
	p.write("repo/.gitignore", "/other\n")
	before := p.snapshot()
	if err := setup.Apply(r, p.record); !errors.Is(err, setup.ErrChanged) {
		t.Errorf("Apply: got %v, want ErrChanged", err)
	}
	p.wantSnapshot(before)

	r = setup.Plan(p.options(nil))
	p.write("repo/autoreview.toml", "# made meanwhile\n")
	if err := setup.Apply(r, p.record); !errors.Is(err, setup.ErrChanged) {
		t.Errorf("Apply over a new file: got %v, want ErrChanged", err)
	}
}

// Without a record, too, a file that cannot be parsed is left alone and named.
func TestUndoNamesWhatItCannotParse(t *testing.T) {
	p := newPlace(t, nil)
	p.init(nil)
	p.write("repo/.mcp.json", "{")
	o := p.options(nil)
	o.Record = setup.Record{}
	r := setup.Undo(o)
	if got := problems(r); !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, ".mcp.json: ") }) {
		t.Errorf("got problems %q, want one about .mcp.json", got)
	}
	if slices.ContainsFunc(r.Changes, func(c setup.Change) bool { return c.Name == ".mcp.json" }) {
		t.Error("the file that cannot be parsed was changed")
	}
}
