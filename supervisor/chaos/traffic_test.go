//go:build unix

package chaos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"autoreview/relay"
	"autoreview/relay/client"
)

// ledger is what the relay has told its clients.
type ledger struct {
	mu sync.Mutex
	// guarded by mu
	acked map[int64]relay.Draft   // :: id → the packet it was given to
	seen  map[int64]relay.Message // :: id → what a reader got
	ended map[int64]int           // :: packet → how many answers were seen
	open  int                     // packets without one
	wrong []string                // what may never be seen
}

func newLedger() *ledger {
	return &ledger{acked: make(map[int64]relay.Draft), seen: make(map[int64]relay.Message), ended: make(map[int64]int)}
}

func (l *ledger) acknowledge(id int64, d relay.Draft) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if other, ok := l.acked[id]; ok {
		l.wrong = append(l.wrong, fmt.Sprintf("#%d was given to %q and to %q", id, other.Text, d.Text))
	}
	if l.acked[id] = d; l.ended[id] == 0 {
		l.open++
	}
}

// read takes down a page that came after a cursor.
func (l *ledger) read(after int64, messages []relay.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range messages {
		if m.ID <= after {
			l.wrong = append(l.wrong, fmt.Sprintf("#%d came after #%d", m.ID, after))
		}
		after = m.ID
		l.seen[m.ID] = m
		for _, id := range ends(m) {
			if l.ended[id]++; l.ended[id] == 1 && l.acked[id].Key != "" {
				l.open--
			}
		}
	}
}

// standing tells how many packets were posted, and how many of them are open.
func (l *ledger) standing() (posted, open int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked), l.open
}

// ends returns the packets that a message answers for good: a review, or the
// notice that there will be none.
func ends(m relay.Message) []int64 {
	var meta struct {
		Packets  []int64 `json:"packets"`
		Terminal bool    `json:"terminal"`
	}
	if len(m.Meta) == 0 || json.Unmarshal(m.Meta, &meta) != nil || m.Kind != relay.KindReview && !meta.Terminal {
		return nil
	}
	return meta.Packets
}

// post posts packets until ctx ends, each with a key and again and again until
// it is acknowledged: an acknowledgement that is lost is no second packet.
func (w *world) post(ctx context.Context, poster int) {
	rng := w.random(fmt.Sprintf("poster %d", poster))
	c := w.client(w.proxy.url())
	defer c.Close()
	for n := 1; ctx.Err() == nil; n++ {
		d := relay.Draft{
			Target: channels[rng.IntN(len(channels))], Sender: "claude",
			Text: fmt.Sprintf("packet %d of poster %d", n, poster), Key: fmt.Sprintf("chaos/%d/%d", poster, n),
		}
		if rng.IntN(10) == 0 {
			d.Kind = relay.KindNote // which asks for nothing
		}
		if d.Target == isolated && rng.IntN(3) == 0 {
			d.Meta = fmt.Appendf(nil, `{"commit":%q}`, w.repo.commits[rng.IntN(len(w.repo.commits))])
		}
		w.postUntilAcknowledged(c, d)
		time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond)
		for _, open := w.ledger.standing(); open > w.kit.open && ctx.Err() == nil; _, open = w.ledger.standing() {
			time.Sleep(20 * time.Millisecond)
		}
	}
}

func (w *world) postUntilAcknowledged(c *client.Client, d relay.Draft) {
	for w.t.Context().Err() == nil {
		p, err := c.Post(w.t.Context(), d)
		if err == nil {
			if d.Kind != relay.KindNote {
				w.ledger.acknowledge(p.ID, d)
			}
			return
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// follow reads the whole log as it grows, past the proxy: what was read once
// must stay.
func (w *world) follow(ctx context.Context) {
	c := w.client(w.relayURL)
	defer c.Close()
	var cursor int64
	for ctx.Err() == nil {
		p, err := c.Wait(ctx, relay.Query{Targets: channels, Since: cursor, Limit: relay.MaxLimit}, 2*time.Second)
		if err != nil {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		w.ledger.read(cursor, p.Messages)
		cursor = p.LatestID
	}
}
