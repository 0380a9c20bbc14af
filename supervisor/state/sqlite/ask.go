package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"autoreview/supervisor/state"
)

// Nobody but its worker writes to a running job, and nobody but the one who
// posts to an answered one. What a person asks of a job is therefore done here
// only while the job is nobody's, in one transaction.

// Change implements state.Store.
func (s *Store) Change(ctx context.Context, id int64, now time.Time, change func(state.Job) state.Job) (j state.Job, ok bool, err error) {
	return s.ask(ctx, id, func(tx *sql.Tx, j *state.Job) (bool, error) {
		if j.State != state.Queued && j.State != state.Waiting {
			return false, nil
		}
		*j = change(*j)
		return true, saveJob(ctx, tx, *j, now)
	})
}

// Again implements state.Store.
func (s *Store) Again(ctx context.Context, id int64, now time.Time, key func(first state.Job, generation int) string) (j state.Job, ok bool, err error) {
	return s.ask(ctx, id, func(tx *sql.Tx, j *state.Job) (bool, error) {
		last, open, err := generations(ctx, tx, id)
		if err != nil {
			return false, err
		}
		if open != 0 {
			*j, err = loadJob(ctx, tx, open)
			return false, err
		}
		if id, err = copyJob(ctx, tx, id, last+1, key(*j, last+1), now); err != nil {
			return false, err
		}
		*j, err = loadJob(ctx, tx, id)
		return true, err
	})
}

// generations looks at the jobs for the packets, or for the occasion, of a job:
// what their last generation is, and which has not ended, 0 for none.
func generations(ctx context.Context, tx *sql.Tx, id int64) (last int, open int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT max(generation), coalesce(min(CASE WHEN state NOT IN ('done','failed') THEN id END), 0)
		FROM job WHERE id = ?1
			OR id IN (SELECT o.job FROM packet p JOIN packet o ON o.watch = p.watch AND o.log_id = p.log_id AND o.id = p.id WHERE p.job = ?1)
			OR schedule != '' AND (schedule, occasion) = (SELECT schedule, occasion FROM job WHERE id = ?1)`, id).Scan(&last, &open)
	return last, open, err
}

func copyJob(ctx context.Context, tx *sql.Tx, id int64, generation int, key string, now time.Time) (int64, error) {
	res, err := tx.ExecContext(ctx, `INSERT INTO job (watch, channel, log_id, workdir, reply_as, grp, key, generation, state, due, bytes, created, updated,
			snapshot, base, schedule, occasion, previous)
		SELECT watch, channel, log_id, workdir, reply_as, grp, ?1, ?2, 'queued', ?3, bytes, ?3, ?3,
			snapshot, base, schedule, occasion, previous FROM job WHERE id = ?4`,
		key, generation, toMicro(now), id)
	if err != nil {
		return 0, err
	}
	job, err := res.LastInsertId()
	if err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO packet (watch, log_id, id, generation, job, ts, sender, text, meta)
		SELECT watch, log_id, id, ?, ?, ts, sender, text, meta FROM packet WHERE job = ?`, generation, job, id)
	return job, err
}

// ask loads a job and lets do change it, in one transaction.
func (s *Store) ask(ctx context.Context, id int64, do func(*sql.Tx, *state.Job) (bool, error)) (j state.Job, ok bool, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		j, err = loadJob(ctx, tx, id)
		if errors.Is(err, sql.ErrNoRows) {
			return state.ErrNoJob
		}
		if err == nil {
			ok, err = do(tx, &j)
		}
		return err
	})
	if errors.Is(err, state.ErrNoJob) {
		return state.Job{}, false, state.ErrNoJob
	}
	if err != nil {
		return state.Job{}, false, fmt.Errorf("changing job %d: %w", id, err)
	}
	return j, ok, nil
}
