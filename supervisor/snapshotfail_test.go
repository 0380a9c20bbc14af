package supervisor

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"autoreview/supervisor/state"
)

// A snapshot that fails half way leaves no copy of the index: the supervisor may
// go on for weeks before it looks for what an earlier life has left.
func TestASnapshotThatFailsLeavesNothing(t *testing.T) {
	r := newRepo(t)
	s := isolated(t)
	r.write("file", "one\n")
	index := filepath.Join(r.dir, ".git", "index")
	if err := os.Mkdir(index, 0o700); err != nil { // which cannot be read
		t.Fatal(err)
	}
	if _, err := s.snapshot(t.Context(), r.dir, ""); err == nil {
		t.Error("got a snapshot, want an error")
	}
	checkEmpty(t, s)
}

// A supervisor that is told to stop while it removes a worktree leaves it to the
// next one: what the repository knows of it must not be forgotten.
func TestAStopWhileAWorktreeIsRemoved(t *testing.T) {
	r := newRepo(t)
	s := isolated(t)
	r.write("file", "one\n")
	r.git("add", ".")
	r.git("commit", "-q", "-m", "first")
	if _, err := s.workplace(t.Context(), claimFor(r.dir, state.Tree{})); err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	s.removeWorktrees(stopped)
	s.removeWorktrees(t.Context())
	checkEmpty(t, s)
	if list := r.git("worktree", "list"); strings.Contains(list, s.worktrees()) {
		t.Errorf("worktrees: got\n%s", list)
	}
}
