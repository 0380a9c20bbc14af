package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"autoreview/supervisor/state"
)

// claimable are the jobs that may be started when they are due. What arrives
// while a job of its group runs waits for the end of that one, so that the
// rounds of one piece of work keep their order.
const claimable = `state IN ('queued','waiting') AND NOT EXISTS (
	SELECT 1 FROM job busy WHERE busy.state = 'running' AND busy.watch = job.watch AND busy.grp = job.grp)` + notPaused

// Claim implements state.Store.
func (s *Store) Claim(ctx context.Context, watches []string, now time.Time) (j state.Job, ok bool, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		id, err := firstDue(ctx, tx, watches, now)
		if err != nil || id == 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE job SET state = 'running', attempt = attempt + 1, updated = ? WHERE id = ?`, toMicro(now), id)
		if err != nil {
			return err
		}
		j, err = loadJob(ctx, tx, id)
		ok = err == nil
		return err
	})
	if err != nil {
		return state.Job{}, false, fmt.Errorf("claiming a job: %w", err)
	}
	return j, ok, nil
}

func firstDue(ctx context.Context, tx *sql.Tx, watches []string, now time.Time) (id int64, err error) {
	for _, w := range watches {
		err := tx.QueryRowContext(ctx, `SELECT id FROM job WHERE `+claimable+` AND watch = ? AND due <= ? ORDER BY due, id LIMIT 1`,
			w, toMicro(now)).Scan(&id)
		if !errors.Is(err, sql.ErrNoRows) {
			return id, err
		}
	}
	return 0, nil
}

// Due implements state.Store.
func (s *Store) Due(ctx context.Context) (map[string]time.Time, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT watch, min(due) FROM job WHERE `+claimable+` GROUP BY watch`)
	if err != nil {
		return nil, fmt.Errorf("reading due times: %w", err)
	}
	defer rows.Close()
	due := make(map[string]time.Time)
	for rows.Next() {
		var watch string
		var us int64
		if err := rows.Scan(&watch, &us); err != nil {
			return nil, fmt.Errorf("reading due times: %w", err)
		}
		due[watch] = fromMicro(us)
	}
	return due, rows.Err()
}

// Spent implements state.Store.
func (s *Store) Spent(ctx context.Context, since time.Time) ([]state.Spend, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT job.watch, run.job, run.started,
			coalesce(json_extract(run.used, '$.input'), 0) + coalesce(json_extract(run.used, '$.output'), 0)
		FROM run JOIN job ON job.id = run.job WHERE run.started > ? ORDER BY run.started, run.id`, toMicro(since))
	if err != nil {
		return nil, fmt.Errorf("reading what was spent: %w", err)
	}
	out, err := collect(rows, func(rows *sql.Rows) (v state.Spend, err error) {
		var at int64
		err = rows.Scan(&v.Watch, &v.Job, &at, &v.Tokens)
		v.At = fromMicro(at)
		return v, err
	})
	if err != nil {
		return nil, fmt.Errorf("reading what was spent: %w", err)
	}
	return out, nil
}

// LastStart implements state.Store.
func (s *Store) LastStart(ctx context.Context, class string) (time.Time, error) {
	var us sql.NullInt64
	if err := s.db.QueryRowContext(ctx, `SELECT max(started) FROM run WHERE class = ?`, class).Scan(&us); err != nil {
		return time.Time{}, fmt.Errorf("reading the last start: %w", err)
	}
	return fromMicro(us.Int64), nil
}
