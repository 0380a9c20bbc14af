package repository

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ForgetWorktree removes what the repository that dir is in knows of the worktree
// at path, also when that is incomplete; path itself need not be there any more.
// An entry of that name that is another worktree's stays. It is no error when
// there is no such entry, or no repository. See gitrepository-layout(5),
// "worktrees".
func ForgetWorktree(dir, path string) error {
	root := Root(dir)
	if root == "" {
		return nil
	}
	common, err := commonDir(root)
	if err != nil {
		return err
	}
	entry := filepath.Join(common, "worktrees", filepath.Base(path))
	leads, err := os.ReadFile(filepath.Join(entry, "gitdir"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading whose worktree it is: %w", err)
	}
	if to := strings.TrimSpace(string(leads)); to != "" && !same(filepath.Dir(to), path) {
		return nil
	}
	if err := os.RemoveAll(entry); err != nil {
		return fmt.Errorf("removing the entry of a worktree: %w", err)
	}
	_ = os.Remove(filepath.Dir(entry)) // Git leaves no empty one either
	return nil
}

// commonDir is the folder that all worktrees of a repository share; root is that
// of any of them.
func commonDir(root string) (string, error) {
	git := filepath.Join(root, ".git")
	st, err := os.Stat(git)
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	if !st.IsDir() {
		text, err := os.ReadFile(git)
		if err != nil {
			return "", fmt.Errorf("finding the repository: %w", err)
		}
		to, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
		if !ok {
			return "", fmt.Errorf("finding the repository: %s leads nowhere", git)
		}
		git = within(root, to)
	}
	common, err := os.ReadFile(filepath.Join(git, "commondir"))
	if errors.Is(err, fs.ErrNotExist) {
		return git, nil // it is the main one
	}
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	return within(git, strings.TrimSpace(string(common))), nil
}

// within is a path that is relative to dir, or absolute.
func within(dir, path string) string {
	path = filepath.FromSlash(path)
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// same reports whether two paths lead to the same place, of which the last part
// need not exist.
func same(a, b string) bool {
	if filepath.Base(a) != filepath.Base(b) {
		return false
	}
	return real(filepath.Dir(a)) == real(filepath.Dir(b))
}

func real(path string) string {
	if r, err := filepath.EvalSymlinks(path); err == nil {
		return r
	}
	return filepath.Clean(path)
}
