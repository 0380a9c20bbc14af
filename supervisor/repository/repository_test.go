package repository_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"autoreview/supervisor/repository"
)

// Root agrees with Git.
func TestRoot(t *testing.T) {
	base := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("git", append([]string{"-C", base}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	folder := func(names ...string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(append([]string{base}, names...)...), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "-q", "repo")
	git("-C", "repo", "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-q", "--allow-empty", "-m", "first")
	git("-C", "repo", "worktree", "add", "-q", "../tree")
	folder("repo", "a", "b")
	folder("repo", "empty", ".git")
	folder("tree", "sub")
	folder("outside", ".git")
	for dir, want := range map[string]string{
		"repo": "repo", "repo/a/b": "repo", "repo/empty": "repo", "tree/sub": "tree", "outside": "", "repo/is/not/there": "repo",
	} {
		if want != "" {
			want = filepath.Join(base, want)
		}
		if got := repository.Root(filepath.Join(base, filepath.FromSlash(dir))); got != want {
			t.Errorf("%s: got %q, want %q", dir, got, want)
		}
	}
}
