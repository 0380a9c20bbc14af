package repository_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"autoreview/supervisor/repository"
)

// What is left of an entry does not matter: it goes, and Git works again. What
// leads to another worktree stays.
func TestForgetWorktree(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, entry string){
		"whole":             func(*testing.T, string) {},
		"no common folder":  func(t *testing.T, entry string) { truncate(t, filepath.Join(entry, "commondir")) },
		"no HEAD":           func(t *testing.T, entry string) { truncate(t, filepath.Join(entry, "HEAD")) },
		"no way to it":      func(t *testing.T, entry string) { truncate(t, filepath.Join(entry, "gitdir")) },
		"locked while made": func(t *testing.T, entry string) { write(t, filepath.Join(entry, "locked"), "initializing") },
		"removed but for some": func(t *testing.T, entry string) {
			remove(t, filepath.Join(entry, "gitdir"), filepath.Join(entry, "commondir"))
		},
		"never there": func(t *testing.T, entry string) { remove(t, entry) },
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			git := func(args ...string) string {
				t.Helper()
				out, err := exec.Command("git", append([]string{"-C", filepath.Join(base, "repo")}, args...)...).CombinedOutput()
				if err != nil {
					t.Fatalf("git %v: %v\n%s", args, err, out)
				}
				return string(out)
			}
			if err := os.Mkdir(filepath.Join(base, "repo"), 0o700); err != nil {
				t.Fatal(err)
			}
			git("init", "-q")
			git("-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-q", "--allow-empty", "-m", "first")
			git("worktree", "add", "-q", "--detach", "../users")
			git("worktree", "add", "-q", "--detach", "../ours/name")
			path := filepath.Join(base, "ours", "name")
			spoil(t, filepath.Join(base, "repo", ".git", "worktrees", "name"))
			remove(t, path)
			// Also when it is asked from another worktree, and twice.
			for _, from := range []string{"users", "repo"} {
				if err := repository.ForgetWorktree(filepath.Join(base, from), path); err != nil {
					t.Fatalf("ForgetWorktree from %s: %v", from, err)
				}
			}
			if list := git("worktree", "list"); strings.Contains(list, "name") || !strings.Contains(list, "users") {
				t.Errorf("worktrees:\n%s", list)
			}
			if err := repository.ForgetWorktree(filepath.Join(base, "repo"), filepath.Join(base, "elsewhere", "users")); err != nil {
				t.Fatal(err)
			}
			if list := git("worktree", "list"); !strings.Contains(list, "users") {
				t.Errorf("another worktree of that name was forgotten:\n%s", list)
			}
		})
	}
	if err := repository.ForgetWorktree(t.TempDir(), "/anywhere/name"); err != nil {
		t.Errorf("where there is no repository: %v", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string) { write(t, path, "") }

func remove(t *testing.T, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if err := os.RemoveAll(p); err != nil {
			t.Fatal(err)
		}
	}
}
