package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"autoreview/relay"
)

const (
	sqlHead = `SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'messages'), 0)`
	// The list of names is a JSON array, so that one statement fits any number.
	sqlPrunedThrough = `SELECT coalesce(max(pruned_through), 0) FROM channels
		WHERE name IN (SELECT value FROM json_each(?))`
	sqlPrunedThroughAll = `SELECT coalesce(max(pruned_through), 0) FROM channels`
	sqlMessages         = `SELECT id, ts, target, sender, text, kind, reply_to, meta, key FROM messages
		WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id`
	sqlChannels = `SELECT name, count, last_id, last_ts FROM channels ORDER BY name`
)

var readQueries = append(streamQueries(), sqlHead, sqlPrunedThrough, sqlPrunedThroughAll, sqlMessages)

// Read implements relay.Store.
func (s *Store) Read(ctx context.Context, q relay.Query) (relay.Page, error) {
	var p relay.Page
	err := s.view(ctx, func(t *txn) (err error) {
		if p.Info, err = s.info(t); err != nil {
			return err
		}
		if p.OldestID, err = t.oldest(q.Targets); err != nil {
			return err
		}
		ids, err := t.search(q)
		if err != nil {
			return err
		}
		p.Messages, err = t.messages(ids)
		return err
	})
	if err != nil {
		return relay.Page{}, fmt.Errorf("reading messages: %w", err)
	}
	return p, nil
}

// Channels implements relay.Store.
func (s *Store) Channels(ctx context.Context) ([]relay.Channel, error) {
	out := []relay.Channel{}
	err := s.view(ctx, func(t *txn) error {
		return t.each(func(rows *sql.Rows) error {
			var c relay.Channel
			err := rows.Scan(&c.Name, &c.Count, &c.LastID, &c.LastTS)
			out = append(out, c)
			return err
		}, sqlChannels)
	})
	if err != nil {
		return nil, fmt.Errorf("listing channels: %w", err)
	}
	return out, nil
}

// Info implements relay.Store.
func (s *Store) Info(ctx context.Context) (info relay.Info, err error) {
	err = s.view(ctx, func(t *txn) error {
		info, err = s.info(t)
		return err
	})
	if err != nil {
		return relay.Info{}, fmt.Errorf("reading the head: %w", err)
	}
	return info, nil
}

// view runs f on one snapshot. ctx bounds the wait for a connection only.
func (s *Store) view(ctx context.Context, f func(*txn) error) error {
	if s.queue.isClosed() {
		return errClosed()
	}
	conn, err := s.readers.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return f(newTxn(tx, s.readStmts))
}

func (s *Store) info(t *txn) (relay.Info, error) {
	info := relay.Info{LogID: s.logID}
	return info, t.row(sqlHead).Scan(&info.Head)
}

func (t *txn) oldest(targets []string) (id int64, err error) {
	if len(targets) == 0 {
		err = t.row(sqlPrunedThroughAll).Scan(&id)
	} else {
		err = t.row(sqlPrunedThrough, jsonArray(targets)).Scan(&id)
	}
	return id + 1, err
}

// message returns the message with this id, nil when there is none.
func (t *txn) message(id int64) (*relay.Message, error) {
	found, err := t.messages([]int64{id})
	if err != nil {
		return nil, fmt.Errorf("reading message %d: %w", id, err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return &found[0], nil
}

func (t *txn) messages(ids []int64) ([]relay.Message, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	out := make([]relay.Message, 0, len(ids))
	err := t.each(func(rows *sql.Rows) error {
		var m relay.Message
		var meta, key sql.NullString
		err := rows.Scan(&m.ID, &m.TS, &m.Target, &m.Sender, &m.Text, &m.Kind, &m.ReplyTo, &meta, &key)
		if meta.Valid {
			m.Meta = json.RawMessage(meta.String)
		}
		m.Key = key.String
		out = append(out, m)
		return err
	}, sqlMessages, jsonArray(ids))
	return out, err
}

// jsonArray cannot fail for what it is given: names and ids.
func jsonArray[T string | int64](values []T) string {
	out, err := json.Marshal(values)
	if err != nil {
		return "[]"
	}
	return string(out)
}
