package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// One that has the lock and no control socket is starting, ending or stuck.
func TestAskWhatDoesNotAnswer(t *testing.T) {
	dir := t.TempDir()
	path, state := filepath.Join(dir, "autoreview.toml"), filepath.Join(dir, "state")
	text := fmt.Sprintf("state_dir = %q\n[[watch]]\nchannel = \"proj-x\"\n", state)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	release, err := lockState(t.Context(), state, path, insist, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	var out, talk strings.Builder
	code := run(t.Context(), []string{"pause", "--config", path}, &out, &talk)
	want := fmt.Sprintf("autoreview: error: another autoreview (pid %d) has this configuration and does not answer\nautoreview: hint: it may be starting or ending: ", os.Getpid())
	if code != 1 || !strings.HasPrefix(talk.String(), want) {
		t.Errorf("got exit code %d and %q, want 1 and %q", code, talk.String(), want)
	}
}
