package setup_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"autoreview/supervisor/setup"
)

// place is a repository and a home folder in a scratch folder.
type place struct {
	t          *testing.T
	dir        string // everything
	root, home string
	record     string
}

// newPlace makes a repository with files, whose paths are below the scratch
// folder: repo/..., home/...
func newPlace(t *testing.T, files map[string]string) *place {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &place{
		t: t, dir: dir, root: filepath.Join(dir, "repo"), home: filepath.Join(dir, "home"),
		record: filepath.Join(dir, "state", "init.json"),
	}
	for _, d := range []string{filepath.Join(p.root, ".git"), filepath.Join(p.home, ".codex")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		p.write(name, text)
	}
	return p
}

func (p *place) path(name string) string { return filepath.Join(p.dir, filepath.FromSlash(name)) }

func (p *place) write(name, text string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(p.path(name)), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) read(name string) string {
	p.t.Helper()
	b, err := os.ReadFile(p.path(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

// edit replaces the only occurrence of a text.
func (p *place) edit(name, from, to string) {
	p.t.Helper()
	text := p.read(name)
	if strings.Count(text, from) != 1 {
		p.t.Fatalf("%s: got %d of %q in %q, want 1", name, strings.Count(text, from), from, text)
	}
	p.write(name, strings.Replace(text, from, to, 1))
}

// options are those of the command line with its defaults, and what set does.
func (p *place) options(set func(*setup.Options)) setup.Options {
	p.t.Helper()
	record, err := setup.ReadRecord(p.record)
	if err != nil {
		p.t.Fatal(err)
	}
	o := setup.Options{
		Root: p.root, Repository: true, Home: p.home, CodexHome: filepath.Join(p.home, ".codex"), GOOS: "linux",
		ConfigDir: filepath.Join(p.home, ".config"), Read: setup.Disk(p.root),
		Program: "autoreview", ProgramPath: "/opt/bin/autoreview", RelayPath: "/opt/bin/relay",
		ServiceEnv: []string{"PATH=/opt/bin:/usr/bin"}, Record: record,
	}
	if set != nil {
		set(&o)
	}
	return o
}

func everything(o *setup.Options) {
	o.Network, o.Trust, o.RemoveStale, o.Copilot, o.Desktop, o.Service, o.VSCodeSettings = true, true, true, true, true, true, true
	o.TokenEnv = "RELAY_TOKEN"
}

// apply makes what the result says and returns it.
func (p *place) apply(r setup.Result) setup.Result {
	p.t.Helper()
	if err := setup.Apply(r, p.record); err != nil {
		p.t.Fatalf("Apply: %v", err)
	}
	return r
}

func (p *place) init(set func(*setup.Options)) setup.Result {
	p.t.Helper()
	return p.apply(setup.Plan(p.options(set)))
}

func (p *place) undo() setup.Result {
	p.t.Helper()
	return p.apply(setup.Undo(p.options(nil)))
}

// snapshot is every file with its mode, and every folder and link.
func (p *place) snapshot() map[string]string {
	p.t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(p.dir, path)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case name == "state":
			return filepath.SkipDir
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			out[name] = "-> " + target
			return err
		case d.IsDir():
			out[name] = info.Mode().String()
			return nil
		}
		b, err := os.ReadFile(path)
		out[name] = info.Mode().String() + "\n" + string(b)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

func (p *place) wantSnapshot(want map[string]string) {
	p.t.Helper()
	if diff := cmp.Diff(want, p.snapshot()); diff != "" {
		p.t.Errorf("files differ (-want +got):\n%s", diff)
	}
}

// has reports whether one of the texts contains a part.
func has(texts []string, part string) bool {
	return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, part) })
}

func problems(r setup.Result) []string {
	var out []string
	for _, p := range r.Problems {
		out = append(out, p.String())
	}
	return out
}

func names(r setup.Result) []string {
	var out []string
	for _, c := range r.Changes {
		out = append(out, c.Name)
	}
	return out
}

// reformat lays a JSON file out as other programs do.
func reformat(t *testing.T, text, indent string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(text), "", indent); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
