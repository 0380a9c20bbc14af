// Package storetest is the one suite that every relay.Store passes. It is the
// contract of the interface, sentence by sentence.
package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"autoreview/relay"
)

// Store is what the suite tests: a relay.Store that can be pruned.
type Store interface {
	relay.Store
	Prune(ctx context.Context, r relay.Retention) (pruned int, err error)
}

// Open returns an empty store whose clock is now. It closes the store by
// t.Cleanup.
type Open func(t *testing.T, now func() time.Time) Store

// Run tests the stores that open returns, each in a subtest of its own.
func Run(t *testing.T, open Open) {
	for _, g := range []struct {
		name  string
		tests []test
	}{
		{"append", appendTests},
		{"key", keyTests},
		{"reply", replyTests},
		{"read", readTests},
		{"channel", channelTests},
		{"prune", pruneTests},
		{"concurrent", concurrentTests},
	} {
		t.Run(g.name, func(t *testing.T) {
			for _, tt := range g.tests {
				t.Run(tt.name, func(t *testing.T) {
					clock := newClock()
					tt.run(&fixture{T: t, clock: clock, store: open(t, clock.Now)})
				})
			}
		})
	}
}

type test struct {
	name string
	run  func(f *fixture)
}

// fixture is a test with its own empty store.
type fixture struct {
	*testing.T
	clock *clock
	store Store
}

// clock is a clock that stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (f *fixture) append(d relay.Draft) relay.Posted {
	f.Helper()
	p, err := f.store.Append(f.Context(), d)
	if err != nil {
		f.Fatalf("Append(%+v): %v", d, err)
	}
	return p
}

// post appends an ordinary message and returns its id.
func (f *fixture) post(target, sender string) int64 {
	f.Helper()
	return f.append(relay.Draft{Target: target, Sender: sender, Text: "text by " + sender}).ID
}

// fill appends n messages to a channel and returns their ids in order.
func (f *fixture) fill(target string, n int) []int64 {
	f.Helper()
	ids := make([]int64, n)
	// Many at once, because a durable store shares a sync among them.
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			p, err := f.store.Append(f.Context(), relay.Draft{Target: target, Sender: "s", Text: fmt.Sprint("message ", i)})
			if err != nil {
				f.Errorf("Append: %v", err)
			}
			ids[i] = p.ID
		})
	}
	wg.Wait()
	slices.Sort(ids)
	return ids
}

// read reads with a limit of 100 when q has none.
func (f *fixture) read(q relay.Query) relay.Page {
	f.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	p, err := f.store.Read(f.Context(), q)
	if err != nil {
		f.Fatalf("Read(%+v): %v", q, err)
	}
	return p
}

func (f *fixture) prune(r relay.Retention) int {
	f.Helper()
	n, err := f.store.Prune(f.Context(), r)
	if err != nil {
		f.Fatalf("Prune(%+v): %v", r, err)
	}
	return n
}

func (f *fixture) info() relay.Info {
	f.Helper()
	info, err := f.store.Info(f.Context())
	if err != nil {
		f.Fatalf("Info: %v", err)
	}
	return info
}

// channels returns the channels by name and fails when they are not in order.
func (f *fixture) channels() map[string]relay.Channel {
	f.Helper()
	list, err := f.store.Channels(f.Context())
	if err != nil {
		f.Fatalf("Channels: %v", err)
	}
	byName := make(map[string]relay.Channel, len(list))
	for i, c := range list {
		if i > 0 && list[i-1].Name >= c.Name {
			f.Errorf("Channels: %q comes after %q", c.Name, list[i-1].Name)
		}
		byName[c.Name] = c
	}
	return byName
}

func ids(messages []relay.Message) []int64 {
	out := make([]int64, len(messages))
	for i, m := range messages {
		out[i] = m.ID
	}
	return out
}
