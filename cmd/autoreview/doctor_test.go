//go:build unix

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"autoreview/codexrun/codextest"
	"autoreview/supervisor/doctor"
)

// The whole command with the real Codex: a proof without an account and without
// a relay, its exit code, and its row in the list of results.
func TestDoctorProvesOffline(t *testing.T) {
	bin := codextest.Real(t)
	dir := t.TempDir()
	t.Setenv("HOME", filepath.Join(dir, "home"))
	t.Setenv("CODEX_HOME", "")
	t.Setenv("XDG_STATE_HOME", "")
	path := filepath.Join(dir, "autoreview.toml")
	text := "codex_bin = \"" + bin.Path + "\"\nrelay = \"" + freeAddress() + "\"\n[[watch]]\nchannel = \"proj-x\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, talk strings.Builder
	code := run(t.Context(), []string{"doctor", "--config", path, "--prove", "--offline", "--json", "config"}, &out, &talk)
	var results []doctor.Result
	if err := json.Unmarshal([]byte(out.String()), &results); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), talk.String())
	}
	if code != 0 || len(results) != 2 || results[1].Name != "proof" || len(results[1].Hops) != 7 {
		t.Errorf("got exit code %d and %+v, want 0 and a proof of seven hops", code, results)
	}
	if !strings.Contains(talk.String(), "a scripted model") {
		t.Errorf("it did not say what it waits for: %q", talk.String())
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("the proof left %v beside the configuration (%v)", left, err)
	}
}

// A supervisor says in its state folder which configuration it goes by: only
// with it another one can be told that both watch one channel.
func TestOwnerNamesItsConfiguration(t *testing.T) {
	dir := t.TempDir()
	release, err := lockState(t.Context(), dir, "/repo/autoreview.toml", insist, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(configFile(dir))
	if err != nil || string(b) != "/repo/autoreview.toml\n" {
		t.Errorf("the configuration of the owner: got %q, %v", b, err)
	}
	release()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "lock" {
		t.Errorf("after the release: got %v, %v, want the lock alone", left, err)
	}
}
