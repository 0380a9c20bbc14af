package lastfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"autoreview/relay/lastfile"
)

func TestReadAndWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "last_id")
	if id, ok, err := lastfile.Read(path); id != 0 || ok || err != nil {
		t.Errorf("Read of no file: got %d, %v, %v", id, ok, err)
	}
	for _, want := range []int64{7, 12} {
		if err := lastfile.Write(path, want); err != nil {
			t.Fatal(err)
		}
		if id, ok, err := lastfile.Read(path); id != want || !ok || err != nil {
			t.Errorf("Read: got %d, %v, %v; want %d", id, ok, err, want)
		}
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "12\n" {
		t.Errorf("file: got %q, %v; want the plain integer", b, err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("folder: got %d files, %v; want one", len(files), err)
	}
}

func TestReadRefusesOtherContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last_id")
	for _, text := range []string{"abc", "-4", "1 2", "99999999999999999999"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, ok, err := lastfile.Read(path)
		if bad, is := errors.AsType[*lastfile.ContentError](err); ok || !is || bad.Text != text {
			t.Errorf("Read of %q: got %v, %v; want a *ContentError", text, ok, err)
		}
	}
}

func TestWriteKeepsLinkAndMode(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "sub", "real"), filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join("sub", "real"), link); err != nil {
		t.Skip(err)
	}
	for id := range int64(3) { // the first writes through a link to nothing
		if err := lastfile.Write(link, id); err != nil {
			t.Fatal(err)
		}
		if got, _, err := lastfile.Read(real); err != nil || got != id {
			t.Fatalf("Read behind the link: got %d, %v, want %d", got, err, id)
		}
		if err := os.Chmod(real, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := lastfile.Write(link, 9); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(real); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode: got %v, %v, want 0640", info.Mode(), err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("link: got %v, %v, want it to be one still", info.Mode(), err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "sub", "*.tmp"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
