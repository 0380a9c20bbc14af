package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"autoreview/supervisor/state"
)

// Summaries implements state.Store.
func (s *Store) Summaries(ctx context.Context, f state.Filter) ([]state.Summary, error) {
	query := `SELECT id, watch, channel, log_id, workdir, grp, key, generation, state, attempt, due, class, reason,
			thread, outcome, answer_id, created, updated, coalesce(json_extract(answer, '$.meta.verdict'), ''), schedule, occasion,
			(SELECT json_group_array(json_object('id', p.id, 'ts', p.ts, 'sender', p.sender))
				FROM (SELECT * FROM packet WHERE packet.job = job.id ORDER BY id) p)
		FROM job WHERE (? = '' OR watch = ?)`
	args := []any{f.Watch, f.Watch}
	if f.Job != 0 {
		query += ` AND id = ?`
		args = append(args, f.Job)
	}
	if f.Schedule != "" {
		query += ` AND schedule != '' AND schedule = ?`
		args = append(args, f.Schedule)
	}
	if len(f.States) > 0 {
		query += ` AND state IN (` + marks(len(f.States)) + `)`
		for _, st := range f.States {
			args = append(args, string(st))
		}
	}
	limit := -1
	if f.Limit > 0 {
		limit = f.Limit
	}
	rows, err := s.db.QueryContext(ctx, query+` ORDER BY id DESC LIMIT ?`, append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("reading jobs: %w", err)
	}
	out, err := collect(rows, scanSummary)
	if err != nil {
		return nil, fmt.Errorf("reading jobs: %w", err)
	}
	return out, nil
}

func scanSummary(rows *sql.Rows) (state.Summary, error) {
	var j state.Summary
	var due, created, updated, occasion int64
	var packets string
	err := rows.Scan(&j.ID, &j.Watch, &j.Channel, &j.LogID, &j.Workdir, &j.Group, &j.Key, &j.Generation, &j.State, &j.Attempt, &due,
		&j.Class, &j.Reason, &j.Thread, &j.Outcome, &j.AnswerID, &created, &updated, &j.Verdict, &j.Schedule, &occasion, &packets)
	if err != nil {
		return state.Summary{}, err
	}
	j.Due, j.Created, j.Updated, j.Occasion = fromMicro(due), fromMicro(created), fromMicro(updated), fromMicro(occasion)
	return j, json.Unmarshal([]byte(packets), &j.Packets)
}

// Job implements state.Store.
func (s *Store) Job(ctx context.Context, id int64) (j state.Job, ok bool, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		j, err = loadJob(ctx, tx, id)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return state.Job{}, false, nil
	}
	if err != nil {
		return state.Job{}, false, fmt.Errorf("reading a job: %w", err)
	}
	return j, true, nil
}

// Run implements state.Store.
func (s *Store) Run(ctx context.Context, id int64) (r state.Run, ok bool, err error) {
	runs, err := s.runs(ctx, "id = ?", id)
	if err != nil || len(runs) == 0 {
		return state.Run{}, false, err
	}
	return runs[0], true, nil
}

// RecentRuns implements state.Store.
func (s *Store) RecentRuns(ctx context.Context, limit int) ([]state.Run, error) {
	if limit <= 0 {
		limit = -1
	}
	return s.runs(ctx, "id IN (SELECT id FROM run ORDER BY id DESC LIMIT ?)", limit)
}

// Counts implements state.Store.
func (s *Store) Counts(ctx context.Context) ([]state.Count, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT watch, state, class, count(*) FROM job GROUP BY watch, state, class ORDER BY watch, state, class`)
	if err != nil {
		return nil, fmt.Errorf("counting jobs: %w", err)
	}
	out, err := collect(rows, func(rows *sql.Rows) (c state.Count, err error) {
		err = rows.Scan(&c.Watch, &c.State, &c.Class, &c.Jobs)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("counting jobs: %w", err)
	}
	return out, nil
}

// Cursors implements state.Store.
func (s *Store) Cursors(ctx context.Context) (map[string]int64, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT watch, max(id) FROM cursor GROUP BY watch`)
	if err != nil {
		return nil, fmt.Errorf("reading cursors: %w", err)
	}
	defer rows.Close()
	out := make(map[string]int64)
	for rows.Next() {
		var watch string
		var id int64
		if err := rows.Scan(&watch, &id); err != nil {
			return nil, fmt.Errorf("reading cursors: %w", err)
		}
		out[watch] = id
	}
	return out, rows.Err()
}
