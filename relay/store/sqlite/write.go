package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"autoreview/relay"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Bounds of what shares a commit, and with it of how long the first waits.
const (
	maxBatch      = 256
	maxBatchBytes = 16 << 20
)

// write queues a change and returns once its commit is durable. After it was
// queued ctx no longer matters, so that an answer never leaves open whether
// the change was made. For bytes see task.
func (s *Store) write(ctx context.Context, bytes int, run func(*txn) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	t := newTask(run)
	t.bytes = bytes
	if !s.queue.put(t) {
		return errClosed()
	}
	<-t.done
	return t.err
}

// runWriter ends when the queue is closed and empty.
func (s *Store) runWriter() {
	defer close(s.stopped)
	for {
		batch, open := s.queue.take(maxBatch, maxBatchBytes)
		switch {
		case len(batch) > 0:
			s.commit(batch)
		case open:
			<-s.queue.wake
		default:
			return
		}
	}
}

// commit makes the changes of a batch and answers each task. When the
// transaction fails as a whole each task gets one of its own, so that a large
// message that no longer fits on the disk does not fail the small ones.
func (s *Store) commit(batch []*task) {
	tx, err := s.writer.BeginTx(context.Background(), nil)
	if err != nil {
		// Not worth a try for each: the wait for a lock has been long enough.
		s.refuse(batch, fmt.Errorf("starting a transaction: %w", err))
		return
	}
	refusals, err := s.tryCommit(tx, batch)
	switch {
	case err != nil && len(batch) > 1:
		for _, t := range batch {
			s.commit([]*task{t})
		}
	case err != nil:
		s.refuse(batch, err)
	default:
		s.recovered()
		for i, t := range batch {
			t.answer(refusals[i])
		}
	}
}

func (s *Store) refuse(batch []*task, err error) {
	err = s.explain(err)
	for _, t := range batch {
		t.answer(err)
	}
}

// tryCommit runs the tasks in tx and ends it. A nil error means that it is on
// disk; refusals then holds what each task answered.
func (s *Store) tryCommit(tx *sql.Tx, batch []*task) (refusals []error, err error) {
	// SQLite may have rolled back by itself, for which Rollback is an error.
	defer tx.Rollback()
	txn := newTxn(tx, s.writeStmts)
	refusals = make([]error, len(batch))
	for i, t := range batch {
		err := t.run(txn)
		if refusal := (*relay.Error)(nil); err != nil && !errors.As(err, &refusal) {
			// No statement may follow: without its transaction it would
			// commit by itself.
			return nil, err
		}
		refusals[i] = err
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("committing: %w", err)
	}
	s.commits.Add(1)
	return refusals, nil
}

// explain turns an error that the operator can mend into one that the client
// can understand. The first of a row is logged in full.
func (s *Store) explain(err error) error {
	var cause *sqlite.Error
	if !errors.As(err, &cause) {
		return err
	}
	text := ""
	switch {
	case cause.Code()&0xff == sqlite3.SQLITE_FULL, cause.Code() == sqlite3.SQLITE_IOERR_SHMSIZE:
		text = "the relay's disk is full, nothing was stored"
	case cause.Code()&0xff == sqlite3.SQLITE_READONLY:
		text = "the relay's data file is read-only, nothing was stored"
	default:
		return err
	}
	if !s.ailing {
		s.log.Error("store cannot be written to", "err", err)
		s.ailing = true
	}
	return &relay.Error{Code: relay.CodeUnavailable, Text: text}
}

func (s *Store) recovered() {
	if s.ailing {
		s.log.Info("store can be written to again")
		s.ailing = false
	}
}

func errClosed() error {
	return &relay.Error{Code: relay.CodeUnavailable, Text: "the relay is shutting down, nothing was stored"}
}
