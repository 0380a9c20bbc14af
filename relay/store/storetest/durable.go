package storetest

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"autoreview/relay"

	"github.com/google/go-cmp/cmp"
)

// Durable is a Store that outlives its process.
type Durable interface {
	Store
	Close() error
}

// Reopen opens the store that path names, and makes it at first. The suite
// closes it.
type Reopen func(t *testing.T, path string, now func() time.Time) Durable

// RunDurable tests what a store holds after it was closed and opened again,
// and how it closes. Run it besides Run.
func RunDurable(t *testing.T, open Reopen) {
	for _, tt := range []struct {
		name string
		run  func(d *durable)
	}{
		{"everything is there after a restart", testRestart},
		{"ids go on after a restart of a pruned log", testRestartPruned},
		{"a post after closing is refused", testClosed},
		{"posts during closing are stored or refused", testClosing},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &durable{open: open, path: filepath.Join(t.TempDir(), "store")}
			d.fixture = fixture{T: t, clock: newClock()}
			d.reopen()
			t.Cleanup(func() { d.current.Close() })
			tt.run(d)
		})
	}
}

type durable struct {
	fixture
	open    Reopen
	path    string
	current Durable
}

func (d *durable) reopen() {
	d.Helper()
	if d.current != nil {
		if err := d.current.Close(); err != nil {
			d.Fatalf("Close: %v", err)
		}
	}
	d.current = d.open(d.T, d.path, d.clock.Now)
	d.store = d.current
}

func testRestart(d *durable) {
	keyed := relay.Draft{Target: "a", Sender: "s", Text: "zero \x00 byte", Key: "k", Meta: []byte(`{"a":1}`)}
	d.append(keyed)
	d.fill("b", 5)
	page, channels := d.read(relay.Query{}), d.channels()
	for range 3 {
		d.reopen()
		if diff := cmp.Diff(page, d.read(relay.Query{})); diff != "" {
			d.Errorf("page after a restart (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(channels, d.channels()); diff != "" {
			d.Errorf("channels after a restart (-before +after):\n%s", diff)
		}
		if p := d.append(keyed); !p.Duplicate || p.ID != 1 {
			d.Errorf("repeated key: got %+v, want a duplicate of 1", p)
		}
	}
	if id := d.post("a", "s"); id != 7 {
		d.Errorf("next id: got %d, want 7", id)
	}
}

func testRestartPruned(d *durable) {
	d.fill("a", 3)
	d.clock.advance(time.Hour)
	d.prune(relay.Retention{MaxAge: time.Minute})
	d.reopen()
	if p := d.read(relay.Query{Targets: []string{"a"}}); p.Head != 3 || p.OldestID != 4 || len(p.Messages) != 0 {
		d.Errorf("Read: got %+v, want head 3, oldest 4 and no messages", p)
	}
	if id := d.post("a", "s"); id != 4 {
		d.Errorf("next id: got %d, want 4", id)
	}
}

func testClosed(d *durable) {
	if err := d.current.Close(); err != nil {
		d.Fatalf("Close: %v", err)
	}
	_, err := d.store.Append(d.Context(), relay.Draft{Target: "a", Sender: "s", Text: "t"})
	d.wantUnavailable(err)
	d.wantUnavailable(d.store.Check(d.Context()))
	if err := d.current.Close(); err != nil {
		d.Errorf("second Close: %v", err)
	}
}

func testClosing(d *durable) {
	var stored []int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	started := make(chan struct{}, 1)
	for range 8 {
		wg.Go(func() {
			for {
				p, err := d.store.Append(d.Context(), relay.Draft{Target: "a", Sender: "s", Text: "t"})
				if err != nil {
					d.wantUnavailable(err)
					return
				}
				mu.Lock()
				stored = append(stored, p.ID)
				mu.Unlock()
				select {
				case started <- struct{}{}:
				default:
				}
			}
		})
	}
	<-started
	closing := d.current
	if err := closing.Close(); err != nil {
		d.Errorf("Close: %v", err)
	}
	wg.Wait()
	d.reopen()
	if head := d.info().Head; head != int64(len(stored)) {
		d.Errorf("Head: got %d, want %d, the number of answered posts", head, len(stored))
	}
}

func (d *durable) wantUnavailable(err error) {
	d.Helper()
	var refusal *relay.Error
	if !errors.As(err, &refusal) || refusal.Code != relay.CodeUnavailable {
		d.Errorf("after closing: got %v, want an unavailable error", err)
	}
}
