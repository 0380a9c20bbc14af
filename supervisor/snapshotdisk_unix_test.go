//go:build unix

package supervisor

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// gitThat puts a Git before the real one that does something else when it is to
// add files.
func gitThat(t *testing.T, does string) {
	t.Helper()
	real, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := "#!/bin/sh\ncase \" $* \" in *' add --all '*) " + does + ";; esac\nexec " + real + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "git"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// A snapshot that lacks a file because the disk is full would have something
// reviewed that never was.
func TestASnapshotOnAFullDiskIsNone(t *testing.T) {
	for name, does := range map[string]string{
		"no room":      `echo "error: unable to create temporary file: No space left on device" >&2; exit 1`,
		"a quota":      `echo "error: file write error: Disk quota exceeded" >&2; exit 1`,
		"fatal":        `echo "fatal: Unable to write new index file" >&2; exit 128`,
		"ended by one": `kill -9 $$`,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t)
			s := isolated(t)
			r.write("file", "one\n")
			gitThat(t, does)
			if tree, err := s.snapshot(t.Context(), r.dir, ""); err == nil {
				t.Errorf("got %+v, want an error", tree)
			}
			checkEmpty(t, s)
		})
	}
	t.Run("what cannot be read is left out", func(t *testing.T) {
		r := newRepo(t)
		s := isolated(t)
		r.write("file", "one\n")
		gitThat(t, `echo "error: open(\"x\"): Permission denied" >&2; exit 1`)
		if _, err := s.snapshot(t.Context(), r.dir, ""); err != nil {
			t.Error(err)
		}
	})
}
