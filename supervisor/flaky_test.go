package supervisor_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"autoreview/relay"
	"autoreview/supervisor"
)

var errCut = errors.New("connection refused")

// flaky is a relay on a bad line.
type flaky struct {
	supervisor.Relay
	refuse func(relay.Draft) error

	mu sync.Mutex
	// guarded by mu
	noPosts, noReads bool
	loseAcks         int // so many posts are stored and answered with an error
	posts            int
}

func (f *flaky) failPosts(on bool) { f.mu.Lock(); defer f.mu.Unlock(); f.noPosts = on }
func (f *flaky) failReads(on bool) { f.mu.Lock(); defer f.mu.Unlock(); f.noReads = on }

func (f *flaky) Post(ctx context.Context, d relay.Draft) (relay.Posted, error) {
	f.mu.Lock()
	f.posts++
	cut, lose := f.noPosts, f.loseAcks > 0
	if lose {
		f.loseAcks--
	}
	f.mu.Unlock()
	if cut {
		return relay.Posted{}, errCut
	}
	if f.refuse != nil {
		if err := f.refuse(d); err != nil {
			return relay.Posted{}, err
		}
	}
	p, err := f.Relay.Post(ctx, d)
	if lose {
		return relay.Posted{}, errCut
	}
	return p, err
}

func (f *flaky) cutOff() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.noReads }

func (f *flaky) Read(ctx context.Context, q relay.Query) (relay.Page, error) {
	if f.cutOff() {
		return relay.Page{}, errCut
	}
	return f.Relay.Read(ctx, q)
}

func (f *flaky) Wait(ctx context.Context, q relay.Query, d time.Duration) (relay.Page, error) {
	if f.cutOff() {
		return relay.Page{}, errCut
	}
	// So that a cut is noticed in time.
	p, err := f.Relay.Wait(ctx, q, min(d, 10*time.Second))
	if f.cutOff() {
		return relay.Page{}, errCut
	}
	return p, err
}

// swappable is a relay whose log can be replaced while it is in use, as by a
// restart of the original server.
type swappable struct {
	sameID bool // the new log has the old one's id

	mu  sync.Mutex
	log *relay.Log // guarded by mu
	id  string     // guarded by mu
}

func (s *swappable) set(l *relay.Log) { s.mu.Lock(); defer s.mu.Unlock(); s.log = l }
func (s *swappable) get() *relay.Log  { s.mu.Lock(); defer s.mu.Unlock(); return s.log }

func (s *swappable) page(p relay.Page, err error) (relay.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id == "" {
		s.id = p.LogID
	}
	if s.sameID {
		p.LogID = s.id
	}
	return p, err
}

func (s *swappable) Post(ctx context.Context, d relay.Draft) (relay.Posted, error) {
	return s.get().Post(ctx, d)
}

func (s *swappable) Read(ctx context.Context, q relay.Query) (relay.Page, error) {
	return s.page(s.get().Read(ctx, q))
}

func (s *swappable) Wait(ctx context.Context, q relay.Query, d time.Duration) (relay.Page, error) {
	return s.page(s.get().Wait(ctx, q, min(d, 10*time.Second)))
}

// countingRelay counts the questions it is asked.
type countingRelay struct {
	supervisor.Relay
	calls atomic.Int64
}

func (c *countingRelay) Read(ctx context.Context, q relay.Query) (relay.Page, error) {
	c.calls.Add(1)
	return c.Relay.Read(ctx, q)
}

func (c *countingRelay) Wait(ctx context.Context, q relay.Query, d time.Duration) (relay.Page, error) {
	c.calls.Add(1)
	return c.Relay.Wait(ctx, q, d)
}
