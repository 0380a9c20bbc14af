package mcptools

import (
	"context"
	"strings"

	"autoreview/relay"
	"autoreview/relay/redact"
)

type posted struct {
	OK        bool   `json:"ok"`
	Posted    int64  `json:"posted"`
	Duplicate bool   `json:"duplicate,omitempty"`
	Warning   string `json:"warning,omitempty"`
}

func (t *tools) post(ctx context.Context, c call) (any, error) {
	d := relay.Draft{
		Target:  c.args.text("target"),
		Sender:  c.args.text("sender"),
		Text:    c.args.text("text"),
		Kind:    relay.Kind(c.args.text("kind")),
		ReplyTo: c.args.whole("reply_to", 0),
		Meta:    c.args.object("meta"),
		Key:     c.args.text("key"),
		Source:  Source,
	}
	if c.args.err != nil {
		return nil, c.args.err
	}
	j, err := jobOf(c.header)
	if err != nil {
		return nil, err
	}
	p, err := t.deliver(ctx, j, d)
	if err != nil {
		return nil, err
	}
	return posted{OK: true, Posted: p.ID, Duplicate: p.Duplicate, Warning: warning(c, p)}, nil
}

// warning also tells the model what others will not read in its message.
func warning(c call, p relay.Posted) string {
	var masked string
	if p.Message != nil {
		masked = redact.Sentence(redact.Noted(p.Message.Meta))
	}
	if c.warning != "" && masked != "" {
		return c.warning + "; " + masked
	}
	return c.warning + masked
}

// deliver posts d, as the job's answer when j is not nil. The first post of a
// job is its review; whatever else the model posts in it is a note, so that it
// is kept and never taken for a second review.
func (t *tools) deliver(ctx context.Context, j *job, d relay.Draft) (relay.Posted, error) {
	if j == nil {
		return t.Log.Post(ctx, d)
	}
	if err := t.belongs(ctx, j); err != nil {
		return relay.Posted{}, err
	}
	review, err := j.review(d)
	if err != nil {
		return relay.Posted{}, err
	}
	p, err := t.Log.Post(ctx, review)
	if err != nil || !p.Duplicate {
		return p, err
	}
	if p.SameText {
		return p, nil
	}
	return t.Log.Post(ctx, j.note(d))
}

// belongs refuses a job whose packets are of another log.
func (t *tools) belongs(ctx context.Context, j *job) error {
	if j.Log == "" {
		return nil
	}
	info, err := t.Log.Info(ctx)
	if err != nil {
		return err
	}
	if id, _, _ := strings.Cut(j.Log, "#"); id != info.LogID {
		return invalid(HeaderJob, "the relay has another log than when this job began, so its review cannot be posted; say it in your last message instead")
	}
	return nil
}
