package sim_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"autoreview/relay"
	"autoreview/relay/store/memory"
)

var (
	errRefused = errors.New("connection refused")
	errReset   = errors.New("connection reset by peer")
	errFull    = errors.New("database or disk is full")
)

// server is one life of the relay. Its store outlives it.
type server struct {
	log *relay.Log
	// ends is done when the process is killed.
	ends context.Context
	kill context.CancelFunc
}

// fullable is the relay's store, whose disk can be full.
type fullable struct {
	*memory.Store
	w *world
}

func (f *fullable) Append(ctx context.Context, d relay.Draft) (relay.Posted, error) {
	if f.w.relayFull {
		return relay.Posted{}, errFull
	}
	return f.Store.Append(ctx, d)
}

func (w *world) startRelay() {
	ends, kill := context.WithCancel(context.Background())
	log := w.log()
	opts := relay.Options{Posted: func(m relay.Message, _ string) { w.said[log] = append(w.said[log], m) }}
	w.server = &server{log: relay.New(&fullable{log, w}, opts), ends: ends, kill: kill}
}

// log is the log that the relay has now.
func (w *world) log() *memory.Store { return w.logs[len(w.logs)-1] }

// replaceLog is what a user does who deletes the relay's database while it is
// down.
func (w *world) replaceLog() { w.logs = append(w.logs, memory.New(w.now)) }

func (w *world) killRelay() {
	w.server.kill()
	w.server = nil
}

// wire is the relay as one life of the supervisor reaches it: each request stops
// at a seam on its way.
type wire struct{ life *life }

// request makes one request of the relay that is up when it arrives.
func request[T any](ctx context.Context, l *life, write bool, label string, f func(context.Context, *relay.Log) (T, error)) (T, error) {
	var out T
	err := l.do(ctx, step{kind: kindWire, write: write, label: "relay " + label, effect: func() error {
		s := l.w.server
		if s == nil {
			return errRefused
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.ends, cancel)()
		var err error
		out, err = f(ctx, s.log)
		if s.ends.Err() != nil {
			return errReset
		}
		return err
	}})
	if err != nil {
		var none T
		return none, err
	}
	return out, nil
}

// Post implements supervisor.Relay. A request that has arrived is carried out,
// whatever becomes of who made it.
func (c *wire) Post(ctx context.Context, d relay.Draft) (relay.Posted, error) {
	what := string(d.Kind)
	if d.ReplyTo != 0 {
		what += fmt.Sprintf(" of #%d", d.ReplyTo)
	}
	return request(ctx, c.life, true, "Post "+what+" by "+d.Sender+": "+firstLine(d.Text), func(ctx context.Context, l *relay.Log) (relay.Posted, error) {
		return l.Post(context.WithoutCancel(ctx), d)
	})
}

// Read implements supervisor.Relay.
func (c *wire) Read(ctx context.Context, q relay.Query) (relay.Page, error) {
	label := fmt.Sprintf("Read %v %v after %d", q.Targets, q.Senders, q.Since)
	if q.Key != "" {
		label += " by key"
	}
	return request(ctx, c.life, false, label, func(ctx context.Context, l *relay.Log) (relay.Page, error) { return l.Read(ctx, q) })
}

// Wait implements supervisor.Relay.
func (c *wire) Wait(ctx context.Context, q relay.Query, d time.Duration) (relay.Page, error) {
	return request(ctx, c.life, false, fmt.Sprintf("Wait %v %v after %d", q.Targets, q.Senders, q.Since), func(ctx context.Context, l *relay.Log) (relay.Page, error) {
		return l.Wait(ctx, q, d)
	})
}
