package supervisor

import (
	"context"

	"autoreview/relay"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

// start decides where a watch begins in a log it has no cursor for, enqueues
// what is owed from there, and stores the cursor. at is the newest message of
// the channel and the head of the log.
func (x *watcher) start(ctx context.Context, at relay.Page) (int64, error) {
	known, err := x.s.state.HasCursor(ctx, x.w.Name, x.w.Channel)
	if err != nil {
		return 0, err
	}
	if known {
		x.s.log.Warn("the relay has another log than before: its messages are new here", "watch", x.w.Name, "channel", x.w.Channel, "log", x.logID)
	} else if id, ok := x.s.readLastFile(x.w); ok && id <= at.Head {
		// Later the number in the file is ours, and of the log before.
		x.s.log.Info("starting from LASTFILE", "watch", x.w.Name, "after", id)
		return x.begin(ctx, id, answers{through: id})
	}
	switch x.w.Start.Mode {
	case config.StartLatest:
		return x.begin(ctx, at.Head, answers{through: at.Head})
	case config.StartID:
		id := min(x.w.Start.ID, at.Head)
		return x.begin(ctx, id, answers{through: id})
	default:
		return x.startUnanswered(ctx, at.Head)
	}
}

// startUnanswered begins after what ReplyAs has answered. Where it has answered
// nothing, only the newest packet is owed: the rest is history.
func (x *watcher) startUnanswered(ctx context.Context, head int64) (int64, error) {
	p, err := x.read(ctx, relay.Query{
		Targets: []string{x.w.Channel}, Senders: []string{x.w.ReplyAs}, Newest: true, Limit: readLimit,
	})
	if err != nil {
		return 0, err
	}
	if a, ok := answeredBy(p.Messages, x.logID); ok {
		return x.begin(ctx, a.through, a)
	}
	newest, err := x.newestPacket(ctx)
	if err != nil {
		return 0, err
	}
	if newest == 0 {
		return x.begin(ctx, head, answers{through: head})
	}
	x.s.log.Info("nothing was ever reviewed here: starting with the newest packet", "watch", x.w.Name, "packet", newest)
	return x.begin(ctx, newest-1, answers{through: newest - 1})
}

func (x *watcher) newestPacket(ctx context.Context) (int64, error) {
	p, err := x.read(ctx, relay.Query{
		Targets: []string{x.w.Channel}, Senders: x.w.Senders, Newest: true, Limit: readLimit,
	})
	if err != nil {
		return 0, err
	}
	for i := len(p.Messages) - 1; i >= 0; i-- {
		if isPacket(x.w, p.Messages[i]) {
			return p.Messages[i].ID, nil
		}
	}
	return 0, nil
}

// begin reads everything after an id and enqueues, in one step, the packets
// that are still owed. The cursor is stored with them, so that a crash before
// that starts all over and a crash after it has lost nothing.
func (x *watcher) begin(ctx context.Context, since int64, a answers) (int64, error) {
	now := x.s.now()
	b := state.Batch{
		Watch: x.w.Name, Channel: x.w.Channel, LogID: x.logID, Workdir: x.w.Workdir, ReplyAs: x.w.ReplyAs,
		Cursor: since, Due: now, MaxBytes: maxJobBytes,
	}
	for {
		p, err := x.read(ctx, relay.Query{
			Targets: []string{x.w.Channel}, Senders: x.w.Senders, Since: b.Cursor, Limit: readLimit,
		})
		if err != nil {
			return 0, err
		}
		for _, m := range p.Messages {
			if isPacket(x.w, m) && a.owes(m.ID) {
				b.Items = append(b.Items, x.item(m))
			}
		}
		b.Cursor = p.LatestID
		if len(p.Messages) == 0 || p.LatestID >= p.Head {
			break
		}
	}
	x.takeTrees(ctx, b.Items)
	added, err := x.s.state.Enqueue(ctx, b, now)
	if err != nil {
		return 0, err
	}
	x.s.log.Info("started", "watch", x.w.Name, "channel", x.w.Channel, "skipped_through", a.through, "owed", added)
	x.s.wakeDispatcher()
	return b.Cursor, nil
}
