// Package repository finds the Git repository that a folder is in, without
// starting Git.
package repository

import (
	"os"
	"path/filepath"
)

// Root is the nearest folder at or above dir that is the root of a repository or
// of one of its worktrees, "" for none. As for Git, an empty folder .git makes
// none: sandboxes leave such ones behind.
func Root(dir string) string {
	for d := dir; ; d = filepath.Dir(d) {
		if is(filepath.Join(d, ".git")) {
			return d
		}
		if d == filepath.Dir(d) {
			return ""
		}
	}
}

// is reports whether a .git makes a repository: a file that leads to one, as
// worktrees and submodules have, or a folder with a HEAD.
func is(git string) bool {
	st, err := os.Stat(git)
	if err != nil {
		return false
	}
	if !st.IsDir() {
		return true
	}
	_, err = os.Lstat(filepath.Join(git, "HEAD"))
	return err == nil
}
