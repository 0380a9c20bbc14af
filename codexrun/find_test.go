package codexrun_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/codexrun/codextest"
)

func TestFindSaysWhatToDoWithoutCodex(t *testing.T) {
	for _, name := range []string{"no-such-codex", "/no/such/codex"} {
		_, err := codexrun.Find(t.Context(), name)
		var missing *codexrun.FindError
		if !errors.As(err, &missing) {
			t.Fatalf("Find(%q): got %v, want a *FindError", name, err)
		}
		if missing.Class != codexrun.NoCodex || !strings.Contains(missing.Hint, "npm i -g @openai/codex") {
			t.Errorf("Find(%q): got class %s, hint %q", name, missing.Class, missing.Hint)
		}
		if !strings.Contains(missing.Text, name) {
			t.Errorf("Find(%q): got text %q, which does not name it", name, missing.Text)
		}
	}
}

func TestFindRefusesWhatIsNoCodex(t *testing.T) {
	dir := t.TempDir()
	for name, script := range map[string]string{"silent": "exit 0", "failing": "exit 3", "other": "echo git version 2"} {
		path := program(t, filepath.Join(dir, name), script)
		if bin, err := codexrun.Find(t.Context(), path); err == nil {
			t.Errorf("Find(%s): got %+v, want an error", name, bin)
		}
	}
}

// program writes a shell script.
func program(t testing.TB, path, script string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	writeFile(t, path, "#!/bin/sh\n"+script+"\n")
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindLooksInPath(t *testing.T) {
	dir := t.TempDir()
	program(t, filepath.Join(dir, "codex"), "echo WARNING: nothing >&2; echo note; echo codex-cli 0.150.2")
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	got, err := codexrun.Find(t.Context(), "")
	want := codexrun.Binary{Path: filepath.Join(dir, "codex"), Version: "0.150.2"}
	if err != nil || got != want {
		t.Errorf("Find: got %+v, %v, want %+v", got, err, want)
	}
}

// TestFindAsksOncePerFile: the version costs a process only when the file is
// another one.
func TestFindAsksOncePerFile(t *testing.T) {
	dir := t.TempDir()
	asked := filepath.Join(dir, "asked")
	script := "echo x >>" + asked + "; echo codex-cli 0.150.0"
	path := program(t, filepath.Join(dir, "codex"), script)
	for range 3 {
		if _, err := codexrun.Find(t.Context(), path); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, asked); n != 1 {
		t.Errorf("asked for the version: got %d times, want 1", n)
	}
	program(t, path, script+".1 # longer")
	bin, err := codexrun.Find(t.Context(), path)
	if err != nil || bin.Version != "0.150.0.1" {
		t.Errorf("Find after an update: got %+v, %v, want 0.150.0.1", bin, err)
	}
}

func count(t *testing.T, path string) int {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(data), "x")
}

func TestFindEndsWithItsContext(t *testing.T) {
	path := program(t, filepath.Join(t.TempDir(), "codex"), "exec sleep 60")
	cause := errors.New("no longer wanted")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
	if _, err := codexrun.Find(ctx, path); !errors.Is(err, cause) {
		t.Errorf("Find: got %v, want %v", err, cause)
	}
}

// TestFindSeesThroughTheWrapper: in each layout that npm and its like make, the
// native binary is found.
func TestFindSeesThroughTheWrapper(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the layouts are those of linux/x64")
	}
	const vendor = "vendor/x86_64-unknown-linux-musl/"
	tests := []struct{ name, script, native string }{
		{"sibling", "node_modules/@openai/codex/bin/codex.js", "node_modules/@openai/codex-linux-x64/" + vendor + "bin/codex"},
		{"nested", "lib/node_modules/@openai/codex/bin/codex.js", "lib/node_modules/@openai/codex/node_modules/@openai/codex-linux-x64/" + vendor + "bin/codex"},
		{"hoisted", "a/node_modules/@openai/codex/bin/codex.js", "node_modules/@openai/codex-linux-x64/" + vendor + "bin/codex"},
		{"0.120", "node_modules/@openai/codex/bin/codex.js", "node_modules/@openai/codex-linux-x64/" + vendor + "codex/codex"},
		{"in the package", "node_modules/@openai/codex/bin/codex.js", "node_modules/@openai/codex/" + vendor + "codex/codex"},
		{"before vendor", "node_modules/@openai/codex/bin/codex.js", "node_modules/@openai/codex/bin/codex-x86_64-unknown-linux-musl"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := realTemp(t)
			script := program(t, filepath.Join(dir, tt.script), "echo codex-cli 0.1.1")
			native := program(t, filepath.Join(dir, tt.native), "echo codex-cli 0.160.0")
			link := filepath.Join(dir, "codex")
			if err := os.Symlink(script, link); err != nil {
				t.Fatal(err)
			}
			got, err := codexrun.Find(t.Context(), link)
			if want := (codexrun.Binary{Path: native, Version: "0.160.0"}); err != nil || got != want {
				t.Errorf("Find: got %+v, %v, want %+v", got, err, want)
			}
			// A broken one leaves the wrapper.
			program(t, native, "exit 1")
			got, err = codexrun.Find(t.Context(), link)
			if want := (codexrun.Binary{Path: link, Version: "0.1.1"}); err != nil || got != want {
				t.Errorf("Find with a broken native binary: got %+v, %v, want %+v", got, err, want)
			}
		})
	}
}

func TestShimsLeadToTheWrapper(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the layout is that of linux/x64")
	}
	dir := realTemp(t)
	program(t, filepath.Join(dir, "node_modules/@openai/codex/bin/codex.js"), "true")
	native := program(t, filepath.Join(dir, "node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex"), "true")
	shims := map[string]string{
		`exec node  "$basedir/../@openai/codex/bin/codex.js" "$@"`:                          native,
		`"%_prog%"  "%dp0%\..\@openai\codex\bin\codex.js" %*`:                               native,
		fmt.Sprintf(`FOO=1 exec node %s/node_modules/@openai/codex/bin/codex.js "$@"`, dir): "", // the user's own
		`echo hello`: "",
	}
	for script, want := range shims {
		path := program(t, filepath.Join(dir, "node_modules", ".bin", "codex"), script)
		if got := codexrun.NativeBinary(path); got != want {
			t.Errorf("native binary behind %q: got %q, want %q", script, got, want)
		}
	}
}

func TestVersions(t *testing.T) {
	tests := []struct {
		version         string
		supported, fork bool
	}{
		{"0.98.0", false, false},
		{"0.119.9", false, false},
		{"0.120.0", true, false},
		{"0.145.0", true, false},
		{"0.150.0-alpha.3", true, true},
		{"0.169.0", true, true},
		{"1.0.0", true, true},
		{"0.0.0", true, true}, // built from source
		{"", false, false},
		{"nonsense", false, false},
	}
	for _, tt := range tests {
		bin := codexrun.Binary{Version: tt.version}
		if bin.Supported() != tt.supported || bin.Capabilities().Fork != tt.fork {
			t.Errorf("version %q: got supported %v, fork %v, want %v, %v",
				tt.version, bin.Supported(), bin.Capabilities().Fork, tt.supported, tt.fork)
		}
	}
}

func TestFindTakesTheFakeForACodex(t *testing.T) {
	fake := codextest.Fake(t)
	got, err := codexrun.Find(t.Context(), fake.Path)
	if err != nil || got != fake {
		t.Errorf("Find: got %+v, %v, want %+v", got, err, fake)
	}
}
