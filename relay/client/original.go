package client

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"autoreview/relay"
)

// OriginalLog is the LogID of the original Python server. Its ids begin again
// at 1 with every restart, which shows as a Page.Head below the caller's
// cursor; its Page.Head is the highest id of the channels asked for, and its
// OldestID is above 1 when there may be messages that it no longer shows.
const OriginalLog = "original"

// originalWindow is the most messages that the original server returns. It has
// no cursors: it always returns a channel's newest.
const originalWindow = relay.MaxLimit

// readOriginal does the work of a relay's Read on this side. It reports false,
// and no page, when a relay answers instead.
func (c *Client) readOriginal(ctx context.Context, q relay.Query) (relay.Page, bool, error) {
	p := relay.Page{OldestID: 1, Info: relay.Info{LogID: OriginalLog}}
	var all []relay.Message
	for _, target := range q.Targets {
		w, err := c.window(ctx, target, "")
		if err != nil || !w.original {
			return relay.Page{}, w.original, err
		}
		if w.full {
			p.OldestID = max(p.OldestID, w.messages[0].ID)
		}
		all = append(all, w.messages...)
	}
	slices.SortFunc(all, func(a, b relay.Message) int { return cmp.Compare(a.ID, b.ID) })
	if len(all) > 0 {
		p.Head = all[len(all)-1].ID
	}
	p.Messages = pick(all, q)
	p.LatestID = latest(q, p)
	return p, true, nil
}

// window is what a channel's newest messages are seen through.
type window struct {
	original bool // false: a relay answered, and there are no messages here
	messages []relay.Message
	full     bool // there may be older messages
}

// window reads the newest messages of a channel. key is for a relay only: it
// keeps the answer small when it is not the original after all.
func (c *Client) window(ctx context.Context, target, key string) (window, error) {
	for limit := originalWindow; ; limit = max(limit/8, 1) {
		v := url.Values{"target": {target}, "limit": {strconv.Itoa(limit)}}
		if key != "" {
			v.Set("key", key)
		}
		var a pageJSON
		r, err := c.get(ctx, "/api/messages", v, 0)
		if errors.Is(err, errTooBig) && limit > 1 {
			continue
		}
		if err == nil {
			err = c.decode(r, &a)
		}
		switch {
		case err != nil:
			return window{}, err
		case r.log != "":
			return window{}, nil
		case a.Messages == nil:
			return window{}, c.notRelay()
		}
		return window{original: true, messages: a.Messages, full: len(a.Messages) >= limit}, nil
	}
}

// pick selects from a window what q asks for; q.Limit is clamped. The original
// has no keys, so nothing there was posted with one.
func pick(all []relay.Message, q relay.Query) []relay.Message {
	if q.Key != "" {
		return nil
	}
	var out []relay.Message
	for _, m := range all {
		wanted := len(q.Senders) == 0 || slices.Contains(q.Senders, m.Sender)
		inRange := m.ID > q.Since && (q.Before == 0 || m.ID < q.Before)
		if wanted && inRange {
			out = append(out, m)
		}
	}
	if n := len(out) - q.Limit; n > 0 && q.Newest {
		return out[n:]
	} else if n > 0 {
		return out[:q.Limit]
	}
	return out
}

// latest is Page.LatestID by the rules of relay.Log.
func latest(q relay.Query, p relay.Page) int64 {
	n := len(p.Messages)
	filtered := len(q.Senders) > 0 || q.Key != ""
	switch {
	case filtered && (q.Newest || n < q.Limit):
		return max(p.Head, q.Since)
	case n > 0:
		return p.Messages[n-1].ID
	default:
		return q.Since
	}
}

// findPosted asks who the server is before a draft with a key is posted, and
// at the original looks for an earlier message that the draft would repeat.
func (c *Client) findPosted(ctx context.Context, d relay.Draft) (original bool, earlier *relay.Message, err error) {
	w, err := c.window(ctx, strings.TrimSpace(d.Target), d.Key)
	if err != nil {
		return false, nil, err
	}
	for _, m := range slices.Backward(w.messages) {
		if m.Sender == strings.TrimSpace(d.Sender) && m.Text == d.Text {
			return true, &m, nil
		}
	}
	return w.original, nil, nil
}

// originalInfo looks for the highest id by the newest message of each channel.
func (c *Client) originalInfo(ctx context.Context, channels []string) (relay.Info, error) {
	info := relay.Info{LogID: OriginalLog}
	for _, target := range channels {
		r, err := c.get(ctx, "/api/messages", url.Values{"target": {target}, "limit": {"1"}}, 0)
		if err != nil {
			return relay.Info{}, err
		}
		var a pageJSON
		if err := c.decode(r, &a); err != nil {
			return relay.Info{}, err
		}
		for _, m := range a.Messages {
			info.Head = max(info.Head, m.ID)
		}
	}
	return info, nil
}
