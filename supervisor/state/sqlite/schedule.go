package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"autoreview/supervisor/state"
)

// Fire implements state.Store.
func (s *Store) Fire(ctx context.Context, o state.Occasion, now time.Time) (made bool, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		made = false
		last, ok, err := lastOccasion(ctx, tx, o.Schedule, o.Spec)
		if err != nil || ok && !o.Due.After(last) {
			return err
		}
		if err := setOccasion(ctx, tx, o.Schedule, o.Spec, o.Due); err != nil || !o.Run {
			return err
		}
		res, err := tx.ExecContext(ctx, `INSERT INTO job (watch, channel, log_id, workdir, reply_as, grp, key, generation, state, due, created, updated,
				snapshot, base, schedule, occasion, previous)
			SELECT ?1, ?2, '', ?3, ?10, 'schedule/' || ?4, ?5, 1, 'queued', ?6, ?7, ?7, ?8, ?9, ?4, ?6,
				coalesce((SELECT max(occasion) FROM job WHERE schedule = ?4), 0)
			WHERE NOT EXISTS (SELECT 1 FROM job WHERE schedule = ?4 AND state NOT IN ('done','failed'))
				AND NOT EXISTS (SELECT 1 FROM job WHERE schedule = ?4 AND occasion = ?6)`,
			o.Watch, o.Channel, o.Workdir, o.Schedule, o.Key, toMicro(o.Due), toMicro(now), o.Tree.Snapshot, o.Tree.Base, o.ReplyAs)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		made = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("firing schedule %q: %w", o.Schedule, err)
	}
	return made, nil
}

// LastOccasion implements state.Store.
func (s *Store) LastOccasion(ctx context.Context, schedule, spec string, now time.Time) (last time.Time, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		var ok bool
		last, ok, err = lastOccasion(ctx, tx, schedule, spec)
		if err != nil || ok {
			return err
		}
		last = now
		return setOccasion(ctx, tx, schedule, spec, now)
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("reading schedule %q: %w", schedule, err)
	}
	return last, nil
}

func lastOccasion(ctx context.Context, tx *sql.Tx, name, spec string) (time.Time, bool, error) {
	var us int64
	err := tx.QueryRowContext(ctx, `SELECT last FROM schedule WHERE name = ? AND spec = ?`, name, spec).Scan(&us)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, false, nil
	}
	return fromMicro(us), err == nil, err
}

func setOccasion(ctx context.Context, tx *sql.Tx, name, spec string, at time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO schedule (name, spec, last) VALUES (?, ?, ?)`, name, spec, toMicro(at))
	return err
}
