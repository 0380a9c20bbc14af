package supervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"autoreview/supervisor/state"
)

// snapshotTimeout bounds what Git may take to look at every file.
const snapshotTimeout = time.Minute

// commitName is what a packet may name a commit by. It comes from outside and
// becomes an argument.
var commitName = regexp.MustCompile(`^[0-9a-fA-F]{7,64}$`)

// snapshot takes down the state of the repository around a folder: HEAD and, as
// a commit that no branch knows of, what is not committed. It works on a copy of
// the index; the repository's own index, branches, stash and files stay as they
// are. A commit that is given and that is not HEAD is taken without anything
// that is not committed, for that belongs to something later. tmp is a folder
// for the copy.
func snapshot(ctx context.Context, dir, commit, tmp string) (state.Tree, error) {
	ctx, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()
	head, err := git(ctx, dir, nil, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
	if err != nil {
		head = "" // no commit yet
	}
	if commitName.MatchString(commit) && !strings.HasPrefix(head, strings.ToLower(commit)) {
		if id, err := git(ctx, dir, nil, "rev-parse", "--verify", "--quiet", commit+"^{commit}"); err == nil {
			return state.Tree{Base: id, Snapshot: id}, nil
		}
	}
	tree, err := treeOf(ctx, dir, tmp)
	if err != nil {
		return state.Tree{}, fmt.Errorf("taking a snapshot of %s: %w", dir, err)
	}
	if head != "" {
		if same, err := git(ctx, dir, nil, "rev-parse", "--verify", "--quiet", head+"^{tree}"); err == nil && same == tree {
			return state.Tree{Base: head, Snapshot: head}, nil
		}
	}
	id, err := commitTree(ctx, dir, tree, head)
	if err != nil {
		return state.Tree{}, fmt.Errorf("taking a snapshot of %s: %w", dir, err)
	}
	return state.Tree{Base: head, Snapshot: id}, nil
}

// treeOf writes all files of the working tree that are not ignored as a tree.
func treeOf(ctx context.Context, dir, tmp string) (string, error) {
	top, err := git(ctx, dir, nil, "rev-parse", "--show-toplevel")
	if err != nil {
		return "", err
	}
	index, err := git(ctx, top, nil, "rev-parse", "--git-path", "index")
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(index) {
		index = filepath.Join(top, index)
	}
	place, err := os.MkdirTemp(tmp, "index-")
	if err != nil {
		return "", fmt.Errorf("copying the index: %w", err)
	}
	defer os.RemoveAll(place)
	copied := filepath.Join(place, "index")
	if err := copyIndex(index, copied); err != nil {
		return "", fmt.Errorf("copying the index: %w", err)
	}
	env := []string{"GIT_INDEX_FILE=" + copied}
	// What cannot be read, or is a repository without a commit, is left out.
	if _, err := git(ctx, top, env, "add", "--all", "--ignore-errors"); err != nil && (ctx.Err() != nil || !leftOut(err)) {
		return "", err
	}
	return git(ctx, top, env, "write-tree")
}

// leftOut reports whether Git did what it was asked to, but for files that it
// could not read. Where it could not write, a file is missing that is there.
func leftOut(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 1 {
		return false
	}
	for _, why := range []string{"No space left", "quota exceeded", "File too large", "Input/output error", "Read-only file system", "unable to write"} {
		if bytes.Contains(exit.Stderr, []byte(why)) {
			return false
		}
	}
	return true
}

// copyIndex copies the index, if there is one, with its time: Git looks closely
// at files that are as new as the index, and must not take them for older ones.
func copyIndex(index, to string) error {
	src, err := os.Open(index)
	if os.IsNotExist(err) {
		return nil // nothing was ever added
	}
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer dst.Close()
	if _, err := io.Copy(dst, src); err != nil {
		return err
	}
	info, err := src.Stat()
	if err != nil {
		return err
	}
	if err := dst.Close(); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}

func commitTree(ctx context.Context, dir, tree, parent string) (string, error) {
	args := []string{"commit-tree", "--no-gpg-sign", "-m", "autoreview: what was not committed", tree}
	if parent != "" {
		args = append(args, "-p", parent)
	}
	env := []string{
		"GIT_AUTHOR_NAME=autoreview", "GIT_AUTHOR_EMAIL=autoreview@localhost",
		"GIT_COMMITTER_NAME=autoreview", "GIT_COMMITTER_EMAIL=autoreview@localhost",
	}
	return git(ctx, dir, env, args...)
}
