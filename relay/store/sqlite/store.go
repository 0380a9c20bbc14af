// Package sqlite is the durable relay.Store: one SQLite file in WAL mode with
// synchronous=FULL, so that an acknowledged message is on disk.
//
// One goroutine writes. It takes whatever is queued, up to 256 posts, and
// commits it as one transaction, so many writers share one sync and a single
// writer never waits for company. Reads run on a pool of their own, each from
// one snapshot, and never wait for the writer.
//
// One process at a time may open a data file: the caller locks the folder.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"autoreview/relay"
)

var _ relay.Store = (*Store)(nil)

// Options are the settings of a Store. The zero value is good.
type Options struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log receives what an operator must act on, such as a full disk; nil is
	// silent.
	Log *slog.Logger
}

// Store is a log in one SQLite file. Make one with Open and Close it after the
// last use. It is safe for concurrent use.
type Store struct {
	now   func() time.Time
	log   *slog.Logger
	logID string

	queue   *queue
	stopped chan struct{} // closed when the writer goroutine has ended
	commits atomic.Int64
	ailing  bool // the last commit was refused by the disk; the writer's own

	writer, readers       *sql.DB
	writeStmts, readStmts statements
}

// Open opens the log in the file at path and makes it, and its folder, when
// there is none. The file is private to the user (mode 0600), a new folder too
// (0700). An older schema is migrated; a newer one is an error that says so.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{now: opts.Now, log: opts.Log, queue: newQueue(), stopped: make(chan struct{})}
	if err := s.open(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), s.closeFiles())
	}
	go s.runWriter()
	return s, nil
}

func (s *Store) open(ctx context.Context, path string) (err error) {
	path, err = makeFile(path)
	if err != nil {
		return err
	}
	if s.writer, err = openPool(path, writerPragmas, 1); err != nil {
		return err
	}
	if s.logID, err = migrate(ctx, s.writer, migrations); err != nil {
		return err
	}
	if s.writeStmts, err = prepare(ctx, s.writer, writeQueries); err != nil {
		return err
	}
	if s.readers, err = openPool(path, readerPragmas, 2*runtime.GOMAXPROCS(0)); err != nil {
		return err
	}
	s.readStmts, err = prepare(ctx, s.readers, readQueries)
	return err
}

// Close refuses new posts, commits and answers those that are queued, and
// closes the file. A second Close does nothing.
func (s *Store) Close() error {
	if !s.queue.close() {
		<-s.stopped
		return nil
	}
	<-s.stopped
	return s.closeFiles()
}

func (s *Store) closeFiles() error {
	var errs []error
	// The writer goes last: closing the last connection folds the write-ahead
	// log into the data file.
	for _, db := range []*sql.DB{s.readers, s.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// Check implements relay.Store. It commits a change that needs the same room
// as a message of 64 KiB, through the same queue as posts, and leaves nothing
// behind. It stops waiting when ctx ends.
func (s *Store) Check(ctx context.Context) error {
	t := newTask(func(t *txn) error {
		for _, query := range []string{sqlProbeFill, sqlProbeClear, sqlCountCheck} {
			if _, err := t.exec(query); err != nil {
				return fmt.Errorf("checking the store: %w", err)
			}
		}
		return nil
	})
	if !s.queue.put(t) {
		return errClosed()
	}
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

const (
	sqlProbeFill  = `INSERT INTO probe (body) VALUES (zeroblob(65536))`
	sqlProbeClear = `DELETE FROM probe`
	sqlCountCheck = `UPDATE log SET checks = checks + 1`
)
