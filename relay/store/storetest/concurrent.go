package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"autoreview/relay"
)

var concurrentTests = []test{
	{"a following reader sees every message once and in order", testFollow},
	{"one of many posts with the same key is stored", testSameKey},
	{"every page is of one moment", testSnapshot},
	{"pruning ends while posts go on", testPruneEnds},
	{"posts, reads and pruning go on together", testTogether},
}

// testFollow is the promise of a cursor: an id becomes visible only after all
// smaller ones have.
func testFollow(f *fixture) {
	const writers, each = 8, 50
	log := relay.New(f.store, relay.Options{})
	var seen []int64
	var wg sync.WaitGroup
	wg.Go(func() {
		var since int64
		for len(seen) < writers*each {
			p, err := log.Wait(f.Context(), relay.Query{Targets: []string{"a"}, Since: since, Limit: 7}, time.Minute)
			if err != nil || len(p.Messages) == 0 {
				f.Errorf("Wait(since %d): got %d messages, error %v", since, len(p.Messages), err)
				return
			}
			seen = append(seen, ids(p.Messages)...)
			since = p.LatestID
		}
	})
	for w := range writers {
		wg.Go(func() {
			for range each {
				if _, err := log.Post(f.Context(), relay.Draft{Target: "a", Sender: fmt.Sprint(w), Text: "t"}); err != nil {
					f.Errorf("Post: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for i, id := range seen {
		if id != int64(i+1) {
			f.Fatalf("message %d seen: got id %d, want %d", i, id, i+1)
		}
	}
}

func testSameKey(f *fixture) {
	const writers = 16
	posted := make([]relay.Posted, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			p, err := f.store.Append(f.Context(), relay.Draft{Target: "a", Sender: "s", Text: fmt.Sprint(w), Key: "k"})
			if err != nil {
				f.Errorf("Append: %v", err)
			}
			posted[w] = p
		})
	}
	wg.Wait()
	stored := f.read(relay.Query{}).Messages
	if len(stored) != 1 {
		f.Fatalf("stored: got %d messages, want 1", len(stored))
	}
	first := 0
	for _, p := range posted {
		if !p.Duplicate {
			first++
		}
		if p.ID != stored[0].ID || p.Message == nil || p.Message.Text != stored[0].Text {
			f.Errorf("Append: got %+v, want the message %+v", p, stored[0])
		}
	}
	if first != 1 {
		f.Errorf("posts that were not a duplicate: got %d, want 1", first)
	}
}

// testSnapshot reads while one writer posts and prunes to a fixed number: a
// page that mixed two moments would not fit its own head and oldest id.
func testSnapshot(f *fixture) {
	const keep, posts = 20, 150
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range posts {
			if _, err := f.store.Append(f.Context(), relay.Draft{Target: "a", Sender: "s", Text: "t"}); err != nil {
				f.Errorf("Append: %v", err)
			}
			if i%10 != 9 {
				continue
			}
			if _, err := f.store.Prune(f.Context(), relay.Retention{MaxMessages: keep}); err != nil {
				f.Errorf("Prune: %v", err)
			}
		}
	}()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		p := f.read(relay.Query{Targets: []string{"a"}})
		var want []int64
		for id := p.OldestID; id <= p.Head; id++ {
			want = append(want, id)
		}
		if got := ids(p.Messages); !slices.Equal(got, want) {
			f.Errorf("page: got %v, want all of %d to %d", got, p.OldestID, p.Head)
			reading = false
		}
	}
	<-done
}

func testPruneEnds(f *fixture) {
	f.fill("a", 100)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := f.store.Append(f.Context(), relay.Draft{Target: "a", Sender: "s", Text: "t"}); err != nil {
					f.Errorf("Append: %v", err)
					return
				}
			}
		})
	}
	ctx, cancel := context.WithTimeout(f.Context(), time.Minute)
	defer cancel()
	if n, err := f.store.Prune(ctx, relay.Retention{MaxMessages: 10}); n < 90 || err != nil {
		f.Errorf("Prune: got %d, %v, want 90 or more", n, err)
	}
	close(done)
	wg.Wait()
}

func testTogether(f *fixture) {
	const writers, each = 4, 100
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				d := relay.Draft{Target: fmt.Sprint("c", i%5), Sender: fmt.Sprint(w), Text: "t", Key: fmt.Sprint(w, i)}
				if _, err := f.store.Append(f.Context(), d); err != nil {
					f.Errorf("Append: %v", err)
				}
			}
		})
		wg.Go(func() {
			for range 20 {
				if _, err := f.store.Prune(f.Context(), relay.Retention{MaxMessages: 50}); err != nil {
					f.Errorf("Prune: %v", err)
				}
				if _, err := f.store.Read(f.Context(), relay.Query{Targets: []string{"c1", "c2"}, Limit: 10}); err != nil {
					f.Errorf("Read: %v", err)
				}
				if _, err := f.store.Channels(f.Context()); err != nil {
					f.Errorf("Channels: %v", err)
				}
				if err := f.store.Check(f.Context()); err != nil {
					f.Errorf("Check: %v", err)
				}
			}
		})
	}
	wg.Wait()
	count := func() (n int64) {
		for _, c := range f.channels() {
			n += c.Count
		}
		return n
	}
	if got := count(); got < 50 {
		f.Errorf("left before the last pruning: got %d, want 50 or more", got)
	}
	f.prune(relay.Retention{MaxMessages: 50})
	left := count()
	if got := len(f.read(relay.Query{}).Messages); got != 50 || left != 50 {
		f.Errorf("left: got %d messages and a count of %d, want 50", got, left)
	}
	if head := f.info().Head; head != writers*each {
		f.Errorf("Head: got %d, want %d", head, writers*each)
	}
}
