package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"slices"
	"testing"
)

// A state of the schema before keeps what was said of its holds.
func TestHoldsOfAnOlderSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`ALTER TABLE job DROP COLUMN reply_as`,
		`ALTER TABLE hold DROP COLUMN told`,
		`ALTER TABLE hold ADD COLUMN said INTEGER NOT NULL DEFAULT 0`,
		`PRAGMA user_version = 2`,
		`INSERT INTO hold VALUES ('told', 'auth', 'log in', 1, 2, 3, 1), ('silent', 'network', 'none', 1, 2, 1, 0)`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	defer s.Close()
	holds, err := s.Holds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if h := holds["told"]; !slices.Equal(h.Told, []string{"auth"}) || h.Reason != "log in" || h.Failures != 3 {
		t.Errorf("the hold that was told of: got %+v", h)
	}
	if h := holds["silent"]; h.Told != nil || h.Class != "network" {
		t.Errorf("the hold that was not: got %+v", h)
	}
}
