package supervisor

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
	"autoreview/supervisor/state/sqlite"
)

// repo is a repository of a user who is in the middle of something.
type repo struct {
	t   *testing.T
	dir string
}

func newRepo(t *testing.T) repo {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatalf("git is needed: %v", err)
	}
	r := repo{t, filepath.Join(t.TempDir(), "repo")}
	r.must(exec.Command("git", "init", "-q", "-b", "main", r.dir))
	r.git("config", "user.name", "User")
	r.git("config", "user.email", "user@example.com")
	return r
}

func (r repo) must(cmd *exec.Cmd) string {
	r.t.Helper()
	cmd.Env = append(gitEnv(os.Environ()), "GIT_CONFIG_GLOBAL="+os.DevNull)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r repo) git(args ...string) string {
	r.t.Helper()
	return r.must(exec.Command("git", append([]string{"-C", r.dir}, args...)...))
}

func (r repo) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// busy makes a repository with a bit of everything that is not committed.
func busy(t *testing.T) repo {
	r := newRepo(t)
	for _, name := range []string{"changed", "staged", "both", "deleted", "removed", "sub/dir/file", "mode", "hidden", "kept"} {
		r.write(name, name+" as committed\n")
	}
	r.write(".gitignore", "ignored\nbuild/\n")
	r.git("add", ".")
	r.git("commit", "-q", "-m", "first")
	r.git("branch", "other")
	r.write("kept", "stashed\n")
	r.git("stash", "-q")
	r.git("update-index", "--assume-unchanged", "hidden")
	r.write("changed", "changed\n")
	r.write("staged", "staged\n")
	r.git("add", "staged")
	r.write("both", "in the index\n")
	r.git("add", "both")
	r.write("both", "in the tree\n")
	r.git("rm", "-q", "removed")
	r.write("new staged", "new and staged\n")
	r.git("add", "new staged")
	r.write("untracked", "untracked\n")
	r.write("sub/dir/untracked ü", "deep\n")
	r.write("ignored", "secret\n")
	r.write("build/out", "built\n")
	for _, err := range []error{
		os.Remove(filepath.Join(r.dir, "deleted")), os.Chmod(filepath.Join(r.dir, "mode"), 0o755),
		os.Symlink("changed", filepath.Join(r.dir, "link")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// fingerprint is every file of the repository, .git and its modes and times
// included, but for the objects, of which there may be more.
func (r repo) fingerprint() map[string]string {
	r.t.Helper()
	m := make(map[string]string)
	err := filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(r.dir, path)
		if d.IsDir() {
			if rel == filepath.Join(".git", "objects") {
				return filepath.SkipDir
			}
			m[rel] = "folder"
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		m[rel] = fmt.Sprintf("%v %v %x", info.Mode(), info.ModTime(), sha256.Sum256(content))
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// objects are those that no branch has.
func (r repo) checkUntouched(before map[string]string) {
	r.t.Helper()
	if diff := cmp.Diff(before, r.fingerprint()); diff != "" {
		r.t.Errorf("the repository was touched (-before +after):\n%s", diff)
	}
}

// files are the names and contents below a folder, without .git.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	m := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case rel == ".git" && d.IsDir():
			return filepath.SkipDir
		case d.IsDir() || rel == ".git":
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(path)
			m[rel] = "-> " + target
			return err
		}
		b, err := os.ReadFile(path)
		m[rel] = fmt.Sprintf("%v %s", info.Mode().Perm()&0o111 != 0, b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// isolated is a supervisor with nothing but what isolation needs.
func isolated(t *testing.T) *Supervisor {
	t.Helper()
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	s, err := New(Options{
		Config: config.Config{StateDir: t.TempDir(), Watches: []config.Watch{{Name: "w"}}}, State: st, Relay: nothing{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type nothing struct{ Relay }

func claimFor(dir string, tree state.Tree) claimed {
	return claimed{isolated: true, watch: config.Watch{Name: "w", Workdir: dir, Isolate: true}, job: state.Job{ID: 7, Tree: tree}}
}

// An isolated review sees what the user sees, as uncommitted as it is, and the
// user's repository is, byte for byte and with all times, as it was.
func TestAWorktreeHoldsWhatIsNotCommitted(t *testing.T) {
	r := busy(t)
	s := isolated(t)
	status := r.git("status", "--porcelain")
	before := r.fingerprint() // after status, which may have refreshed the index
	tree, err := s.snapshot(t.Context(), r.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	r.checkUntouched(before)
	if head := r.git("rev-parse", "HEAD"); tree.Base != head || tree.Snapshot == head {
		t.Errorf("tree: got %+v, want the base %s and something else on top", tree, head)
	}

	r.write("changed", "the author goes on\n")
	before = r.fingerprint()
	place, err := s.workplace(t.Context(), claimFor(r.dir, tree))
	if err != nil {
		t.Fatal(err)
	}
	r.write("changed", "changed\n")
	want := files(t, r.dir)
	delete(want, "ignored")
	delete(want, "build/out")
	if diff := cmp.Diff(want, files(t, place.dir)); diff != "" {
		t.Errorf("files (-the user's +the worktree's):\n%s", diff)
	}
	in := repo{t, place.dir}
	if got := in.git("rev-parse", "HEAD"); got != tree.Base {
		t.Errorf("HEAD: got %s, want %s", got, tree.Base)
	}
	unstaged := func(s string) (names []string) {
		for line := range strings.Lines(s) {
			names = append(names, strings.TrimSpace(line[2:]))
		}
		slices.Sort(names)
		return names
	}
	if diff := cmp.Diff(unstaged(status), unstaged(in.git("status", "--porcelain"))); diff != "" {
		t.Errorf("what is not committed (-the user's +the worktree's):\n%s", diff)
	}
	if got := in.git("diff", "--stat", "HEAD", "--", "changed"); !strings.Contains(got, "changed") {
		t.Errorf("git diff: got %q, want the change", got)
	}
	place.clean()
	if _, err := os.Stat(place.dir); !os.IsNotExist(err) {
		t.Errorf("the worktree is still there: %v", err)
	}
	r.write("changed", "the author goes on\n")
	after := r.fingerprint()
	for _, m := range []map[string]string{before, after} {
		delete(m, "changed") // was written in between
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the repository was touched (-before +after):\n%s", diff)
	}
	checkEmpty(t, s)
}

func checkEmpty(t *testing.T, s *Supervisor) {
	t.Helper()
	entries, err := os.ReadDir(s.worktrees())
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("left over: %s", e.Name())
	}
}

// A file of the same size that was written within the same tick of the clock as
// the index looks unchanged to Git, unless it looks closely; and it does that
// only for files that are as new as the index.
func TestASnapshotSeesAChangeRightAfterTheIndex(t *testing.T) {
	r := newRepo(t)
	s := isolated(t)
	r.git("config", "core.trustctime", "false")
	tick := time.Now().Add(-time.Hour).Truncate(time.Second)
	stamp := func(name string) {
		t.Helper()
		if err := os.Chtimes(filepath.Join(r.dir, name), tick, tick); err != nil {
			t.Fatal(err)
		}
	}
	r.write("file", "one\n")
	stamp("file")
	r.git("add", ".")
	stamp(".git/index")
	r.write("file", "two\n")
	stamp("file")
	tree, err := s.snapshot(t.Context(), r.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := r.git("show", tree.Snapshot+":file"); got != "two" {
		t.Errorf("file: got %q, want two", got)
	}
}

func TestSnapshotsOfOddRepositories(t *testing.T) {
	s := isolated(t)
	check := func(t *testing.T, dir string, want map[string]string) {
		t.Helper()
		place, err := s.workplace(t.Context(), claimFor(dir, state.Tree{}))
		if err != nil {
			t.Fatal(err)
		}
		defer place.clean()
		if diff := cmp.Diff(want, files(t, place.dir)); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
	}
	t.Run("all committed", func(t *testing.T) {
		r := newRepo(t)
		r.write("a", "1")
		r.git("add", ".")
		r.git("commit", "-q", "-m", "x")
		tree, err := s.snapshot(t.Context(), r.dir, "")
		if err != nil || tree.Base != tree.Snapshot {
			t.Errorf("tree: got %+v, %v; want no commit of its own", tree, err)
		}
		check(t, r.dir, map[string]string{"a": "false 1"})
	})
	t.Run("no commit yet", func(t *testing.T) {
		r := newRepo(t)
		r.write("a", "1")
		check(t, r.dir, map[string]string{"a": "false 1"})
	})
	t.Run("a folder of it", func(t *testing.T) {
		r := busy(t)
		check(t, filepath.Join(r.dir, "sub", "dir"), map[string]string{"file": "false sub/dir/file as committed\n", "untracked ü": "false deep\n"})
	})
	t.Run("an empty folder of it", func(t *testing.T) {
		r := busy(t)
		dir := filepath.Join(r.dir, "empty")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		check(t, dir, map[string]string{})
	})
	t.Run("a worktree of it", func(t *testing.T) {
		r := busy(t)
		linked := filepath.Join(t.TempDir(), "linked")
		r.git("worktree", "add", "-q", linked, "other")
		w := repo{t, linked}
		w.write("only here", "x")
		before := r.fingerprint()
		place, err := s.workplace(t.Context(), claimFor(linked, state.Tree{}))
		if err != nil {
			t.Fatal(err)
		}
		if got := files(t, place.dir)["only here"]; got != "false x" {
			t.Errorf("the file of the worktree: got %q", got)
		}
		place.clean()
		r.checkUntouched(before)
	})
	t.Run("a conflict", func(t *testing.T) {
		r := newRepo(t)
		r.write("a", "1\n")
		r.git("add", ".")
		r.git("commit", "-q", "-m", "x")
		r.git("checkout", "-q", "-b", "b")
		r.write("a", "2\n")
		r.git("commit", "-q", "-am", "y")
		r.git("checkout", "-q", "main")
		r.write("a", "3\n")
		r.git("commit", "-q", "-am", "z")
		_ = exec.Command("git", "-C", r.dir, "merge", "-q", "b").Run()
		before := r.fingerprint()
		place, err := s.workplace(t.Context(), claimFor(r.dir, state.Tree{}))
		if err != nil {
			t.Fatal(err)
		}
		if got := files(t, place.dir)["a"]; !strings.Contains(got, "<<<<<<<") {
			t.Errorf("the file in conflict: got %q", got)
		}
		place.clean()
		r.checkUntouched(before)
	})
	t.Run("a repository within, with and without a commit", func(t *testing.T) {
		r := newRepo(t)
		r.write("a", "1")
		r.write("in/b", "2")
		r.write("z", "3")
		r.git("-C", filepath.Join(r.dir, "in"), "init", "-q")
		check(t, r.dir, map[string]string{"a": "false 1", "z": "false 3"})
		in := repo{t, filepath.Join(r.dir, "in")}
		in.git("-c", "user.name=x", "-c", "user.email=x@y", "commit", "-q", "--allow-empty", "-m", "x")
		check(t, r.dir, map[string]string{"a": "false 1", "z": "false 3"})
	})
	t.Run("a submodule", func(t *testing.T) {
		lib := newRepo(t)
		lib.write("l", "1")
		lib.git("add", ".")
		lib.git("commit", "-q", "-m", "x")
		r := newRepo(t)
		r.write("a", "1")
		r.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", lib.dir, "lib")
		r.git("add", ".")
		r.git("commit", "-q", "-m", "x")
		before := r.fingerprint()
		place, err := s.workplace(t.Context(), claimFor(r.dir, state.Tree{}))
		if err != nil {
			t.Fatal(err)
		}
		got := files(t, place.dir)
		delete(got, ".gitmodules")
		if diff := cmp.Diff(map[string]string{"a": "false 1"}, got); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
		place.clean()
		r.checkUntouched(before)
	})
	t.Run("with a hook that would run", func(t *testing.T) {
		r := busy(t)
		ran := filepath.Join(t.TempDir(), "ran")
		for _, hook := range []string{"post-checkout", "post-index-change", "reference-transaction", "post-commit"} {
			r.write(".git/hooks/"+hook, "#!/bin/sh\ntouch "+ran+"\n")
			if err := os.Chmod(filepath.Join(r.dir, ".git/hooks", hook), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		place, err := s.workplace(t.Context(), claimFor(r.dir, state.Tree{}))
		if err != nil {
			t.Fatal(err)
		}
		place.clean()
		if _, err := os.Stat(ran); err == nil {
			t.Error("a hook of the repository ran")
		}
	})
	checkEmpty(t, s)
}

// The packet names what it is about. What is no commit is not passed on to Git.
func TestASnapshotOfTheCommitThatThePacketNames(t *testing.T) {
	r := busy(t)
	s := isolated(t)
	first := r.git("rev-parse", "HEAD")
	r.git("commit", "-q", "-m", "second")
	second := r.git("rev-parse", "HEAD")
	for commit, want := range map[string]string{
		first: first, first[:12]: first, strings.ToUpper(first): first,
		second: second, second[:7]: second, "": second,
		"0123456789abcdef": second, "main": second, "--help": second, "HEAD~1": second,
	} {
		tree, err := s.snapshot(t.Context(), r.dir, commit)
		if err != nil {
			t.Fatal(err)
		}
		if tree.Base != want {
			t.Errorf("commit %q: got base %s, want %s", commit, tree.Base, want)
		}
		if isFirst := want == first; isFirst != (tree.Base == tree.Snapshot) {
			t.Errorf("commit %q: got %+v; what is not committed belongs to HEAD alone", commit, tree)
		}
	}
}
