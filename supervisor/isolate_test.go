package supervisor_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
)

// repository makes one with a commit and returns its folder.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "committed\n")
	inRepository(t, dir, "init", "-q", "-b", "main")
	inRepository(t, dir, "add", ".")
	inRepository(t, dir, "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-q", "-m", "first")
	return dir
}

func inRepository(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(b)
}

// isolate makes the first watch isolate the reviews of a new repository.
func (w *world) isolate(dir string) {
	w.watch().Workdir, w.watch().Isolate = dir, true
}

// checkNoWorktrees makes sure that nothing is left of any.
func checkNoWorktrees(t *testing.T, stateDir, repo string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(stateDir, "worktrees"))
	if err == nil && len(entries) > 0 {
		t.Errorf("left over in the state folder: %v", entries)
	}
	if list := inRepository(t, repo, "worktree", "list"); strings.Contains(list, "\n") {
		t.Errorf("left over in the repository:\n%s", list)
	}
}

// Reviews of different pieces of work run beside each other in one repository,
// each with the files as they were when its packet came, whatever is written
// meanwhile; rounds of one piece of work stay in order.
func TestIsolatedReviews(t *testing.T) {
	dir := repository(t)
	inWorld(t, func(t *testing.T, w *world) {
		w.isolate(dir)
		w.cfg.Workers = 4
		saw := make(map[int]string)
		most := w.atOnce(time.Minute)
		run := w.codex.run
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			res := run(ctx, n, spec) // the author goes on meanwhile
			w.codex.mu.Lock()
			defer w.codex.mu.Unlock()
			saw[n] = read(t, filepath.Join(spec.Dir, "file"))
			if spec.Dir == dir || strings.Contains(spec.Prompt, dir) || !strings.Contains(spec.Prompt, "a copy that was made for this review") {
				t.Errorf("run %d: in %s, with the prompt:\n%s", n, spec.Dir, spec.Prompt)
			}
			return res
		}
		var ids []int64
		w.live(func() {
			for i := range 3 {
				write(t, filepath.Join(dir, "file"), fmt.Sprintf("round %d\n", i+1))
				ids = append(ids, w.post(relay.Draft{Text: "p", Meta: fmt.Appendf(nil, `{"session":"%d"}`, i)}))
				w.settle(time.Second)
			}
			write(t, filepath.Join(dir, "file"), "round 4\n")
			ids = append(ids, w.post(relay.Draft{Text: "p", Meta: []byte(`{"session":"0"}`)}))
			w.settle(time.Second)
			write(t, filepath.Join(dir, "file"), "later\n")
			w.settle(time.Hour)
		})
		w.checkAnswered(ids...)
		if got := most(); got != 3 {
			t.Errorf("at most %d runs at once, want 3", got)
		}
		for n, want := range map[int]string{1: "round 1\n", 2: "round 2\n", 3: "round 3\n", 4: "round 4\n"} {
			if saw[n] != want {
				t.Errorf("run %d saw %q, want %q", n, saw[n], want)
			}
		}
		checkNoWorktrees(t, w.dir, dir)
		if got := inRepository(t, dir, "status", "--porcelain"); got != "M file" {
			t.Errorf("the user's status: got %q, want the change alone", got)
		}
	})
}

// A retry, also in the next life, is about the same files.
func TestAnIsolatedReviewKeepsItsTree(t *testing.T) {
	dir := repository(t)
	inWorld(t, func(t *testing.T, w *world) {
		w.isolate(dir)
		var saw []string
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			saw = append(saw, read(t, filepath.Join(spec.Dir, "file")))
			if n < 3 {
				return codexrun.Result{Class: codexrun.ModelError, Text: "500"}
			}
			return says(approval)(ctx, n, spec)
		}
		w.live(func() {
			write(t, filepath.Join(dir, "file"), "as posted\n")
			w.packet("p")
			w.settle(time.Second)
			write(t, filepath.Join(dir, "file"), "later\n")
		})
		w.live(func() { w.settle(time.Hour) })
		w.checkAnswered(1)
		for i, got := range saw {
			if got != "as posted\n" {
				t.Errorf("run %d saw %q", i+1, got)
			}
		}
		checkNoWorktrees(t, w.dir, dir)
	})
}

// A stop in the middle leaves no worktree either.
func TestAStoppedIsolatedReviewCleansUp(t *testing.T) {
	dir := repository(t)
	inWorld(t, func(t *testing.T, w *world) {
		w.isolate(dir)
		w.codex.run = takes(time.Hour)
		w.live(func() { w.packet("p"); w.settle(time.Second) })
		checkNoWorktrees(t, w.dir, dir)
		w.codex.run = says(approval)
		w.live(func() { w.settle(time.Second) })
		w.checkAnswered(1)
	})
}

// Where there is no repository the review runs in the folder, and says so.
func TestIsolationWithoutARepository(t *testing.T) {
	dir := t.TempDir()
	inWorld(t, func(t *testing.T, w *world) {
		w.isolate(dir)
		w.live(func() { w.packet("p"); w.settle(time.Second) })
		w.checkAnswered(1)
		if spec := w.codex.runs()[0]; spec.Dir != dir || strings.Contains(spec.Prompt, "a copy that was made") {
			t.Errorf("ran in %s, want %s, and no word of a copy", spec.Dir, dir)
		}
	})
}

// A repository that Git cannot read is a failure like others: it is tried again,
// and then said.
func TestIsolationOfABrokenRepository(t *testing.T) {
	dir := repository(t)
	write(t, filepath.Join(dir, ".git", "HEAD"), "nonsense")
	inWorld(t, func(t *testing.T, w *world) {
		w.isolate(dir)
		w.live(func() { w.packet("p"); w.settle(time.Hour) })
		w.checkAnswered(1)
		if m := w.answers()[0]; m.Kind != relay.KindStatus || !strings.Contains(m.Text, "snapshot") {
			t.Errorf("notice: got %q", m.Text)
		}
		if n := len(w.codex.runs()); n != 0 {
			t.Errorf("codex ran %d times, want never", n)
		}
	})
}

// A Git that writes a worktree can outlive its supervisor, and would write on
// while the next life removes the worktree. So it carries a mark, and what does
// is ended first.
func TestALeftoverGitIsEnded(t *testing.T) {
	dir := repository(t)
	spied := filepath.Join(t.TempDir(), "env")
	write(t, filepath.Join(dir, ".gitattributes"), "file filter=spy\n")
	inRepository(t, dir, "config", "filter.spy.smudge", "env > "+spied+"; cat")
	inWorld(t, func(t *testing.T, w *world) {
		w.isolate(dir)
		w.live(func() {
			w.packet("p")
			w.settle(time.Minute)
		})
		w.checkAnswered(1)
		mark := codexrun.Process{RunID: filepath.Join(w.dir, "worktrees")}
		if env := read(t, spied); !strings.Contains(env, codexrun.RunIDEnv+"="+mark.RunID+"\n") {
			t.Errorf("the environment of git lacks the mark:\n%s", env)
		}
		if len(w.codex.killed) > 0 {
			t.Errorf("killed %v where nothing was left over", w.codex.killed)
		}
		write(t, filepath.Join(w.dir, "worktrees", "autoreview-1-x.repository"), dir)
		w.live(func() { w.settle(time.Second) })
		if len(w.codex.killed) != 1 || w.codex.killed[0] != mark {
			t.Errorf("killed %v, want what carries the mark %q", w.codex.killed, mark.RunID)
		}
	})
}
