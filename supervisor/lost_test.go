package supervisor_test

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/relay/store/memory"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

// refuseWrites makes the state refuse to take jobs to a given state, as a full
// disk would, until allow is called.
func (w *world) refuseWrites(to state.JobState) (allow func()) {
	w.t.Helper()
	return w.refuseUpdates("job", "NEW.state = '"+string(to)+"'")
}

// refuseUpdates makes the state refuse to change rows so, until allow is called.
func (w *world) refuseUpdates(table, so string) (allow func()) {
	w.t.Helper()
	exec := func(statement string) {
		w.t.Helper()
		db, err := sql.Open("sqlite", filepath.Join(w.dir, "state.db"))
		if err != nil {
			w.t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(w.t.Context(), statement); err != nil {
			w.t.Fatal(err)
		}
	}
	exec(`CREATE TRIGGER full BEFORE UPDATE ON ` + table + ` WHEN ` + so + `
		BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`)
	return func() { exec(`DROP TRIGGER full`) }
}

// A run whose end cannot be saved for a while has ended all the same: it does not
// count as running until the next start.
func TestAFullDiskDelaysTheEndOfARun(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.live(func() {
			allow := w.refuseUpdates("run", "NEW.ended != 0")
			id := w.packet("one")
			w.settle(time.Minute)
			allow()
			w.settle(time.Hour)
			w.checkAnswered(id)
			w.inState(func(s state.Store) {
				if open, err := s.OpenRuns(t.Context()); err != nil || len(open) > 0 {
					t.Errorf("runs that have not ended: got %+v, %v", open, err)
				}
			})
		})
		if n := len(w.codex.runs()); n != 1 {
			t.Errorf("codex ran %d times, want once", n)
		}
	})
}

// A verdict that cannot be saved for a while is kept and saved later; the model
// is not asked again.
func TestAFullDiskDelaysTheAnswer(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.live(func() {
			allow := w.refuseWrites(state.Answered)
			first := w.packet("one")
			w.settle(time.Minute)
			allow()
			second := w.packet("two")
			w.settle(time.Hour)
			w.checkAnswered(first, second)
		})
		if n := len(w.codex.runs()); n != 2 {
			t.Errorf("codex ran %d times, want once for each packet", n)
		}
	})
}

// A state that cannot be written to for a while delays the start of jobs; the
// supervisor neither ends nor sleeps for ever.
func TestAFullDiskDelaysTheStart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.live(func() {
			allow := w.refuseWrites(state.Running)
			id := w.packet("one")
			w.settle(time.Minute)
			if n := len(w.codex.runs()); n != 0 {
				t.Errorf("codex ran %d times without a record", n)
			}
			allow()
			w.settle(time.Minute)
			w.checkAnswered(id)
		})
	})
}

// replaceLog gives the world a new, empty log.
func (w *world) replaceLog() {
	w.store = memory.New(nil)
	w.log = relay.New(w.store, relay.Options{})
	w.relay = w.log
}

// The answer to a packet of an earlier log is not taken for one to the message
// that has the packet's id in the new log.
func TestAnAnswerForAnotherLogAnswersNothingHere(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		broken := &flaky{Relay: w.log}
		w.relay = broken
		w.live(func() {
			w.packet("of the old log")
			broken.failPosts(true)
			w.settle(time.Hour)
		})
		w.replaceLog()
		id := w.packet("of the new log")
		w.live(func() { w.settle(time.Hour) })
		reviewed := 0
		for _, spec := range w.codex.runs() {
			if strings.Contains(spec.Prompt, "of the new log") {
				reviewed++
			}
		}
		if reviewed != 1 {
			t.Errorf("the new packet was reviewed %d times, want once", reviewed)
		}
		for _, m := range w.answers() {
			old := strings.HasPrefix(m.Text, "(This answers #1 of an earlier log")
			if old != (m.ReplyTo == 0) || !old && m.ReplyTo != id {
				t.Errorf("#%d replies to %d: %.60q", m.ID, m.ReplyTo, m.Text)
			}
		}
		if n := len(w.answers()); n != 2 {
			t.Errorf("got %d answers, want the old log's and the new one's", n)
		}
	})
}

// What the relay says of the request (421: it does not answer to this name) says
// nothing about the review: it is kept and posted later.
func TestARefusedRequestKeepsTheReview(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType, http.StatusMisdirectedRequest, http.StatusTooManyRequests} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				var refusing atomic.Bool
				refusing.Store(true)
				w.relay = &flaky{Relay: w.log, refuse: func(relay.Draft) error {
					if refusing.Load() {
						return &client.StatusError{Status: status, Err: &relay.Error{Code: relay.CodeInvalid, Text: "no"}}
					}
					return nil
				}}
				w.live(func() {
					id := w.packet("p")
					w.settle(time.Minute)
					refusing.Store(false)
					w.settle(time.Hour)
					w.checkAnswered(id)
				})
				if m := w.answers()[0]; m.Kind != relay.KindReview {
					t.Errorf("got kind %q, want the review: %q", m.Kind, m.Text)
				}
			})
		})
	}
}

// LASTFILE is imported once. Later the number in it is ours, and of another log
// when the log is replaced.
func TestLastFileOfAnotherLogIsNotImported(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.cfg.LastFile = filepath.Join(w.dir, "last_id")
		w.live(func() {
			for range 3 {
				w.packet("old")
				w.settle(time.Second)
			}
		})
		w.replaceLog()
		var newest int64
		for range 5 {
			newest = w.packet("new")
		}
		w.live(func() { w.settle(time.Hour) })
		w.checkAnswered(newest)
	})
}

// A packet is answered where it was posted, whatever channel its watch reads by
// then.
func TestAPacketIsAnsweredInItsChannel(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.find = os.ErrNotExist
		var id int64
		w.live(func() { id = w.packet("p"); w.settle(time.Second) })
		w.codex.find = nil
		w.watch().Channel = "other"
		w.live(func() { w.settle(time.Hour) })
		w.checkAnswered(id)
		for _, m := range w.answers() {
			if m.Kind == relay.KindReview && (m.Target != "proj-x" || m.ReplyTo != id) {
				t.Errorf("review in %q, reply to %d; want proj-x, %d", m.Target, m.ReplyTo, id)
			}
		}
	})
}

// Packets of a watch that is no longer configured wait for it to come back, and
// cost nothing meanwhile.
func TestARemovedWatchCostsNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.find = os.ErrNotExist
		var id int64
		w.live(func() { id = w.packet("p"); w.settle(time.Second) })
		w.codex.find = nil
		was := w.watch().Name
		w.watch().Name, w.watch().Channel = "another", "other"
		w.live(func() { w.settle(24 * time.Hour) })
		if n := len(w.codex.runs()); n != 0 {
			t.Errorf("codex ran %d times for a watch that is not there", n)
		}
		w.watch().Name, w.watch().Channel = was, "proj-x"
		w.live(func() { w.settle(time.Hour) })
		w.checkAnswered(id)
	})
}

// originalRelay is a relay as the client shows the original server: one log id,
// no keys.
type originalRelay struct{ *relay.Log }

func (o originalRelay) Read(ctx context.Context, q relay.Query) (relay.Page, error) {
	if q.Key != "" {
		return relay.Page{Info: relay.Info{LogID: client.OriginalLog}, OldestID: 1}, nil
	}
	p, err := o.Log.Read(ctx, q)
	p.LogID = client.OriginalLog
	return p, err
}

func (o originalRelay) Wait(ctx context.Context, q relay.Query, d time.Duration) (relay.Page, error) {
	p, err := o.Log.Wait(ctx, q, min(d, time.Second))
	p.LogID = client.OriginalLog
	return p, err
}

// On the original server a review for one packet is not taken for that of a
// packet that came during the run.
func TestMCPAtTheOriginalReviewsWhatCameMeanwhile(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.relay = originalRelay{w.log}
		w.watch().Deliver = config.DeliverMCP
		w.codex.run = func(_ context.Context, n int, _ codexrun.Spec) codexrun.Result {
			if n == 1 {
				w.packet("two, during the run")
				time.Sleep(time.Minute)
			}
			w.post(relay.Draft{Sender: "codex", Text: "looks good"})
			return codexrun.Result{Class: codexrun.Completed, Final: "posted"}
		}
		w.live(func() {
			w.packet("one")
			w.settle(time.Hour)
		})
		if n := len(w.codex.runs()); n != 2 {
			t.Errorf("codex ran %d times for two packets, want twice", n)
		}
		if n := len(w.answers()); n != 2 {
			t.Errorf("got %d messages by codex, want its own two", n)
		}
	})
}

// unread is a state that cannot read a job for a few times.
type unread struct {
	state.Store
	times atomic.Int32
}

func (u *unread) Job(ctx context.Context, id int64) (state.Job, bool, error) {
	if u.times.Add(-1) >= 0 {
		return state.Job{}, false, errors.New("disk I/O error")
	}
	return u.Store.Job(ctx, id)
}

// The notice of a job that was cancelled while it waited is posted in this life,
// also when the state cannot be read at first.
func TestACancelledJobIsAnsweredWhateverTheDiskDoes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.between = func(s state.Store) state.Store {
			u := &unread{Store: s}
			u.times.Store(3)
			return u
		}
		w.lives(func(s *supervisor.Supervisor) {
			if err := s.Pause(t.Context(), "main"); err != nil {
				t.Fatal(err)
			}
			id := w.packet("one")
			w.settle(time.Second)
			if _, err := s.Cancel(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			w.settle(time.Minute)
			w.checkAnswered(id)
		})
	})
}

// replacedAt is a relay that gets another log just before its n-th read.
type replacedAt struct {
	swappable
	n    int32
	next *relay.Log
	read atomic.Int32
}

func (r *replacedAt) Read(ctx context.Context, q relay.Query) (relay.Page, error) {
	if r.read.Add(1) == r.n {
		r.set(r.next)
	}
	return r.swappable.Read(ctx, q)
}

// What a watch reads of a log that has just been replaced is not taken for what
// was in the one before: its packets would be reviewed twice.
func TestALogThatIsReplacedWhileAWatchBegins(t *testing.T) {
	for n := int32(1); n <= 4; n++ {
		inWorld(t, func(t *testing.T, w *world) {
			next := relay.New(memory.New(nil), relay.Options{})
			r := &replacedAt{n: n, next: next}
			r.set(w.log)
			w.relay = r
			w.packet("in the log that was")
			if _, err := next.Post(t.Context(), relay.Draft{Target: "proj-x", Sender: "claude", Text: "in the log that is"}); err != nil {
				t.Fatal(err)
			}
			w.live(func() { w.settle(time.Hour) })
			jobs := make(map[string]int)
			w.inState(func(s state.Store) {
				all, err := s.Jobs(t.Context(), state.Done)
				if err != nil {
					t.Fatal(err)
				}
				for _, j := range all {
					for _, p := range j.Packets {
						jobs[p.Text]++
					}
				}
			})
			if jobs["in the log that is"] != 1 || jobs["in the log that was"] > 1 {
				t.Errorf("replaced before read %d: got reviews %v, want one of the packet that is there", n, jobs)
			}
		})
	}
}

// unstarted is a state that cannot record runs for a few times.
type unstarted struct {
	state.Store
	times atomic.Int32
}

func (u *unstarted) StartRun(ctx context.Context, r state.Run) (int64, error) {
	if u.times.Add(-1) >= 0 {
		return 0, errors.New("database or disk is full")
	}
	return u.Store.StartRun(ctx, r)
}

// A full disk is no reason to put a watch on hold, and no failure of the review.
func TestAFullDiskIsNoFailureOfTheReview(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.between = func(s state.Store) state.Store {
			u := &unstarted{Store: s}
			u.times.Store(5)
			return u
		}
		w.live(func() {
			id := w.packet("one")
			w.settle(time.Minute)
			w.checkAnswered(id)
		})
		if n := len(w.answers()); n != 1 {
			t.Errorf("got %d messages, want the review alone", n)
		}
		w.inState(func(s state.Store) {
			if j, _, err := s.Job(t.Context(), 1); err != nil || j.Attempt != 1 || j.Class != "" {
				t.Errorf("job: got attempt %d, class %q, %v; want the first to do", j.Attempt, j.Class, err)
			}
		})
	})
}
