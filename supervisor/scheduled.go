package supervisor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor/state"
	"autoreview/templates"
)

const (
	// The messages that the prompt of a schedule quotes.
	quotedMessages, quotedBytes = 200, 400_000
	// quotedSpan is from how far back, when there was no time before.
	quotedSpan = 24 * time.Hour
)

// scheduledPrompt renders the prompt of a review that a schedule asks for.
func (l *launch) scheduledPrompt(ctx context.Context, spec codexrun.Spec) (string, error) {
	j := l.job
	data := templates.Scheduled{
		Schedule: j.Schedule, Due: stamp(j.Occasion), Previous: stamp(j.Previous),
		Channel: l.w.Channel, ReplyAs: l.w.ReplyAs,
		Repo: spec.Dir, Branch: l.repo.branch, Commit: short(l.repo.commit),
		Resumed: spec.Resume != "" || spec.Fork != "", CanWrite: canWrite(spec), Isolated: l.tree != state.Tree{},
	}
	from := j.Previous
	if from.IsZero() {
		from = j.Occasion.Add(-quotedSpan)
	}
	messages, err := l.messagesSince(ctx, from)
	if err != nil {
		return "", err
	}
	texts := make([]string, len(messages))
	for i, m := range messages {
		texts[i] = m.Text
		data.Messages = append(data.Messages, templates.Message{
			ID: m.ID, TS: stamp(posted(m.TS)), Sender: m.Sender, Kind: string(m.Kind), Text: m.Text,
		})
	}
	data.Boundary = templates.NewBoundary(texts...)
	return templates.Render(templates.NameSchedule, l.w.Template, data)
}

// messagesSince returns the newest messages of the channel after a time, oldest
// first, as many as a prompt has room for.
func (l *launch) messagesSince(ctx context.Context, from time.Time) ([]relay.Message, error) {
	p, err := l.s.relay.Read(ctx, relay.Query{Targets: []string{l.w.Channel}, Newest: true, Limit: quotedMessages})
	if err != nil {
		return nil, fmt.Errorf("reading the channel: %w", err)
	}
	room := quotedBytes
	first := len(p.Messages)
	for i, m := range slices.Backward(p.Messages) {
		if room -= len(m.Text); room < 0 || posted(m.TS).Before(from) {
			break
		}
		first = i
	}
	return p.Messages[first:], nil
}

func posted(ts float64) time.Time { return time.UnixMicro(int64(ts * 1e6)) }

// stamp is a time for a reader, "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}
