// Package examples_test loads every example as strictly as the programs do.
package examples_test

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	relayconfig "autoreview/relay/config"
	"autoreview/supervisor/config"

	"github.com/tailscale/hujson"
)

func home(t *testing.T) func(string) string {
	t.Helper()
	dir := t.TempDir()
	return func(name string) string {
		if name == "HOME" {
			return dir
		}
		return ""
	}
}

func TestAutoreviewToml(t *testing.T) {
	for _, name := range []string{"autoreview.toml", "autoreview-minimal.toml"} {
		cfg, warnings, err := config.Load(name, home(t))
		if err != nil || len(warnings) > 0 {
			t.Errorf("Load(%s): got error %v and warnings %v, want none", name, err, warnings)
			continue
		}
		if got := cfg.Watches[0].Channel; got != "proj-x" {
			t.Errorf("%s: got channel %q, want proj-x", name, got)
		}
	}
}

var commentedKey = regexp.MustCompile(`(?m)^# ([a-z_]+ = .*)$`)

// What the example shows in comments is right as well, and it shows every key.
func TestAutoreviewTomlShowsEveryKey(t *testing.T) {
	src, err := os.ReadFile("autoreview.toml")
	if err != nil {
		t.Fatal(err)
	}
	text := commentedKey.ReplaceAllString(string(src), "$1")
	dir, env := t.TempDir(), home(t)
	write(t, filepath.Join(dir, "autoreview.toml"), text)
	write(t, filepath.Join(dir, "review.md.tmpl"), "{{.Channel}}")
	write(t, filepath.Join(env("HOME"), ".codex", "review.config.toml"), "")
	cfg, warnings, err := config.Load(filepath.Join(dir, "autoreview.toml"), env)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if len(warnings) != 1 || warnings[0].Key != "token_env" {
		t.Errorf("warnings: got %v, want one about the unset token", warnings)
	}
	for _, line := range strings.Split(config.Print(cfg), "\n") {
		key, _, ok := strings.Cut(strings.TrimPrefix(line, "# "), " ")
		if ok && !strings.HasPrefix(line, "# effective") && !regexp.MustCompile(`(?m)^`+key+` = `).MatchString(text) {
			t.Errorf("key %q: want it in the example", key)
		}
		if strings.HasSuffix(line, "is not set") {
			t.Errorf("%q: want a value in the example", line)
		}
	}
}

// Where the example says nothing else, it shows the default.
func TestAutoreviewTomlShowsDefaults(t *testing.T) {
	env := home(t)
	cfg, _, err := config.Load("autoreview.toml", env)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Limits = config.Limits{}
	cfg.Watches[0].CodexConfig, cfg.Watches[0].Limits, cfg.Watches[0].Retry = nil, config.Limits{}, nil
	shown := strings.Split(config.Print(cfg), "\n")
	cfg, _, err = config.Load("autoreview-minimal.toml", env)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range strings.Split(config.Print(cfg), "\n") {
		if !strings.HasPrefix(want, "state_dir") && !strings.HasPrefix(want, "# effective") && shown[i] != want {
			t.Errorf("default: got %q, want %q", shown[i], want)
		}
	}
}

// The documentation has a row for every key.
func TestConfigurationIsDocumented(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join("..", "docs", "configuration*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("pages: got %v and error %v, want some", pages, err)
	}
	var text strings.Builder
	for _, page := range pages {
		src, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(src)
	}
	cfg, _, err := config.Load("autoreview-minimal.toml", home(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(config.Print(cfg), "\n")[1:] {
		key, _, ok := strings.Cut(strings.TrimPrefix(line, "# "), " ")
		if ok && !regexp.MustCompile("(?m)^\\| (`[a-z_]+`, )?`"+key+"`(, `[a-z_]+`)? \\|").MatchString(text.String()) {
			t.Errorf("key %q: want a row in docs/configuration*.md", key)
		}
	}
}

func TestRelayToml(t *testing.T) {
	if _, err := os.Stat("relay.toml"); errors.Is(err, fs.ErrNotExist) {
		t.Skip("there is no relay.toml yet")
	}
	env := home(t)
	_, err := relayconfig.Load(relayconfig.Sources{Path: "relay.toml", Env: func(name string) (string, bool) {
		value := env(name)
		return value, value != ""
	}})
	if err != nil {
		t.Errorf("Load(relay.toml): %v", err)
	}
}

func TestBashLoopEnv(t *testing.T) {
	f, err := os.Open("bash-loop.env")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	vars, env := map[string]string{}, home(t)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok && !strings.HasPrefix(name, "#") {
			vars[name] = value
		}
	}
	cfg, _, err := config.FromEnv(func(name string) string {
		if value, ok := vars[name]; ok {
			return value
		}
		return env(name)
	}, t.TempDir())
	if err != nil || len(vars) != 6 || cfg.Watches[0].Channel != "proj-x" {
		t.Errorf("FromEnv: got %+v and error %v from %d variables, want channel proj-x from 6", cfg, err, len(vars))
	}
}

func TestVSCodeTask(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("vscode", "tasks.json"))
	if err != nil {
		t.Fatal(err)
	}
	if src, err = hujson.Standardize(src); err != nil {
		t.Fatalf("tasks.json: %v", err)
	}
	var file struct {
		Version string
		Tasks   []struct {
			Command      string
			Args         []string
			IsBackground bool
			RunOptions   struct{ RunOn string }
			Options      struct{ Env map[string]string }
		}
	}
	if err := json.Unmarshal(src, &file); err != nil || len(file.Tasks) != 1 {
		t.Fatalf("tasks.json: got %d tasks and error %v, want 1", len(file.Tasks), err)
	}
	task, env := file.Tasks[0], home(t)
	if task.Command != "autoreview" || !slices.Equal(task.Args, []string{"up", "--standby"}) ||
		!task.IsBackground || task.RunOptions.RunOn != "folderOpen" {
		t.Errorf("task: got %+v, want autoreview up --standby in the background at folderOpen", task)
	}
	if _, _, err := config.FromEnv(func(name string) string { return task.Options.Env[name] + env(name) }, t.TempDir()); err != nil {
		t.Errorf("FromEnv: %v", err)
	}
}

// A unit must start one of the two programs by an absolute path and restart it
// only when it failed: a clean end is somebody's wish.
func TestSystemdUnits(t *testing.T) {
	for _, name := range []string{"relay", "autoreview"} {
		src, err := os.ReadFile(filepath.Join("systemd", name+".service"))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"\nExecStart=%h/.local/bin/" + name + " ", "\nRestart=on-failure\n", "\nUMask=0077\n", "\n[Install]\n"} {
			if !strings.Contains(string(src), want) {
				t.Errorf("%s.service: want a line %q", name, strings.TrimSpace(want))
			}
		}
	}
}

func TestLaunchdPlist(t *testing.T) {
	f, err := os.Open(filepath.Join("launchd", "autoreview.plist"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var texts []string
	dec := xml.NewDecoder(f)
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("autoreview.plist: %v", err)
		}
		if s, ok := tok.(xml.CharData); ok && strings.TrimSpace(string(s)) != "" {
			texts = append(texts, string(s))
		}
	}
	for _, want := range []string{"ProgramArguments", "/usr/local/bin/autoreview", "up", "KeepAlive"} {
		if !slices.Contains(texts, want) {
			t.Errorf("autoreview.plist: got %q, want %q among them", texts, want)
		}
	}
}

// The command file grants exactly the relay's tools that it names.
func TestClaudeCommand(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("claude", "review-packet.md"))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(string(src), "---\n", 3)
	if len(parts) != 3 || parts[0] != "" {
		t.Fatalf("review-packet.md: want front matter between two lines of ---")
	}
	for _, tool := range []string{"mcp__relay__post_message", "mcp__relay__wait_for_messages"} {
		if !strings.Contains(parts[1], tool) || !strings.Contains(parts[2], "`"+tool+"`") {
			t.Errorf("%s: want it granted and used", tool)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
