package supervisor

import (
	"context"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

// outcome is what came of one attempt at a job. Exactly one of the first four
// fields is set.
type outcome struct {
	draft    *relay.Draft  // the review to post
	posted   *relay.Posted // Codex has posted the review by itself
	failure  *failure
	released bool // the supervisor is stopping; the attempt does not count

	// flaw is what is to be said of draft, nil for nothing.
	flaw *failure
}

// failure is why an attempt came to nothing.
type failure struct {
	class   codexrun.Class
	text    string
	retryAt time.Time // zero when Codex did not say
}

// work makes one attempt at a claimed job and takes the job to its next state.
func (s *Supervisor) work(ctx context.Context, c claimed) {
	w, j := c.watch, c.job
	log := s.log.With("watch", j.Watch, "job", j.ID)
	log.Info("reviewing", "packets", j.PacketIDs(), "attempt", j.Attempt, "waited", s.now().Sub(j.Created).Round(time.Millisecond))
	attempt, end := s.live.begin(ctx, j.ID)
	defer end()
	out := s.attempt(attempt, c, &j)
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
		s.well(ctx, w)
		j.Class, j.Reason = "", ""
		s.finish(ctx, withPosted(j, *out.posted), *out.posted)
	case out.draft != nil:
		s.well(ctx, w)
		j.Class, j.Reason = "", ""
		if out.flaw != nil {
			j.Class, j.Reason = string(out.flaw.class), out.flaw.text
		}
		s.answer(ctx, j, *out.draft, state.Done)
	default:
		s.fail(ctx, c, j, *out.failure)
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

// well takes note that reviews of a watch work.
func (s *Supervisor) well(ctx context.Context, w config.Watch) {
	s.wentWell()
	if err := s.release(ctx, w, inTrouble); err != nil {
		s.log.Error("could not release a watch", "watch", w.Name, "err", err)
	}
}

// fail applies the policy of a class of failure to a job.
func (s *Supervisor) fail(ctx context.Context, c claimed, j state.Job, f failure) {
	w := c.watch
	log := s.log.With("watch", j.Watch, "job", j.ID, "class", f.class)
	p := policyFor(w, f.class)
	d := decide(p, j.Attempt, s.parks(ctx, w, f.class), s.retryAt(f), s.now(), s.jitter())
	j.Class, j.Reason = string(f.class), f.text
	if p.shared {
		t := trouble{class: string(f.class), reason: f.text, until: d.at, about: about(j), say: d.do == actPark}
		if d.do == actGiveUp {
			t.about = "" // a notice says what becomes of it
		}
		if err := s.hold(ctx, w, t); err != nil {
			log.Error("could not hold a watch", "err", err)
		}
	}
	if limit := s.roundIsOver(ctx, c.plan, w, j.ID); limit != "" && d.do != actPark && d.do != actGiveUp {
		d.do, f.text = actGiveUp, limit+"; the last run failed: "+f.text
	}
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
	if s.save(ctx, j) {
		log.Warn("waiting to try again", "attempt", j.Attempt, "until", d.at.Local().Format(time.TimeOnly), "reason", f.text)
	}
}

// parks is how often in a row the watch was parked for a class of failure.
func (s *Supervisor) parks(ctx context.Context, w config.Watch, class codexrun.Class) int {
	holds, err := s.state.Holds(context.WithoutCancel(ctx))
	if err != nil {
		s.log.Warn("could not count earlier failures", "watch", w.Name, "err", err)
	}
	if h := holds[w.Name]; h.Class == string(class) {
		return h.Failures
	}
	return 0
}

// attempt makes one attempt: it runs Codex, once more where the answer has to be
// asked for again, and says what came of it.
func (s *Supervisor) attempt(ctx context.Context, c claimed, j *state.Job) outcome {
	w := c.watch
	if w.Deliver == config.DeliverMCP {
		// An earlier attempt may have posted before it died.
		if out, ok := s.postedByCodex(ctx, w, *j, noRun); ok {
			return out
		}
	}
	since, err := s.newestByReviewer(ctx, w, *j)
	if err != nil {
		return s.stopped(ctx, failure{class: codexrun.MCPDown, text: "the relay cannot be read before the review: " + err.Error()})
	}
	reading := readRepo(ctx, w.Workdir)
	bin, err := s.codex.Find(ctx, c.plan.cfg.CodexBin)
	if err != nil {
		return s.stopped(ctx, failure{class: codexrun.NoCodex, text: err.Error()})
	}
	place, err := s.workplace(ctx, c)
	if err != nil {
		return s.stopped(ctx, failure{class: codexrun.Crashed, text: err.Error()})
	}
	defer place.clean()
	l := launch{s: s, w: w, plan: c.plan, job: j, bin: bin, dir: place.dir, tree: place.tree, began: s.now(), reading: reading, since: since}
	res := l.first(ctx)
	if !res.Class.Finished() {
		return s.failedRun(ctx, w, *j, since, res)
	}
	if w.Deliver == config.DeliverMCP {
		return s.afterMCP(ctx, w, *j, l, res)
	}
	if l.task() == config.TaskDigest {
		return s.afterDigest(ctx, l, res)
	}
	r := l.verdict(ctx, res)
	if ctx.Err() != nil && r.err != nil {
		return outcome{released: true}
	}
	return s.reviewed(ctx, w, *j, r)
}

// reviewed is the outcome of runs that came to an answer. One with a flaw is
// posted as well, unless the watch wants something else done about it.
func (s *Supervisor) reviewed(ctx context.Context, w config.Watch, j state.Job, r reviewed) outcome {
	d := reviewDraft(w, j, r)
	if r.class == codexrun.Completed {
		return outcome{draft: &d}
	}
	flaw := failure{class: r.class, text: r.why}
	if policyFor(w, r.class).do != actPost {
		return s.stopped(ctx, flaw)
	}
	return outcome{draft: &d, flaw: &flaw}
}

// failedRun is the outcome of a run that did not complete. With deliver = "mcp"
// the review may have been posted all the same.
func (s *Supervisor) failedRun(ctx context.Context, w config.Watch, j state.Job, since int64, res codexrun.Result) outcome {
	if w.Deliver == config.DeliverMCP && ctx.Err() == nil {
		if out, ok := s.postedByCodex(ctx, w, j, since); ok && out.posted != nil {
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
