//go:build linux

package soak_test

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/supervisor/control"
	"autoreview/supervisor/record"
)

// ledger has every packet and its answers.
type ledger struct {
	mu sync.Mutex
	// guarded by mu
	open     map[int64]bool // :: packet without an answer → true
	early    map[int64]bool // :: packet whose answer came before its receipt → true
	posted   int
	answered int
	wrong    []string // what may never be seen
}

func newLedger() *ledger { return &ledger{open: make(map[int64]bool), early: make(map[int64]bool)} }

func (l *ledger) post(id int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posted++
	if l.early[id] {
		delete(l.early, id)
		return
	}
	l.open[id] = true
}

func (l *ledger) answer(id int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered++
	switch {
	case l.open[id]:
		delete(l.open, id)
	case l.early[id]:
		l.wrong = append(l.wrong, fmt.Sprintf("two answers to #%d", id))
	default:
		l.early[id] = true // or it has one already, which is seen at the end
	}
}

// count tells how many packets were posted, answered, and have no answer yet.
func (l *ledger) count() (posted, answered, open int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.posted, l.answered, len(l.open)
}

// check holds that each packet has exactly one answer.
func (l *ledger) check(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.early {
		l.wrong = append(l.wrong, fmt.Sprintf("an answer too many to #%d", id))
	}
	if len(l.wrong) > 0 || l.answered != l.posted || len(l.open) > 0 {
		t.Errorf("%d packets have %d answers, %d have none; %v", l.posted, l.answered, len(l.open), l.wrong)
	}
}

// load is everybody who uses the two programs.
type load struct {
	t        *testing.T
	url      string
	state    string // the supervisor's folder
	rate     int    // packets a second
	channels []string
	ledger   *ledger
	verbs    *client.Client
	caller   *caller
}

// run puts both programs under load until ctx ends and everybody has left.
func (l *load) run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { l.post(ctx) })
	all.Go(func() { l.turn(ctx, time.Second, l.ask) })
	for range 2 {
		all.Go(func() { l.turn(ctx, 50*time.Millisecond, l.caller.stream) })
		all.Go(func() { l.turn(ctx, 50*time.Millisecond, l.caller.wait) })
		all.Go(func() { l.turn(ctx, 50*time.Millisecond, l.caller.call) })
		all.Go(func() { l.turn(ctx, 200*time.Millisecond, l.page) })
		all.Go(func() { l.turn(ctx, 0, l.watchAll) })
	}
	all.Wait()
	l.caller.http.CloseIdleConnections()
	l.verbs.Close()
}

// numbers bounds the names that are ever used: channels are kept for good.
const numbers = 300

// turn does something again and again, with a pause in between.
func (l *load) turn(ctx context.Context, pause time.Duration, do func(context.Context, int) error) {
	for n := 0; ctx.Err() == nil; n++ {
		if err := do(ctx, n%numbers); err != nil && ctx.Err() == nil {
			l.t.Errorf("number %d: %v", n, err)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// post posts packets at the rate.
func (l *load) post(ctx context.Context) {
	tick := time.NewTicker(time.Second / time.Duration(l.rate))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// What is being posted at the end is posted.
		p, err := l.verbs.Post(l.t.Context(), relay.Draft{
			Target: l.channels[n%len(l.channels)], Sender: "claude", Text: fmt.Sprintf("packet %d, please review\n", n) + filler,
		})
		if err != nil {
			l.t.Errorf("posting a packet: %v", err)
			return
		}
		l.ledger.post(p.ID)
	}
}

// follow reads all answers until ctx ends.
func (l *load) follow(ctx context.Context) {
	c := client.New(client.Options{BaseURL: l.url})
	defer c.Close()
	for cursor := int64(0); ctx.Err() == nil; {
		p, err := c.Wait(ctx, relay.Query{Targets: l.channels, Since: cursor, Limit: relay.MaxLimit}, 5*time.Second)
		if err != nil {
			if ctx.Err() == nil {
				l.t.Errorf("reading answers: %v", err)
			}
			return
		}
		cursor = p.LatestID
		for _, m := range p.Messages {
			for _, id := range answers(m) {
				l.ledger.answer(id)
			}
		}
	}
}

// page does what a browser does that opens the page.
func (l *load) page(ctx context.Context, n int) error {
	channel := l.channels[n%len(l.channels)]
	for _, path := range []string{"/", "/api/channels?details=1", "/ui/messages?target=" + channel, "/api/messages?limit=50&target=" + channel} {
		if err := drain(l.caller.get(ctx, path)); err != nil {
			return err
		}
	}
	return nil
}

// watchAll has a stream of all channels open for a while.
func (l *load) watchAll(ctx context.Context, n int) error {
	some, cancel := context.WithTimeout(ctx, time.Duration(1+n%5)*time.Second)
	defer cancel()
	body, err := l.caller.get(some, "/api/stream")
	if err == nil {
		_, err = io.Copy(io.Discard, body)
		_ = body.Close()
	}
	if some.Err() != nil {
		return nil // the while is over
	}
	return fmt.Errorf("the stream of all channels ended: %w", err)
}

// ask has the supervisor tell how it stands, and follows a job for a moment.
func (l *load) ask(ctx context.Context, _ int) error {
	c, err := control.Dial(ctx, l.state)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Status(ctx, 20); err != nil {
		return err
	}
	id, ok, err := c.Latest(ctx)
	if err != nil || !ok {
		return err
	}
	some, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_ = c.Follow(some, id, true, func(record.Line) error { return nil }) // it may end before we ask
	return nil
}
