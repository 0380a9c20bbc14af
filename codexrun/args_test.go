package codexrun_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	threadID = "01a205c0-a69e-7163-ad62-3e537adf6728"
	newest   = "0.169.0"
)

// TestArgs holds the whole command line for each way to launch, one argument a
// line.
func TestArgs(t *testing.T) {
	mcp := &codexrun.MCPServer{
		Name: "autoreview_relay", URL: "http://127.0.0.1:18080/mcp", TokenEnv: "RELAY_TOKEN",
		HeaderEnv: map[string]string{"X-Relay-Job": "AUTOREVIEW_JOB", "X-B": "B_VALUE"},
		Tools:     []string{"post_message", "fetch_messages"}, ToolTimeout: 1500 * time.Millisecond,
	}
	tests := []struct {
		name   string
		change func(*codexrun.Spec)
	}{
		{"default", func(*codexrun.Spec) {}},
		{"schema", func(s *codexrun.Spec) { s.Schema = []byte(`{}`) }},
		{"resume", func(s *codexrun.Spec) { s.Resume, s.Sandbox, s.Model = threadID, codexrun.WorkspaceWrite, "gpt-5" }},
		{"fork", func(s *codexrun.Spec) { s.Fork = threadID }},
		{"network", func(s *codexrun.Spec) { s.Sandbox, s.Network = codexrun.WorkspaceWrite, true }},
		{"danger", func(s *codexrun.Spec) { s.Sandbox = codexrun.DangerFullAccess }},
		{"bypass", func(s *codexrun.Spec) { s.Sandbox, s.Plugins, s.UseProjectConfig = codexrun.Bypass, true, true }},
		{"mcp", func(s *codexrun.Spec) { s.MCP = mcp }},
		{"profile", func(s *codexrun.Spec) { s.Profile = "there" }},
		{"config", func(s *codexrun.Spec) {
			s.ExtraArgs = []string{"--add-dir", "/opt/x y"}
			s.Config = map[string]any{
				"model_reasoning_effort": "high", "model_providers.x.stream_max_retries": 3,
				"model_providers": map[string]any{"x": map[string]any{"name": `a "b"`}},
				"tui":             map[string]any{"list": []any{1, "two", true}, "with space": 1.5},
				"projects":        map[string]any{"/else": map[string]any{"trust_level": "trusted"}},
				"features":        map[string]any{"plugins": true},
			}
		}},
		{"config-and-mcp", func(s *codexrun.Spec) {
			s.MCP = mcp
			s.Config = map[string]any{
				"mcp_servers":              map[string]any{"docs": map[string]any{"command": "docs"}},
				"shell_environment_policy": map[string]any{"exclude": []any{"AWS_*"}, "set": map[string]any{"RELAY_TOKEN": "no", "CI": "1"}},
				"features.shell_snapshot":  true,
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := newSpec(t)
			tt.change(&spec)
			args, err := codexrun.Args(spec)
			if err != nil {
				t.Fatalf("Args: %v", err)
			}
			got := strings.NewReplacer(spec.RunDir, "RUN", spec.Dir, "DIR").Replace(strings.Join(args, "\n")) + "\n"
			golden(t, filepath.Join("testdata", "args", tt.name+".txt"), got)
			flagsComeFirst(t, args)
		})
	}
}

func newSpec(t *testing.T) codexrun.Spec {
	t.Helper()
	home := t.TempDir()
	writeFile(t, filepath.Join(home, "there.config.toml"), "")
	dir := realTemp(t)
	writeFile(t, filepath.Join(dir, ".git", "HEAD"), "") // a repository, whatever is above it
	return codexrun.Spec{
		Binary: codexrun.Binary{Path: "/bin/codex", Version: newest},
		Dir:    dir, RunDir: t.TempDir(), Env: []string{"CODEX_HOME=" + home},
	}
}

// realTemp is a temporary folder by its real path.
func realTemp(t testing.TB) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		writeFile(t, path, got)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("reading the golden file (-update writes it): %v", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// flagsComeFirst: after resume, Codex refuses most flags.
func flagsComeFirst(t *testing.T, args []string) {
	t.Helper()
	i := max(slices.Index(args, "resume"), slices.Index(args, "fork"))
	if i < 0 {
		i = len(args) - 1
	}
	if rest := args[i:]; len(rest) != 1 && len(rest) != 3 || rest[len(rest)-1] != "-" {
		t.Errorf("end of the command line: got %q, want the subcommand, its id and -", rest)
	}
}

func TestArgsRefuses(t *testing.T) {
	tests := []struct {
		name, words string
		change      func(*codexrun.Spec)
	}{
		{"relative dir", "not absolute", func(s *codexrun.Spec) { s.Dir = "x" }},
		{"unknown sandbox", "unknown sandbox", func(s *codexrun.Spec) { s.Sandbox = "full-auto" }},
		{"network and read-only", "workspace-write", func(s *codexrun.Spec) { s.Network = true }},
		{"name for a thread", "not a UUID", func(s *codexrun.Spec) { s.Resume = "my-thread" }},
		{"resume and fork", "not both", func(s *codexrun.Spec) { s.Resume, s.Fork = threadID, threadID }},
		{"fork in an old version", "cannot fork", func(s *codexrun.Spec) { s.Fork, s.Binary.Version = threadID, "0.145.0" }},
		{"missing profile", "profile \"gone\"", func(s *codexrun.Spec) { s.Profile = "gone" }},
		{"profile with a path", "profile name", func(s *codexrun.Spec) { s.Profile = "../there" }},
		{"end of flags", "--", func(s *codexrun.Spec) { s.ExtraArgs = []string{"--"} }},
		{"null", "no null", func(s *codexrun.Spec) { s.Config = map[string]any{"a": nil} }},
		{"key with a quote", "config key", func(s *codexrun.Spec) { s.Config = map[string]any{`a."b.c"`: 1} }},
		{"key given twice", "given twice", func(s *codexrun.Spec) {
			s.Config = map[string]any{"a.b": 1, "a": map[string]any{"b": 2}}
		}},
		{"server name with a dot", "MCP server name", func(s *codexrun.Spec) { s.MCP = &codexrun.MCPServer{Name: "a.b"} }},
		{"schema without a folder", "folder", func(s *codexrun.Spec) { s.Schema, s.RunDir = []byte(`{}`), "" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := newSpec(t)
			tt.change(&spec)
			args, err := codexrun.Args(spec)
			if err == nil || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("Args: got %q, %v, want an error with %q", args, err, tt.words)
			}
		})
	}
}

func TestOldProfilesAreTables(t *testing.T) {
	spec := newSpec(t)
	spec.Profile, spec.Binary.Version = "old", "0.120.0"
	home := strings.TrimPrefix(spec.Env[0], "CODEX_HOME=")
	writeFile(t, filepath.Join(home, "config.toml"), "[profiles.older]\n[profiles.old]\nmodel = \"x\"\n")
	if _, err := codexrun.Args(spec); err != nil {
		t.Errorf("Args with a profile table: %v", err)
	}
	spec.Binary.Version = newest
	if _, err := codexrun.Args(spec); err == nil {
		t.Errorf("Args with a profile table on %s: got no error", newest)
	}
}

// TestArgsLeavesTheConfigAlone: one watch's config serves many runs.
func TestArgsLeavesTheConfigAlone(t *testing.T) {
	spec := newSpec(t)
	spec.MCP = &codexrun.MCPServer{Name: "r", TokenEnv: "T"}
	spec.Config = map[string]any{"features": map[string]any{"x": true}, "shell_environment_policy": map[string]any{"set": map[string]any{"A": "1"}}}
	if _, err := codexrun.Args(spec); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"features": map[string]any{"x": true}, "shell_environment_policy": map[string]any{"set": map[string]any{"A": "1"}}}
	if diff := cmp.Diff(want, spec.Config); diff != "" {
		t.Errorf("config after Args (-want +got):\n%s", diff)
	}
}

// TestTrustKeys: every name by which Codex may trust a project is one of the
// keys.
func TestTrustKeys(t *testing.T) {
	base := realTemp(t)
	repo, tree, link := filepath.Join(base, "repo"), filepath.Join(base, "tree"), filepath.Join(base, "link")
	writeFile(t, filepath.Join(repo, "sub", "deep", "file"), "x")
	git(t, repo, "init", "-q")
	git(t, repo, "add", ".")
	git(t, repo, "commit", "-q", "-m", "first")
	git(t, repo, "worktree", "add", "-q", tree)
	if err := os.Symlink(repo, link); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		dir  string
		want []string
	}{
		{repo, []string{repo}},
		{filepath.Join(repo, "sub", "deep"), []string{repo, repo + "/sub", repo + "/sub/deep"}},
		{filepath.Join(tree, "sub"), []string{repo, tree, tree + "/sub"}},
		{filepath.Join(link, "sub"), []string{link, link + "/sub", repo, repo + "/sub"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, codexrun.TrustKeys(tt.dir)); diff != "" {
			t.Errorf("TrustKeys(%s) (-want +got):\n%s", tt.dir, diff)
		}
	}
}

func git(t testing.TB, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}
