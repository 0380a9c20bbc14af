//go:build unix

package chaos_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// repo is the repository of the watch that isolates: two commits, and what its
// author has not committed yet.
type repo struct {
	t       *testing.T
	dir     string
	commits []string // the first is the older
	before  []string // see books
}

func newRepo(t *testing.T, dir string) *repo {
	t.Helper()
	r := &repo{t: t, dir: dir}
	r.git("init", "-q", "-b", "main")
	for _, text := range []string{"first\n", "second\n"} {
		r.write("file", text)
		r.git("add", ".")
		r.git("-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-q", "-m", strings.TrimSpace(text))
		r.commits = append(r.commits, r.git("rev-parse", "HEAD"))
	}
	r.write("staged", "staged\n")
	r.git("add", "staged")
	r.write("file", "not committed\n")
	r.write("untracked", "untracked\n")
	r.git("status")
	r.before = r.books()
	return r
}

func (r *repo) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repo) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", r.dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// books are what reviews must leave as it is: the index to the byte, branches
// and stash, files, and the one worktree.
func (r *repo) books() []string {
	r.t.Helper()
	index, err := os.ReadFile(filepath.Join(r.dir, ".git", "index"))
	if err != nil {
		r.t.Fatal(err)
	}
	sum := sha256.Sum256(index)
	return []string{
		"index " + hex.EncodeToString(sum[:]), "HEAD " + r.git("symbolic-ref", "HEAD"),
		"refs " + r.git("for-each-ref"), "status " + r.git("status", "--porcelain"),
		"diff " + r.git("diff", "HEAD"), "worktrees " + r.git("worktree", "list", "--porcelain"),
	}
}

// audit holds that nothing has changed and nothing was left.
func (r *repo) audit() {
	r.t.Helper()
	after := r.books()
	for i, was := range r.before {
		if after[i] != was {
			r.t.Errorf("the repository: was %q, is %q", was, after[i])
		}
	}
	entries, _ := os.ReadDir(filepath.Join(r.dir, ".git", "worktrees"))
	locks, _ := filepath.Glob(filepath.Join(r.dir, ".git", "*.lock"))
	if len(entries) > 0 || len(locks) > 0 {
		r.t.Errorf("left in the repository: worktrees %v, locks %v", entries, locks)
	}
	// What no branch knows of is dangling, which is no fault.
	broken := slices.DeleteFunc(strings.Split(r.git("fsck", "--full"), "\n"), func(line string) bool {
		return line == "" || strings.HasPrefix(line, "dangling ") || strings.HasPrefix(line, "Checking ")
	})
	if len(broken) > 0 {
		r.t.Errorf("the repository is broken: %v", broken)
	}
}
