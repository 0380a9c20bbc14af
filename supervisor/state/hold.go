package state

import (
	"context"
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

// SaveHold keeps the hold of a watch, instead of one that it had.
func (s *Store) SaveHold(ctx context.Context, h Hold) error {
	_, err := s.db.ExecContext(ctx, `INSERT OR REPLACE INTO hold (watch, class, reason, since, until, failures, said) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		h.Watch, h.Class, h.Reason, toMicro(h.Since), toMicro(h.Until), h.Failures, h.Said)
	if err != nil {
		return fmt.Errorf("saving a hold: %w", err)
	}
	return nil
}

// ClearHold takes away the hold of a watch, if it has one.
func (s *Store) ClearHold(ctx context.Context, watch string) error {
	if _, err := s.db.ExecContext(ctx, `DELETE FROM hold WHERE watch = ?`, watch); err != nil {
		return fmt.Errorf("clearing a hold: %w", err)
	}
	return nil
}
