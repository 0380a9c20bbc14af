package statetest

import (
	"encoding/json"
	"time"

	"github.com/google/go-cmp/cmp"

	"autoreview/relay"
	"autoreview/supervisor/state"
)

func testRuns(t *fixture) {
	s := t.store
	enqueue(t, s, batch(2, item(1, "g", "a"), item(2, "h", "b")))
	first, second := claim(t, s, t0), claim(t, s, t0)
	if _, err := s.StartRun(t.Context(), state.Run{Job: 99, Started: t0}); err == nil {
		t.Error("StartRun of no job: want an error")
	}
	var want []state.Run
	for _, j := range []state.Job{first, second, first} {
		r := state.Run{Job: j.ID, Watch: "w", Attempt: 1, Codex: "1.2.3", Dir: "/runs", Started: t0}
		id, err := s.StartRun(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		r.ID = id
		want = append(want, r)
	}
	want[0].Process, want[0].Thread, want[0].Class, want[0].Text, want[0].Exit = json.RawMessage(`{"pid":1}`), "th", "crashed", "why", 3
	want[0].Ended = t0.Add(time.Minute)
	changed := want[0]
	changed.Job, changed.Attempt, changed.Started = second.ID, 9, t0.Add(time.Hour) // are not written
	if err := s.SaveRun(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	s = t.again()
	check := func(name string, want []state.Run, got []state.Run, err error) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	got, err := s.Runs(t.Context(), first.ID)
	check("Runs", []state.Run{want[0], want[2]}, got, err)
	got, err = s.OpenRuns(t.Context())
	check("OpenRuns", want[1:], got, err)
	got, err = s.RecentRuns(t.Context(), 2)
	check("RecentRuns", want[1:], got, err)
	got, err = s.RecentRuns(t.Context(), 0)
	check("all RecentRuns", want, got, err)
	r, ok, err := s.Run(t.Context(), want[0].ID)
	check("Run", want[:1], []state.Run{r}, err)
	if _, none, err := s.Run(t.Context(), 99); !ok || none || err != nil {
		t.Errorf("Run: got %v, and %v, %v of none", ok, none, err)
	}
}

// Who changes what was returned does not change the state.
func testWhatIsReturnedIsTheCallers(t *fixture) {
	s := t.store
	it := item(1, "g", "a")
	it.Packet.Meta = json.RawMessage(`{"a":1}`)
	enqueue(t, s, batch(1, it))
	j := claim(t, s, t0)
	j.State, j.Outcome = state.Answered, state.Done
	j.Answer = &relay.Draft{Text: "a review", Meta: json.RawMessage(`{"b":2}`)}
	save(t, s, j)
	j.Answer.Text, j.Answer.Meta[2] = "another", 'x'
	read := func() state.Job {
		t.Helper()
		j, ok, err := s.Job(t.Context(), 1)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		return j
	}
	got := read()
	got.Packets[0].Text, got.Packets[0].Meta[2], got.Answer.Text, got.Answer.Meta[2] = "x", 'x', "x", 'x'
	got = read()
	if got.Answer.Text != "a review" || string(got.Answer.Meta) != `{"b":2}` || got.Packets[0].Text != "a" || string(got.Packets[0].Meta) != `{"a":1}` {
		t.Errorf("job: got %+v with the answer %+v", got, got.Answer)
	}
}

func testPlaces(t *fixture) {
	s := t.store
	place := func(want bool) {
		t.Helper()
		if has, err := s.HasCursor(t.Context(), "w", "c"); err != nil || has != want {
			t.Errorf("HasCursor: got %v, %v; want %v", has, err, want)
		}
	}
	place(false)
	enqueue(t, s, batch(7))
	other := batch(3)
	other.LogID = "other"
	enqueue(t, s, other)
	if err := s.SetNote(t.Context(), "a", "1"); err != nil {
		t.Fatal(err)
	}
	if err := s.SetNote(t.Context(), "a", "2"); err != nil {
		t.Fatal(err)
	}
	s = t.again()
	place(true)
	if id, ok, err := s.Cursor(t.Context(), "w", "c", "other"); id != 3 || !ok || err != nil {
		t.Errorf("Cursor: got %d, %v, %v; want 3", id, ok, err)
	}
	if all, err := s.Cursors(t.Context()); err != nil || len(all) != 1 || all["w"] != 7 {
		t.Errorf("Cursors: got %v, %v; want 7 for w", all, err)
	}
	for name, want := range map[string]string{"a": "2", "b": ""} {
		if v, err := s.Note(t.Context(), name); v != want || err != nil {
			t.Errorf("Note %q: got %q, %v; want %q", name, v, err, want)
		}
	}
	if n, err := s.Open(t.Context(), "w"); n != 0 || err != nil {
		t.Errorf("Open: got %d, %v; want none", n, err)
	}
	enqueue(t, s, batch(8, item(8, "g", "a")))
	if n, err := s.Open(t.Context(), "w"); n != 1 || err != nil {
		t.Errorf("Open: got %d, %v; want 1", n, err)
	}
}
