package statetest

import (
	"slices"
	"time"

	"autoreview/supervisor/state"
)

// over makes a job of one packet that has ended at a time, after one run.
func over(t *fixture, id int64, st state.JobState, at time.Time) state.Job {
	t.Helper()
	enqueue(t, t.store, batch(id, item(id, "g", "text")))
	j := claim(t, t.store, t0)
	run, err := t.store.StartRun(t.Context(), state.Run{Job: j.ID, Attempt: 1, Started: at})
	if err != nil {
		t.Fatal(err)
	}
	if err := t.store.SaveRun(t.Context(), state.Run{ID: run, Class: "completed", Ended: at}); err != nil {
		t.Fatal(err)
	}
	j.State = st
	if err := t.store.Save(t.Context(), j, at); err != nil {
		t.Fatal(err)
	}
	return j
}

func forget(t *fixture, before time.Time, most int, want state.Forgotten) {
	t.Helper()
	got, err := t.store.Forget(t.Context(), before, most)
	if err != nil || got != want {
		t.Errorf("Forget: got %+v and %v, want %+v", got, err, want)
	}
}

func (t *fixture) ids() (ids []int64) {
	t.Helper()
	jobs, err := t.store.Summaries(t.Context(), state.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range slices.Backward(jobs) {
		ids = append(ids, j.ID)
	}
	return ids
}

func (t *fixture) wantIDs(want ...int64) {
	t.Helper()
	if got := t.ids(); !slices.Equal(got, want) {
		t.Errorf("jobs: got %v, want %v", got, want)
	}
}

func testForget(t *fixture) {
	for id, st := range []state.JobState{state.Done, state.Failed, state.Done, state.Done, state.Failed, state.Done} {
		over(t, int64(id+1), st, t0.Add(time.Duration(id)*time.Hour))
	}
	forget(t, t0.Add(-time.Hour), 10, state.Forgotten{})
	forget(t, t0.Add(3*time.Hour), 2, state.Forgotten{Jobs: 2, Packets: 2, Runs: 2})
	t.wantIDs(3, 4, 5, 6)
	// The newest of each outcome stays for as long as there is no newer one.
	forget(t, t0.Add(100*time.Hour), 10, state.Forgotten{Jobs: 2, Packets: 2, Runs: 2})
	t.wantIDs(5, 6)
	if runs, err := t.store.RecentRuns(t.Context(), 1); err != nil || len(runs) != 1 || runs[0].ID != 6 {
		t.Errorf("RecentRuns: got %v and %v, want run 6", runs, err)
	}
	// Nobody gets the number of what is gone.
	t.store = t.again()
	if j := over(t, 7, state.Done, t0.Add(200*time.Hour)); j.ID != 7 {
		t.Errorf("the next job: got id %d, want 7", j.ID)
	}
	if _, ok, err := t.store.Job(t.Context(), 1); ok || err != nil {
		t.Errorf("Job(1): got %v and %v, want none", ok, err)
	}
	if cursor(t, t.store) != 7 {
		t.Error("the cursor has moved")
	}
}

// What has not ended is not history, however old it is.
func testForgetLeavesWhatIsOpen(t *fixture) {
	late := t0.Add(1000 * time.Hour)
	over(t, 1, state.Done, t0)
	j := over(t, 2, state.Done, t0)
	if _, err := t.store.StartRun(t.Context(), state.Run{Job: j.ID, Started: t0}); err != nil {
		t.Fatal(err)
	}
	over(t, 3, state.Done, t0)
	enqueue(t, t.store, batch(4, item(4, "g", "queued for long")))
	forget(t, late, 10, state.Forgotten{Jobs: 1, Packets: 1, Runs: 1})
	t.wantIDs(2, 3, 4)
}

// A schedule knows when it was before, whatever is forgotten.
func testForgetLeavesTheLastOfASchedule(t *fixture) {
	for d := range 3 {
		fire(t, t.store, occasion(t0.Add(time.Duration(d)*24*time.Hour), true), true)
		jobs, err := t.store.Summaries(t.Context(), state.Filter{Schedule: "s", Limit: 1})
		if err != nil || len(jobs) != 1 || !jobs[0].Occasion.Equal(t0.Add(time.Duration(d)*24*time.Hour)) {
			t.Fatalf("Summaries of the schedule: got %v and %v, want the newest job", jobs, err)
		}
		end(t, t.store, jobs[0].Job, state.Done)
	}
	forget(t, t0.Add(1000*time.Hour), 10, state.Forgotten{Jobs: 2})
	fire(t, t.store, occasion(t0.Add(72*time.Hour), true), true)
	j := claim(t, t.store, t0.Add(100*time.Hour))
	if !j.Previous.Equal(t0.Add(48 * time.Hour)) {
		t.Errorf("previous occasion: got %v, want the one before", j.Previous)
	}
}
