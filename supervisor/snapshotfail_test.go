package supervisor

import (
	"os"
	"path/filepath"
	"testing"
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
