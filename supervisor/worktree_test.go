package supervisor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"autoreview/supervisor/state"
)

// A snapshot that Git has removed meanwhile is taken again.
func TestASnapshotThatIsGoneIsTakenAgain(t *testing.T) {
	r := busy(t)
	s := isolated(t)
	place, err := s.workplace(t.Context(), claimFor(r.dir, state.Tree{Base: r.git("rev-parse", "HEAD"), Snapshot: strings.Repeat("1", 40)}))
	if err != nil {
		t.Fatal(err)
	}
	defer place.clean()
	if got := files(t, place.dir)["untracked"]; got != "false untracked\n" {
		t.Errorf("untracked: got %q", got)
	}
}

// Whatever an earlier life left of a worktree, the next removes it, and leaves
// the user's own worktrees alone, also one that is away.
func TestLeftoverWorktreesAreRemoved(t *testing.T) {
	r := busy(t)
	s := isolated(t)
	away := filepath.Join(t.TempDir(), "away")
	r.git("worktree", "add", "-q", away, "other")
	if err := os.Rename(away, away+"2"); err != nil {
		t.Fatal(err)
	}
	before := r.fingerprint()
	leave := func(spoil func(path string)) {
		place, err := s.workplace(t.Context(), claimFor(r.dir, state.Tree{}))
		if err != nil {
			t.Fatal(err)
		}
		spoil(place.dir)
	}
	leave(func(string) {})
	leave(func(path string) { _ = os.RemoveAll(path) })
	leave(func(path string) { _ = os.Remove(filepath.Join(path, ".git")) })
	leave(func(path string) { _ = os.Chmod(filepath.Join(path, "sub"), 0o500) })
	leave(func(path string) {
		// As Git leaves it when it is killed while it makes one.
		admin := strings.TrimPrefix(strings.TrimSpace(mustRead(t, filepath.Join(path, ".git"))), "gitdir: ")
		if err := os.WriteFile(filepath.Join(admin, "locked"), []byte("initializing"), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	leave(func(path string) {
		// As a full disk leaves it: from then on no command about worktrees works.
		admin := strings.TrimPrefix(strings.TrimSpace(mustRead(t, filepath.Join(path, ".git"))), "gitdir: ")
		if err := os.Truncate(filepath.Join(admin, "commondir"), 0); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := s.reserveWorktree(r.dir, 8); err != nil { // died before Git began
		t.Fatal(err)
	}
	if _, err := s.reserveWorktree(filepath.Join(t.TempDir(), "repository that is gone"), 8); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(s.worktrees(), "index-123"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.removeWorktrees(t.Context())
	checkEmpty(t, s)
	r.checkUntouched(before)
	if list := r.git("worktree", "list"); !strings.Contains(list, away) || strings.Contains(list, s.worktrees()) {
		t.Errorf("worktrees: got\n%s", list)
	}
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A supervisor that a Git hook started is not pointed to the hook's repository.
func TestGitEnv(t *testing.T) {
	got := gitEnv([]string{"PATH=/bin", "GIT_DIR=/x", "GIT_INDEX_FILE=/y", "GIT_WORK_TREE=/z", "GIT_CONFIG_GLOBAL=/c", "GIT_EXEC_PATH=/e"})
	want := []string{"PATH=/bin", "GIT_CONFIG_GLOBAL=/c", "GIT_EXEC_PATH=/e", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("gitEnv (-want +got):\n%s", diff)
	}
}
