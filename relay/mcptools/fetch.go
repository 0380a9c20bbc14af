package mcptools

import (
	"context"
	"encoding/json"
	"fmt"

	"autoreview/relay"
)

// Limits of one fetch. The original server clamps its fetches to 200.
const (
	defaultFetch = 50
	maxFetch     = 200
	// maxResultBytes bounds the messages of a result, unless the first alone is
	// larger. Below inlineChars, so that the text around them fits as well.
	maxResultBytes = 400_000
	// fetchStep is how many messages are in memory at once at most.
	fetchStep = 50
)

type fetched struct {
	Messages []json.RawMessage `json:"messages"`
	LatestID int64             `json:"latest_id"`
	Warning  string            `json:"warning,omitempty"`

	bytes int
	lost  bool // the cursor is of another log
}

func (t *tools) fetch(ctx context.Context, c call) (any, error) {
	c.args.require("target")
	q := c.query()
	limit := int(min(max(c.args.whole("limit", defaultFetch), 1), maxFetch))
	if c.args.err != nil {
		return nil, c.args.err
	}
	f, err := t.read(ctx, q, limit)
	if err != nil {
		return nil, err
	}
	return t.answer(c, q, limit, f), nil
}

// query reads the arguments that fetching and waiting share. Unlike the names
// of a draft, target and sender are compared as they are.
func (c call) query() relay.Query {
	q := relay.Query{
		Targets: []string{c.args.text("target")},
		Since:   max(c.args.whole("since_id", 0), 0),
	}
	if s := c.args.text("sender"); s != "" {
		q.Senders = []string{s}
	}
	return q
}

// answer completes f, the result of q, and reports it as activity.
func (t *tools) answer(c call, q relay.Query, limit int, f *fetched) *fetched {
	f.Warning = join(c.warning, f.Warning)
	if t.Fetched != nil {
		t.Fetched(q.Targets[0], q.Since, limit, len(f.Messages), f.LatestID)
	}
	return f
}

// read collects up to limit messages, as many as a result may hold.
func (t *tools) read(ctx context.Context, q relay.Query, limit int) (*fetched, error) {
	f := newFetched(q.Since)
	for {
		q.Since, q.Limit = f.LatestID, min(limit-len(f.Messages), fetchStep)
		p, err := t.Log.Read(ctx, q)
		if err != nil {
			return nil, err
		}
		if len(f.Messages) == 0 {
			f.Warning, f.lost = missed(q.Since, p)
		}
		full, err := f.add(p)
		if err != nil || full || len(p.Messages) < q.Limit || len(f.Messages) == limit {
			return f, err
		}
	}
}

func newFetched(since int64) *fetched {
	return &fetched{Messages: []json.RawMessage{}, LatestID: since}
}

// add takes over the messages of a page and reports whether one did not fit any
// more; the cursor then stands before that one.
func (f *fetched) add(p relay.Page) (full bool, err error) {
	for _, m := range p.Messages {
		raw, err := encode(m)
		if err != nil {
			return false, fmt.Errorf("encoding message %d: %w", m.ID, err)
		}
		if len(f.Messages) > 0 && f.bytes+len(raw) > maxResultBytes {
			return true, nil
		}
		f.Messages = append(f.Messages, raw)
		f.bytes += len(raw)
		f.LatestID = m.ID
	}
	f.LatestID = p.LatestID
	return false, nil
}

// missed says what a reader at this cursor cannot see, "" when nothing is, and
// whether the cursor was taken from another log. A log that does not tell its
// id, the original server's, tells no head either.
func missed(since int64, p relay.Page) (warning string, lost bool) {
	switch {
	case p.LogID != "" && since > p.Head:
		return fmt.Sprintf("since_id %d is past the newest message of this relay (%d), so it comes from another log: start again with since_id 0", since, p.Head), true
	case since > 0 && p.OldestID > since+1:
		return fmt.Sprintf("messages up to id %d were pruned: some after since_id %d may be gone", p.OldestID-1, since), false
	default:
		return "", false
	}
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
