package supervisor

import (
	"context"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

// outcome is what came of one attempt at a job. Exactly one field is set.
type outcome struct {
	draft    *relay.Draft  // the review to post
	posted   *relay.Posted // Codex has posted the review by itself
	failure  *failure
	released bool // the supervisor is stopping; the attempt does not count
}

// failure is why an attempt came to nothing.
type failure struct {
	class   codexrun.Class
	text    string
	retryAt time.Time // zero when Codex did not say
}

// work makes one attempt at a claimed job and takes the job to its next state.
func (s *Supervisor) work(ctx context.Context, j state.Job) {
	w := s.watches[j.Watch]
	log := s.log.With("watch", j.Watch, "job", j.ID)
	log.Info("reviewing", "packets", j.PacketIDs(), "attempt", j.Attempt, "waited", s.now().Sub(j.Created).Round(time.Millisecond))
	attempt, end := s.live.begin(ctx, j.ID)
	defer end()
	out := s.attempt(attempt, w, &j)
	if s.live.seal(j.ID) {
		s.endCancelled(ctx, w, j)
		return
	}
	switch {
	case out.released:
		j.State, j.Due, j.Attempt = state.Queued, s.now(), j.Attempt-1
		s.save(ctx, j)
		log.Info("released, the next start goes on with it")
	case out.posted != nil:
		s.finish(ctx, withPosted(j, *out.posted), *out.posted)
	case out.draft != nil:
		s.answer(ctx, j, *out.draft, state.Done)
	default:
		s.fail(ctx, w, j, *out.failure)
	}
}

// answer saves the answer and then posts it. A crash in between posts the saved
// one; the model is never asked again.
func (s *Supervisor) answer(ctx context.Context, j state.Job, d relay.Draft, outcome state.JobState) {
	j.State, j.Answer, j.Outcome = state.Answered, &d, outcome
	if s.save(ctx, j) {
		s.deliver(ctx, j)
	}
}

// fail applies the policy of a class of failure to a job.
func (s *Supervisor) fail(ctx context.Context, w config.Watch, j state.Job, f failure) {
	log := s.log.With("watch", j.Watch, "job", j.ID, "class", f.class)
	parks := s.parks(ctx, j, f.class)
	d := decide(f.class, j.Attempt, parks, f.retryAt, s.now(), s.jitter())
	j.Class, j.Reason = string(f.class), f.text
	switch d.do {
	case actGiveUp:
		log.Error("giving up", "packets", j.PacketIDs(), "attempt", j.Attempt, "reason", f.text)
		s.answer(ctx, j, noticeDraft(w, j, f.class, f.text), state.Failed)
		return
	case actFresh:
		s.forgetThread(ctx, w)
	case actPark:
		j.Attempt--
	}
	j.State, j.Due = state.Waiting, d.at
	if !s.save(ctx, j) {
		return
	}
	log.Warn("waiting to try again", "attempt", j.Attempt, "until", d.at.Local().Format(time.TimeOnly), "reason", f.text)
	if d.do == actPark && parks == 0 {
		s.status(ctx, w, parkedText(j, f.class, f.text, d.at), "parked/"+j.Key+"/"+string(f.class))
	}
}

// parks counts the latest runs of a job that ended with the same class, and so
// how often it has been parked for it. A run that could not even be started
// leaves no record; the job's class tells of it.
func (s *Supervisor) parks(ctx context.Context, j state.Job, class codexrun.Class) int {
	if j.Class != string(class) {
		return 0
	}
	runs, err := s.state.Runs(context.WithoutCancel(ctx), j.ID)
	if err != nil {
		s.log.Warn("could not count earlier runs", "job", j.ID, "err", err)
	}
	n := 0
	for i := len(runs) - 1; i >= 0 && runs[i].Class == string(class); i-- {
		n++
	}
	return max(n-1, 1)
}

// attempt makes one attempt: it runs Codex, once more where the answer has to be
// asked for again, and says what came of it.
func (s *Supervisor) attempt(ctx context.Context, w config.Watch, j *state.Job) outcome {
	if w.Deliver == config.DeliverMCP {
		// An earlier attempt may have posted before it died.
		if out, ok := s.postedByCodex(ctx, w, *j); ok {
			return out
		}
	}
	reading := readRepo(ctx, w.Workdir)
	bin, err := s.codex.Find(ctx, s.cfg.CodexBin)
	if err != nil {
		return s.stopped(ctx, failure{class: codexrun.NoCodex, text: err.Error()})
	}
	l := launch{s: s, w: w, job: j, bin: bin, began: s.now(), reading: reading}
	res := l.first(ctx)
	if res.Class != codexrun.Completed {
		return s.failedRun(ctx, w, *j, res)
	}
	if w.Deliver == config.DeliverMCP {
		return s.afterMCP(ctx, w, *j, l, res)
	}
	r := l.verdict(ctx, res)
	if ctx.Err() != nil && r.err != nil {
		return outcome{released: true}
	}
	d := reviewDraft(w, *j, r)
	return outcome{draft: &d}
}

// failedRun is the outcome of a run that did not complete. With deliver = "mcp"
// the review may have been posted all the same.
func (s *Supervisor) failedRun(ctx context.Context, w config.Watch, j state.Job, res codexrun.Result) outcome {
	if w.Deliver == config.DeliverMCP && ctx.Err() == nil {
		if out, ok := s.postedByCodex(ctx, w, j); ok && out.posted != nil {
			return out
		}
	}
	return s.stopped(ctx, failure{class: res.Class, text: res.Text, retryAt: res.RetryAt})
}

// stopped is a failure, unless it is the supervisor that is stopping.
func (s *Supervisor) stopped(ctx context.Context, f failure) outcome {
	if ctx.Err() != nil {
		return outcome{released: true}
	}
	return outcome{failure: &f}
}

func (s *Supervisor) forgetThread(ctx context.Context, w config.Watch) {
	if w.Session.Mode == config.SessionFresh {
		return
	}
	if err := s.state.SetThread(context.WithoutCancel(ctx), w.Name, seed(w), ""); err != nil {
		s.log.Error("could not forget a thread", "watch", w.Name, "err", err)
	}
}
