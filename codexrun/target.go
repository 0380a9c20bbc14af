package codexrun

import (
	"path/filepath"
	"runtime"
)

// target names the npm platform package of a system.
type target struct {
	pkg    string // @openai/codex-...
	triple string
	exe    string
}

func currentTarget() (target, bool) { return targetOf(runtime.GOOS, runtime.GOARCH) }

func targetOf(goos, goarch string) (target, bool) {
	arch := map[string][2]string{"amd64": {"x64", "x86_64"}, "arm64": {"arm64", "aarch64"}}[goarch]
	system := map[string][2]string{
		"linux":   {"linux", "unknown-linux-musl"},
		"android": {"linux", "unknown-linux-musl"},
		"darwin":  {"darwin", "apple-darwin"},
		"windows": {"win32", "pc-windows-msvc"},
	}[goos]
	if arch[0] == "" || system[0] == "" {
		return target{}, false
	}
	t := target{pkg: "codex-" + system[0] + "-" + arch[0], triple: arch[1] + "-" + system[1], exe: "codex"}
	if goos == "windows" {
		t.exe = "codex.exe"
	}
	return t, true
}

// candidates are where the native binary may be for the package @openai/codex
// in folder pkg, most likely first: in the platform package nested below it,
// beside it or in a node_modules further up (as Node resolves it), or, before
// there were platform packages, in the package itself.
func (t target) candidates(pkg string) []string {
	roots := []string{filepath.Join(pkg, "node_modules", "@openai", t.pkg)}
	for dir := filepath.Dir(pkg); ; dir = filepath.Dir(dir) {
		if filepath.Base(dir) != "node_modules" {
			roots = append(roots, filepath.Join(dir, "node_modules", "@openai", t.pkg))
		} else {
			roots = append(roots, filepath.Join(dir, "@openai", t.pkg))
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	roots = append(roots, pkg)
	var files []string
	for _, root := range roots {
		vendor := filepath.Join(root, "vendor", t.triple)
		files = append(files, filepath.Join(vendor, "bin", t.exe), filepath.Join(vendor, "codex", t.exe))
	}
	return append(files, filepath.Join(pkg, "bin", "codex-"+t.triple))
}
