// Package autoreview_test holds the rules of the house: who may import whom,
// who may use which dependency, and how large things may grow.
package autoreview_test

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "autoreview"

// floors is the house: a package imports only packages of lower floors. A new
// package gets its line here and in docs/architecture.md.
var floors = map[string]int{
	"relay":                 0,
	"codexrun":              0,
	"codexrun/scripted":     0,
	"templates":             0,
	"cmd/internal/program":  0,
	"relay/spelling":        0,
	"relay/lastfile":        0,
	"relay/redact":          0,
	"supervisor/calendar":   0,
	"supervisor/repository": 0,
	"supervisor/verdict":    0,

	"codexrun/codextest":         1,
	"relay/api":                  1,
	"relay/client":               1,
	"relay/config":               1,
	"relay/guard":                1,
	"relay/mcptools":             1,
	"relay/store/memory":         1,
	"relay/store/sqlite":         1,
	"relay/store/storetest":      1,
	"relay/token":                1,
	"relay/web":                  1,
	"supervisor/config":          1,
	"supervisor/record":          1,
	"supervisor/state":           1,
	"supervisor/state/memory":    2,
	"supervisor/state/statetest": 2,
	"supervisor/state/sqlite":    2,

	"supervisor/setup/jsonedit": 1,
	"supervisor/setup/tomledit": 1,

	"supervisor/setup": 2,

	"relay/server":       2,
	"relay/relaytest":    3,
	"supervisor":         2,
	"supervisor/control": 3,
	"supervisor/doctor":  3,

	"codexrun/codextest/fakecodex": 2,

	"supervisor/chaos": 4,
	"supervisor/sim":   4,
	"supervisor/soak":  4,

	"cmd/relay":      4,
	"cmd/autoreview": 4,
	"examples/demo":  4,
}

// owners are the only packages that may import a heavy dependency.
var owners = map[string][]string{
	"github.com/mark3labs/mcp-go":         {"relay/mcptools"},
	"modernc.org/sqlite":                  {"relay/store/sqlite", "supervisor/state/sqlite"},
	"github.com/pelletier/go-toml/v2":     {"relay/config", "supervisor/config", "supervisor/setup/tomledit"},
	"github.com/tailscale/hujson":         {"supervisor/setup/jsonedit"},
	"github.com/robfig/cron/v3":           {"supervisor/calendar"},
	"github.com/fsnotify/fsnotify":        {"supervisor"},
	"github.com/prometheus/client_golang": {"relay/server", "supervisor/control"},
	"gopkg.in/natefinch/lumberjack.v2":    {"relay/server"},
	"github.com/spf13/cobra":              {"cmd/relay", "cmd/autoreview"},
	"github.com/yuin/goldmark":            {"relay/web"},
}

// apart may never meet: each knows the other only by its wire and its words.
var apart = [][2]string{
	{"supervisor", "relay/server"},
	{"supervisor", "relay/store"},
	{"relay", "supervisor"},
	{"relay", "codexrun"},
	{"codexrun", "relay"},
	{"codexrun", "supervisor"},
}

const (
	maxFileLines = 500
	maxFuncLines = 70
)

type source struct {
	path string // relative, with slashes
	pkg  string // its folder
	file *ast.File
	fset *token.FileSet
}

// sources parses every Go file of the module that is not a test.
func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		path = filepath.ToSlash(path)
		out = append(out, source{path: path, pkg: path[:max(strings.LastIndex(path, "/"), 0)], file: f, fset: fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 {
		t.Fatalf("found %d source files: the walk is broken", len(out))
	}
	return out
}

func imports(f *ast.File) []string {
	var out []string
	for _, spec := range f.Imports {
		out = append(out, strings.Trim(spec.Path.Value, `"`))
	}
	return out
}

func TestPackagesImportOnlyLowerFloors(t *testing.T) {
	for _, src := range sources(t) {
		floor, ok := floors[src.pkg]
		if !ok {
			t.Errorf("%s: package %s has no floor: give it one here and in docs/architecture.md", src.path, src.pkg)
			continue
		}
		for _, path := range imports(src.file) {
			pkg, ours := strings.CutPrefix(path, module+"/")
			if ours && floors[pkg] >= floor {
				t.Errorf("%s (floor %d) imports %s (floor %d)", src.path, floor, pkg, floors[pkg])
			}
		}
	}
}

func TestEveryFloorIsThere(t *testing.T) {
	seen := make(map[string]bool)
	for _, src := range sources(t) {
		seen[src.pkg] = true
	}
	for pkg := range floors {
		if !seen[pkg] {
			t.Errorf("package %s has a floor and no source", pkg)
		}
	}
}

func TestHeavyDependenciesStayBehindTheirOwners(t *testing.T) {
	for _, src := range sources(t) {
		for _, path := range imports(src.file) {
			for dep, pkgs := range owners {
				if (path == dep || strings.HasPrefix(path, dep+"/")) && !slices.Contains(pkgs, src.pkg) {
					t.Errorf("%s imports %s; only %v may", src.path, dep, pkgs)
				}
			}
		}
	}
}

func TestHalvesStayApart(t *testing.T) {
	within := func(pkg, tree string) bool { return pkg == tree || strings.HasPrefix(pkg, tree+"/") }
	for _, src := range sources(t) {
		for _, path := range imports(src.file) {
			pkg, ours := strings.CutPrefix(path, module+"/")
			for _, a := range apart {
				if ours && within(src.pkg, a[0]) && within(pkg, a[1]) {
					t.Errorf("%s imports %s: %s and %s stay apart", src.path, pkg, a[0], a[1])
				}
			}
		}
	}
}

func TestNothingGrowsTooLarge(t *testing.T) {
	for _, src := range sources(t) {
		tf := src.fset.File(src.file.Pos())
		if n := tf.LineCount(); n > maxFileLines {
			t.Errorf("%s has %d lines, more than %d", src.path, n, maxFileLines)
		}
		for _, decl := range src.file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := tf.Line(fn.End()) - tf.Line(fn.Pos()) + 1; n > maxFuncLines {
				t.Errorf("%s: func %s has %d lines, more than %d", src.path, fn.Name.Name, n, maxFuncLines)
			}
		}
	}
}

// Tests grow as well, and are read as often.
func TestNoTestFileGrowsTooLarge(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		b, err := os.ReadFile(path)
		if n := bytes.Count(b, []byte("\n")); n > maxFileLines {
			t.Errorf("%s has %d lines, more than %d", path, n, maxFileLines)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, src := range sources(t) {
		if src.file.Name.Name == "main" {
			continue
		}
		for _, decl := range src.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && d.Doc == nil {
					t.Errorf("%s: func %s has no doc comment", src.path, d.Name.Name)
				}
			case *ast.GenDecl:
				undocumented(t, src, d)
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}

func undocumented(t *testing.T, src source, d *ast.GenDecl) {
	t.Helper()
	for _, spec := range d.Specs {
		if s, ok := spec.(*ast.TypeSpec); ok && s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
			t.Errorf("%s: type %s has no doc comment", src.path, s.Name.Name)
		}
	}
}

func TestNoPackageHasAVagueName(t *testing.T) {
	for pkg := range floors {
		name := pkg[strings.LastIndex(pkg, "/")+1:]
		if slices.Contains([]string{"util", "utils", "common", "types", "manager", "helpers", "misc"}, name) {
			t.Errorf("package %s: the name says nothing", pkg)
		}
	}
}

// docs/architecture.md draws the house: every package with its floor, in lines
// such as "| 1 | relay/api | ...". The table and the map above are one.
func TestArchitectureDocIsTrue(t *testing.T) {
	f, err := os.Open("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	drawn := make(map[string]string)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		cells := strings.Split(lines.Text(), "|")
		if len(cells) >= 4 {
			drawn[strings.Trim(cells[2], " `")] = strings.TrimSpace(cells[1])
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for pkg, floor := range floors {
		if got := drawn[pkg]; got != fmt.Sprint(floor) {
			t.Errorf("docs/architecture.md: package %s is drawn on floor %q, want %d", pkg, got, floor)
		}
	}
}
