package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// settled is how old a file must be before what was read of it is trusted
// without reading again. Two changes within one tick of the file system's clock
// can look the same.
const settled = 2 * time.Second

// snapshot is the file at a time. The zero snapshot is of no file.
type snapshot struct {
	there  bool
	tokens []stored
	info   fs.FileInfo
	read   time.Time
}

// document is the form of the file.
type document struct {
	Version int      `json:"version"`
	Tokens  []stored `json:"tokens"`
}

// current returns the tokens as they are now. It asks for the file's state each
// time and reads the file only when that has changed.
func (s *Store) current() (*snapshot, error) {
	info, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return &snapshot{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the tokens: %w", err)
	}
	if seen := s.seen.Load(); seen != nil && seen.same(info) {
		return seen, nil
	}
	// The state comes first: a change while the file is read is seen next time.
	tokens, err := readFile(s.path)
	if err != nil {
		return nil, err
	}
	f := &snapshot{there: true, tokens: tokens, info: info, read: time.Now()}
	s.seen.Store(f)
	return f, nil
}

func (f *snapshot) same(now fs.FileInfo) bool {
	return os.SameFile(f.info, now) && f.info.Size() == now.Size() &&
		f.info.ModTime().Equal(now.ModTime()) && f.read.Sub(now.ModTime()) > settled
}

func readFile(path string) ([]stored, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the tokens: %w", err)
	}
	tokens, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading the tokens: %s: %w", path, err)
	}
	return tokens, nil
}

// parse is strict: a misread restriction would be a lifted one.
func parse(text []byte) ([]stored, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var doc document
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("want one JSON object and nothing after it")
	}
	if doc.Version != 1 {
		return nil, fmt.Errorf("want version 1, not %d", doc.Version)
	}
	names := make(map[string]bool)
	for i, t := range doc.Tokens {
		clean, err := t.clean()
		if err != nil {
			return nil, fmt.Errorf("token %d: %w", i+1, err)
		}
		if t.Hash == (hash{}) || names[clean.Name] {
			return nil, fmt.Errorf("token %d: want a hash, and a name of its own", i+1)
		}
		names[clean.Name] = true
		doc.Tokens[i].Token = clean
	}
	return doc.Tokens, nil
}

// change replaces the file by one with other tokens, one process at a time.
func (s *Store) change(do func([]stored) ([]stored, error)) error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return fmt.Errorf("making the data folder: %w", err)
	}
	lock := flock.New(s.path+".lock", flock.SetPermissions(0o600))
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("locking the tokens: %w", err)
	}
	// The lock's file stays: who removed it could take it away from under the
	// next one who has locked it.
	defer func() { _ = lock.Unlock() }()
	var tokens []stored
	_, err := os.Stat(s.path)
	if err == nil {
		tokens, err = readFile(s.path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if tokens, err = do(tokens); err != nil {
		return err
	}
	text, err := json.MarshalIndent(document{1, append([]stored{}, tokens...)}, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the tokens: %w", err)
	}
	return replace(s.path, append(text, '\n'))
}

// replace writes a file so that a reader or a crash never sees half of it.
func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return fmt.Errorf("writing the tokens: %w", err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing the tokens: %w", err), os.Remove(f.Name()))
	}
	return nil
}
