package supervisor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

// A person may ask for a job to be made again or to be ended, and for a watch to
// pause. What is asked is in the state when the method returns, so that it holds
// whatever dies afterwards.

// Refusal is why something that was asked for cannot be done.
type Refusal struct {
	// Unknown says that there is no such job or watch.
	Unknown bool
	Text    string
	// Hint is what to do instead, "" where the text says it.
	Hint string
}

// Error implements error.
func (r *Refusal) Error() string { return r.Text }

func refuse(format string, args ...any) error { return &Refusal{Text: fmt.Sprintf(format, args...)} }

func unknown(format string, args ...any) error {
	return &Refusal{Unknown: true, Text: fmt.Sprintf(format, args...)}
}

// classCancelled is the class of a job that a person ended.
const classCancelled = "cancelled"

const reasonCancelled = "it was cancelled by hand"

// Retry has a job made again. One that has ended gets a job of the next
// generation, whose answer has a key of its own; one that waits is tried at
// once. It returns the job that will run. The error is a *Refusal when the job
// is running already.
func (s *Supervisor) Retry(ctx context.Context, id int64) (JobStatus, error) {
	j, ok, err := s.state.Change(ctx, id, s.now(), func(j state.Job) state.Job {
		j.State, j.Due = state.Queued, s.now()
		return j
	})
	if err == nil && !ok && (j.State == state.Done || j.State == state.Failed) {
		if _, known := s.watchOf(j.Watch); !known {
			return JobStatus{}, refuse("the watch %q of job %d is not in the configuration", j.Watch, id)
		}
		j, ok, err = s.state.Again(ctx, id, s.now(), func(first state.Job, generation int) string {
			return fmt.Sprintf("job/%s/%s/%d/%s", first.Watch, subject(first), generation, rand.Text())
		})
	}
	if err != nil {
		return JobStatus{}, asked(err, id)
	}
	if !ok {
		return JobStatus{}, notEnded(j)
	}
	s.tryNow(ctx, j.Watch)
	s.log.Info("retrying by hand", "watch", j.Watch, "job", j.ID, "packets", j.PacketIDs(), "generation", j.Generation)
	s.live.touch()
	s.wakeDispatcher()
	return s.View().job(ctx, j.ID)
}

// notEnded refuses to make a job again that is being made.
func notEnded(j state.Job) error {
	hint := fmt.Sprintf("wait for its end (autoreview logs -f %d), or end it first: autoreview cancel %[1]d", j.ID)
	if j.State == state.Answered {
		hint = "its answer is on its way: ask again when that is posted"
	}
	return &Refusal{Text: fmt.Sprintf("job %d has not ended: it is %s", j.ID, j.State), Hint: hint}
}

// subject is what the key of a job names.
func subject(j state.Job) string {
	if len(j.Packets) == 0 {
		return fmt.Sprintf("%s/%d", j.Schedule, j.Occasion.Unix())
	}
	return fmt.Sprint(j.Packets[0].ID)
}

// Cancel ends a job: its Codex is ended, and a notice says that there will be no
// review. It returns when the notice is saved; it is posted as soon as the relay
// answers. The error is a *Refusal when the job has ended or its answer is on
// its way.
func (s *Supervisor) Cancel(ctx context.Context, id int64) (JobStatus, error) {
	for {
		changed, _ := s.live.next()
		s.live.cancel(id)
		j, ok, err := s.state.Change(ctx, id, s.now(), s.cancelled)
		switch {
		case err != nil:
			return JobStatus{}, asked(err, id)
		case ok:
			s.log.Info("cancelled by hand", "watch", j.Watch, "job", id, "packets", j.PacketIDs())
			s.live.leave(id)
			s.live.touch()
			return s.View().job(ctx, id)
		case j.Class == classCancelled && j.State != state.Running:
			return s.View().job(ctx, id)
		case j.State == state.Answered:
			return JobStatus{}, refuse("job %d is past that: its answer is saved and is being posted", id)
		case j.State == state.Done || j.State == state.Failed:
			return JobStatus{}, refuse("job %d has ended: it is %s", id, j.State)
		}
		// Its worker is ending it, or is just about to save what came of it.
		select {
		case <-changed:
		case <-ctx.Done():
			return JobStatus{}, fmt.Errorf("waiting for job %d to end: %w", id, context.Cause(ctx))
		}
	}
}

// cancelled is a job whose notice, that a person ended it, is to be posted.
func (s *Supervisor) cancelled(j state.Job) state.Job {
	w, ok := s.watchOf(j.Watch)
	if !ok {
		w = config.Watch{Name: j.Watch, Channel: j.Channel}
	}
	return cancelled(answersAs(w, j), j)
}

func cancelled(w config.Watch, j state.Job) state.Job {
	d := cancelDraft(w, j)
	j.State, j.Outcome, j.Answer = state.Answered, state.Failed, &d
	j.Class, j.Reason = classCancelled, reasonCancelled
	return j
}

// endCancelled finishes a job that was cancelled while its worker had it. With
// deliver = "mcp" Codex may have been faster.
func (s *Supervisor) endCancelled(ctx context.Context, w config.Watch, j state.Job) {
	if w.Deliver == config.DeliverMCP && ctx.Err() == nil {
		if out, ok := s.postedByCodex(ctx, w, j, noRun); ok && out.posted != nil {
			s.finish(ctx, withPosted(j, *out.posted), *out.posted)
			return
		}
	}
	j = cancelled(w, j)
	s.log.Info("cancelled by hand", "watch", j.Watch, "job", j.ID, "packets", j.PacketIDs())
	if s.save(ctx, j) {
		s.deliver(ctx, j)
	}
}

// withPosted is a job whose review Codex has posted, with the review kept as its
// answer.
func withPosted(j state.Job, p relay.Posted) state.Job {
	j.Outcome = state.Done
	if m := p.Message; m != nil {
		j.Answer = &relay.Draft{Target: m.Target, Sender: m.Sender, Text: m.Text, Kind: m.Kind, ReplyTo: m.ReplyTo, Meta: m.Meta, Key: m.Key}
	}
	return j
}

// Pause keeps the jobs of a watch from being started until Resume, also over
// restarts. A review that runs goes on to its end, and packets still queue up.
func (s *Supervisor) Pause(ctx context.Context, watch string) error {
	if _, ok := s.watchOf(watch); !ok {
		return unknown("there is no watch %q", watch)
	}
	if err := s.state.Pause(ctx, watch, s.now()); err != nil {
		return err
	}
	s.log.Info("paused by hand", "watch", watch)
	s.live.touch()
	return nil
}

// Resume ends Pause.
func (s *Supervisor) Resume(ctx context.Context, watch string) error {
	if _, ok := s.watchOf(watch); !ok {
		return unknown("there is no watch %q", watch)
	}
	if err := s.state.Resume(ctx, watch); err != nil {
		return err
	}
	s.log.Info("resumed by hand", "watch", watch)
	s.live.touch()
	s.wakeDispatcher()
	return nil
}

func (s *Supervisor) watchOf(name string) (config.Watch, bool) {
	return s.plan.Load().watch(name)
}

func asked(err error, id int64) error {
	if errors.Is(err, state.ErrNoJob) {
		return unknown("there is no job %d", id)
	}
	return err
}

// postAsked posts the notices of jobs that were cancelled while no worker had
// them, until ctx ends.
func (s *Supervisor) postAsked(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		for _, id := range s.live.take() {
			wg.Go(func() { s.postCancelled(ctx, id) })
		}
		select {
		case <-ctx.Done():
			return
		case <-s.live.post:
		}
	}
}

// postCancelled posts the notice of a job, for nobody else in this life does.
func (s *Supervisor) postCancelled(ctx context.Context, id int64) {
	var j state.Job
	var ok bool
	read := s.insist(ctx, s.log.With("job", id), func(ctx context.Context) (err error) {
		j, ok, err = s.state.Job(ctx, id)
		return err
	})
	if read && ok && j.State == state.Answered {
		s.deliver(ctx, j)
	}
}

// cancelDraft is the message that says that a person ended the review.
func cancelDraft(w config.Watch, j state.Job) relay.Draft {
	d := noticeDraft(w, j, codexrun.Class(classCancelled), reasonCancelled)
	d.Text = fmt.Sprintf("**Review of %s: none.** It was cancelled by hand.\n\nNothing was reviewed, so this is neither an approval nor a finding. To have it reviewed, post the packet again, or run: autoreview retry %d", about(j), j.ID)
	if j.Schedule != "" {
		d.Text = fmt.Sprintf("**Nothing from the schedule %q.** It was cancelled by hand.\n\nIt goes on with its next time; to have this one made, run: autoreview retry %d", j.Schedule, j.ID)
	}
	return d
}
