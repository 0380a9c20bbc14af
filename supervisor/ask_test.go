package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
	"autoreview/supervisor/record"
)

// slow answers after d, unless it is ended before.
func slow(d time.Duration) func(context.Context, int, codexrun.Spec) codexrun.Result {
	return func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
		select {
		case <-time.After(d):
			return says(approval)(ctx, n, spec)
		case <-ctx.Done():
			return codexrun.Result{Class: codexrun.Killed, Text: context.Cause(ctx).Error()}
		}
	}
}

// refused wants an error that says why it cannot be done.
func refused(t *testing.T, err error, want string) {
	t.Helper()
	var r *supervisor.Refusal
	if !errors.As(err, &r) || !strings.Contains(r.Text, want) {
		t.Errorf("got error %v, want a refusal with %q", err, want)
	}
}

func (w *world) job(s *supervisor.Supervisor, id int64) supervisor.JobStatus {
	w.t.Helper()
	j, err := s.View().Job(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return j.JobStatus
}

// Asking again makes exactly one more answer, of a second generation.
func TestRetryOfADoneJob(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.lives(func(s *supervisor.Supervisor) {
			w.packet("please review")
			w.settle(time.Second)
			again, err := s.Retry(t.Context(), 1)
			if err != nil || again.ID != 2 || again.Generation != 2 {
				t.Fatalf("Retry: got %+v, %v; want job 2 of generation 2", again, err)
			}
			_, err = s.Retry(t.Context(), 1)
			refused(t, err, "job 2 has not ended")
			w.settle(time.Second)
			if j := w.job(s, 2); j.State != supervisor.JobDone || j.Verdict != "approve" {
				t.Errorf("job 2: got %+v, want it done with its verdict", j)
			}
			_, err = s.Retry(t.Context(), 99)
			refused(t, err, "there is no job 99")
		})
		w.live(func() { w.settle(time.Hour) }) // nothing of it comes back
		got := w.answers()
		if len(got) != 2 {
			t.Fatalf("got %d answers, want 2", len(got))
		}
		for i, m := range got {
			if want := fmt.Sprintf("job/main/1/%d/", i+1); m.Kind != relay.KindReview || !strings.HasPrefix(m.Key, want) || m.ReplyTo != 1 {
				t.Errorf("answer %d: got kind %q, key %q, reply_to %d; want a review of #1 with the key %s…", i+1, m.Kind, m.Key, m.ReplyTo, want)
			}
		}
	})
}

// A job that waits for its next attempt is tried at once, in the same
// generation.
func TestRetryOfAWaitingJob(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			if n == 1 {
				return codexrun.Result{Class: codexrun.Auth, Text: "not logged in"}
			}
			return says(approval)(ctx, n, spec)
		}
		w.lives(func(s *supervisor.Supervisor) {
			w.packet("please review")
			w.settle(time.Second)
			if j := w.job(s, 1); j.State != supervisor.JobWaiting || j.Class != "auth" || j.Until.IsZero() || !strings.Contains(j.Reason, "not logged in") {
				t.Errorf("job: got %+v, want it to wait, and say until when and why", j)
			}
			if j, err := s.Retry(t.Context(), 1); err != nil || j.Generation != 1 {
				t.Errorf("Retry: got %+v, %v", j, err)
			}
			w.settle(time.Second)
		})
		w.checkAnswered(1)
		if n := len(w.codex.runs()); n != 2 {
			t.Errorf("codex ran %d times, want 2", n)
		}
	})
}

func TestCancelOfARunningJob(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.run = slow(time.Hour)
		w.lives(func(s *supervisor.Supervisor) {
			w.packet("please review")
			w.settle(time.Second)
			_, err := s.Retry(t.Context(), 1)
			refused(t, err, "it is running")
			j, err := s.Cancel(t.Context(), 1)
			if err != nil {
				t.Fatalf("Cancel: %v", err)
			}
			w.settle(time.Second)
			if j = w.job(s, 1); j.State != supervisor.JobFailed || j.Class != "cancelled" || j.AnswerID == 0 {
				t.Errorf("job: got %+v, want it failed as cancelled, with its notice posted", j)
			}
			if _, err := s.Cancel(t.Context(), 1); err != nil {
				t.Errorf("Cancel once more: got %v, want it to be fine", err)
			}
		})
		w.checkAnswered(1)
		m := w.answers()[0]
		if m.Kind != relay.KindStatus || !strings.Contains(m.Text, "cancelled by hand") || metaOf(t, m).Class != "cancelled" {
			t.Errorf("notice: got kind %q, class %q, text %q", m.Kind, metaOf(t, m).Class, m.Text)
		}
	})
}

// A queued job is cancelled without a run, and a cancelled one can be retried.
func TestCancelOfAQueuedJob(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.run = slow(time.Minute)
		w.lives(func(s *supervisor.Supervisor) {
			w.packet("first")
			w.settle(time.Second)
			w.packet("second")
			w.settle(time.Second)
			if j := w.job(s, 2); j.State != supervisor.JobQueued {
				t.Errorf("job 2: got %+v, want it queued", j)
			}
			if _, err := s.Cancel(t.Context(), 2); err != nil {
				t.Fatalf("Cancel: %v", err)
			}
			w.settle(2 * time.Minute)
			w.checkAnswered(1, 2)
			if n := len(w.codex.runs()); n != 1 {
				t.Errorf("codex ran %d times, want once", n)
			}
			_, err := s.Cancel(t.Context(), 1)
			refused(t, err, "has ended: it is done")
			if _, err := s.Retry(t.Context(), 2); err != nil {
				t.Fatalf("Retry: %v", err)
			}
			w.settle(2 * time.Minute)
		})
		if got := w.answers(); len(got) != 3 || got[2].Kind != relay.KindReview || got[2].ReplyTo != 2 {
			t.Errorf("answers: got %+v, want the review of #2 as the third", got)
		}
	})
}

// stopsPosts holds up the posts of answers until it is let go.
type stopsPosts struct {
	supervisor.Relay
	held, letGo chan struct{}
	once        sync.Once
}

func (s *stopsPosts) Post(ctx context.Context, d relay.Draft) (relay.Posted, error) {
	s.once.Do(func() { close(s.held) })
	<-s.letGo
	return s.Relay.Post(ctx, d)
}

// Once an answer is on its way it is too late to cancel, and there is exactly
// one.
func TestCancelWhileTheAnswerIsBeingPosted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		gate := &stopsPosts{Relay: w.log, held: make(chan struct{}), letGo: make(chan struct{})}
		w.relay = gate
		w.lives(func(s *supervisor.Supervisor) {
			w.packet("please review")
			<-gate.held
			if j := w.job(s, 1); j.State != supervisor.JobRunning || j.Phase != supervisor.PhasePosting {
				t.Errorf("job: got %+v, want it posting", j)
			}
			_, err := s.Cancel(t.Context(), 1)
			refused(t, err, "its answer is saved and is being posted")
			close(gate.letGo)
			w.settle(time.Second)
		})
		w.checkAnswered(1)
		if m := w.answers()[0]; m.Kind != relay.KindReview {
			t.Errorf("answer: got kind %q, want the review", m.Kind)
		}
	})
}

// Whenever it comes, a cancel leaves exactly one terminal message: the notice
// when it was accepted, the review when it was not.
func TestCancelAtAnyMoment(t *testing.T) {
	for ms := range 12 {
		t.Run(fmt.Sprint(ms), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.codex.run = slow(5 * time.Millisecond)
				var accepted bool
				w.lives(func(s *supervisor.Supervisor) {
					w.packet("please review")
					time.Sleep(time.Duration(ms) * time.Millisecond)
					if ms%2 == 0 {
						synctest.Wait() // else it runs into whatever happens at this instant
					}
					_, err := s.Cancel(t.Context(), 1)
					var r *supervisor.Refusal
					accepted = err == nil
					if err != nil && !errors.As(err, &r) {
						t.Errorf("Cancel: %v", err)
					}
					w.settle(time.Minute)
				})
				if len(w.answers()) == 0 {
					t.Fatal("no answer")
				}
				w.checkAnswered(1)
				if notice := w.answers()[0].Kind == relay.KindStatus; notice != accepted {
					t.Errorf("the cancel was accepted: %v; the answer is a notice: %v", accepted, notice)
				}
			})
		})
	}
}

// A cancel that the supervisor did not live to post is posted by the next one.
func TestCancelSurvives(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.run = slow(time.Hour)
		down := &downRelay{Relay: w.log}
		w.relay = down
		w.lives(func(s *supervisor.Supervisor) {
			w.packet("please review")
			w.settle(time.Second)
			down.set(true)
			if _, err := s.Cancel(t.Context(), 1); err != nil {
				t.Fatalf("Cancel: %v", err)
			}
			w.settle(time.Second)
		})
		if n := len(w.answers()); n != 0 {
			t.Fatalf("got %d answers while the relay was down", n)
		}
		down.set(false)
		w.live(func() { w.settle(time.Minute) })
		w.checkAnswered(1)
	})
}

// downRelay refuses posts while it is down.
type downRelay struct {
	supervisor.Relay
	mu   sync.Mutex
	down bool
}

func (d *downRelay) set(down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = down
}

func (d *downRelay) Post(ctx context.Context, m relay.Draft) (relay.Posted, error) {
	d.mu.Lock()
	down := d.down
	d.mu.Unlock()
	if down {
		return relay.Posted{}, errors.New("connection refused")
	}
	return d.Relay.Post(ctx, m)
}

// With deliver = "mcp" Codex may have posted before it was ended: then that is
// the answer.
func TestCancelAfterCodexHasPosted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.watch().Deliver = config.DeliverMCP
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			w.post(jobOf(t, spec))
			return slow(time.Hour)(ctx, n, spec)
		}
		w.lives(func(s *supervisor.Supervisor) {
			w.packet("please review")
			w.settle(time.Second)
			if _, err := s.Cancel(t.Context(), 1); err == nil {
				t.Error("Cancel: got no error, want it to say that the review is there")
			}
			w.settle(time.Second)
			if j := w.job(s, 1); j.State != supervisor.JobDone || j.Verdict != "approve" {
				t.Errorf("job: got %+v, want it done with Codex's review", j)
			}
		})
		w.checkAnswered(1)
	})
}

// A pause lets a running review finish, holds everything else over restarts, and
// loses nothing.
func TestPauseAndResume(t *testing.T) {
	was := time.Local
	time.Local = time.FixedZone("here", 5*60*60)
	t.Cleanup(func() { time.Local = was })
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.run = slow(time.Minute)
		w.lives(func(s *supervisor.Supervisor) {
			w.packet("first")
			w.settle(time.Second)
			if err := s.Pause(t.Context(), "main"); err != nil {
				t.Fatalf("Pause: %v", err)
			}
			refused(t, s.Pause(t.Context(), "other"), `there is no watch "other"`)
			since := time.Now().Format("2006-01-02 15:04:05") // by the clock of who reads it
			w.packet("second")
			w.settle(time.Hour)
			w.checkAnswered(1)
			if j := w.job(s, 2); j.State != supervisor.JobWaiting || j.Reason != "its watch is paused since "+since {
				t.Errorf("job 2: got %+v, want it to wait for the pause since %s", j, since)
			}
		})
		w.lives(func(s *supervisor.Supervisor) {
			w.settle(time.Hour)
			w.checkAnswered(1)
			st, err := s.View().Status(t.Context(), 10)
			if err != nil || st.Watches[0].Paused.IsZero() || st.Watches[0].Waiting != 1 || st.Watches[0].Done != 1 {
				t.Errorf("status: got %+v, %v; want the watch paused since the last life, with one waiting", st.Watches, err)
			}
			if err := s.Resume(t.Context(), "main"); err != nil {
				t.Fatalf("Resume: %v", err)
			}
			w.settle(2 * time.Minute)
		})
		w.checkAnswered(1, 2)
	})
}

// Who follows a job is told every step of every run, and then how it ended.
func TestFollow(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			if n == 1 {
				return codexrun.Result{Class: codexrun.Crashed, Text: "it broke"}
			}
			return slow(time.Minute)(ctx, n, spec)
		}
		w.lives(func(s *supervisor.Supervisor) {
			w.packet("please review")
			w.settle(time.Millisecond)
			var lines []string
			done := make(chan error, 1)
			go func() {
				done <- s.View().Follow(t.Context(), 1, true, func(l record.Line) error {
					lines = append(lines, l.Text)
					return nil
				})
			}()
			w.settle(time.Hour)
			if err := <-done; err != nil {
				t.Fatalf("Follow: %v", err)
			}
			got := strings.Join(lines, "\n")
			for _, want := range []string{"run 1: attempt 1, codex 0.169.0\nrun 1 ended: crashed: it broke\njob 1: waiting: it broke, until ", "\nrun 2: attempt 2, codex 0.169.0\n", "run 2 ended: completed\n", "job 1: done: approve, #2"} {
				if !strings.Contains(got, want) {
					t.Errorf("lines: got\n%s\nwant %q among them", got, want)
				}
			}
			refused(t, s.View().Follow(t.Context(), 9, true, nil), "there is no job 9")
		})
	})
}

// The original server knows no keys: there, too, the answer that a person was
// not content with is not taken for the next one.
func TestRetryAtTheOriginal(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.relay = originalRelay{w.log}
		w.watch().Deliver = config.DeliverMCP
		w.codex.run = func(context.Context, int, codexrun.Spec) codexrun.Result {
			time.Sleep(time.Minute)
			w.post(relay.Draft{Sender: "codex", Text: "**Review of #1: approve**"})
			return codexrun.Result{Class: codexrun.Completed, Final: "posted"}
		}
		w.lives(func(s *supervisor.Supervisor) {
			w.packet("please review")
			w.settle(time.Hour)
			if _, err := s.Retry(t.Context(), 1); err != nil {
				t.Fatalf("Retry: %v", err)
			}
			w.settle(time.Hour)
		})
		if runs, answers := len(w.codex.runs()), len(w.answers()); runs != 2 || answers != 2 {
			t.Errorf("got %d runs and %d answers, want two of each", runs, answers)
		}
	})
}
