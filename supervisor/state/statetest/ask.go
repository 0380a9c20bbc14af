package statetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"autoreview/relay"
	"autoreview/supervisor/state"
)

func key(first state.Job, generation int) string {
	return fmt.Sprintf("job/w/%d/%d", first.Packets[0].ID, generation)
}

func end(t *fixture, s state.Store, j state.Job, st state.JobState) {
	t.Helper()
	j.State, j.AnswerID = st, 42
	j.Answer = &relay.Draft{Text: "a review", Meta: []byte(`{"verdict":"approve"}`)}
	if err := s.Save(t.Context(), j, t0); err != nil {
		t.Fatal(err)
	}
}

// Asking again makes a job of the next generation with the same packets, and
// leaves the first one as it is.
func testAgain(t *fixture) {
	s := t.store
	enqueue(t, s, batch(2, item(1, "g", "one"), item(2, "g", "two")))
	first := claim(t, s, t0)
	if j, ok, err := s.Again(t.Context(), first.ID, t0, key); ok || err != nil || j.ID != first.ID {
		t.Errorf("Again of a running job: got job %d, %v, %v; want it refused for the job itself", j.ID, ok, err)
	}
	end(t, s, first, state.Done)
	second, ok, err := s.Again(t.Context(), first.ID, t0, key)
	if err != nil || !ok {
		t.Fatalf("Again: got %v, %v", ok, err)
	}
	if second.Generation != 2 || second.Key != "job/w/1/2" || second.State != state.Queued || second.Attempt != 0 || second.ReplyAs != "codex" || second.Answer != nil || second.AnswerID != 0 {
		t.Errorf("second generation: got %+v", second)
	}
	if diff := cmp.Diff(first.Packets, second.Packets); diff != "" {
		t.Errorf("packets (-first +second):\n%s", diff)
	}
	if j, ok, err := s.Again(t.Context(), first.ID, t0, key); ok || err != nil || j.ID != second.ID {
		t.Errorf("Again while the second is open: got job %d, %v, %v; want it refused for job %d", j.ID, ok, err, second.ID)
	}
	end(t, s, claim(t, s, t0), state.Failed)
	third, ok, err := s.Again(t.Context(), first.ID, t0, key)
	if err != nil || !ok || third.Generation != 3 {
		t.Errorf("Again: got generation %d, %v, %v; want 3", third.Generation, ok, err)
	}
	if _, _, err := s.Again(t.Context(), 99, t0, key); !errors.Is(err, state.ErrNoJob) {
		t.Errorf("Again of no job: got %v, want ErrNoJob", err)
	}
}

// A packet that was answered stays answered while it is reviewed once more, and
// its new job is not one for further packets.
func testAgainLeavesTheRestAlone(t *fixture) {
	s := t.store
	enqueue(t, s, batch(1, item(1, "g", "one")))
	end(t, s, claim(t, s, t0), state.Done)
	if _, ok, err := s.Again(t.Context(), 1, t0, key); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if n := enqueue(t, s, batch(2, item(1, "g", "one"), item(2, "g", "two"))); n != 1 {
		t.Errorf("Enqueue: got %d new packets, want 1", n)
	}
	if id, err := s.AnsweredThrough(t.Context(), "w", "c", "log"); err != nil || id != 1 {
		t.Errorf("AnsweredThrough: got %d, %v; want 1", id, err)
	}
	again, next := claim(t, s, t0), state.Job{}
	end(t, s, again, state.Done)
	next = claim(t, s, t0)
	if len(again.Packets) != 1 || len(next.Packets) != 1 || next.Newest() != 2 {
		t.Errorf("jobs: got packets %v and %v, want 1 and 2", again.PacketIDs(), next.PacketIDs())
	}
}

// Only a job that is nobody's can be changed.
func testChange(t *fixture) {
	s := t.store
	enqueue(t, s, batch(1, item(1, "g", "one")))
	later := func(j state.Job) state.Job {
		j.State, j.Due = state.Waiting, t0.Add(time.Hour)
		return j
	}
	if j, ok, err := s.Change(t.Context(), 1, t0, later); !ok || err != nil || j.State != state.Waiting {
		t.Errorf("Change: got %v, %v, %v", j.State, ok, err)
	}
	if _, ok, _ := s.Claim(t.Context(), []string{"w"}, t0); ok {
		t.Error("Claim: got a job that is not due")
	}
	claim(t, s, t0.Add(2*time.Hour))
	j, ok, err := s.Change(t.Context(), 1, t0, func(state.Job) state.Job {
		t.Error("a running job was given to change")
		return state.Job{}
	})
	if ok || err != nil || j.State != state.Running {
		t.Errorf("Change of a running job: got %v, %v, %v; want it refused", j.State, ok, err)
	}
}

func testSummaries(t *fixture) {
	s := t.store
	enqueue(t, s, batch(3, item(1, "a", "one"), item(2, "b", "two"), item(3, "a", "three")))
	end(t, s, claim(t, s, t0), state.Done)
	all, err := s.Summaries(t.Context(), state.Filter{})
	if err != nil || len(all) != 2 || all[0].ID != 2 {
		t.Fatalf("Summaries: got %+v, %v; want 2, the newest first", all, err)
	}
	if all[1].Verdict != "approve" || all[1].Answer != nil || all[1].Packets[0].Text != "" || !all[1].Updated.Equal(t0) {
		t.Errorf("summary: got %+v; want the verdict and no texts", all[1])
	}
	if diff := cmp.Diff([]int64{1, 3}, all[1].PacketIDs()); diff != "" {
		t.Errorf("packets (-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		name   string
		filter state.Filter
		want   int64
	}{
		{"open", state.Filter{States: []state.JobState{state.Queued, state.Waiting}}, 2},
		{"done", state.Filter{States: []state.JobState{state.Done}}, 1},
		{"newest", state.Filter{Limit: 1}, 2},
		{"other watch", state.Filter{Watch: "x"}, 0},
	} {
		got, err := s.Summaries(t.Context(), tt.filter)
		if err != nil || (tt.want == 0) != (len(got) == 0) || len(got) > 0 && (len(got) != 1 || got[0].ID != tt.want) {
			t.Errorf("%s: got %+v, %v; want job %d", tt.name, got, err, tt.want)
		}
	}
	counts, err := s.Counts(t.Context())
	want := []state.Count{{Watch: "w", State: state.Done, Jobs: 1}, {Watch: "w", State: state.Queued, Jobs: 1}}
	if diff := cmp.Diff(want, counts); err != nil || diff != "" {
		t.Errorf("counts: %v (-want +got):\n%s", err, diff)
	}
	if cursors, err := s.Cursors(t.Context()); err != nil || cursors["w"] != 3 {
		t.Errorf("cursors: got %v, %v", cursors, err)
	}
}

// The jobs of a paused watch wait; those of others do not.
func testPause(t *fixture) {
	s := t.store
	enqueue(t, s, batch(1, item(1, "g", "one")))
	for range 2 {
		if err := s.Pause(t.Context(), "w", t0); err != nil {
			t.Fatal(err)
		}
	}
	s = t.again()
	paused, err := s.Paused(t.Context())
	if diff := cmp.Diff(map[string]time.Time{"w": t0}, paused); err != nil || diff != "" {
		t.Errorf("Paused: %v (-want +got):\n%s", err, diff)
	}
	if j, ok, err := s.Claim(t.Context(), []string{"w"}, t0); ok || err != nil {
		t.Errorf("Claim: got %+v, %v; want nothing of a paused watch", j, err)
	}
	if due, err := s.Due(t.Context()); len(due) > 0 || err != nil {
		t.Errorf("Due: got %v, %v; want nothing of a paused watch", due, err)
	}
	other := batch(2, state.Item{Packet: state.Packet{ID: 2, Sender: "claude", Text: "two"}, Group: "g", Key: "other"})
	other.Watch, other.Workdir = "w0", "/other"
	enqueue(t, s, other)
	if _, ok, err := s.Claim(t.Context(), []string{"w", "w0"}, t0); !ok || err != nil {
		t.Errorf("Claim: got %v, %v; want the job of the watch that is not paused", ok, err)
	}
	if err := s.Resume(t.Context(), "w"); err != nil {
		t.Fatal(err)
	}
	claim(t, s, t0)
}
