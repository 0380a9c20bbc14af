// Package lastfile keeps the id of a message in a file of one line, as the bash
// loop and the poller of the original server did with LASTFILE.
package lastfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ContentError says that a file holds something else than an id.
type ContentError struct {
	Path, Text string
}

// Error names the file and what is in it.
func (e *ContentError) Error() string {
	return fmt.Sprintf("%s holds %.40q, not the id of a message", e.Path, e.Text)
}

// Read reads the id in a file; ok is false when there is no file or nothing in
// it. A file with other content is a *ContentError.
func Read(path string) (id int64, ok bool, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("reading the last id: %w", err)
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return 0, false, nil
	}
	id, err = strconv.ParseInt(text, 10, 64)
	if err != nil || id < 0 {
		return 0, false, &ContentError{Path: path, Text: text}
	}
	return id, true, nil
}

// Write replaces the file as a whole, so that a reader or a crash never sees half
// an id. A symbolic link stays one, and a mode is kept; a new file is private.
// There is no library in it because renameio has no Windows.
func Write(path string, id int64) (err error) {
	path = linkTarget(path)
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("writing the last id: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return fmt.Errorf("writing the last id: %w", err)
	}
	_, err = fmt.Fprintln(f, id)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing the last id: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// linkTarget follows symbolic links, also one whose target is not there yet.
func linkTarget(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	to, err := os.Readlink(path)
	if err != nil {
		return path
	}
	if filepath.IsAbs(to) {
		return to
	}
	return filepath.Join(filepath.Dir(path), to)
}
