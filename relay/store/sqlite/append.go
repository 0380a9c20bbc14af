package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"autoreview/relay"
)

const (
	sqlInsert = `INSERT INTO messages (ts, target, sender, text, kind, reply_to, meta, key)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	sqlCountUp = `INSERT INTO channels (name, count, last_id, last_ts) VALUES (?1, 1, ?2, ?3)
		ON CONFLICT (name) DO UPDATE SET count = count + 1, last_id = ?2, last_ts = ?3`
	sqlInsertKey = `INSERT INTO keys (target, sender, key, id, ts) VALUES (?, ?, ?, ?, ?)`
	sqlFindKey   = `SELECT id FROM keys WHERE target = ? AND sender = ? AND key = ?`
	sqlTargetOf  = `SELECT target FROM messages WHERE id = ?`
	sqlWasPruned = `SELECT EXISTS (SELECT 1 FROM channels WHERE name = ? AND pruned_through >= ?)`
)

var writeQueries = []string{sqlInsert, sqlCountUp, sqlInsertKey, sqlFindKey, sqlTargetOf, sqlWasPruned}

// Append implements relay.Store. A draft that was refused because the disk is
// full or read-only, or because the store is closing, is an *relay.Error with
// CodeUnavailable.
func (s *Store) Append(ctx context.Context, d relay.Draft) (relay.Posted, error) {
	var posted relay.Posted
	err := s.write(ctx, len(d.Text), func(t *txn) (err error) {
		posted, err = t.post(d, s.now())
		return err
	})
	if err != nil {
		return relay.Posted{}, err
	}
	return posted, nil
}

func (t *txn) post(d relay.Draft, now time.Time) (relay.Posted, error) {
	id, err := t.findKey(d.Target, d.Sender, d.Key)
	if err != nil {
		return relay.Posted{}, err
	}
	if id != 0 {
		m, err := t.message(id)
		return relay.Posted{ID: id, Message: m, Duplicate: true}, err
	}
	if err := t.checkReply(d); err != nil {
		return relay.Posted{}, err
	}
	m := relay.Message{
		TS: seconds(now), Target: d.Target, Sender: d.Sender, Text: d.Text,
		Kind: d.Kind, ReplyTo: d.ReplyTo, Meta: slices.Clone(d.Meta), Key: d.Key,
	}
	if m.ID, err = t.insert(m, now); err != nil {
		return relay.Posted{}, err
	}
	return relay.Posted{ID: m.ID, Message: &m}, nil
}

// findKey returns the id that was first posted with a key, 0 when none was.
func (t *txn) findKey(target, sender, key string) (id int64, err error) {
	if key == "" {
		return 0, nil
	}
	err = t.row(sqlFindKey, target, sender, key).Scan(&id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("looking up the key: %w", err)
	}
	return id, nil
}

// checkReply refuses a reply to what was never a message of the channel. Of a
// pruned message only its channel's highest pruned id is left to go by.
func (t *txn) checkReply(d relay.Draft) error {
	if d.ReplyTo == 0 {
		return nil
	}
	var known bool
	var target string
	err := t.row(sqlTargetOf, d.ReplyTo).Scan(&target)
	switch {
	case err == nil:
		known = target == d.Target
	case errors.Is(err, sql.ErrNoRows):
		err = t.row(sqlWasPruned, d.Target, d.ReplyTo).Scan(&known)
	}
	if err != nil {
		return fmt.Errorf("looking up the message replied to: %w", err)
	}
	if !known {
		return relay.UnknownReply(d)
	}
	return nil
}

// insert stores a message under a new id and keeps the tables that go with it.
// A key counts from now, whatever the message's own time is.
func (t *txn) insert(m relay.Message, now time.Time) (id int64, err error) {
	res, err := t.exec(sqlInsert, m.TS, m.Target, m.Sender, m.Text, string(m.Kind), m.ReplyTo,
		nullable(string(m.Meta)), nullable(m.Key))
	if err != nil {
		return 0, fmt.Errorf("storing the message: %w", err)
	}
	if id, err = res.LastInsertId(); err != nil {
		return 0, fmt.Errorf("reading the new id: %w", err)
	}
	if _, err := t.exec(sqlCountUp, m.Target, id, m.TS); err != nil {
		return 0, fmt.Errorf("counting the message: %w", err)
	}
	if m.Key == "" {
		return id, nil
	}
	if _, err := t.exec(sqlInsertKey, m.Target, m.Sender, m.Key, id, seconds(now)); err != nil {
		return 0, fmt.Errorf("storing the key: %w", err)
	}
	return id, nil
}

func nullable(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// seconds is the wire form of a time, exact to the microsecond.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
