// Package sqlite is the state.Store in a SQLite file.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"autoreview/supervisor/state"
)

// schema versions: the statements that lead from version i to i+1.
var migrations = []string{`
CREATE TABLE cursor (
	watch TEXT NOT NULL, channel TEXT NOT NULL, log_id TEXT NOT NULL,
	id INTEGER NOT NULL,
	PRIMARY KEY (watch, channel, log_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE job (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	watch TEXT NOT NULL, channel TEXT NOT NULL, log_id TEXT NOT NULL,
	workdir TEXT NOT NULL, grp TEXT NOT NULL,
	key TEXT NOT NULL UNIQUE, generation INTEGER NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('queued','waiting','running','answered','done','failed')),
	attempt INTEGER NOT NULL DEFAULT 0,
	due INTEGER NOT NULL,
	class TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
	thread TEXT NOT NULL DEFAULT '',
	answer TEXT, outcome TEXT NOT NULL DEFAULT '', answer_id INTEGER NOT NULL DEFAULT 0,
	bytes INTEGER NOT NULL DEFAULT 0,
	created INTEGER NOT NULL, updated INTEGER NOT NULL,
	CHECK (state != 'answered' OR answer IS NOT NULL)
) STRICT;
CREATE INDEX job_state ON job (state, due);
CREATE INDEX job_watch ON job (watch, channel, log_id, state);

CREATE TABLE packet (
	watch TEXT NOT NULL, log_id TEXT NOT NULL, id INTEGER NOT NULL, generation INTEGER NOT NULL,
	job INTEGER NOT NULL REFERENCES job (id),
	ts REAL NOT NULL, sender TEXT NOT NULL, text TEXT NOT NULL, meta TEXT,
	PRIMARY KEY (watch, log_id, id, generation)
) STRICT;
CREATE INDEX packet_job ON packet (job, id);

CREATE TABLE run (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	job INTEGER NOT NULL REFERENCES job (id),
	attempt INTEGER NOT NULL,
	process TEXT, thread TEXT NOT NULL DEFAULT '', codex TEXT NOT NULL DEFAULT '',
	dir TEXT NOT NULL DEFAULT '',
	class TEXT NOT NULL DEFAULT '', text TEXT NOT NULL DEFAULT '', exit INTEGER NOT NULL DEFAULT 0,
	used TEXT NOT NULL DEFAULT '{}', thread_used TEXT NOT NULL DEFAULT '{}',
	started INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX run_job ON run (job, id);
CREATE INDEX run_thread ON run (thread, id) WHERE thread != '';
CREATE INDEX run_open ON run (ended) WHERE ended = 0;

CREATE TABLE thread (
	watch TEXT PRIMARY KEY,
	id TEXT NOT NULL,
	seed TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE note (
	name TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`, `
-- What an isolated review is about: see Tree.
ALTER TABLE job ADD COLUMN snapshot TEXT NOT NULL DEFAULT '';
ALTER TABLE job ADD COLUMN base TEXT NOT NULL DEFAULT '';

-- A job that a schedule asked for: which one, for which due time, and the one
-- before that.
ALTER TABLE job ADD COLUMN schedule TEXT NOT NULL DEFAULT '';
ALTER TABLE job ADD COLUMN occasion INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN previous INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX job_occasion ON job (schedule, occasion, generation) WHERE schedule != '';

CREATE TABLE schedule (
	name TEXT PRIMARY KEY,
	spec TEXT NOT NULL,
	last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE hold (
	watch TEXT PRIMARY KEY,
	class TEXT NOT NULL, reason TEXT NOT NULL,
	since INTEGER NOT NULL, until INTEGER NOT NULL,
	failures INTEGER NOT NULL, said INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX run_started ON run (started);
`, `
-- Which classes the channel was told of, and not only whether of the latest.
ALTER TABLE hold ADD COLUMN told TEXT NOT NULL DEFAULT '';
UPDATE hold SET told = class WHERE said;
ALTER TABLE hold DROP COLUMN said;
`, `
-- Who answers, "" for a job of before that was kept.
ALTER TABLE job ADD COLUMN reply_as TEXT NOT NULL DEFAULT '';
`}

var _ state.Store = (*Store)(nil)

// Store is a state.Store in a SQLite file. It is safe for concurrent use; every
// write is durable when its method returns.
type Store struct {
	db *sql.DB
}

// Open opens the state in the file at path and creates it (mode 0600, in a
// folder of mode 0700) when it is not there. One process at a time may have it
// open; the caller holds the lock.
func Open(ctx context.Context, path string) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("creating state folder: %w", err)
	}
	// SQLite gives its journal files the mode of the database.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("creating state file: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("creating state file: %w", err)
	}
	s, err := connect(path, url.Values{
		"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "busy_timeout(5000)"},
		"_txlock": {"immediate"},
	})
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening state %s: %w", path, err), s.Close())
	}
	return s, nil
}

// OpenReadOnly opens the state to look at it, also while another process has
// it open. Every method that writes fails. The error is fs.ErrNotExist when
// there is no such file.
func OpenReadOnly(ctx context.Context, path string) (*Store, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("opening state: %w", err)
	}
	s, err := connect(path, url.Values{"mode": {"ro"}, "_pragma": {"query_only(1)", "busy_timeout(5000)"}})
	if err != nil {
		return nil, err
	}
	version, err := s.version(ctx)
	if err == nil && version != len(migrations) {
		err = fmt.Errorf("the file is of another version of autoreview (schema %d, this one knows %d)", version, len(migrations))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening state %s: %w", path, err), s.Close())
	}
	return s, nil
}

func connect(path string, query url.Values) (*Store, error) {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("opening state: %w", err)
	}
	// One connection: every access is short, and the order of writes is plain.
	db.SetMaxOpenConns(1)
	return &Store{db: db}, nil
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

func (s *Store) prepare(ctx context.Context) error {
	var sync int
	if err := s.db.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&sync); err != nil {
		return fmt.Errorf("reading pragmas: %w", err)
	}
	if sync != 2 {
		return fmt.Errorf("synchronous is %d, want 2 (FULL)", sync)
	}
	version, err := s.version(ctx)
	if err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("the file was written by a newer autoreview (schema %d, this one knows %d)", version, len(migrations))
	}
	for ; version < len(migrations); version++ {
		if err := s.migrate(ctx, version); err != nil {
			return fmt.Errorf("migrating schema to version %d: %w", version+1, err)
		}
	}
	return nil
}

func (s *Store) version(ctx context.Context) (version int, err error) {
	if err := s.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return 0, fmt.Errorf("reading schema version: %w", err)
	}
	return version, nil
}

func (s *Store) migrate(ctx context.Context, version int) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, migrations[version]); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version+1))
		return err
	})
}

func (s *Store) tx(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// collect reads all rows, and closes them.
func collect[T any](rows *sql.Rows, scan func(*sql.Rows) (T, error)) ([]T, error) {
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// Times are stored as microseconds since the epoch, 0 for the zero time.

func toMicro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicro(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
