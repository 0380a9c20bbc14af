package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Hold is why a watch starts no reviews for now, or why they keep failing.
type Hold struct {
	Watch string
	// Class is the class of failure, or "limit" for a limit of our own.
	Class, Reason string
	// Since is when the trouble began, Until when a review is tried next.
	Since, Until time.Time
	// Failures counts the runs that failed since then.
	Failures int
	// Said is whether the channel was told.
	Said bool
}

// Holds returns the holds of all watches, by name of the watch.
func (s *Store) Holds(ctx context.Context) (map[string]Hold, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT watch, class, reason, since, until, failures, said FROM hold`)
	if err != nil {
		return nil, fmt.Errorf("reading holds: %w", err)
	}
	defer rows.Close()
	out := make(map[string]Hold)
	for rows.Next() {
		var h Hold
		var since, until int64
		if err := rows.Scan(&h.Watch, &h.Class, &h.Reason, &since, &until, &h.Failures, &h.Said); err != nil {
			return nil, fmt.Errorf("reading holds: %w", err)
		}
		h.Since, h.Until = fromMicro(since), fromMicro(until)
		out[h.Watch] = h
	}
	return out, rows.Err()
}

// ChangeHold reads the hold of a watch and writes what change makes of it, in
// one transaction. held says whether there is one; change returns whether there
// is to be one.
func (s *Store) ChangeHold(ctx context.Context, watch string, change func(h Hold, held bool) (Hold, bool)) (Hold, error) {
	var h Hold
	err := s.tx(ctx, func(tx *sql.Tx) error {
		var since, until int64
		h = Hold{Watch: watch}
		err := tx.QueryRowContext(ctx, `SELECT class, reason, since, until, failures, said FROM hold WHERE watch = ?`, watch).
			Scan(&h.Class, &h.Reason, &since, &until, &h.Failures, &h.Said)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		h.Since, h.Until = fromMicro(since), fromMicro(until)
		var keep bool
		if h, keep = change(h, err == nil); !keep {
			_, err = tx.ExecContext(ctx, `DELETE FROM hold WHERE watch = ?`, watch)
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO hold (watch, class, reason, since, until, failures, said) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			watch, h.Class, h.Reason, toMicro(h.Since), toMicro(h.Until), h.Failures, h.Said)
		return err
	})
	if err != nil {
		return Hold{}, fmt.Errorf("changing a hold: %w", err)
	}
	return h, nil
}
