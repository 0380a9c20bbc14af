package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"autoreview/supervisor/state"
)

// StartRun implements state.Store.
func (s *Store) StartRun(ctx context.Context, r state.Run) (int64, error) {
	res, err := s.db.ExecContext(ctx, `INSERT INTO run (job, attempt, codex, dir, started) VALUES (?, ?, ?, ?, ?)`,
		r.Job, r.Attempt, r.Codex, r.Dir, toMicro(r.Started))
	if err != nil {
		return 0, fmt.Errorf("recording a run: %w", err)
	}
	return res.LastInsertId()
}

// SaveRun implements state.Store.
func (s *Store) SaveRun(ctx context.Context, r state.Run) error {
	used, err := json.Marshal(r.Used)
	if err != nil {
		return err
	}
	threadUsed, err := json.Marshal(r.ThreadUsed)
	if err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, `UPDATE run SET process = ?, thread = ?, codex = ?, dir = ?, class = ?, text = ?, exit = ?,
			used = ?, thread_used = ?, ended = ? WHERE id = ?`,
		nullJSON(r.Process), r.Thread, r.Codex, r.Dir, r.Class, r.Text, r.Exit, string(used), string(threadUsed), toMicro(r.Ended), r.ID)
	if err != nil {
		return fmt.Errorf("saving run %d: %w", r.ID, err)
	}
	return nil
}

// OpenRuns implements state.Store.
func (s *Store) OpenRuns(ctx context.Context) ([]state.Run, error) { return s.runs(ctx, "ended = 0") }

// Runs implements state.Store.
func (s *Store) Runs(ctx context.Context, job int64) ([]state.Run, error) {
	return s.runs(ctx, "job = ?", job)
}

func (s *Store) runs(ctx context.Context, where string, args ...any) ([]state.Run, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, job, attempt, process, thread, codex, dir, class, text, exit, used, thread_used, started, ended,
			(SELECT watch FROM job WHERE job.id = run.job)
		FROM run WHERE `+where+` ORDER BY id`, args...)
	if err != nil {
		return nil, fmt.Errorf("reading runs: %w", err)
	}
	out, err := collect(rows, scanRun)
	if err != nil {
		return nil, fmt.Errorf("reading runs: %w", err)
	}
	return out, nil
}

func scanRun(rows *sql.Rows) (state.Run, error) {
	var r state.Run
	var process sql.NullString
	var used, threadUsed string
	var started, ended int64
	err := rows.Scan(&r.ID, &r.Job, &r.Attempt, &process, &r.Thread, &r.Codex, &r.Dir, &r.Class, &r.Text, &r.Exit, &used, &threadUsed, &started, &ended, &r.Watch)
	if err != nil {
		return state.Run{}, err
	}
	if process.Valid {
		r.Process = json.RawMessage(process.String)
	}
	r.Started, r.Ended = fromMicro(started), fromMicro(ended)
	return r, errors.Join(json.Unmarshal([]byte(used), &r.Used), json.Unmarshal([]byte(threadUsed), &r.ThreadUsed))
}

// ThreadUsage implements state.Store.
func (s *Store) ThreadUsage(ctx context.Context, thread string) (state.Usage, error) {
	var raw string
	err := s.db.QueryRowContext(ctx, `SELECT thread_used FROM run WHERE thread = ? AND thread_used != '{}' AND ended != 0
		ORDER BY id DESC LIMIT 1`, thread).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return state.Usage{}, nil
	}
	var u state.Usage
	if err == nil {
		err = json.Unmarshal([]byte(raw), &u)
	}
	if err != nil {
		return state.Usage{}, fmt.Errorf("reading thread usage: %w", err)
	}
	return u, nil
}

// Thread implements state.Store.
func (s *Store) Thread(ctx context.Context, watch, seed string) (id string, ok bool, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT id FROM thread WHERE watch = ? AND seed = ?`, watch, seed).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("reading thread: %w", err)
	}
	return id, true, nil
}

// SetThread implements state.Store.
func (s *Store) SetThread(ctx context.Context, watch, seed, id string) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO thread (watch, seed, id) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET seed = excluded.seed, id = excluded.id`, watch, seed, id)
	if err != nil {
		return fmt.Errorf("saving thread: %w", err)
	}
	return nil
}

// Note implements state.Store.
func (s *Store) Note(ctx context.Context, name string) (string, error) {
	var v string
	err := s.db.QueryRowContext(ctx, `SELECT value FROM note WHERE name = ?`, name).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading note: %w", err)
	}
	return v, nil
}

// SetNote implements state.Store.
func (s *Store) SetNote(ctx context.Context, name, value string) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO note (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`, name, value)
	if err != nil {
		return fmt.Errorf("saving note: %w", err)
	}
	return nil
}
