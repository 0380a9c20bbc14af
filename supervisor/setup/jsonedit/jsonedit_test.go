package jsonedit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tailscale/hujson"
	"golang.org/x/tools/txtar"

	"autoreview/supervisor/setup/jsonedit"
)

var update = flag.Bool("update", false, "write the golden files anew")

const tool = "mcp__relay__post_message"

var (
	server = jsonedit.Object{{Name: "type", Value: "http"}, {Name: "url", Value: "http://127.0.0.1:8010/mcp"}, {Name: "alwaysLoad", Value: true}}
	task   = jsonedit.Object{{Name: "label", Value: "autoreview"}, {Name: "args", Value: jsonedit.List{"up", "--standby"}}, {Name: "n", Value: 1}}
)

// What a line of words at the head of a golden file can ask for.
var edits = map[string]func(src []byte) ([]byte, error){
	"mcp": func(src []byte) ([]byte, error) { return jsonedit.Set(src, server, "mcpServers", "relay") },
	"allow": func(src []byte) ([]byte, error) {
		out, err := jsonedit.Append(src, tool, "permissions", "allow")
		if err == nil {
			out, err = jsonedit.Append(out, "mcp__relay__fetch_messages", "permissions", "allow")
		}
		if err == nil {
			out, err = jsonedit.Append(out, "relay", "enabledMcpjsonServers")
		}
		return out, err
	},
	"task": func(src []byte) ([]byte, error) {
		out, err := jsonedit.Set(src, "2.0.0", "version")
		if err == nil {
			out, err = jsonedit.Append(out, task, "tasks")
		}
		return out, err
	},
	"setting": func(src []byte) ([]byte, error) { return jsonedit.Set(src, "on", "task.allowAutomaticTasks") },
	"delete":  func(src []byte) ([]byte, error) { return jsonedit.Delete(src, "mcpServers", "relay") },
	"remove":  func(src []byte) ([]byte, error) { return jsonedit.Remove(src, tool, "permissions", "allow") },
}

// fixture is a golden file: the words, the text before and the text after.
// The word crlf gives the lines a \r, bom adds a byte order mark, and chop
// takes the last newline away.
type fixture struct {
	words   []string
	in, out []byte
	archive *txtar.Archive
}

func load(t testing.TB, path string) fixture {
	t.Helper()
	a, err := txtar.ParseFile(path)
	if err != nil || len(a.Files) != 2 {
		t.Fatalf("%s: got %d files and error %v, want in and out", path, len(a.Files), err)
	}
	f := fixture{words: strings.Fields(string(a.Comment)), archive: a, in: a.Files[0].Data, out: a.Files[1].Data}
	if f.has("chop") {
		f.in, f.out = bytes.TrimSuffix(f.in, []byte("\n")), bytes.TrimSuffix(f.out, []byte("\n"))
	}
	if f.has("crlf") {
		f.in, f.out = crlf(f.in), crlf(f.out)
	}
	if f.has("bom") {
		f.in, f.out = append([]byte("\xef\xbb\xbf"), f.in...), append([]byte("\xef\xbb\xbf"), f.out...)
	}
	return f
}

func crlf(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) }

func (f fixture) has(word string) bool { return slices.Contains(f.words, word) }

func (f fixture) write(t *testing.T, path string, out []byte) {
	t.Helper()
	out = bytes.ReplaceAll(bytes.TrimPrefix(out, []byte("\xef\xbb\xbf")), []byte("\r\n"), []byte("\n"))
	f.archive.Files[1].Data = out
	if err := os.WriteFile(path, txtar.Format(f.archive), 0o600); err != nil {
		t.Fatal(err)
	}
}

func fixtures(t testing.TB) map[string]fixture {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) < 40 {
		t.Fatalf("golden files: got %d and error %v, want at least 40", len(paths), err)
	}
	out := map[string]fixture{}
	for _, p := range paths {
		out[p] = load(t, p)
	}
	return out
}

// Each edit gives exactly the bytes of the golden file, and a second one gives
// them again. A refused one says why and where.
func TestGolden(t *testing.T) {
	for path, f := range fixtures(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			apply := edits[f.words[0]]
			got, err := apply(bytes.Clone(f.in))
			if f.has("refuse") {
				var why *jsonedit.Error
				if !errors.As(err, &why) || got != nil {
					t.Fatalf("got %q and error %v, want an *Error alone", got, err)
				}
				got = []byte(why.Error() + "\n")
			} else if err != nil {
				t.Fatal(err)
			}
			if *update {
				f.write(t, path, got)
				return
			}
			if diff := cmp.Diff(string(f.out), string(got)); diff != "" {
				t.Fatalf("differs (-want +got):\n%s", diff)
			}
			if f.has("refuse") {
				return
			}
			again, err := apply(bytes.Clone(got))
			if err != nil || !bytes.Equal(again, got) {
				t.Errorf("second time: got %q and error %v, want no change", again, err)
			}
		})
	}
}

// Plain JSON stays what a strict reader takes.
func TestPlainStaysPlain(t *testing.T) {
	for path, f := range fixtures(t) {
		in := bytes.TrimPrefix(f.in, []byte("\xef\xbb\xbf"))
		if f.has("refuse") || !json.Valid(in) {
			continue
		}
		out, err := edits[f.words[0]](f.in)
		if err != nil || !json.Valid(bytes.TrimPrefix(out, []byte("\xef\xbb\xbf"))) {
			t.Errorf("%s: got %q and error %v, want plain JSON", path, out, err)
		}
	}
}

// No edit loses a comment.
func TestCommentsStay(t *testing.T) {
	for path, f := range fixtures(t) {
		if f.has("refuse") {
			continue
		}
		out, err := edits[f.words[0]](f.in)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		for line := range bytes.Lines(f.in) {
			if i := bytes.Index(line, []byte("//")); i >= 0 && !bytes.Contains(line, []byte("http:")) && !bytes.Contains(out, bytes.TrimSpace(line[i:])) {
				t.Errorf("%s: the comment %q is gone", path, line[i:])
			}
		}
	}
}

// What is put into a file with others of its kind, a line for each, can be taken
// out to the byte.
func TestDeleteUndoesSet(t *testing.T) {
	for path, f := range fixtures(t) {
		if f.words[0] != "mcp" || f.has("refuse") || bytes.Contains(f.in, []byte("} }")) {
			continue
		}
		have, ok, err := jsonedit.Get(f.in, "mcpServers")
		others, _ := have.(map[string]any)
		if err != nil || !ok || others["relay"] != nil || len(others) == 0 {
			continue
		}
		out, err := edits["mcp"](f.in)
		if err == nil {
			out, err = edits["delete"](out)
		}
		if err != nil || !bytes.Equal(out, f.in) {
			t.Errorf("%s: got %q and error %v, want %q", path, out, err, f.in)
		}
	}
}

func TestGet(t *testing.T) {
	src := []byte("\xef\xbb\xbf{ // c\n \"a\": {\"b\": 3,}, } // end")
	if got, ok, err := jsonedit.Get(src, "a", "b"); got != json.Number("3") || !ok || err != nil {
		t.Errorf("Get(a.b): got %v, %v, %v, want 3", got, ok, err)
	}
	for _, path := range [][]string{{"a", "b", "c"}, {"x"}} {
		if got, ok, err := jsonedit.Get(src, path...); ok || err != nil {
			t.Errorf("Get(%q): got %v, %v, %v, want nothing", path, got, ok, err)
		}
	}
	_, _, err := jsonedit.Get([]byte("{\n\"a\" 1\n}"), "a")
	var why *jsonedit.Error
	if !errors.As(err, &why) || why.Line != 2 {
		t.Errorf("Get of broken text: got %v, want an *Error for line 2", err)
	}
}

// Whatever the file holds: an edit is refused, or it changes the meant value
// and nothing else, a second one changes nothing, and comments stay.
func FuzzEdit(f *testing.F) {
	for _, fx := range fixtures(f) {
		f.Add(fx.in, "mcpServers", "relay", false)
		f.Add(fx.in, "permissions", "allow", true)
		f.Add(fx.out, "tasks", "", true)
	}
	f.Fuzz(func(t *testing.T, src []byte, a, b string, list bool) {
		path := []string{a, b}
		edit := func(src []byte) ([]byte, error) {
			if list {
				return jsonedit.Append(src, task, path...)
			}
			return jsonedit.Set(src, server, path...)
		}
		out, err := edit(src)
		if err != nil {
			return
		}
		before, after := decode(t, src), decode(t, out)
		forget(before, path)
		forget(after, path)
		if diff := cmp.Diff(before, after); diff != "" {
			t.Fatalf("edit of %q: got %q, which differs in more (-want +got):\n%s", src, out, diff)
		}
		if _, ok, err := jsonedit.Get(out, path...); !ok || err != nil {
			t.Fatalf("edit of %q: got %q without the value (%v)", src, out, err)
		}
		again, err := edit(out)
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("edit twice: got %q and error %v, want %q", again, err, out)
		}
		if gone, err := jsonedit.Delete(out, path...); err == nil {
			left := decode(t, gone)
			forget(left, path)
			if diff := cmp.Diff(before, left); diff != "" {
				t.Fatalf("Delete(%q): got %q, which differs in more (-want +got):\n%s", out, gone, diff)
			}
		}
	})
}

func decode(t *testing.T, src []byte) any {
	t.Helper()
	text := append(bytes.Clone(bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))), '\n')
	std, err := hujson.Standardize(text)
	if err != nil {
		return map[string]any{}
	}
	var v any
	if err := json.Unmarshal(std, &v); err != nil {
		t.Skip(err)
	}
	return v
}

// forget takes a member out of a decoded document, with the objects it leaves
// empty.
func forget(v any, path []string) {
	object, ok := v.(map[string]any)
	if !ok {
		return
	}
	if len(path) > 1 {
		sub := object[path[0]]
		forget(sub, path[1:])
		if m, ok := sub.(map[string]any); ok && len(m) > 0 {
			return
		}
	}
	delete(object, path[0])
}
