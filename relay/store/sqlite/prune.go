package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"

	"autoreview/relay"
)

// Bounds of one transaction of Prune or Import, so that a post that arrives
// meanwhile waits for a small one only.
const (
	stepMessages = 500
	stepBytes    = 4 << 20
)

// keepKeys is how long an idempotency key is remembered when its message is
// gone.
const keepKeys = 30 * 24 * time.Hour

const (
	sqlTooOld = `SELECT id, target, octet_length(text) FROM messages INDEXED BY messages_by_ts
		WHERE ts < ? ORDER BY ts LIMIT ?`
	sqlCount    = `SELECT coalesce(sum(count), 0) FROM channels`
	sqlOldest   = `SELECT id, target, octet_length(text) FROM messages ORDER BY id LIMIT ?`
	sqlKeysGone = `UPDATE keys SET gone = 1 WHERE (target, sender, key) IN (
		SELECT target, sender, key FROM messages
		WHERE id IN (SELECT value FROM json_each(?)) AND key IS NOT NULL)`
	sqlDelete    = `DELETE FROM messages WHERE id IN (SELECT value FROM json_each(?))`
	sqlCountDown = `UPDATE channels SET count = count - ?2, pruned_through = max(pruned_through, ?3)
		WHERE name = ?1`
	sqlForgetKeys = `DELETE FROM keys WHERE (target, sender, key) IN (
		SELECT target, sender, key FROM keys INDEXED BY keys_gone_by_ts
		WHERE gone = 1 AND ts < ? LIMIT ?)`
)

// Prune deletes the messages that r does not keep at the time of the call, and
// the idempotency keys of pruned messages that are older than 30 days. It
// returns how many messages it deleted, also with an error.
//
// It works in small transactions through the same queue as posts, which are
// committed between them. When ctx ends it stops after the current one. The
// space of deleted messages is used again for new ones; the file does not
// shrink.
func (s *Store) Prune(ctx context.Context, r relay.Retention) (pruned int, err error) {
	now := s.now()
	if r.MaxAge > 0 {
		oldest := seconds(now.Add(-r.MaxAge))
		pruned, err = s.repeat(ctx, func(t *txn) (int, error) { return t.prune(sqlTooOld, oldest, stepMessages) })
	}
	if r.MaxMessages > 0 && err == nil {
		var n int
		n, err = s.pruneExcess(ctx, r.MaxMessages)
		pruned += n
	}
	if err == nil {
		_, err = s.repeat(ctx, func(t *txn) (int, error) { return t.forgetKeys(now) })
	}
	if err != nil {
		return pruned, fmt.Errorf("pruning: %w", err)
	}
	return pruned, nil
}

// pruneExcess deletes as many messages as are too many when it starts: it does
// not run after posts that go on. Each transaction counts again, so that two
// calls at once do not delete too many together.
func (s *Store) pruneExcess(ctx context.Context, keep int64) (sum int, err error) {
	left := int64(math.MaxInt64)
	for {
		var due int64
		n, err := s.step(ctx, func(t *txn) (int, error) {
			var count int64
			if err := t.row(sqlCount).Scan(&count); err != nil {
				return 0, err
			}
			// Never below 0, which SQLite takes for no limit.
			due = max(0, min(left, count-keep))
			return t.prune(sqlOldest, min(due, stepMessages))
		})
		if err != nil || n == 0 {
			return sum, err
		}
		sum += n
		left = due - int64(n)
	}
}

// repeat makes a change through the writer until it counts nothing, and
// returns the sum.
func (s *Store) repeat(ctx context.Context, change func(*txn) (int, error)) (sum int, err error) {
	for {
		n, err := s.step(ctx, change)
		if err != nil || n == 0 {
			return sum, err
		}
		sum += n
	}
}

// step makes one change through the writer and returns what it counted.
func (s *Store) step(ctx context.Context, change func(*txn) (int, error)) (n int, err error) {
	err = s.write(ctx, stepBytes, func(t *txn) (err error) {
		n, err = change(t)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// prune deletes the messages that a query selects, as many as fit one
// transaction, and returns how many.
func (t *txn) prune(query string, args ...any) (int, error) {
	v, err := t.victims(query, args...)
	if err != nil || len(v.ids) == 0 {
		return 0, err
	}
	ids := jsonArray(v.ids)
	if _, err := t.exec(sqlKeysGone, ids); err != nil {
		return 0, err
	}
	if _, err := t.exec(sqlDelete, ids); err != nil {
		return 0, err
	}
	for name, c := range v.channels {
		if _, err := t.exec(sqlCountDown, name, c.count, c.through); err != nil {
			return 0, err
		}
	}
	return len(v.ids), nil
}

// victims are messages to delete, and what their channels lose by it.
type victims struct {
	ids      []int64
	bytes    int64
	channels map[string]loss // :: channel → its loss
}

type loss struct{ count, through int64 }

func (v *victims) add(id int64, target string, bytes int64) {
	v.ids = append(v.ids, id)
	v.bytes += bytes
	c := v.channels[target]
	v.channels[target] = loss{c.count + 1, max(c.through, id)}
}

// victims collects the rows of a query until a transaction has enough to do.
func (t *txn) victims(query string, args ...any) (victims, error) {
	v := victims{channels: make(map[string]loss)}
	err := t.each(func(rows *sql.Rows) error {
		var id, bytes int64
		var target string
		if err := rows.Scan(&id, &target, &bytes); err != nil {
			return err
		}
		if v.bytes < stepBytes {
			v.add(id, target, bytes)
		}
		return nil
	}, query, args...)
	return v, err
}

func (t *txn) forgetKeys(now time.Time) (int, error) {
	res, err := t.exec(sqlForgetKeys, seconds(now.Add(-keepKeys)), stepMessages)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}
