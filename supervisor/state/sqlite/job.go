package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"autoreview/relay"
	"autoreview/supervisor/state"
)

// Cursor implements state.Store.
func (s *Store) Cursor(ctx context.Context, watch, channel, logID string) (id int64, ok bool, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT id FROM cursor WHERE watch = ? AND channel = ? AND log_id = ?`, watch, channel, logID).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("reading cursor: %w", err)
	}
	return id, true, nil
}

// HasCursor implements state.Store.
func (s *Store) HasCursor(ctx context.Context, watch, channel string) (bool, error) {
	var n int
	err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM cursor WHERE watch = ? AND channel = ?`, watch, channel).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("reading cursors: %w", err)
	}
	return n > 0, nil
}

// Open implements state.Store.
func (s *Store) Open(ctx context.Context, watch string) (n int, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT count(*) FROM job WHERE watch = ? AND state IN ('queued','waiting','running','answered')`, watch).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting open jobs: %w", err)
	}
	return n, nil
}

// Enqueue implements state.Store.
func (s *Store) Enqueue(ctx context.Context, b state.Batch, now time.Time) (added int, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		added = 0
		for _, it := range b.Items {
			isNew, err := enqueueOne(ctx, tx, b, it, now)
			if err != nil {
				return fmt.Errorf("packet %d: %w", it.Packet.ID, err)
			}
			if isNew {
				added++
			}
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO cursor (watch, channel, log_id, id) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET id = excluded.id`, b.Watch, b.Channel, b.LogID, b.Cursor)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("enqueueing: %w", err)
	}
	return added, nil
}

func enqueueOne(ctx context.Context, tx *sql.Tx, b state.Batch, it state.Item, now time.Time) (bool, error) {
	var n int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM packet WHERE watch = ? AND log_id = ? AND id = ?`, b.Watch, b.LogID, it.Packet.ID).Scan(&n)
	if err != nil || n > 0 {
		return false, err
	}
	size := len(it.Packet.Text)
	job, err := openJob(ctx, tx, b, it.Group, size)
	if err != nil {
		return false, err
	}
	if job == 0 {
		res, err := tx.ExecContext(ctx, `INSERT INTO job (watch, channel, log_id, workdir, reply_as, grp, key, generation, state, due, created, updated)
			VALUES (?, ?, ?, ?, ?, ?, ?, 1, 'queued', ?, ?, ?)`,
			b.Watch, b.Channel, b.LogID, b.Workdir, b.ReplyAs, it.Group, it.Key, toMicro(b.Due), toMicro(now), toMicro(now))
		if err != nil {
			return false, err
		}
		if job, err = res.LastInsertId(); err != nil {
			return false, err
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO packet (watch, log_id, id, generation, job, ts, sender, text, meta) VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?)`,
		b.Watch, b.LogID, it.Packet.ID, job, it.Packet.TS, it.Packet.Sender, it.Packet.Text, nullJSON(it.Packet.Meta))
	if err != nil {
		return false, err
	}
	// The newest packet decides what is reviewed.
	_, err = tx.ExecContext(ctx, `UPDATE job SET bytes = bytes + ?, snapshot = ?, base = ? WHERE id = ?`, size, it.Tree.Snapshot, it.Tree.Base, job)
	return true, err
}

// openJob returns the job that a packet of this size may join, 0 if there is
// none. A job that was ever started is closed: its answer may be on its way.
func openJob(ctx context.Context, tx *sql.Tx, b state.Batch, group string, size int) (int64, error) {
	room := int64(1) << 62
	if b.MaxBytes > 0 {
		room = int64(b.MaxBytes - size)
	}
	var id int64
	err := tx.QueryRowContext(ctx, `SELECT id FROM job
		WHERE watch = ? AND channel = ? AND log_id = ? AND state = 'queued' AND grp = ? AND attempt = 0 AND generation = 1
			AND bytes <= ? AND NOT EXISTS (SELECT 1 FROM run WHERE run.job = job.id)
		ORDER BY id DESC LIMIT 1`, b.Watch, b.Channel, b.LogID, group, room).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return id, err
}

// Save implements state.Store.
func (s *Store) Save(ctx context.Context, j state.Job, now time.Time) error {
	return saveJob(ctx, s.db, j, now)
}

// execer is the database or a transaction.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func saveJob(ctx context.Context, db execer, j state.Job, now time.Time) error {
	var answer sql.NullString
	if j.Answer != nil {
		b, err := json.Marshal(j.Answer)
		if err != nil {
			return fmt.Errorf("saving job %d: %w", j.ID, err)
		}
		answer = sql.NullString{String: string(b), Valid: true}
	}
	res, err := db.ExecContext(ctx, `UPDATE job SET state = ?, attempt = ?, due = ?, class = ?, reason = ?, thread = ?,
			answer = ?, outcome = ?, answer_id = ?, updated = ? WHERE id = ?`,
		j.State, j.Attempt, toMicro(j.Due), j.Class, j.Reason, j.Thread, answer, j.Outcome, j.AnswerID, toMicro(now), j.ID)
	if err != nil {
		return fmt.Errorf("saving job %d: %w", j.ID, err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("saving job %d: %d rows changed (%v)", j.ID, n, err)
	}
	return nil
}

// Jobs implements state.Store.
func (s *Store) Jobs(ctx context.Context, states ...state.JobState) ([]state.Job, error) {
	var jobs []state.Job
	err := s.tx(ctx, func(tx *sql.Tx) error {
		jobs = nil
		ids, err := jobIDs(ctx, tx, states)
		if err != nil {
			return err
		}
		for _, id := range ids {
			j, err := loadJob(ctx, tx, id)
			if err != nil {
				return err
			}
			jobs = append(jobs, j)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading jobs: %w", err)
	}
	return jobs, nil
}

func jobIDs(ctx context.Context, tx *sql.Tx, states []state.JobState) ([]int64, error) {
	args := make([]any, len(states))
	for i, st := range states {
		args[i] = string(st)
	}
	rows, err := tx.QueryContext(ctx, `SELECT id FROM job WHERE state IN (`+marks(len(states))+`) ORDER BY id`, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (id int64, err error) {
		err = rows.Scan(&id)
		return id, err
	})
}

// AnsweredThrough implements state.Store.
func (s *Store) AnsweredThrough(ctx context.Context, watch, channel, logID string) (int64, error) {
	cursor, _, err := s.Cursor(ctx, watch, channel, logID)
	if err != nil {
		return 0, err
	}
	var first sql.NullInt64
	err = s.db.QueryRowContext(ctx, `SELECT min(packet.id) FROM job JOIN packet ON packet.job = job.id
		WHERE job.watch = ? AND job.channel = ? AND job.log_id = ? AND job.generation = 1 AND job.state IN ('queued','waiting','running','answered')`, watch, channel, logID).Scan(&first)
	if err != nil {
		return 0, fmt.Errorf("reading open packets: %w", err)
	}
	if first.Valid {
		return min(cursor, first.Int64-1), nil
	}
	return cursor, nil
}

func loadJob(ctx context.Context, tx *sql.Tx, id int64) (state.Job, error) {
	j := state.Job{ID: id}
	var due, created, occasion, previous int64
	var answer sql.NullString
	err := tx.QueryRowContext(ctx, `SELECT watch, channel, log_id, workdir, reply_as, grp, key, generation, state, attempt, due, class, reason,
			thread, answer, outcome, answer_id, created, snapshot, base, schedule, occasion, previous FROM job WHERE id = ?`, id).
		Scan(&j.Watch, &j.Channel, &j.LogID, &j.Workdir, &j.ReplyAs, &j.Group, &j.Key, &j.Generation, &j.State, &j.Attempt, &due, &j.Class, &j.Reason,
			&j.Thread, &answer, &j.Outcome, &j.AnswerID, &created, &j.Tree.Snapshot, &j.Tree.Base, &j.Schedule, &occasion, &previous)
	if err != nil {
		return state.Job{}, fmt.Errorf("job %d: %w", id, err)
	}
	j.Due, j.Created, j.Occasion, j.Previous = fromMicro(due), fromMicro(created), fromMicro(occasion), fromMicro(previous)
	if answer.Valid {
		j.Answer = new(relay.Draft)
		if err := json.Unmarshal([]byte(answer.String), j.Answer); err != nil {
			return state.Job{}, fmt.Errorf("job %d: reading saved answer: %w", id, err)
		}
	}
	j.Packets, err = loadPackets(ctx, tx, id)
	if err != nil {
		return state.Job{}, fmt.Errorf("job %d: reading packets: %w", id, err)
	}
	return j, nil
}

func loadPackets(ctx context.Context, tx *sql.Tx, job int64) ([]state.Packet, error) {
	rows, err := tx.QueryContext(ctx, `SELECT id, ts, sender, text, meta FROM packet WHERE job = ? ORDER BY id`, job)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (p state.Packet, err error) {
		var meta sql.NullString
		err = rows.Scan(&p.ID, &p.TS, &p.Sender, &p.Text, &meta)
		if meta.Valid {
			p.Meta = json.RawMessage(meta.String)
		}
		return p, err
	})
}

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }

func nullJSON(m json.RawMessage) sql.NullString {
	return sql.NullString{String: string(m), Valid: len(m) > 0}
}
