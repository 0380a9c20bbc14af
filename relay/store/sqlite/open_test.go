package sqlite_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"autoreview/relay"
	"autoreview/relay/store/sqlite"
)

// Every connection of both pools has its settings, not only the first.
func TestSettingsOfEveryConnection(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "relay.db"), sqlite.Options{})
	writer, readers := s.Pools()
	if got, want := readers.Stats().MaxOpenConnections, 2*runtime.GOMAXPROCS(0); got != want {
		t.Errorf("reading connections: got %d, want %d", got, want)
	}
	wantSettings(t, writer, sqlite.WriterPragmas())
	wantSettings(t, readers, sqlite.ReaderPragmas())
}

func wantSettings(t *testing.T, db *sql.DB, want map[string]string) {
	t.Helper()
	for i := range db.Stats().MaxOpenConnections {
		conn, err := db.Conn(t.Context()) // held, so that the next is another
		if err != nil {
			t.Fatalf("Conn: %v", err)
		}
		defer conn.Close()
		for name, want := range want {
			var got string
			if err := conn.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&got); err != nil || got != want {
				t.Errorf("connection %d: %s is %q, %v, want %q", i, name, got, err, want)
			}
		}
	}
}

// A connection that does not have a setting is refused with the setting's name.
func TestConnectionWithoutASettingIsRefused(t *testing.T) {
	for name, value := range map[string]string{
		"busy_timeout": "0", "journal_mode": "DELETE", "synchronous": "NORMAL",
		"fullfsync": "OFF", "checkpoint_fullfsync": "OFF", "journal_size_limit": "-1",
	} {
		err := sqlite.ConnectWith(t.Context(), filepath.Join(t.TempDir(), "relay.db"), name, value)
		if err == nil || !strings.Contains(err.Error(), "setting "+name+" of a connection is ") {
			t.Errorf("connection with %s = %s: got %v, want an error about it", name, value, err)
		}
	}
}

// The data is private to the user, also when an older file was not.
func TestFileModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIP: file modes are not Windows' way")
	}
	dir := filepath.Join(t.TempDir(), "new", "folder")
	path := filepath.Join(dir, "relay.db")
	for range 2 {
		s := open(t, path, sqlite.Options{})
		if _, err := s.Append(t.Context(), draft("t")); err != nil {
			t.Fatalf("Append: %v", err)
		}
		wantMode(t, dir, 0o700)
		wantMode(t, filepath.Dir(dir), 0o700)
		for _, end := range []string{"", "-wal", "-shm"} {
			wantMode(t, path+end, 0o600)
		}
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func wantMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Errorf("Stat: %v", err)
	} else if got := info.Mode().Perm(); got != want {
		t.Errorf("mode of %s: got %o, want %o", path, got, want)
	}
}

// A path may hold what means something in an URI.
func TestOddPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b%20?c=#d&_pragma=synchronous(OFF)", "relay é.db")
	s := open(t, path, sqlite.Options{})
	if _, err := s.Append(t.Context(), draft("t")); err != nil {
		t.Fatalf("Append: %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("Stat: %v", err)
	}
	if got := s.Check(t.Context()); got != nil {
		t.Errorf("Check: %v", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	other := filepath.Join(dir, "other.db")
	build(t, other, `CREATE TABLE notes (text TEXT)`)
	for _, tt := range []struct{ name, path, want string }{
		{"no path", "", "no path given"},
		{"a file that is no database", file("text", strings.Repeat("not a database ", 100)), "not a database"},
		{"the database of another program", other, "another program"},
		{"a folder that is a file", filepath.Join(file("plain", "x"), "relay.db"), "making the folder"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := sqlite.Open(t.Context(), tt.path, sqlite.Options{})
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open: got %v, want an error with %q", err, tt.want)
			}
		})
	}
	if got, err := os.ReadFile(filepath.Join(dir, "plain")); err != nil || string(got) != "x" {
		t.Errorf("a refused file: got %q, %v, want it untouched", got, err)
	}
}

// No query of the store scans what grows with the log, or sorts it.
func TestQueryPlans(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "relay.db"), sqlite.Options{})
	plans, err := s.Plans(t.Context())
	if err != nil {
		t.Fatalf("Plans: %v", err)
	}
	for query, plan := range plans {
		for _, step := range plan {
			for _, bad := range []string{"SCAN messages", "SCAN keys", "TEMP B-TREE"} {
				// Reading the table itself in order of id stops at its limit.
				if strings.HasPrefix(step, bad) && !strings.HasSuffix(query, "FROM messages ORDER BY id LIMIT ?") {
					t.Errorf("plan of %q: got %q", query, plan)
				}
			}
		}
	}
	if n := len(plans); n < 20 {
		t.Errorf("plans: got %d, want those of all queries", n)
	}
}

// A file of schema version 1 opens, keeps its id and all it holds.
func TestOpensVersion1(t *testing.T) {
	fixture, err := os.ReadFile(filepath.Join("testdata", "v1.sql"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "relay.db")
	build(t, path, string(fixture))
	s := open(t, path, sqlite.Options{})
	p, err := s.Read(t.Context(), relay.Query{Targets: []string{"proj-x"}, Limit: 10})
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	want := "{ID:3 TS:1.7723664015e+09 Target:proj-x Sender:codex Text:looks good Kind:review ReplyTo:1 " +
		"Meta:" + fmt.Sprint([]byte(`{"verdict":"approve"}`)) + " Key:job/1}"
	if len(p.Messages) != 1 || fmt.Sprintf("%+v", p.Messages[0]) != want {
		t.Errorf("messages: got %+v, want %s", p.Messages, want)
	}
	if p.LogID != "VERSION1LOG" || p.Head != 4 || p.OldestID != 2 {
		t.Errorf("page: got %+v, oldest %d, want VERSION1LOG, head 4, oldest 2", p.Info, p.OldestID)
	}
	d := relay.Draft{Target: "proj-x", Sender: "claude", Text: "again", Key: "k1"}
	if posted, err := s.Append(t.Context(), d); err != nil || !posted.Duplicate || posted.ID != 1 || posted.Message != nil {
		t.Errorf("Append of a pruned key: got %+v, %v, want a duplicate of 1", posted, err)
	}
	channels, err := s.Channels(t.Context())
	if got := fmt.Sprint(channels); err != nil || got != "[{proj-x 1 3 1.7723664015e+09} {empty 0 4 1.772366402e+09}]" &&
		got != "[{empty 0 4 1.772366402e+09} {proj-x 1 3 1.7723664015e+09}]" {
		t.Errorf("Channels: got %s, %v", got, err)
	}
	if posted, err := s.Append(t.Context(), draft("next")); err != nil || posted.ID != 5 {
		t.Errorf("Append: got %+v, %v, want id 5", posted, err)
	}
}

// A file that a later version of the program has migrated keeps its data and
// its id, and this version refuses it.
func TestMigration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.db")
	s := open(t, path, sqlite.Options{})
	if _, err := s.Append(t.Context(), draft("kept")); err != nil {
		t.Fatalf("Append: %v", err)
	}
	before, err := s.Info(t.Context())
	if err != nil {
		t.Fatalf("Info: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}

	const half = `CREATE TABLE half (x); INSERT INTO nowhere VALUES (1)`
	if _, err := sqlite.Migrate(t.Context(), path, half); err == nil || !strings.Contains(err.Error(), "schema version") {
		t.Fatalf("a migration that fails: got %v", err)
	}
	if tables := list(t, path, `SELECT name FROM sqlite_schema WHERE name = 'half'`); len(tables) != 0 {
		t.Errorf("a migration that failed has left %v", tables)
	}
	open(t, path, sqlite.Options{}).Close()

	id, err := sqlite.Migrate(t.Context(), path, `ALTER TABLE messages ADD COLUMN mood TEXT`, `UPDATE messages SET mood = 'good'`)
	if err != nil || id != before.LogID {
		t.Errorf("migration: got log id %q, %v, want %q", id, err, before.LogID)
	}
	if got := list(t, path, `SELECT text || mood FROM messages`); !slices.Equal(got, []string{"keptgood"}) {
		t.Errorf("messages: got %q, want one that is kept and good", got)
	}
	_, err = sqlite.Open(t.Context(), path, sqlite.Options{})
	if err == nil || !strings.Contains(err.Error(), "it has schema version 3 and this program knows versions up to 1") {
		t.Errorf("Open of a later version: got %v", err)
	}
}

// build makes a database from a script, without the store.
func build(t *testing.T, path, script string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), script); err != nil {
		t.Fatalf("building %s: %v", path, err)
	}
}

// list returns the rows of one text column, without the store.
func list(t *testing.T, path, query string) []string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
