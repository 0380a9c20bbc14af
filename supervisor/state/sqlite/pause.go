package sqlite

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// pausePrefix begins the name of the note that a watch is paused by; its value
// is since when.
const pausePrefix = "paused/"

// notPaused keeps Claim and Due away from the jobs of paused watches.
const notPaused = ` AND NOT EXISTS (SELECT 1 FROM note WHERE note.name = '` + pausePrefix + `' || job.watch)`

// Pause implements state.Store.
func (s *Store) Pause(ctx context.Context, watch string, now time.Time) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO note (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING`,
		pausePrefix+watch, now.UTC().Format(time.RFC3339Nano))
	if err != nil {
		return fmt.Errorf("pausing a watch: %w", err)
	}
	return nil
}

// Resume implements state.Store.
func (s *Store) Resume(ctx context.Context, watch string) error {
	if _, err := s.db.ExecContext(ctx, `DELETE FROM note WHERE name = ?`, pausePrefix+watch); err != nil {
		return fmt.Errorf("resuming a watch: %w", err)
	}
	return nil
}

// Paused implements state.Store.
func (s *Store) Paused(ctx context.Context) (map[string]time.Time, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT name, value FROM note WHERE name >= ? AND name < ?`, pausePrefix, "paused0")
	if err != nil {
		return nil, fmt.Errorf("reading which watches are paused: %w", err)
	}
	defer rows.Close()
	out := make(map[string]time.Time)
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, fmt.Errorf("reading which watches are paused: %w", err)
		}
		since, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			return nil, fmt.Errorf("reading which watches are paused: %w", err)
		}
		out[strings.TrimPrefix(name, pausePrefix)] = since
	}
	return out, rows.Err()
}
