package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"autoreview/relay"
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
		p, err := s.relay.Post(ctx, *j.Answer)
		if err == nil {
			s.finish(ctx, j, p)
			return
		}
		if ctx.Err() != nil {
			return
		}
		var refused *relay.Error
		if errors.As(err, &refused) && refused.Code != relay.CodeUnavailable && !denied(err) {
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

func (s *Supervisor) finish(ctx context.Context, j state.Job, p relay.Posted) {
	j.State, j.AnswerID = j.Outcome, p.ID
	s.save(ctx, j)
	s.log.Info("posted answer", "watch", j.Watch, "job", j.ID, "packets", j.PacketIDs(), "outcome", j.Outcome, "id", p.ID, "duplicate", p.Duplicate)
	if w, ok := s.watchOf(j.Watch); ok && len(j.Packets) > 0 {
		s.writeLastFile(ctx, w, j.LogID)
	}
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
		a.Meta = encodeMeta(answerMeta{Terminal: true, Class: "refused", Packets: j.PacketIDs(), Watch: j.Watch, Hop: nextHop(j.Packets)})
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

// save stores a job also while the supervisor stops. A job that cannot be
// stored is left to the next life, which finds it as it was.
func (s *Supervisor) save(ctx context.Context, j state.Job) bool {
	if err := s.state.Save(context.WithoutCancel(ctx), j, s.now()); err != nil {
		s.log.Error("could not save a job", "watch", j.Watch, "job", j.ID, "err", err)
		return false
	}
	s.live.touch()
	return true
}
