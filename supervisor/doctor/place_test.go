//go:build unix

package doctor_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"autoreview/relay/relaytest"
	"autoreview/supervisor/doctor"
)

// place is a machine for an examination: a home, a repository with a
// configuration, and programs in PATH.
type place struct {
	t                      *testing.T
	home, repo, codex, bin string
	vars                   map[string]string
	env                    doctor.Environment
}

// newPlace is a place where everything is there and nothing is wrong, except
// that no relay is running. Its codex is a script.
func newPlace(t *testing.T) *place {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &place{
		t: t, home: filepath.Join(root, "home"), repo: filepath.Join(root, "repo"),
		codex: filepath.Join(root, "home", ".codex"), bin: filepath.Join(root, "bin"), vars: make(map[string]string),
	}
	for _, dir := range []string{p.home, p.repo, p.codex, p.bin} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.set("HOME", p.home)
	p.set("PATH", p.bin+":"+os.Getenv("PATH"))
	for _, name := range []string{"CODEX_HOME", "CODEX_API_KEY", "OPENAI_API_KEY", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "TERM_PROGRAM", "BASE_URL", "TARGET"} {
		p.set(name, "")
	}
	p.git("init", "--quiet")
	p.write("repo/autoreview.toml", "codex_bin = %q\nrelay = \"http://127.0.0.1:1\"\n\n[[watch]]\nchannel = \"proj-x\"\n", filepath.Join(p.bin, "codex"))
	p.fakeCodex("0.169.0", "")
	p.script("claude", `echo "2.1.197 (Claude Code)"`)
	p.env = doctor.Environment{
		Dir: p.repo, ConfigPath: filepath.Join(p.repo, "autoreview.toml"), Version: "dev",
		Getenv:    func(name string) string { return p.vars[name] },
		RelayData: filepath.Join(p.home, "relay-data"),
	}
	return p
}

// set sets a variable, for the examination and for the programs it starts.
func (p *place) set(name, value string) {
	p.t.Helper()
	p.vars[name] = value
	p.t.Setenv(name, value)
}

func (p *place) path(name string) string { return filepath.Join(filepath.Dir(p.home), name) }

// write writes a file, with its folders. name begins with home/, repo/ or bin/.
func (p *place) write(name, format string, args ...any) {
	p.t.Helper()
	path := p.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// add adds lines to the beginning of the configuration.
func (p *place) add(lines string) {
	p.t.Helper()
	old, err := os.ReadFile(p.env.ConfigPath)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write("repo/autoreview.toml", "%s\n%s", lines, old)
}

// watch adds lines to the watch.
func (p *place) watch(lines string) {
	p.t.Helper()
	old, err := os.ReadFile(p.env.ConfigPath)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write("repo/autoreview.toml", "%s%s\n", old, lines)
}

func (p *place) git(args ...string) {
	p.t.Helper()
	if out, err := exec.Command("git", append([]string{"-C", p.repo}, args...)...).CombinedOutput(); err != nil {
		p.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// script puts a program into PATH.
func (p *place) script(name, body string) {
	p.t.Helper()
	p.write("bin/"+name, "#!/bin/sh\n%s\n", body)
	if err := os.Chmod(p.path("bin/"+name), 0o700); err != nil {
		p.t.Fatal(err)
	}
}

// fakeCodex is a codex that answers as the real one does to what the doctor
// asks. cases are further cases of the shell, which come first.
func (p *place) fakeCodex(version, cases string) {
	p.t.Helper()
	p.script("codex", `case "$*" in
`+cases+`
--version) echo "codex-cli `+version+`" ;;
"login status") echo "Logged in using ChatGPT" >&2 ;;
"mcp list --json") echo "[]" ;;
"sandbox --help") echo "Usage: codex sandbox [OPTIONS] [COMMAND]..." ;;
"sandbox -- "*) shift 2; exec "$@" ;;
*) echo "error: unexpected argument: $*" >&2; exit 2 ;;
esac`)
}

// relay starts a relay and leads the configuration to it.
func (p *place) relay() *relaytest.Relay {
	p.t.Helper()
	r := relaytest.Start(p.t)
	p.env.RelayData = r.Config.Data
	p.relayAt(r.URL)
	return r
}

func (p *place) relayAt(url string) {
	p.t.Helper()
	old, err := os.ReadFile(p.env.ConfigPath)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write("repo/autoreview.toml", "%s", strings.ReplaceAll(string(old), "http://127.0.0.1:1", url))
}

// examine runs one check; the zero Result says that it was left out.
func (p *place) examine(name string) doctor.Result {
	p.t.Helper()
	r, err := doctor.Examine(p.t.Context(), p.env, name)
	if err != nil {
		p.t.Fatal(err)
	}
	if len(r.Results) == 0 {
		if len(r.LeftOut) != 1 || r.LeftOut[0] != name {
			p.t.Fatalf("Examine(%s): got no result and left out %v", name, r.LeftOut)
		}
		return doctor.Result{}
	}
	return r.Results[0]
}

// want holds a result against a status and words that it has to say somewhere.
func want(t *testing.T, got doctor.Result, status doctor.Status, words ...string) {
	t.Helper()
	all := strings.Join([]string{got.Detail, got.Cause, got.Fix}, "\n")
	if got.Status != status {
		t.Errorf("%s: got %q, want %q\n%s", got.Name, got.Status, status, all)
	}
	for _, w := range words {
		if !strings.Contains(all, w) {
			t.Errorf("%s: does not say %q:\n%s", got.Name, w, all)
		}
	}
	if status == doctor.Warn || status == doctor.Fail {
		if got.Cause == "" || got.Fix == "" {
			t.Errorf("%s: got cause %q and fix %q, want both", got.Name, got.Cause, got.Fix)
		}
	}
}
