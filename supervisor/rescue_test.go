package supervisor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor"
	"autoreview/supervisor/state"
)

// A stop releases the job without counting the attempt, and the next life
// reviews the packet.
func TestStopReleasesTheJob(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			if n > 5 {
				return says(approval)(ctx, n, spec)
			}
			<-ctx.Done()
			return codexrun.Result{Class: codexrun.Killed, Text: "stopped"}
		}
		id := w.packet("p")
		for range 6 { // more lives than a killed run has attempts
			w.live(func() { w.settle(time.Second) })
		}
		w.checkAnswered(id)
		if m := w.answers()[0]; m.Kind != relay.KindReview {
			t.Errorf("got kind %q, want a review", m.Kind)
		}
	})
}

// A life that died while Codex ran: its process is ended before anything else
// runs, and the attempt stays counted.
func TestRescueEndsTheLeftoverAndRunsAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.packet("p")
		w.live(func() { w.settle(time.Second) }) // makes the state
		id := w.packet("left over")
		w.inState(func(s state.Store) {
			j := enqueueRunning(t, s, w.logID(), id)
			r := state.Run{Job: j.ID, Attempt: 1, Started: time.Now()}
			var err error
			if r.ID, err = s.StartRun(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			r.Process = []byte(`{"pid":4711,"run_id":"x"}`)
			if err := s.SaveRun(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		})
		w.live(func() { w.settle(time.Second) })
		w.checkAnswered(1, id)
		if len(w.codex.killed) != 1 || w.codex.killed[0].PID != 4711 {
			t.Errorf("killed %+v, want pid 4711", w.codex.killed)
		}
		w.inState(func(s state.Store) {
			jobs, err := s.Jobs(t.Context(), state.Done)
			if err != nil || len(jobs) != 2 || jobs[1].Attempt != 2 {
				t.Errorf("jobs: got %+v, %v; want the second done at attempt 2", jobs, err)
			}
		})
	})
}

func enqueueRunning(t *testing.T, s state.Store, logID string, id int64) state.Job {
	t.Helper()
	b := state.Batch{Watch: "main", Channel: "proj-x", LogID: logID, Workdir: "/elsewhere", Cursor: id, Items: []state.Item{
		{Packet: state.Packet{ID: id, Sender: "claude", Text: "left over"}, Group: "g", Key: "job/main/left"},
	}}
	if _, err := s.Enqueue(t.Context(), b, time.Now()); err != nil {
		t.Fatal(err)
	}
	j, ok, err := s.Claim(t.Context(), []string{"main"}, time.Now())
	if err != nil || !ok {
		t.Fatalf("Claim: %v, %v", ok, err)
	}
	return j
}

// A job that kills the supervisor each time it runs is given up in the end.
func TestAPoisonousJobIsGivenUp(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.live(func() { w.settle(time.Second) })
		id := w.packet("left over")
		w.inState(func(s state.Store) {
			j := enqueueRunning(t, s, w.logID(), id)
			j.Attempt = 4
			if err := s.Save(t.Context(), j, time.Now()); err != nil {
				t.Fatal(err)
			}
		})
		w.live(func() { w.settle(time.Second) })
		w.checkAnswered(id)
		if n := len(w.codex.runs()); n != 0 {
			t.Errorf("codex ran %d times, want never again", n)
		}
	})
}

func (w *world) logID() string {
	info, err := w.log.Info(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return info.LogID
}

// The answer is saved before it is posted: a relay that cannot be reached delays
// it, also over a restart, and the model is not asked again.
func TestASavedAnswerIsPostedByTheNextLife(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		broken := &flaky{Relay: w.log}
		w.relay = broken
		w.live(func() {
			w.packet("p")
			broken.failPosts(true)
			w.settle(time.Hour)
		})
		if n := len(w.answers()); n != 0 {
			t.Fatalf("got %d answers while the relay refused connections", n)
		}
		broken.failPosts(false)
		w.live(func() { w.settle(time.Second) })
		w.checkAnswered(1)
		if n := len(w.codex.runs()); n != 1 {
			t.Errorf("codex ran %d times, want once", n)
		}
	})
}

// A post whose answer was lost is repeated with its key and stays one message.
func TestALostAcknowledgementMakesNoSecondReview(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		broken := &flaky{Relay: w.log, loseAcks: 3}
		w.relay = broken
		w.live(func() { w.packet("p"); w.settle(time.Hour) })
		w.checkAnswered(1)
		if broken.posts < 4 {
			t.Errorf("posted %d times, want at least 4", broken.posts)
		}
	})
}

// A job is answered by whom it was promised to be answered, also when its watch
// answers under another name by then or is gone: the relay would take the same
// answer by another sender for a second one.
func TestAJobIsAnsweredUnderItsName(t *testing.T) {
	for _, gone := range []bool{false, true} {
		inWorld(t, func(t *testing.T, w *world) {
			w.codex.find = errors.New("there is no codex")
			id := w.packet("one")
			w.live(func() { w.settle(time.Second) })
			w.codex.find = nil
			if w.watch().ReplyAs = "somebody"; gone {
				w.watch().Name, w.watch().Channel = "another", "elsewhere"
			}
			w.lives(func(s *supervisor.Supervisor) {
				if gone {
					if _, err := s.Cancel(t.Context(), 1); err != nil {
						t.Fatal(err)
					}
				}
				w.settle(time.Hour)
			})
			w.checkAnswered(id)
		})
	}
}
