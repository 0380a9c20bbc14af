package statetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"autoreview/relay"
	"autoreview/supervisor/state"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func item(id int64, group, text string) state.Item {
	return state.Item{Packet: state.Packet{ID: id, TS: 1.5, Sender: "claude", Text: text}, Group: group, Key: fmt.Sprintf("job/w/%d", id)}
}

func batch(cursor int64, items ...state.Item) state.Batch {
	return state.Batch{Watch: "w", Channel: "c", LogID: "log", Workdir: "/repo", ReplyAs: "codex", Cursor: cursor, Items: items, Due: t0}
}

func enqueue(t *fixture, s state.Store, b state.Batch) int {
	t.Helper()
	n, err := s.Enqueue(t.Context(), b, t0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func claim(t *fixture, s state.Store, now time.Time) state.Job {
	t.Helper()
	j, ok, err := s.Claim(t.Context(), []string{"w"}, now)
	if err != nil || !ok {
		t.Fatalf("Claim: got %v, %v; want a job", ok, err)
	}
	return j
}

func noClaim(t *fixture, s state.Store, now time.Time) {
	t.Helper()
	if j, ok, err := s.Claim(t.Context(), []string{"w"}, now); err != nil || ok {
		t.Fatalf("Claim: got job %d, %v, %v; want none", j.ID, ok, err)
	}
}

func save(t *fixture, s state.Store, j state.Job) {
	t.Helper()
	if err := s.Save(t.Context(), j, t0); err != nil {
		t.Fatal(err)
	}
}

func cursor(t *fixture, s state.Store) int64 {
	t.Helper()
	id, ok, err := s.Cursor(t.Context(), "w", "c", "log")
	if err != nil || !ok {
		t.Fatalf("Cursor: got %v, %v; want one", ok, err)
	}
	return id
}

func testEnqueueMovesTheCursorWithTheJobs(t *fixture) {
	s := t.store
	if _, ok, err := s.Cursor(t.Context(), "w", "c", "log"); ok || err != nil {
		t.Fatalf("Cursor of a new state: got %v, %v; want none", ok, err)
	}
	if n := enqueue(t, s, batch(7, item(3, "g", "a"), item(5, "g", "b"))); n != 2 {
		t.Errorf("Enqueue: got %d new packets, want 2", n)
	}
	if got := cursor(t, s); got != 7 {
		t.Errorf("Cursor: got %d, want 7", got)
	}
	j := claim(t, s, t0)
	if diff := cmp.Diff([]int64{3, 5}, j.PacketIDs()); diff != "" {
		t.Errorf("packets of one group share a job (-want +got):\n%s", diff)
	}
	if j.Key != "job/w/3" || j.ReplyAs != "codex" || j.Attempt != 1 || j.State != state.Running || j.Newest() != 5 {
		t.Errorf("Claim: got %+v", j)
	}
}

// Whatever the cursor says, a packet gets one job only.
func testAPacketIsEnqueuedOnce(t *fixture) {
	s := t.store
	b := batch(5, item(5, "g", "a"))
	enqueue(t, s, b)
	j := claim(t, s, t0)
	j.State = state.Done
	save(t, s, j)
	b.Items[0].Key = "another key"
	if n := enqueue(t, s, b); n != 0 {
		t.Errorf("Enqueue again: got %d new packets, want 0", n)
	}
	noClaim(t, s, t0)
}

func testFailedEnqueueChangesNothing(t *fixture) {
	s := t.store
	enqueue(t, s, batch(5, item(5, "g", "a")))
	bad := batch(9, item(8, "g2", "b"), item(9, "g3", "c"))
	bad.Items[1].Key = "job/w/5" // taken
	if _, err := s.Enqueue(t.Context(), bad, t0); err == nil {
		t.Fatal("Enqueue with a key that is taken: want an error")
	}
	if got := cursor(t, s); got != 5 {
		t.Errorf("Cursor after a failed Enqueue: got %d, want 5", got)
	}
	if n := enqueue(t, s, batch(9, item(8, "g2", "b"), item(9, "g3", "c"))); n != 2 {
		t.Errorf("Enqueue after the failed one: got %d new packets, want 2", n)
	}
}

func testGroupsAndSizesSeparateJobs(t *fixture) {
	s := t.store
	b := batch(9, item(1, "g", strings.Repeat("x", 60)), item(2, "h", "y"), item(3, "g", strings.Repeat("x", 30)),
		item(4, "g", strings.Repeat("x", 20)), item(5, "g", strings.Repeat("x", 500)))
	b.MaxBytes = 100
	enqueue(t, s, b)
	jobs, err := s.Jobs(t.Context(), state.Queued)
	if err != nil {
		t.Fatal(err)
	}
	var got [][]int64
	for _, j := range jobs {
		got = append(got, j.PacketIDs())
	}
	if diff := cmp.Diff([][]int64{{1, 3}, {2}, {4}, {5}}, got); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
}

// What arrives while a job runs, or after it ran, becomes the next job: never a
// part of an answer that is on its way.
func testStartedJobsAreClosed(t *fixture) {
	s := t.store
	enqueue(t, s, batch(1, item(1, "g", "a")))
	first := claim(t, s, t0)
	enqueue(t, s, batch(2, item(2, "g", "b")))
	noClaim(t, s, t0) // a job of its group is running
	if _, err := s.StartRun(t.Context(), state.Run{Job: first.ID, Attempt: 1, Started: t0}); err != nil {
		t.Fatal(err)
	}
	first.State, first.Attempt = state.Queued, 0 // released
	save(t, s, first)
	enqueue(t, s, batch(3, item(3, "g", "c")))
	j := claim(t, s, t0)
	if diff := cmp.Diff([]int64{1}, j.PacketIDs()); diff != "" {
		t.Errorf("released job (-want +got):\n%s", diff)
	}
	j.State = state.Done
	save(t, s, j)
	if diff := cmp.Diff([]int64{2, 3}, claim(t, s, t0).PacketIDs()); diff != "" {
		t.Errorf("next job (-want +got):\n%s", diff)
	}
}

func testClaimWaitsUntilDue(t *fixture) {
	s := t.store
	b := batch(1, item(1, "g", "a"))
	b.Due = t0.Add(time.Minute)
	enqueue(t, s, b)
	noClaim(t, s, t0)
	due, err := s.Due(t.Context())
	if err != nil || len(due) != 1 || !due["w"].Equal(b.Due) {
		t.Errorf("Due: got %v, %v; want %v for the watch", due, err, b.Due)
	}
	if _, ok, err := s.Claim(t.Context(), []string{"other"}, b.Due); ok || err != nil {
		t.Errorf("Claim for another watch: got %v, %v; want none", ok, err)
	}
	claim(t, s, b.Due)
	if due, err := s.Due(t.Context()); len(due) > 0 || err != nil {
		t.Errorf("Due with nothing queued: got %v, %v; want none", due, err)
	}
}

func testEverythingIsThereAfterReopening(t *fixture) {
	s := t.store
	it := item(4, "g", "text\x00 with everything ä")
	it.Packet.Meta = json.RawMessage(`{"session":"x"}`)
	enqueue(t, s, batch(6, it))
	j := claim(t, s, t0)
	j.State, j.Outcome, j.Thread, j.Class, j.Reason = state.Answered, state.Done, "th", "crashed", "why"
	j.Answer = &relay.Draft{Target: "c", Sender: "codex", Text: "review", Kind: relay.KindReview, ReplyTo: 4, Key: j.Key, Meta: json.RawMessage(`{"packets":[4]}`)}
	save(t, s, j)
	s = t.again()
	jobs, err := s.Jobs(t.Context(), state.Answered)
	if err != nil || len(jobs) != 1 {
		t.Fatalf("Jobs: got %d, %v; want 1", len(jobs), err)
	}
	if diff := cmp.Diff(j, jobs[0]); diff != "" {
		t.Errorf("job (-saved +read):\n%s", diff)
	}
	if got := cursor(t, s); got != 6 {
		t.Errorf("Cursor: got %d, want 6", got)
	}
}

// An answered job without its answer would be a lost review: the file itself
// refuses it.
func testAnsweredNeedsAnAnswer(t *fixture) {
	s := t.store
	enqueue(t, s, batch(1, item(1, "g", "a")))
	j := claim(t, s, t0)
	j.State = state.Answered
	if err := s.Save(t.Context(), j, t0); err == nil {
		t.Error("Save of an answered job without an answer: want an error")
	}
}

func testAnsweredThrough(t *fixture) {
	s := t.store
	check := func(want int64) {
		t.Helper()
		got, err := s.AnsweredThrough(t.Context(), "w", "c", "log")
		if err != nil || got != want {
			t.Errorf("AnsweredThrough: got %d, %v; want %d", got, err, want)
		}
	}
	check(0)
	enqueue(t, s, batch(9, item(3, "g", "a"), item(6, "h", "b")))
	check(2)
	first := claim(t, s, t0)
	check(2)
	first.State = state.Done
	save(t, s, first)
	check(5)
	second := claim(t, s, t0)
	second.State = state.Failed
	save(t, s, second)
	check(9)
}

func testThreadsAndTheirUsage(t *fixture) {
	s := t.store
	if _, ok, err := s.Thread(t.Context(), "w", "continue:"); ok || err != nil {
		t.Fatalf("Thread of a new state: got %v, %v; want none", ok, err)
	}
	for _, id := range []string{"t1", "t2", ""} {
		if err := s.SetThread(t.Context(), "w", "continue:", id); err != nil {
			t.Fatal(err)
		}
		if got, ok, err := s.Thread(t.Context(), "w", "continue:"); !ok || got != id || err != nil {
			t.Errorf("Thread: got %q, %v, %v; want %q", got, ok, err, id)
		}
	}
	if _, ok, _ := s.Thread(t.Context(), "w", "resume:x"); ok {
		t.Error("Thread for another session setting: got one, want none")
	}
	enqueue(t, s, batch(1, item(1, "g", "a")))
	j := claim(t, s, t0)
	for i, used := range []state.Usage{{Input: 100, Output: 10}, {Input: 250, Output: 30}} {
		r := state.Run{Job: j.ID, Attempt: 1, Started: t0}
		id, err := s.StartRun(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		before, err := s.ThreadUsage(t.Context(), "t1")
		if err != nil {
			t.Fatal(err)
		}
		if want := []int64{0, 110}[i]; before.Total() != want {
			t.Errorf("ThreadUsage before run %d: got %d, want %d", i, before.Total(), want)
		}
		r.ID, r.Thread, r.ThreadUsed, r.Used, r.Ended = id, "t1", used, used.Minus(before), t0
		if err := s.SaveRun(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := s.Runs(t.Context(), j.ID)
	if err != nil || len(runs) != 2 || runs[1].Used.Total() != 170 {
		t.Errorf("Runs: got %+v, %v; want two, the second with 170 tokens", runs, err)
	}
	if open, err := s.OpenRuns(t.Context()); err != nil || len(open) != 0 {
		t.Errorf("OpenRuns: got %d, %v; want none", len(open), err)
	}
}
