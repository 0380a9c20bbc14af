package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"

	"autoreview/relay"
)

// Import appends messages of other logs in the order of their time and returns
// how many it stored. What is there already, by time, channel, sender and text,
// is left out, so that an import can be repeated and a relay's own archive does
// not double its messages. Ids are given anew; the time is kept.
//
// Readers of a log that has been in use have cursors, and to them the imported
// messages are new. What would ask for a review becomes a note there: history
// must not be reviewed again. In an empty log everything stays as it was.
func (d *Data) Import(ctx context.Context, messages []relay.Message) (stored int, err error) {
	info, err := d.Store.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading what is there: %w", err)
	}
	there, err := d.fingerprints(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading what is there: %w", err)
	}
	// Ids say nothing across files: the original begins at 1 with every start.
	messages = slices.Clone(messages)
	slices.SortStableFunc(messages, func(a, b relay.Message) int {
		return cmp.Or(cmp.Compare(a.TS, b.TS), cmp.Compare(a.ID, b.ID))
	})
	fresh := messages[:0]
	for _, m := range messages {
		f := fingerprintOf(m)
		if there[f] {
			continue
		}
		there[f] = true
		if m.Key == "" {
			m.Key = "import/" + strconv.FormatInt(m.ID, 10) + "-" + hex.EncodeToString(f[:8])
		}
		if info.Head > 0 && (m.Kind == "" || m.Kind == relay.KindPacket) {
			m.Kind = relay.KindNote
		}
		fresh = append(fresh, m)
	}
	return d.Store.Import(ctx, fresh)
}

// fingerprint tells messages apart without their ids, which an import changes.
type fingerprint [16]byte

func fingerprintOf(m relay.Message) fingerprint {
	h := sha256.New()
	fmt.Fprintf(h, "%d %q %q ", int64(math.Round(m.TS*1e6)), m.Target, m.Sender)
	h.Write([]byte(m.Text))
	return fingerprint(h.Sum(nil)[:16])
}

func (d *Data) fingerprints(ctx context.Context) (map[fingerprint]bool, error) {
	out := make(map[fingerprint]bool)
	q := relay.Query{Limit: relay.MaxLimit}
	for {
		p, err := d.Store.Read(ctx, q)
		if err != nil || len(p.Messages) == 0 {
			return out, err
		}
		for _, m := range p.Messages {
			out[fingerprintOf(m)] = true
		}
		q.Since = p.Messages[len(p.Messages)-1].ID
	}
}
