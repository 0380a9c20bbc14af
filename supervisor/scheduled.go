package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
	"autoreview/supervisor/verdict"
	"autoreview/templates"
)

const (
	// The messages that the prompt of a schedule quotes.
	quotedMessages, quotedBytes = 200, 400_000
	// quotedSpan is from how far back, when there was no time before.
	quotedSpan = 24 * time.Hour
)

// task is what the job is to come to.
func (l *launch) task() config.Task { return l.plan.schedule(*l.job).Task }

// scheduledPrompt renders the prompt of what a schedule asks for.
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
	name := templates.NameSchedule
	if l.task() == config.TaskDigest {
		name = templates.NameDigest
	}
	return templates.Render(name, l.w.Template, data)
}

// afterDigest is the outcome of a completed run for a digest.
func (s *Supervisor) afterDigest(ctx context.Context, l launch, res codexrun.Result) outcome {
	if strings.TrimSpace(res.Final) == "" {
		return s.stopped(ctx, failure{class: codexrun.Crashed, text: "Codex ended without a digest"})
	}
	d := digestDraft(l.w, *l.job, reviewed{final: res.Final, run: l.meta(), took: s.now().Sub(l.began)})
	return outcome{draft: &d}
}

// digestMeta is the meta of a digest. It has no verdict, and Packets is empty as
// with everything that a schedule asks for.
type digestMeta struct {
	Task     config.Task `json:"task"`
	Schedule string      `json:"schedule"`
	Packets  []int64     `json:"packets"`
	Watch    string      `json:"watch"`
	Hop      int         `json:"hop"`
	Run      runMeta     `json:"run"`
}

// digestDraft is the message with a digest. It is a note, which neither asks for
// a review nor is one, and answers no packet.
func digestDraft(w config.Watch, j state.Job, r reviewed) relay.Draft {
	meta, err := json.Marshal(digestMeta{
		Task: config.TaskDigest, Schedule: j.Schedule, Packets: []int64{}, Watch: w.Name, Hop: nextHop(nil), Run: r.run,
	})
	if err != nil {
		meta = nil // strings and numbers always marshal
	}
	facts := verdict.Facts{Schedule: j.Schedule, Duration: r.took, Tokens: r.run.Tokens, Commit: short(r.run.Commit), Codex: r.run.Codex}
	return relay.Draft{
		Target: j.Channel, Sender: w.ReplyAs, Text: verdict.RenderDigest(r.final, facts), Kind: relay.KindNote,
		Key: j.Key, Meta: meta, Source: source,
	}
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
