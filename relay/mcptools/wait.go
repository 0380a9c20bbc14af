package mcptools

import (
	"context"
	"errors"
	"math"
	"time"

	"autoreview/relay"
)

const (
	// plainWait is the longest wait of a client that gets no progress: such
	// clients give a call 60 s.
	plainWait = 50 * time.Second
	// maxWait is the longest wait of one that does.
	maxWait = time.Hour
	// progressEvery keeps a waiting client from giving up; Claude Code does
	// after 60 s without a sign. Less than the 25 s that are promised, because
	// a Log elsewhere rounds waits up to full seconds.
	progressEvery = 20 * time.Second
)

var errStopped = errors.New("the relay is stopping")

func (t *tools) wait(ctx context.Context, c call) (any, error) {
	c.args.require("target", "since_id")
	q := c.query()
	timeout := c.timeout()
	if c.args.err != nil {
		return nil, c.args.err
	}
	f, err := t.read(ctx, q, defaultFetch)
	if err != nil {
		return nil, err
	}
	// With a cursor of another log this would wait until that many messages had
	// been posted.
	if len(f.Messages) == 0 && !f.lost {
		next, warning := q, f.Warning
		next.Since = f.LatestID
		if f, err = t.await(ctx, c, next, timeout); err != nil {
			return nil, err
		}
		f.Warning = warning
	}
	return t.answer(c, q, defaultFetch, f), nil
}

func (c call) timeout() time.Duration {
	seconds := c.args.seconds("timeout_seconds", plainWait.Seconds())
	most := plainWait
	if c.token != nil {
		most = maxWait
	}
	seconds = math.Min(math.Max(seconds, 0), most.Seconds())
	return time.Duration(seconds * float64(time.Second))
}

// await blocks until a message matches, the time is over or the relay stops;
// in the last two cases the result is empty. The first progress goes out at
// once: it makes the answer a stream, whose headers arrive before the messages.
func (t *tools) await(ctx context.Context, c call, q relay.Query, timeout time.Duration) (*fetched, error) {
	ctx, release := t.stoppable(ctx)
	defer release()
	q.Limit = defaultFetch
	start := time.Now()
	end, report := start.Add(timeout), start
	for {
		now := time.Now()
		if !now.Before(report) && now.Before(end) {
			report = now.Add(progressEvery)
			c.progress(ctx, now.Sub(start), timeout, "waiting in "+q.Targets[0])
		}
		p, err := t.Log.Wait(ctx, q, min(end.Sub(now), report.Sub(now)))
		if errors.Is(context.Cause(ctx), errStopped) && err != nil {
			return newFetched(q.Since), nil
		}
		if err != nil {
			return nil, err
		}
		q.Since = max(p.LatestID, q.Since)
		if len(p.Messages) > 0 || !time.Now().Before(end) {
			return result(p)
		}
	}
}

func result(p relay.Page) (*fetched, error) {
	f := newFetched(p.LatestID)
	_, err := f.add(p)
	return f, err
}

// stoppable is ctx that also ends, with the cause errStopped, when the relay
// stops. release frees it.
func (t *tools) stoppable(ctx context.Context) (_ context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	unlink := context.AfterFunc(t.Stop, func() { cancel(errStopped) })
	return ctx, func() {
		unlink()
		cancel(nil)
	}
}
