package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"autoreview/supervisor/state"
)

// forgettable are the jobs that ended before a time and that nothing looks back
// to.
const forgettable = `SELECT id FROM job WHERE state IN ('done','failed') AND updated < ?
	AND id NOT IN (SELECT max(id) FROM job WHERE state IN ('done','failed') GROUP BY watch, schedule, state)
	AND NOT EXISTS (SELECT 1 FROM run WHERE run.job = job.id AND run.ended = 0)
	ORDER BY id LIMIT ?`

// Forget implements state.Store.
func (s *Store) Forget(ctx context.Context, before time.Time, most int) (gone state.Forgotten, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		gone = state.Forgotten{}
		ids, err := forgettableIDs(ctx, tx, before, most)
		if err != nil {
			return err
		}
		for _, id := range ids {
			for _, t := range []struct {
				query string
				n     *int
			}{
				{`DELETE FROM packet WHERE job = ?`, &gone.Packets},
				{`DELETE FROM run WHERE job = ?`, &gone.Runs},
				{`DELETE FROM job WHERE id = ?`, &gone.Jobs},
			} {
				res, err := tx.ExecContext(ctx, t.query, id)
				if err != nil {
					return err
				}
				n, err := res.RowsAffected()
				if err != nil {
					return err
				}
				*t.n += int(n)
			}
		}
		return nil
	})
	if err != nil {
		return state.Forgotten{}, fmt.Errorf("forgetting old jobs: %w", err)
	}
	return gone, nil
}

func forgettableIDs(ctx context.Context, tx *sql.Tx, before time.Time, most int) (ids []int64, err error) {
	rows, err := tx.QueryContext(ctx, forgettable, toMicro(before), most)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
