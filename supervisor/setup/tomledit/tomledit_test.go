package tomledit_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
	"golang.org/x/tools/txtar"

	"autoreview/supervisor/setup/tomledit"
)

var update = flag.Bool("update", false, "write the golden files anew")

const comment = "The relay.\n\nSee the docs."

func server(key ...string) []string {
	return append([]string{"mcp_servers", "autoreview_relay"}, key...)
}

// What a line of words at the head of a golden file can ask for.
var edits = map[string]func(src []byte) ([]byte, error){
	"set": func(src []byte) ([]byte, error) {
		return tomledit.Set(src, comment,
			tomledit.Entry{Path: server("url"), Value: "http://127.0.0.1:8010/mcp"},
			tomledit.Entry{Path: server("tool_timeout_sec"), Value: 120},
			tomledit.Entry{Path: server("tools", "post_message", "approval_mode"), Value: "approve"},
			tomledit.Entry{Path: server("tools", "list_channels", "approval_mode"), Value: "approve"})
	},
	"network": func(src []byte) ([]byte, error) {
		return tomledit.Set(src, "", tomledit.Entry{Path: []string{"sandbox_workspace_write", "network_access"}, Value: true})
	},
	"top": func(src []byte) ([]byte, error) {
		return tomledit.Set(src, "", tomledit.Entry{Path: []string{"a key"}, Value: "say \"hi\"\t\\"})
	},
	"delete": func(src []byte) ([]byte, error) { return tomledit.Delete(src, "mcp", "claudecodex") },
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
		f.in = bytes.TrimSuffix(f.in, []byte("\n"))
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
				var why *tomledit.Error
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

// No edit loses a line of the user's, except where it is asked to.
func TestSetKeepsEveryLine(t *testing.T) {
	for path, f := range fixtures(t) {
		if f.words[0] == "delete" || f.has("refuse") {
			continue
		}
		out, err := edits[f.words[0]](f.in)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		for line := range bytes.Lines(f.in) {
			_, note, ok := bytes.Cut(line, []byte("#"))
			if ok && !bytes.Contains(out, note) {
				t.Errorf("%s: the comment %q is gone", path, note)
			}
		}
		if f.has("crlf") && bytes.Count(out, []byte("\n")) != bytes.Count(out, []byte("\r\n")) {
			t.Errorf("%s: got a bare newline in %q", path, out)
		}
	}
}

// What Set puts in, Delete takes out again as far as the meaning goes.
func TestDeleteUndoesSet(t *testing.T) {
	for path, f := range fixtures(t) {
		if f.words[0] != "set" || f.has("refuse") || bytes.Contains(f.in, []byte("autoreview_relay")) {
			continue
		}
		out, err := edits["set"](f.in)
		if err == nil {
			out, err = tomledit.Delete(out, server()...)
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got, ok, err := tomledit.Get(out, server()...); ok || err != nil {
			t.Errorf("%s: got %v and error %v after Delete, want nothing", path, got, err)
		}
		for line := range bytes.Lines(f.in) {
			if !bytes.Contains(out, bytes.TrimSpace(line)) {
				t.Errorf("%s: line %q is gone", path, line)
			}
		}
	}
}

func TestGet(t *testing.T) {
	src := []byte("\xef\xbb\xbf[a.b]\nc = 3\n")
	if got, ok, err := tomledit.Get(src, "a", "b", "c"); got != int64(3) || !ok || err != nil {
		t.Errorf("Get(a.b.c): got %v, %v, %v, want 3", got, ok, err)
	}
	if got, ok, err := tomledit.Get(src, "a", "b", "c", "d"); ok || err != nil {
		t.Errorf("Get below a value: got %v, %v, %v, want nothing", got, ok, err)
	}
	_, _, err := tomledit.Get([]byte("a = 1\nb =\n"), "a")
	var why *tomledit.Error
	if !errors.As(err, &why) || why.Line != 2 {
		t.Errorf("Get of broken text: got %v, want an *Error for line 2", err)
	}
}

// Whatever the file holds: an edit is refused, or it changes the meant keys
// and nothing else, a second one changes nothing, and Delete takes it out.
func FuzzSet(f *testing.F) {
	for _, fx := range fixtures(f) {
		f.Add(fx.in, "mcp_servers", "autoreview_relay", "url", "x")
	}
	f.Add([]byte("a.b = 1\n[c]\n[[c.d]]\n[c.d.e]\nf = {g = 1, h = {}}\n"), "c", "i", "j k", "\"\n")
	f.Fuzz(func(t *testing.T, src []byte, a, b, c, v string) {
		path := []string{a, b, c}
		before, err := decode(src)
		out, setErr := tomledit.Set(src, "note", tomledit.Entry{Path: path, Value: v})
		if err != nil && setErr == nil {
			t.Fatalf("Set took what is not TOML: %q", src)
		}
		if setErr != nil {
			return
		}
		after, err := decode(out)
		if err != nil {
			t.Fatalf("Set(%q): got %q: %v", src, out, err)
		}
		if got, ok, err := tomledit.Get(out, path...); got != v || !ok || err != nil {
			t.Fatalf("Set(%q): got %v, %v, %v at %q, want %q", src, got, ok, err, path, v)
		}
		forget(before, path)
		forget(after, path)
		if diff := cmp.Diff(text(t, before), text(t, after)); diff != "" {
			t.Fatalf("Set(%q): got %q, which differs in more (-want +got):\n%s", src, out, diff)
		}
		again, err := tomledit.Set(out, "note", tomledit.Entry{Path: path, Value: v})
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("Set twice: got %q and error %v, want %q", again, err, out)
		}
		if gone, err := tomledit.Delete(out, path...); err == nil {
			if _, ok, err := tomledit.Get(gone, path...); ok || err != nil {
				t.Fatalf("Delete(%q): got %q, which still has it", out, gone)
			}
		}
	})
}

func decode(src []byte) (map[string]any, error) {
	root := map[string]any{}
	err := toml.Unmarshal(bytes.TrimPrefix(src, []byte("\xef\xbb\xbf")), &root)
	return root, err
}

// forget takes a key out of a decoded document, with the tables it leaves
// empty.
func forget(root map[string]any, path []string) {
	if len(path) > 1 {
		sub, ok := root[path[0]].(map[string]any)
		if !ok {
			return
		}
		forget(sub, path[1:])
		if len(sub) > 0 {
			return
		}
	}
	delete(root, path[0])
}

// text writes a document in one way, in which nan is nan.
func text(t *testing.T, root map[string]any) string {
	t.Helper()
	b, err := toml.Marshal(root)
	if err != nil {
		t.Skip(err)
	}
	return string(b)
}
