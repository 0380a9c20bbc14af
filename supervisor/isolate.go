package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"autoreview/codexrun"
	"autoreview/supervisor/config"
	"autoreview/supervisor/repository"
	"autoreview/supervisor/state"
)

// An isolated review has a Git worktree of its own. Beside each stands a file
// that names the repository it belongs to; it is there before the worktree and
// is gone after it, so that whatever dies in between, the next life finds what
// is to be removed.

const (
	worktreePrefix = "autoreview-"
	worktreeNote   = ".repository"
	// worktreeTimeout bounds what Git may take to write all files.
	worktreeTimeout = 5 * time.Minute
)

func (s *Supervisor) worktrees() string { return filepath.Join(s.cfg.StateDir, "worktrees") }

// takeTree takes down what an isolated review of a packet is about; nothing when
// the watch does not isolate or Git cannot tell.
func (s *Supervisor) takeTree(ctx context.Context, w config.Watch, commit string) state.Tree {
	if !isolates(w) {
		return state.Tree{}
	}
	t, err := s.snapshot(ctx, w.Workdir, commit)
	if err != nil && ctx.Err() == nil {
		s.log.Warn("could not take a snapshot, trying again when the review starts", "watch", w.Name, "err", err)
	}
	return t
}

func (s *Supervisor) snapshot(ctx context.Context, dir, commit string) (state.Tree, error) {
	if err := os.MkdirAll(s.worktrees(), 0o700); err != nil {
		return state.Tree{}, fmt.Errorf("creating the folder of worktrees: %w", err)
	}
	return snapshot(ctx, dir, commit, s.worktrees())
}

// workplace is where a job's Codex runs.
type workplace struct {
	dir   string
	tree  state.Tree // zero when it is not isolated
	clean func()
}

// workplace returns the folder for a job: the watch's own, or a worktree that
// clean removes.
func (s *Supervisor) workplace(ctx context.Context, c claimed) (workplace, error) {
	if !c.isolated {
		if c.watch.Isolate {
			s.log.Warn("not in a git repository, reviewing in the folder itself", "watch", c.watch.Name, "workdir", c.watch.Workdir)
		}
		return workplace{dir: c.watch.Workdir, clean: func() {}}, nil
	}
	tree := c.job.Tree
	if tree.Snapshot == "" || !s.hasCommit(ctx, c.watch.Workdir, tree) {
		var err error
		if tree, err = s.snapshot(ctx, c.watch.Workdir, packetCommit(c.job)); err != nil {
			return workplace{}, err
		}
	}
	dir, clean, err := s.addWorktree(ctx, c, tree)
	if err != nil {
		return workplace{}, fmt.Errorf("making a worktree of %s: %w", c.watch.Workdir, err)
	}
	return workplace{dir: dir, tree: tree, clean: clean}, nil
}

// hasCommit reports whether a snapshot is still there: Git removes what no
// branch knows of, in time.
func (s *Supervisor) hasCommit(ctx context.Context, dir string, t state.Tree) bool {
	_, err := git(ctx, dir, nil, "cat-file", "-e", t.Snapshot+"^{tree}")
	return err == nil
}

// addWorktree makes a worktree at the base of a tree with the files of its
// snapshot, so that what was not committed is not committed there either. The
// folder it returns is the one that corresponds to the watch's.
func (s *Supervisor) addWorktree(ctx context.Context, c claimed, t state.Tree) (dir string, clean func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, worktreeTimeout)
	defer cancel()
	repo := c.watch.Workdir
	prefix, err := git(ctx, repo, nil, "rev-parse", "--show-prefix")
	if err != nil {
		return "", nil, err
	}
	path, err := s.reserveWorktree(repo, c.job.ID)
	if err != nil {
		return "", nil, err
	}
	clean = func() {
		if err := removeWorktree(path); err != nil {
			s.log.Warn("could not remove a worktree, trying again at the next start", "job", c.job.ID, "path", path, "err", err)
		}
	}
	mark := []string{s.worktreeMark()}
	_, err = git(ctx, repo, mark, "worktree", "add", "--quiet", "--detach", path, t.Snapshot)
	if err == nil && t.Base != "" && t.Base != t.Snapshot {
		_, err = git(ctx, path, mark, "reset", "--mixed", t.Base)
	}
	dir = filepath.Join(path, filepath.FromSlash(prefix))
	if err == nil {
		// Git knows no empty folders.
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		clean()
		return "", nil, err
	}
	return dir, clean, nil
}

// worktreeMark is in the environment of the Git that writes a worktree, which may
// outlive the supervisor.
func (s *Supervisor) worktreeMark() string { return codexrun.RunIDEnv + "=" + s.worktrees() }

// reserveWorktree makes up a path that no other worktree has, and notes which
// repository it will belong to.
func (s *Supervisor) reserveWorktree(repo string, job int64) (string, error) {
	if err := os.MkdirAll(s.worktrees(), 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(s.worktrees(), fmt.Sprintf("%s%d-*%s", worktreePrefix, job, worktreeNote))
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(repo)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return strings.TrimSuffix(f.Name(), worktreeNote), nil
}

// removeWorktree removes a worktree, however much of it there is, and what its
// repository knows of it. It does not ask Git to: a single entry that Git was
// killed in the middle of, or had no disk for, makes every command about any
// worktree fail. Other worktrees of the user's may just be away and are left alone.
func removeWorktree(path string) error {
	if err := removeAll(path); err != nil {
		return err
	}
	repo, err := os.ReadFile(path + worktreeNote)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = repository.ForgetWorktree(string(repo), path)
	}
	if err != nil {
		return err
	}
	return os.Remove(path + worktreeNote)
}

// removeAll removes a folder in which there may be folders without write
// permission, as Go's module cache makes them.
func removeAll(path string) error {
	if os.RemoveAll(path) == nil {
		return nil
	}
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(path)
}

// removeWorktrees removes what an earlier life left. Its processes are gone by
// then.
func (s *Supervisor) removeWorktrees(ctx context.Context) {
	entries, err := os.ReadDir(s.worktrees())
	if err != nil || len(entries) == 0 {
		return
	}
	if err := s.codex.Kill(codexrun.Process{RunID: s.worktrees()}); err != nil {
		s.log.Warn("could not end a git that an earlier life left", "err", err)
	}
	done := make(map[string]bool)
	for _, e := range entries {
		path := filepath.Join(s.worktrees(), strings.TrimSuffix(e.Name(), worktreeNote))
		if done[path] || ctx.Err() != nil {
			continue // a folder and its note, or for the next life
		}
		done[path] = true
		if !strings.HasPrefix(e.Name(), worktreePrefix) {
			_ = os.RemoveAll(path) // a copy of an index
			continue
		}
		if err := removeWorktree(path); err != nil {
			s.log.Warn("could not remove a leftover worktree", "path", path, "err", err)
			continue
		}
		s.log.Info("removed a leftover worktree", "path", path)
	}
}

// packetCommit is the commit that the newest packet names, "" for none.
func packetCommit(j state.Job) string {
	if n := len(j.Packets); n > 0 {
		return metaOf(j.Packets[n-1].Meta).Commit
	}
	return ""
}
