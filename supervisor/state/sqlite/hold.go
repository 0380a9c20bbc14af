package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"autoreview/supervisor/state"
)

// Holds implements state.Store.
func (s *Store) Holds(ctx context.Context) (map[string]state.Hold, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT watch, class, reason, since, until, failures, told FROM hold`)
	if err != nil {
		return nil, fmt.Errorf("reading holds: %w", err)
	}
	defer rows.Close()
	out := make(map[string]state.Hold)
	for rows.Next() {
		var h state.Hold
		var since, until int64
		var told string
		if err := rows.Scan(&h.Watch, &h.Class, &h.Reason, &since, &until, &h.Failures, &told); err != nil {
			return nil, fmt.Errorf("reading holds: %w", err)
		}
		h.Since, h.Until, h.Told = fromMicro(since), fromMicro(until), words(told)
		out[h.Watch] = h
	}
	return out, rows.Err()
}

// ChangeHold implements state.Store.
func (s *Store) ChangeHold(ctx context.Context, watch string, change func(h state.Hold, held bool) (state.Hold, bool)) (state.Hold, error) {
	var h state.Hold
	err := s.tx(ctx, func(tx *sql.Tx) error {
		var since, until int64
		var told string
		h = state.Hold{Watch: watch}
		err := tx.QueryRowContext(ctx, `SELECT class, reason, since, until, failures, told FROM hold WHERE watch = ?`, watch).
			Scan(&h.Class, &h.Reason, &since, &until, &h.Failures, &told)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		h.Since, h.Until, h.Told = fromMicro(since), fromMicro(until), words(told)
		var keep bool
		if h, keep = change(h, err == nil); !keep {
			_, err = tx.ExecContext(ctx, `DELETE FROM hold WHERE watch = ?`, watch)
			return err
		}
		h.Since, h.Until = fromMicro(toMicro(h.Since)), fromMicro(toMicro(h.Until))
		_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO hold (watch, class, reason, since, until, failures, told) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			watch, h.Class, h.Reason, toMicro(h.Since), toMicro(h.Until), h.Failures, strings.Join(h.Told, " "))
		return err
	})
	if err != nil {
		return state.Hold{}, fmt.Errorf("changing a hold: %w", err)
	}
	return h, nil
}

// words is nil for none.
func words(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Fields(s)
}
