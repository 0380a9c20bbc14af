package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"autoreview/supervisor/config"

	"github.com/google/go-cmp/cmp"
)

const thread = "0199c0de-0000-7000-8000-00000000000a"

// The bash loop's variables alone give the loop's watch.
func TestLoopEnvironment(t *testing.T) {
	cwd := t.TempDir()
	env := environ(t, "BASE_URL", "http://127.0.0.1:9000/", "TARGET", "proj-y", "INTERVAL", "15",
		"LASTFILE", ".codex/x.last_id", "SESSION_ID", thread, "WATCH_SENDER", "opus")
	cfg, warnings, err := config.FromEnv(env, cwd)
	if err != nil {
		t.Fatalf("FromEnv: %v", err)
	}
	want := config.Config{
		Relay: "http://127.0.0.1:9000", StateDir: cfg.StateDir, CodexBin: "codex", Workers: 2, Grace: 5 * time.Second,
		LastFile: filepath.Join(cwd, ".codex", "x.last_id"), PollInterval: 15 * time.Second,
		RunsKeepDays: 30, RunsKeepMB: 1024,
		Watches: []config.Watch{{
			Name: "proj-y", Channel: "proj-y", Senders: []string{"opus"}, ReplyAs: "codex", Workdir: cwd,
			Sandbox: "read-only", Session: config.Session{Mode: config.SessionResume, ID: thread},
			Deliver: config.DeliverSupervisor, Timeout: 30 * time.Minute, IdleTimeout: 15 * time.Minute,
			Start: config.Start{Mode: config.StartUnanswered},
		}},
	}
	if diff := cmp.Diff(want, cfg); diff != "" {
		t.Errorf("FromEnv (-want +got):\n%s", diff)
	}
	got := make([]string, len(warnings))
	for i, w := range warnings {
		got[i] = w.String()
	}
	text := strings.Join(got, "\n")
	for _, want := range []string{"INTERVAL: is used only with the original Python server", `sandbox = "bypass"`} {
		if strings.Count(text, want) != 1 {
			t.Errorf("warnings: got %q, want %q once", text, want)
		}
	}
}

func TestLoopDefaults(t *testing.T) {
	cwd := t.TempDir()
	cfg, _, err := config.FromEnv(environ(t), cwd)
	if err != nil {
		t.Fatalf("FromEnv: %v", err)
	}
	w := cfg.Watches[0]
	got := []any{cfg.Relay, w.Channel, w.Senders[0], cfg.PollInterval, cfg.LastFile, w.Session.Mode}
	want := []any{"http://127.0.0.1:8010", "proj-x", "claude", 20 * time.Second, "", config.SessionFresh}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	// The loop's file is taken over only where the loop has left one.
	last := filepath.Join(cwd, ".codex", "auto-loop.last_id")
	if err := os.MkdirAll(filepath.Dir(last), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(last, []byte("41\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err = config.FromEnv(environ(t), cwd)
	if err != nil || cfg.LastFile != last {
		t.Errorf("LastFile: got %q and error %v, want %q", cfg.LastFile, err, last)
	}
}

func TestLoopProblems(t *testing.T) {
	tests := []struct{ name, value, want string }{
		{"SESSION_ID", "abc123", "SESSION_ID: want a Codex thread id"},
		{"INTERVAL", "20s", "INTERVAL: want a whole number of seconds"},
		{"INTERVAL", "0", "INTERVAL: want a whole number of seconds"},
		{"INTERVAL", "-5", "INTERVAL: want a whole number of seconds"},
		{"INTERVAL", "99999999999999999999", "INTERVAL: want a whole number of seconds"},
		{"BASE_URL", "localhost", "BASE_URL: want an address"},
		{"TARGET", "a\nb", "TARGET: want no control characters"},
		{"WATCH_SENDER", "codex", "WATCH_SENDER: reviews are posted as \"codex\""},
		{"LASTFILE", "~bob/x", "LASTFILE: want a path below ~/"},
		{"LASTFILE", ".", "LASTFILE: want a file, and this is a folder"},
		{"HOME", "", "HOME: is not set"},
	}
	for _, test := range tests {
		_, _, err := config.FromEnv(environ(t, test.name, test.value), t.TempDir())
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s=%q: got error %v, want one problem %q", test.name, test.value, err, test.want)
		}
	}
	// All at once, too.
	_, _, err := config.FromEnv(environ(t, "SESSION_ID", "x", "INTERVAL", "y"), t.TempDir())
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two problems: got error %v, want two lines", err)
	}
}

// Two loops in one folder, each with a channel of its own, are two supervisors.
func TestStateDirOfEnvironment(t *testing.T) {
	cwd, env := t.TempDir(), environ(t, "HOME", t.TempDir())
	a, _, errA := config.FromEnv(env, cwd)
	home := env("HOME")
	b, _, errB := config.FromEnv(environ(t, "HOME", home, "TARGET", "other"), cwd)
	again, _, errAgain := config.FromEnv(environ(t, "HOME", home, "INTERVAL", "5"), cwd)
	if errA != nil || errB != nil || errAgain != nil {
		t.Fatalf("FromEnv: %v, %v, %v", errA, errB, errAgain)
	}
	if a.StateDir == b.StateDir {
		t.Errorf("StateDir: got %q for two channels", a.StateDir)
	}
	if a.StateDir != again.StateDir {
		t.Errorf("StateDir: got %q after a change of INTERVAL, want %q", again.StateDir, a.StateDir)
	}
}
