package setup_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"autoreview/supervisor/setup"
	"autoreview/supervisor/setup/jsonedit"
	"autoreview/supervisor/setup/tomledit"
)

// tree is a file system in memory, by absolute path.
type tree map[string]string

func (t tree) options(record setup.Record) setup.Options {
	o := setup.Options{
		Root: "/repo", Repository: true, Home: "/home", CodexHome: "/home/.codex", GOOS: "linux", ConfigDir: "/home/.config",
		Program: "autoreview", ProgramPath: "/bin/autoreview", RelayPath: "/bin/relay", Record: record,
		Read: func(path string) ([]byte, error) {
			text, ok := t[path]
			if !ok {
				return nil, fs.ErrNotExist
			}
			return []byte(text), nil
		},
	}
	everything(&o)
	return o
}

// apply makes changes and returns the record as it is read the next time.
func (t tree) apply(tb testing.TB, r setup.Result) setup.Record {
	tb.Helper()
	for _, c := range r.Changes {
		if text, ok := t[c.Path]; ok != c.Existed || text != string(c.Before) {
			tb.Fatalf("%s: the change is for %q, and there is %q", c.Path, c.Before, text)
		}
		t[c.Path] = string(c.After)
		if c.Remove {
			delete(t, c.Path)
		}
	}
	b, err := json.Marshal(r.Kept)
	if err != nil {
		tb.Fatal(err)
	}
	var record setup.Record
	if err := json.Unmarshal(b, &record); err != nil {
		tb.Fatal(err)
	}
	return record
}

// later edits files as a user does after init, where they can be edited.
func (t tree) later() {
	edit := func(path string, change func([]byte) ([]byte, error)) {
		if text, ok := t[path]; ok {
			if out, err := change([]byte(text)); err == nil {
				t[path] = string(out)
			}
		}
	}
	for _, path := range []string{"/repo/.codex/config.toml", "/home/.codex/config.toml"} {
		edit(path, func(src []byte) ([]byte, error) {
			return tomledit.Set(src, "mine", tomledit.Entry{Path: []string{"later", "key"}, Value: "stays"})
		})
	}
	for _, path := range []string{"/repo/.mcp.json", "/repo/.claude/settings.json", "/repo/.vscode/tasks.json"} {
		edit(path, func(src []byte) ([]byte, error) { return jsonedit.Set(src, "stays", "later", "key") })
	}
	for _, path := range []string{"/repo/CLAUDE.md", "/repo/.gitignore"} {
		edit(path, func(src []byte) ([]byte, error) { return append(src, "\n# later stays\n"...), nil })
	}
}

// Whatever the files hold: a second run changes nothing, undo right after init
// gives back the same bytes, and after later edits it takes out init's part and
// nothing of theirs.
func FuzzUndo(f *testing.F) {
	for _, files := range []map[string]string{lived, empty} {
		f.Add(files["repo/.codex/config.toml"], files["repo/.mcp.json"], files["repo/.claude/settings.json"], files["repo/CLAUDE.md"], files["repo/.vscode/tasks.json"], files["repo/.gitignore"])
	}
	f.Add("a.b = 1", "{}", "{\"permissions\": {}}", "<!-- autoreview:begin 0 -->\nx\n<!-- autoreview:end -->", "{\"tasks\": [ ] }", "# autoreview:end\n")
	f.Add("[mcp_servers.autoreview_relay]\nurl=''", "{\"mcpServers\": {\"relay\": {}}}", "// c", "\ufeff\r\n", "{\"tasks\": [1, {\"label\": \"autoreview\"}]}", "\r\n")
	f.Fuzz(func(t *testing.T, codex, mcp, settings, claude, tasks, ignore string) {
		files := tree{}
		for path, text := range map[string]string{
			"/repo/.codex/config.toml": codex, "/home/.codex/config.toml": codex, "/repo/.mcp.json": mcp, "/repo/.claude/settings.json": settings,
			"/repo/CLAUDE.md": claude, "/repo/.vscode/tasks.json": tasks, "/repo/.gitignore": ignore,
		} {
			if text != "" {
				files[path] = text
			}
		}
		before := maps.Clone(files)
		record := files.apply(t, setup.Plan(files.options(setup.Record{})))
		if again := setup.Plan(files.options(record)); len(again.Changes) > 0 {
			t.Fatalf("second run: %s", again.Changes[0].Diff())
		}
		undone := maps.Clone(files)
		if left := undone.apply(t, setup.Undo(undone.options(record))); len(left.Edits) > 0 {
			t.Fatalf("undo: got %d edits left, want none", len(left.Edits))
		}
		if diff := cmp.Diff(before, undone); diff != "" {
			t.Fatalf("undo right after init (-before +after):\n%s", diff)
		}
		checkLater(t, before, files, record)
	})
}

// checkLater compares init, later edits and undo with the later edits alone, by
// what the files mean.
func checkLater(t *testing.T, before, files tree, record setup.Record) {
	t.Helper()
	files.later()
	r := setup.Undo(files.options(record))
	files.apply(t, r)
	if len(r.Problems) > 0 {
		t.Fatalf("undo after later edits: %q", problems(r))
	}
	before.later()
	for path, text := range files {
		if got, want := meaning(path, text), meaning(path, before[path]); before[path] != "" && got != want && len(r.Notes) == 0 {
			t.Fatalf("%s after later edits:\n got %s\nwant %s\nin %q", path, got, want, text)
		}
		if strings.Contains(before[path], "stays") && !strings.Contains(text, "stays") {
			t.Fatalf("%s: got %q, and the later edit is gone", path, text)
		}
	}
}

func meaning(path, text string) string {
	var v any
	switch {
	case strings.HasSuffix(path, ".toml"):
		v, _, _ = tomledit.Get([]byte(text))
		// What is taken out on request is not put back into a changed file.
		if root, ok := v.(map[string]any); ok {
			if mcp, ok := root["mcp"].(map[string]any); ok {
				delete(mcp, "claudecodex")
			}
		}
	case strings.HasSuffix(path, ".json"):
		v, _, _ = jsonedit.Get([]byte(text))
		// Other tasks need the version.
		if root, ok := v.(map[string]any); ok && strings.HasSuffix(path, "tasks.json") {
			delete(root, "version")
		}
	default:
		return strings.Join(strings.Fields(text), " ")
	}
	b, err := json.Marshal(bare(v))
	if err != nil {
		return "" // nan is no JSON
	}
	return string(b)
}

// bare leaves out empty tables: whether they are there makes no difference.
func bare(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			if e = bare(e); e != nil {
				out[k] = e
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		if len(v) == 0 {
			return nil
		}
	}
	return v
}
