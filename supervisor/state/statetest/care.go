package statetest

import (
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"autoreview/supervisor/state"
)

func occasion(due time.Time, run bool) state.Occasion {
	return state.Occasion{Schedule: "s", Spec: "x", Due: due, Run: run, Watch: "w", Channel: "c", Workdir: "/repo", ReplyAs: "codex", Key: fmt.Sprint("job/w/s/", due.Unix())}
}

func fire(t *fixture, s state.Store, o state.Occasion, want bool) {
	t.Helper()
	if made, err := s.Fire(t.Context(), o, t0); err != nil || made != want {
		t.Errorf("Fire at %v: got %v, %v; want %v", o.Due, made, err, want)
	}
}

// A due time makes one job, whatever is asked again, also with another key and
// after the state was opened again; none while the job before has not ended.
func testFireOnce(t *fixture) {
	s := t.store
	due := t0.Add(time.Hour)
	if last, err := s.LastOccasion(t.Context(), "s", "x", t0); err != nil || !last.Equal(t0) {
		t.Fatalf("LastOccasion of a new schedule: got %v, %v; want now", last, err)
	}
	fire(t, s, occasion(due, true), true)
	again := occasion(due, true)
	again.Key = "another"
	fire(t, s, again, false)
	s = t.again()
	fire(t, s, again, false)
	fire(t, s, occasion(due.Add(-time.Minute), true), false)
	fire(t, s, occasion(due.Add(time.Hour), true), false) // the first has not ended
	j := claim(t, s, due)
	if j.Schedule != "s" || !j.Occasion.Equal(due) || !j.Previous.IsZero() || len(j.Packets) != 0 || j.Channel != "c" || j.ReplyAs != "codex" {
		t.Errorf("job: got %+v", j)
	}
	j.State = state.Failed
	save(t, s, j)
	fire(t, s, occasion(due.Add(time.Hour), true), false) // has passed
	fire(t, s, occasion(due.Add(2*time.Hour), false), false)
	fire(t, s, occasion(due.Add(3*time.Hour), true), true)
	if j := claim(t, s, due.Add(3*time.Hour)); !j.Previous.Equal(due) {
		t.Errorf("previous: got %v, want the time of the job before, %v", j.Previous, due)
	}
	if last, err := s.LastOccasion(t.Context(), "s", "x", t0.Add(99*time.Hour)); err != nil || !last.Equal(due.Add(3*time.Hour)) {
		t.Errorf("LastOccasion: got %v, %v", last, err)
	}
	if last, err := s.LastOccasion(t.Context(), "s", "changed", t0.Add(99*time.Hour)); err != nil || !last.Equal(t0.Add(99*time.Hour)) {
		t.Errorf("LastOccasion of a changed schedule: got %v, %v; want now", last, err)
	}
}

func testHolds(t *fixture) {
	s := t.store
	change := func(do func(h state.Hold, held bool) (state.Hold, bool)) {
		t.Helper()
		if _, err := s.ChangeHold(t.Context(), "w", do); err != nil {
			t.Fatal(err)
		}
	}
	holds := func() map[string]state.Hold {
		t.Helper()
		h, err := s.Holds(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	want := state.Hold{Watch: "w", Class: "auth", Reason: "log in", Since: t0, Until: t0.Add(time.Hour), Failures: 2, Told: []string{"limit", "auth"}}
	change(func(h state.Hold, held bool) (state.Hold, bool) {
		if held || h.Watch != "w" {
			t.Errorf("a watch without a hold: got %+v, %v", h, held)
		}
		return want, true
	})
	change(func(h state.Hold, held bool) (state.Hold, bool) {
		if diff := cmp.Diff(want, h); diff != "" || !held {
			t.Errorf("hold (-want +got):\n%s", diff)
		}
		return h, true
	})
	if diff := cmp.Diff(map[string]state.Hold{"w": want}, holds()); diff != "" {
		t.Errorf("Holds (-want +got):\n%s", diff)
	}
	fine := want
	fine.Since = want.Since.Add(999 * time.Nanosecond)
	if h, err := s.ChangeHold(t.Context(), "w", func(state.Hold, bool) (state.Hold, bool) { return fine, true }); err != nil || !h.Since.Equal(want.Since) {
		t.Errorf("ChangeHold: got since %v, %v; want what is kept, %v", h.Since, err, want.Since)
	}
	change(func(h state.Hold, held bool) (state.Hold, bool) { return h, false })
	if h := holds(); len(h) != 0 {
		t.Errorf("Holds: got %v, want none", h)
	}
}

// The newest packet decides which files a review is about.
func testTheTreeIsTheNewestPackets(t *fixture) {
	s := t.store
	first, second := item(1, "g", "a"), item(2, "g", "b")
	first.Tree, second.Tree = state.Tree{Base: "b1", Snapshot: "s1"}, state.Tree{Base: "b2", Snapshot: "s2"}
	enqueue(t, s, batch(1, first))
	enqueue(t, s, batch(2, second))
	if j := claim(t, s, t0); j.Tree != second.Tree || len(j.Packets) != 2 {
		t.Errorf("tree: got %+v for %d packets", j.Tree, len(j.Packets))
	}
}

// Claim goes by the order of the watches, and by due times within one. A job of
// another group may start beside a running one, one of the same may not.
func testClaimGoesByTheOrderOfWatches(t *fixture) {
	s := t.store
	for i, watch := range []string{"v", "w"} {
		b := batch(9, item(1, "g", "a"), item(2, "h", "b"))
		b.Watch = watch
		for j := range b.Items {
			b.Items[j].Key = fmt.Sprint(watch, j)
		}
		b.Due = t0.Add(time.Duration(i) * time.Minute)
		enqueue(t, s, b)
	}
	now := t0.Add(time.Hour)
	for _, want := range []string{"w0", "w1", "v0", "v1", ""} {
		j, ok, err := s.Claim(t.Context(), []string{"w", "v"}, now)
		if err != nil || ok != (want != "") || j.Key != want {
			t.Errorf("Claim: got %q, %v; want %q", j.Key, err, want)
		}
	}
	more := batch(10, item(3, "g", "c"))
	enqueue(t, s, more)
	if due, err := s.Due(t.Context()); err != nil || len(due) != 0 {
		t.Errorf("Due: got %v, %v; want none while the group's job runs", due, err)
	}
	noClaim(t, s, now)
}

func testSpent(t *fixture) {
	s := t.store
	enqueue(t, s, batch(1, item(1, "g", "a")))
	j := claim(t, s, t0)
	for i, class := range []string{"completed", "auth", ""} {
		r := state.Run{Job: j.ID, Attempt: 1, Started: t0.Add(time.Duration(i) * time.Minute)}
		var err error
		if r.ID, err = s.StartRun(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		r.Class, r.Used = class, state.Usage{Input: 100, Cached: 90, Output: int64(i)}
		if class == "" {
			continue // it runs
		}
		r.Ended = r.Started.Add(time.Second)
		if err := s.SaveRun(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Spent(t.Context(), t0)
	if err != nil {
		t.Fatal(err)
	}
	want := []state.Spend{{Watch: "w", Job: j.ID, At: t0.Add(time.Minute), Tokens: 101}, {Watch: "w", Job: j.ID, At: t0.Add(2 * time.Minute)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Spent (-want +got):\n%s", diff)
	}
	if at, err := s.LastStart(t.Context(), "completed"); err != nil || !at.Equal(t0) {
		t.Errorf("LastStart: got %v, %v; want %v", at, err, t0)
	}
	if at, err := s.LastStart(t.Context(), "network"); err != nil || !at.IsZero() {
		t.Errorf("LastStart of what never was: got %v, %v", at, err)
	}
}
