package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"autoreview/supervisor/state"
	"autoreview/supervisor/state/sqlite"
	"autoreview/supervisor/state/statetest"
)

func TestStore(t *testing.T) {
	statetest.Run(t, func(t *testing.T) (state.Store, func() state.Store) {
		path := filepath.Join(t.TempDir(), "state.db")
		s := open(t, path)
		return s, func() state.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, path)
			return s
		}
	})
}

// enqueue makes a job.
func enqueue(t *testing.T, s *sqlite.Store) {
	t.Helper()
	now := time.Now()
	_, err := s.Enqueue(t.Context(), state.Batch{
		Watch: "w", Channel: "c", LogID: "log", Workdir: "/repo", Cursor: 1, Due: now,
		Items: []state.Item{{Packet: state.Packet{ID: 1, Sender: "claude", Text: "one"}, Group: "g", Key: "k"}},
	}, now)
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpenReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	if _, err := sqlite.OpenReadOnly(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("OpenReadOnly of nothing: got %v, want fs.ErrNotExist", err)
	}
	look := func(when string) {
		t.Helper()
		s, err := sqlite.OpenReadOnly(t.Context(), path)
		if err != nil {
			t.Fatalf("OpenReadOnly %s: %v", when, err)
		}
		defer s.Close()
		jobs, err := s.Summaries(t.Context(), state.Filter{})
		if err != nil || len(jobs) != 1 {
			t.Errorf("Summaries %s: got %v, %v; want one job", when, jobs, err)
		}
		if err := s.SetNote(t.Context(), "a", "b"); err == nil {
			t.Errorf("SetNote %s: got no error, want the file to be read only", when)
		}
		if _, ok, err := s.Job(t.Context(), 1); !ok || err != nil {
			t.Errorf("Job %s: got %v, %v", when, ok, err)
		}
	}
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	enqueue(t, s)
	look("while it is in use")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	look("when nobody uses it")
	if err := os.WriteFile(path+".not", []byte("no database, but long enough to look at; "+strings.Repeat("x", 200)), 0o600); err == nil {
		if _, err := sqlite.OpenReadOnly(t.Context(), path+".not"); err == nil {
			t.Error("OpenReadOnly of another file: got no error")
		}
	}
}
func open(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestFilesArePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "state.db")
	s := open(t, path)
	enqueue(t, s)
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		st, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := st.Mode().Perm(); got != 0o600 {
			t.Errorf("%s has mode %o, want 600", name, got)
		}
	}
	if st, _ := os.Stat(filepath.Dir(path)); st.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %o, want 700", st.Mode().Perm())
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.Open(context.Background(), path)
	if err == nil || !strings.Contains(err.Error(), "newer autoreview (schema 99") {
		t.Errorf("Open: got %v, want a word about the newer schema", err)
	}
}
