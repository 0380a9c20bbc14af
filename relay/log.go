package relay

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Store keeps messages. Implementations live below relay/store and pass the one
// suite in relay/store/storetest. All methods are safe for concurrent use.
type Store interface {
	// Append stores a cleaned draft and returns once it is durable. It answers
	// a repeated (Target, Sender, Key) with the first message, and refuses a
	// ReplyTo that was never a message of the same channel with an *Error
	// (a pruned one is fine). Once it has taken a draft it finishes, also when
	// ctx ends: the draft is stored exactly when the error is nil.
	Append(ctx context.Context, d Draft) (Posted, error)
	// Read returns the messages that q selects, from one consistent snapshot.
	// It fills Messages, OldestID and Info, not LatestID; q is normalized.
	Read(ctx context.Context, q Query) (Page, error)
	// Channels lists the channels that have ever had a message, by name.
	Channels(ctx context.Context) ([]Channel, error)
	// Info returns the identity and the head of the log.
	Info(ctx context.Context) (Info, error)
	// Check proves that the store can be written to, without storing a message.
	Check(ctx context.Context) error
}

// Options are the settings of a Log.
type Options struct {
	Limits Limits
	// Posted, if not nil, is called after each stored message (not for a
	// duplicate) with the source of its draft. It must not block.
	Posted func(m Message, source string)
	// Redact, if not nil, is called for each cleaned draft that may be posted,
	// and what it returns is stored instead. Its error is an *Error. A repeated
	// draft must come out the same.
	Redact func(d Draft) (Draft, error)
}

// Log is the log of messages with its three verbs. Make one with New; it is
// safe for concurrent use.
type Log struct {
	store Store
	opts  Options
	hub   hub
}

// New returns a Log over an open store. The caller still owns the store and
// closes it after the last use of the Log.
func New(store Store, opts Options) *Log {
	return &Log{store: store, opts: opts}
}

// Post stores a draft and wakes the readers of its channel. The message is
// durable when Post returns a nil error. The error is an *Error when the draft
// is at fault or the Access in ctx does not allow it.
func (l *Log) Post(ctx context.Context, d Draft) (Posted, error) {
	d, err := l.opts.Limits.Clean(d)
	if err != nil {
		return Posted{}, err
	}
	if err := mayPost(ctx, d); err != nil {
		return Posted{}, err
	}
	if l.opts.Redact != nil {
		if d, err = l.opts.Redact(d); err != nil {
			return Posted{}, err
		}
	}
	p, err := l.store.Append(ctx, d)
	if err != nil {
		return Posted{}, err
	}
	if p.Duplicate {
		p.SameText = p.Message != nil && p.Message.Text == d.Text
		return p, nil
	}
	if l.opts.Posted != nil {
		l.opts.Posted(*p.Message, d.Source)
	}
	l.hub.wake(d.Target)
	return p, nil
}

// Read returns the messages that q selects and the cursor to go on from. With an
// Access in ctx that has channels, every channel means those.
func (l *Log) Read(ctx context.Context, q Query) (Page, error) {
	q, err := mayRead(ctx, q.normalized())
	if err != nil {
		return Page{}, err
	}
	if q.Newest && q.Since != 0 {
		return Page{}, invalid("since_id", "since_id and before_id cannot be used together")
	}
	if q.Since < 0 || q.Before < 0 {
		return Page{}, invalid("since_id", "a cursor must not be negative")
	}
	p, err := l.store.Read(ctx, q)
	if err != nil {
		return Page{}, err
	}
	p.LatestID = latest(q, p)
	return p, nil
}

// latest is the cursor after a page, see Page.LatestID. A full page may have
// stopped short of the head; any other page has seen all there was.
func latest(q Query, p Page) int64 {
	n := len(p.Messages)
	switch {
	case q.filtered() && (q.Newest || n < q.Limit):
		return max(p.Head, q.Since)
	case n > 0:
		return p.Messages[n-1].ID
	default:
		return q.Since
	}
}

// Wait is Read, but when nothing matches it blocks until something does. It
// gives up after d and returns an empty page with a nil error; when ctx ends it
// returns the cause. A message posted between the caller's last Read and this
// Wait is never missed. q.Newest is not allowed.
func (l *Log) Wait(ctx context.Context, q Query, d time.Duration) (Page, error) {
	if q.Newest {
		return Page{}, invalid("before_id", "only messages after a cursor can be waited for")
	}
	q, err := mayRead(ctx, q)
	if err != nil {
		return Page{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d, errWaited)
	defer cancel()
	w := l.hub.register(q.Targets)
	defer l.hub.unregister(w)
	// A wake-up may have been for another sender: go on from what was scanned.
	since := q.Since
	for {
		q.Since = since
		p, err := l.Read(context.WithoutCancel(ctx), q)
		if err != nil || len(p.Messages) > 0 {
			return p, err
		}
		since = p.LatestID
		select {
		case <-w.woken:
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, errWaited) {
				return Page{}, cause
			}
			return p, nil
		}
	}
}

var errWaited = errors.New("nothing arrived in time")

// Channels lists the channels that have ever had a message, by name, as far as
// the Access in ctx may read them.
func (l *Log) Channels(ctx context.Context) ([]Channel, error) {
	a, err := liveAccess(ctx)
	if err != nil {
		return nil, err
	}
	all, err := l.store.Channels(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(c Channel) bool { return !a.Reads(c.Name) }), nil
}

// Info returns the identity and the head of the log.
func (l *Log) Info(ctx context.Context) (Info, error) { return l.store.Info(ctx) }

// Check proves that the log can be written to, without storing a message.
func (l *Log) Check(ctx context.Context) error { return l.store.Check(ctx) }
