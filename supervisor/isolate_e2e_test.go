//go:build unix

package supervisor_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"autoreview/codexrun/codextest"
)

// inRepository makes the site's working directory a repository with a commit.
func (s *site) inRepository() string {
	s.t.Helper()
	dir := filepath.Join(s.dir, "work")
	write(s.t, filepath.Join(dir, "file"), "committed\n")
	write(s.t, filepath.Join(dir, ".gitignore"), "secret\n")
	inRepository(s.t, dir, "init", "-q", "-b", "main")
	inRepository(s.t, dir, "add", ".")
	inRepository(s.t, dir, "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-q", "-m", "first")
	return dir
}

// With the real Codex: its commands see the files of the packet's moment, not
// committed as they were, while the author goes on; in its read-only sandbox Git
// works, and the repository's own .codex is kept out as ever.
func TestRealIsolatedReview(t *testing.T) {
	for _, sandbox := range []string{"read-only", "workspace-write"} {
		t.Run(sandbox, func(t *testing.T) {
			var dir string
			s, model, _ := realSite(t, func(r codextest.Request) []codextest.Step {
				if len(r.ToolOutputs()) == 0 {
					write(t, filepath.Join(dir, "file"), "the author goes on\n")
				}
				return codextest.InTurn(
					[]codextest.Step{codextest.Shell(r, "cat file; ls secret; git status --porcelain; git diff; git log --oneline; touch in-the-copy; true")},
					[]codextest.Step{codextest.Say(seen)},
				)(r)
			}, fmt.Sprintf("isolate = true\nsandbox = %q", sandbox))
			dir = s.inRepository()
			if err := os.Mkdir(filepath.Join(dir, ".codex"), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, ".codex", "config.toml"), "this would be an error\n")
			write(t, filepath.Join(dir, "file"), "as posted\n")
			write(t, filepath.Join(dir, "untracked"), "x\n")
			write(t, filepath.Join(dir, "secret"), "x\n")
			s.live(func() { s.await(s.packet("p")) })
			out := strings.Join(model.Requests()[1].ToolOutputs(), "\n")
			for _, want := range []string{"as posted\n", "secret': No such file", " M file\n", "?? untracked\n", "+as posted", " first\n"} {
				if !strings.Contains(out, want) {
					t.Errorf("the commands lack %q:\n%s", want, out)
				}
			}
			if strings.Contains(out, "goes on") {
				t.Errorf("the commands saw what came later:\n%s", out)
			}
			if got := read(t, filepath.Join(dir, "file")); got != "the author goes on\n" {
				t.Errorf("the author's file: got %q", got)
			}
			if _, err := os.Stat(filepath.Join(dir, "in-the-copy")); err == nil {
				t.Error("the review wrote into the author's folder")
			}
			checkNoWorktrees(t, filepath.Join(s.dir, "state"), dir)
			s.checkNothingRuns()
		})
	}
}

// Killed at each step of an isolated review: the next life answers the packet
// once, and after it no worktree is left, neither in the state folder nor in the
// repository's books.
func TestKilledAtEachStepIsolated(t *testing.T) {
	for _, point := range diePoints {
		t.Run(point, func(t *testing.T) {
			fake := codextest.Fake(t)
			env := []string{codextest.FakeDir + "=" + t.TempDir(), codextest.FakeDo + "=children slow:300ms answer"}
			s := newSite(t, fake.Path, "isolate = true", env)
			dir := s.inRepository()
			write(t, filepath.Join(dir, "file"), "not committed\n")
			before := inRepository(t, dir, "status", "--porcelain") + inRepository(t, dir, "for-each-ref")
			killedAndRevived(t, s, point)
			checkNoWorktrees(t, filepath.Join(s.dir, "state"), dir)
			if after := inRepository(t, dir, "status", "--porcelain") + inRepository(t, dir, "for-each-ref"); after != before {
				t.Errorf("the repository: got %q, want %q", after, before)
			}
		})
	}
}
