package setup

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrChanged says that a file is not any more what it was when it was looked
// at, so that the change that was shown is not the one that would be made.
var ErrChanged = errors.New("it was changed meanwhile; run this again")

// Disk reads files for Options. One below root that is reached by a symbolic
// link out of it is refused, whether it is there or not: what a repository
// contains must not lead to other files.
func Disk(root string) func(path string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		real, there, err := resolve(path)
		switch {
		case err != nil:
			return nil, err
		case below(root, path) && !below(root, real):
			return nil, fmt.Errorf("is reached by a symbolic link that leads out of the repository, to %s", real)
		case !there:
			return nil, fs.ErrNotExist
		}
		info, err := os.Stat(real)
		switch {
		case err != nil:
			return nil, plain(err)
		case !info.Mode().IsRegular():
			return nil, errors.New("is not a file")
		case info.Size() > maxFile:
			return nil, fmt.Errorf("is larger than %d MB", maxFile>>20)
		}
		content, err := os.ReadFile(real)
		return content, plain(err)
	}
}

// resolve follows symbolic links as far as path is there.
func resolve(path string) (real string, there bool, err error) {
	rest := ""
	for at := path; ; at = filepath.Dir(at) {
		real, err = filepath.EvalSymlinks(at)
		switch {
		case err == nil:
			return filepath.Join(real, rest), rest == "", nil
		case !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at):
			return "", false, plain(err)
		}
		if _, err := os.Lstat(at); err == nil {
			return "", false, errors.New("is a symbolic link to nothing")
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}

func below(root, path string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && filepath.IsLocal(rel)
}

// plain leaves the path out of an error whose path is said anyway.
func plain(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// Apply makes the changes of a Result, each file in one step, with its mode and
// its symbolic links kept, and keeps the record at recordPath. When it fails in
// the middle, the record covers what was done.
func Apply(r Result, recordPath string) error {
	if len(r.Changes) == 0 {
		return nil
	}
	for i, c := range r.Changes {
		if err := c.check(); err != nil {
			return fmt.Errorf("writing %s: %w", c.Name, err)
		}
		if !r.undo && !c.Existed {
			r.Changes[i].edit.Dirs = missingDirs(c.Path)
		}
	}
	if !r.undo {
		if err := writeRecord(recordPath, r.Kept); err != nil {
			return err
		}
	}
	for _, c := range r.Changes {
		if err := c.write(); err != nil {
			return fmt.Errorf("writing %s: %w", c.Name, err)
		}
	}
	if r.undo {
		return writeRecord(recordPath, r.Kept)
	}
	return nil
}

// check says whether the file still is what the change was made for.
func (c Change) check() error {
	have, err := os.ReadFile(c.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !c.Existed:
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return plain(err)
	case err != nil || !c.Existed || !bytes.Equal(have, c.Before):
		return ErrChanged
	}
	return nil
}

func (c Change) write() error {
	if c.Remove {
		if err := os.Remove(c.Path); err != nil {
			return plain(err)
		}
		for i := len(c.edit.Dirs) - 1; i >= 0; i-- {
			_ = os.Remove(c.edit.Dirs[i]) // stays when something is in it
		}
		return nil
	}
	file, dir := fs.FileMode(0o644), fs.FileMode(0o755)
	if c.Private {
		file, dir = 0o600, 0o700
	}
	if err := os.MkdirAll(filepath.Dir(c.Path), dir); err != nil {
		return plain(err)
	}
	return replace(c.Path, c.After, file)
}

// missingDirs are the folders above path that are not there, the highest first.
func missingDirs(path string) []string {
	var out []string
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); err == nil || dir == filepath.Dir(dir) {
			return out
		}
		out = append([]string{dir}, out...)
	}
}

// replace puts a file in the place of path in one step. A symbolic link stays
// and its target is replaced; mode and owner stay; mode is that of a new file.
func replace(path string, content []byte, mode fs.FileMode) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	info, err := os.Stat(path)
	if err == nil {
		mode = info.Mode().Perm()
	}
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text())
	// A new file gets what the user's umask leaves of its mode.
	tmp, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return plain(err)
	}
	defer os.Remove(name) // fails once it was renamed
	if info != nil {
		keepOwner(tmp, info)
		err = tmp.Chmod(mode)
	}
	_, writeErr := tmp.Write(content)
	if err = errors.Join(err, writeErr, tmp.Sync(), tmp.Close()); err != nil {
		return plain(err)
	}
	return os.Rename(name, path)
}

// writeRecord writes the record; an empty one is no file.
func writeRecord(path string, r Record) error {
	if len(r.Edits) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the record of changes: %w", err)
		}
		return nil
	}
	b, err := json.MarshalIndent(r, "", " ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = replace(path, append(b, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("writing the record of changes: %w", err)
	}
	return nil
}
