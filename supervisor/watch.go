package supervisor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"autoreview/relay"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

const (
	// waitFor is how long one Wait lasts. Nothing happens at its end but the
	// next Wait.
	waitFor = 10 * time.Minute
	// readLimit is how many messages are read at a time.
	readLimit = relay.MaxLimit
	// maxJobBytes is where packets stop sharing a job: more would not fit into
	// one prompt.
	maxJobBytes = 900_000
	// The waits between attempts to reach a relay that does not answer.
	reconnectFirst, reconnectLimit = 100 * time.Millisecond, 5 * time.Second
)

// watcher reads one channel for one watch.
type watcher struct {
	s *Supervisor
	w config.Watch

	synced bool
	rawID  string // the log's own id
	logID  string // the id that cursors and packets are kept under, see epoch
	cursor int64
	gap    int64 // the gap that was reported last
}

// watch reads the channel until ctx ends. While the relay cannot be reached it
// tries again, says so once, and says so once when it is back.
func (s *Supervisor) watch(ctx context.Context, w config.Watch) {
	x := &watcher{s: s, w: w}
	log := s.log.With("watch", w.Name, "channel", w.Channel)
	failures, refused := 0, false
	for ctx.Err() == nil {
		err := x.runOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			s.live.reads(w.Name, nil)
			if failures > 0 {
				log.Info("relay is back")
			}
			failures, refused = 0, false
			continue
		}
		x.synced = false
		s.live.reads(w.Name, err)
		s.lost()
		// One that was down may come back and want a token.
		if failures++; failures == 1 || denied(err) != refused {
			log.With("relay", s.cfg.Relay).Warn("relay cannot be read, trying again", s.explain(err)...)
		}
		refused = denied(err)
		if !sleep(ctx, backoff(reconnectFirst, reconnectLimit, failures)) {
			return
		}
	}
}

// runOnce finds the place in the log when it has to, or else waits for messages
// and enqueues the packets among them.
func (x *watcher) runOnce(ctx context.Context) error {
	if !x.synced {
		return x.sync(ctx)
	}
	p, err := x.s.relay.Wait(ctx, relay.Query{
		Targets: []string{x.w.Channel}, Senders: x.w.Senders, Since: x.cursor, Limit: readLimit,
	}, waitFor)
	if err != nil {
		return err
	}
	if p.LogID != x.rawID || p.Head < x.cursor {
		x.synced = false
		return nil
	}
	x.reportGap(ctx, p.OldestID)
	return x.enqueue(ctx, p.Messages, p.LatestID)
}

// sync finds out which log this is and where in it the watch goes on.
func (x *watcher) sync(ctx context.Context) error {
	p, err := x.s.relay.Read(ctx, relay.Query{Targets: []string{x.w.Channel}, Newest: true, Limit: 1})
	if err != nil {
		return err
	}
	epoch, err := x.s.epoch(ctx, x.w.Name, x.w.Channel, p.LogID)
	if err != nil {
		return err
	}
	x.rawID, x.logID = p.LogID, logName(p.LogID, epoch)
	cursor, ok, err := x.s.state.Cursor(ctx, x.w.Name, x.w.Channel, x.logID)
	if err != nil {
		return err
	}
	if ok && cursor > p.Head {
		x.s.log.Warn("the log's ids went back: it was replaced or restored", "watch", x.w.Name, "channel", x.w.Channel, "cursor", cursor, "head", p.Head)
		if err := x.s.state.SetNote(ctx, epochNote(x.w.Name, x.w.Channel, p.LogID), strconv.Itoa(epoch+1)); err != nil {
			return err
		}
		x.logID, ok = logName(p.LogID, epoch+1), false
	}
	if !ok {
		cursor, err = x.start(ctx, p)
		if errors.Is(err, errOtherLog) {
			return nil // begin anew, with that one
		}
		if err != nil {
			return err
		}
	}
	x.cursor, x.synced = cursor, true
	x.s.logs.Store(x.w.Name, x.logID)
	x.s.log.Info("watching", "watch", x.w.Name, "channel", x.w.Channel, "senders", x.w.Senders, "after", cursor)
	x.s.writeLastFile(ctx, x.w, x.logID)
	return nil
}

// errOtherLog says that the relay has got another log since the watch has asked
// which one it has.
var errOtherLog = errors.New("the relay has another log than a moment ago")

// read reads the log that the watch has found: what is in another must not be
// taken for its messages.
func (x *watcher) read(ctx context.Context, q relay.Query) (relay.Page, error) {
	p, err := x.s.relay.Read(ctx, q)
	if err == nil && p.LogID != x.rawID {
		err = errOtherLog
	}
	return p, err
}

// A log whose ids went back (the original server after a restart, a database
// restored from a backup) gives the same ids to other messages. Its epoch keeps
// them apart.
func (s *Supervisor) epoch(ctx context.Context, watch, channel, logID string) (int, error) {
	v, err := s.state.Note(ctx, epochNote(watch, channel, logID))
	if err != nil || v == "" {
		return 0, err
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0, fmt.Errorf("reading the epoch of log %s: %w", logID, err)
	}
	return n, nil
}

func epochNote(watch, channel, logID string) string {
	return "epoch/" + watch + "/" + channel + "/" + logID
}

// logName asks the relay which log it has, by the name that jobs and cursors are
// kept under.
func (s *Supervisor) logName(ctx context.Context, watch, channel string) (string, error) {
	p, err := s.relay.Read(ctx, relay.Query{Targets: []string{channel}, Newest: true, Limit: 1})
	if err != nil {
		return "", err
	}
	epoch, err := s.epoch(ctx, watch, channel, p.LogID)
	return logName(p.LogID, epoch), err
}

func logName(id string, epoch int) string {
	if epoch == 0 {
		return id
	}
	return id + "#" + strconv.Itoa(epoch)
}

// enqueue stores the packets among the messages as jobs, together with the
// cursor after them.
func (x *watcher) enqueue(ctx context.Context, messages []relay.Message, cursor int64) error {
	if len(messages) == 0 && cursor == x.cursor {
		return nil
	}
	now := x.s.now()
	b := state.Batch{
		Watch: x.w.Name, Channel: x.w.Channel, LogID: x.logID, Workdir: x.w.Workdir, ReplyAs: x.w.ReplyAs,
		Cursor: cursor, Due: now, MaxBytes: maxJobBytes,
	}
	if busy, err := x.busy(ctx); err != nil {
		return err
	} else if busy {
		b.Due = now.Add(x.w.Coalesce)
	}
	for _, m := range messages {
		if isPacket(x.w, m) {
			b.Items = append(b.Items, x.item(m))
		}
	}
	x.takeTrees(ctx, b.Items)
	added, err := x.s.state.Enqueue(ctx, b, now)
	if err != nil {
		return err
	}
	x.cursor = cursor
	if added > 0 {
		x.s.log.Debug("enqueued packets", "watch", x.w.Name, "packets", added, "cursor", cursor)
		x.s.wakeDispatcher()
	}
	return nil
}

// busy reports whether the watch owes reviews already. Only then packets are
// gathered for a while: to an idle watch nothing is gained by waiting.
func (x *watcher) busy(ctx context.Context) (bool, error) {
	if x.w.Coalesce == 0 {
		return false, nil
	}
	n, err := x.s.state.Open(ctx, x.w.Name)
	return n > 0, err
}

func (x *watcher) item(m relay.Message) state.Item {
	key := fmt.Sprintf("job/%s/%d/1/%s", x.w.Name, m.ID, rand.Text())
	return state.Item{Packet: packetOf(m), Group: group(m), Key: key}
}

// takeTrees takes down what isolated reviews of packets are about, as soon as
// the packets are there: their author may be about to go on.
func (x *watcher) takeTrees(ctx context.Context, items []state.Item) {
	trees := make(map[string]state.Tree) // :: commit as the packet names it → its tree
	for i := range items {
		commit := metaOf(items[i].Packet.Meta).Commit
		if _, ok := trees[commit]; !ok {
			trees[commit] = x.s.takeTree(ctx, x.w, commit)
		}
		items[i].Tree = trees[commit]
	}
}

// reportGap says once, in the channel, that messages were pruned before they
// were read.
func (x *watcher) reportGap(ctx context.Context, oldest int64) {
	if oldest-1 <= x.cursor || oldest <= x.gap {
		return
	}
	x.gap = oldest
	x.s.log.Warn("messages were pruned before they were read", "watch", x.w.Name, "after", x.cursor, "before", oldest)
	text := fmt.Sprintf("Messages after #%d and before #%d may have been removed from the log before I read them. A packet among them gets no review: please post it again.", x.cursor, oldest)
	x.s.status(ctx, x.w, text, fmt.Sprintf("gap/%s/%s/%d", x.w.Name, x.logID, oldest))
}

// status posts a message that ends nothing, and reports whether it is there. It
// is a courtesy: when it cannot be posted that is logged and no more.
func (s *Supervisor) status(ctx context.Context, w config.Watch, text, key string) bool {
	err := s.postStatus(ctx, w, text, key)
	var refused *relay.Error
	switch {
	case errors.As(err, &refused):
		s.log.Error("relay refused a status", "watch", w.Name, "err", err)
	case err != nil:
		s.log.Warn("could not post a status", "watch", w.Name, "err", err)
	}
	return err == nil
}

func (s *Supervisor) postStatus(ctx context.Context, w config.Watch, text, key string) error {
	_, err := s.relay.Post(ctx, relay.Draft{
		Target: w.Channel, Sender: w.ReplyAs, Text: text, Kind: relay.KindStatus, Key: key, Source: source,
	})
	return err
}

// source names the supervisor in the relay's activity log.
const source = "supervisor"
