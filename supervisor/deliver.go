package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/supervisor/state"
)

// The waits between attempts to post an answer.
const (
	postFirst, postLimit = 200 * time.Millisecond, 30 * time.Second
)

// deliver posts the saved answer of a job and finishes the job. While the relay
// cannot be reached it tries again; when it is to stop first, the next life posts.
// Posting twice is harmless: the job's key makes it one message.
func (s *Supervisor) deliver(ctx context.Context, j state.Job) {
	log := s.log.With("watch", j.Watch, "job", j.ID, "packets", j.PacketIDs())
	s.live.phase(j.ID, PhasePosting)
	for attempt := 1; ; attempt++ {
		p, err := s.postAnswer(ctx, &j)
		if err == nil {
			s.finish(ctx, j, p)
			return
		}
		if ctx.Err() != nil {
			return
		}
		if refused, ok := refusal(err); ok {
			if !s.amend(ctx, &j, refused) {
				log.Error("relay refuses the answer", "err", err)
				s.save(ctx, failed(j, "the relay refuses the answer: "+refused.Text))
				return
			}
			continue
		}
		if attempt == 1 {
			log.Warn("answer cannot be posted, trying again", s.explain(err)...)
		}
		if !s.pause(ctx, backoff(postFirst, postLimit, attempt)) {
			return
		}
	}
}

// postAnswer posts the answer of a job to the log that its packets are in. In
// another log their ids are those of other messages, so there it answers none of
// them and says where it belongs.
func (s *Supervisor) postAnswer(ctx context.Context, j *state.Job) (relay.Posted, error) {
	if len(j.Packets) > 0 && j.Answer.ReplyTo != 0 {
		name, err := s.logName(ctx, j.Watch, j.Channel)
		if err != nil {
			return relay.Posted{}, err
		}
		if name != j.LogID {
			a := *j.Answer
			a.ReplyTo = 0
			a.Text = fmt.Sprintf("(This answers %s of an earlier log, which the relay no longer has. Messages with these numbers are others here.)\n\n%s", about(*j), a.Text)
			j.Answer = &a
			s.save(ctx, *j)
		}
	}
	return s.relay.Post(ctx, *j.Answer)
}

// refusal is the relay's word on the draft itself. What it says of the request
// (a host that it does not answer to, a token that it does not know, a place
// where there is no relay) says nothing about the draft.
func refusal(err error) (*relay.Error, bool) {
	if status, ok := errors.AsType[*client.StatusError](err); ok && status.Status != http.StatusBadRequest && status.Status != http.StatusRequestEntityTooLarge {
		return nil, false
	}
	refused, ok := errors.AsType[*relay.Error](err)
	return refused, ok && (refused.Code == relay.CodeInvalid || refused.Code == relay.CodeTooLarge)
}

func (s *Supervisor) finish(ctx context.Context, j state.Job, p relay.Posted) {
	j.State, j.AnswerID = j.Outcome, p.ID
	s.save(ctx, j)
	s.log.Info("posted answer", "watch", j.Watch, "job", j.ID, "packets", j.PacketIDs(), "outcome", j.Outcome, "id", p.ID, "duplicate", p.Duplicate)
	if w, ok := s.watchOf(j.Watch); ok && len(j.Packets) > 0 && s.readsLog(j) {
		s.writeLastFile(ctx, w, j.LogID)
	}
}

// readsLog reports whether the job's packets are of the log that its watch reads
// now, or nobody knows yet.
func (s *Supervisor) readsLog(j state.Job) bool {
	log, ok := s.logs.Load(j.Watch)
	return !ok || log == j.LogID
}

// amend changes an answer that the relay refused so that it may be taken: the
// packet may not be in this log (it was replaced), or the answer is too large.
// It reports false when there is nothing left to change.
func (s *Supervisor) amend(ctx context.Context, j *state.Job, refused *relay.Error) bool {
	a := *j.Answer
	short := fmt.Sprintf("**Review of %s: not shown.** The relay refused the answer: %s.", about(*j), sentence(refused.Text))
	switch {
	case refused.Field == "reply_to" && a.ReplyTo != 0:
		a.ReplyTo = 0
	case a.Text != short:
		a.Text, a.Kind = short, relay.KindStatus
		a.Meta = encodeMeta(answerMeta{Terminal: true, Class: "refused", Packets: j.PacketIDs(), Log: j.LogID, Watch: j.Watch, Hop: nextHop(j.Packets)})
		j.Outcome = state.Failed
	default:
		return false
	}
	s.log.Warn("relay refused the answer, posting an amended one", "watch", j.Watch, "job", j.ID, "err", refused)
	j.Answer = &a
	s.save(ctx, *j)
	return true
}

func failed(j state.Job, reason string) state.Job {
	j.State, j.Outcome, j.Reason = state.Failed, state.Failed, reason
	return j
}

// The waits between attempts to write to the state.
const saveFirst, saveLimit = 50 * time.Millisecond, 30 * time.Second

// save stores a job, also while the supervisor stops: one that is not stored has
// nobody who goes on with it. When the supervisor is to stop before the disk takes
// it, the next life finds the job as it was and it reports false.
func (s *Supervisor) save(ctx context.Context, j state.Job) bool {
	log := s.log.With("watch", j.Watch, "job", j.ID)
	ok := s.insist(ctx, log, func(ctx context.Context) error { return s.state.Save(ctx, j, s.now()) })
	if ok {
		s.live.touch()
	}
	return ok
}

// insist uses the state and, while that cannot be read or the disk takes nothing,
// tries again. It reports false when the supervisor is to stop first. ctx need not
// be alive.
func (s *Supervisor) insist(ctx context.Context, log *slog.Logger, use func(context.Context) error) bool {
	for attempt := 1; ; attempt++ {
		err := use(context.WithoutCancel(ctx))
		if err == nil {
			return true
		}
		if attempt == 1 {
			log.Error("the state cannot be used, trying again", "err", err)
		}
		if !s.pause(ctx, backoff(saveFirst, saveLimit, attempt)) {
			return false
		}
	}
}

// await is insist for what a run cannot do without: it goes on until ctx ends, also
// while the supervisor gives running reviews their grace.
func (s *Supervisor) await(ctx context.Context, log *slog.Logger, ask func(context.Context) error) error {
	for attempt := 1; ; attempt++ {
		err := ask(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if attempt == 1 {
			log.Error("the state cannot be used, trying again", "err", err)
		}
		if !sleep(ctx, backoff(saveFirst, saveLimit, attempt)) {
			return err
		}
	}
}
