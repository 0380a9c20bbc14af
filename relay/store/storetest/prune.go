package storetest

import (
	"slices"
	"time"

	"autoreview/relay"
)

const day = 24 * time.Hour

var pruneTests = []test{
	{"the zero retention keeps everything", func(f *fixture) {
		f.fill("a", 3)
		f.clock.advance(1000 * day)
		if n := f.prune(relay.Retention{}); n != 0 {
			f.Errorf("Prune: got %d, want 0", n)
		}
		f.wantLeft([]int64{1, 2, 3}, 1)
	}},
	{"messages that are too old go", func(f *fixture) {
		f.fill("a", 2)
		f.clock.advance(day)
		f.fill("a", 2)
		if n := f.prune(relay.Retention{MaxAge: day}); n != 0 {
			f.Errorf("Prune at the limit: got %d, want 0", n)
		}
		f.clock.advance(time.Microsecond)
		if n := f.prune(relay.Retention{MaxAge: day}); n != 2 {
			f.Errorf("Prune past the limit: got %d, want 2", n)
		}
		f.wantLeft([]int64{3, 4}, 3)
	}},
	{"messages past the number kept go, oldest first, of all channels", func(f *fixture) {
		for range 5 {
			f.post("a", "s")
			f.post("b", "s")
		}
		if n := f.prune(relay.Retention{MaxMessages: 3}); n != 7 {
			f.Errorf("Prune: got %d, want 7", n)
		}
		f.wantLeft([]int64{8, 9, 10}, 8)
		if n := f.prune(relay.Retention{MaxMessages: 3}); n != 0 {
			f.Errorf("second Prune: got %d, want 0", n)
		}
	}},
	{"both limits hold at once", func(f *fixture) {
		f.fill("a", 4)
		f.clock.advance(2 * day)
		f.fill("a", 4)
		if n := f.prune(relay.Retention{MaxAge: day, MaxMessages: 6}); n != 4 {
			f.Errorf("Prune, age decides: got %d, want 4", n)
		}
		if n := f.prune(relay.Retention{MaxAge: day, MaxMessages: 1}); n != 3 {
			f.Errorf("Prune, number decides: got %d, want 3", n)
		}
		f.wantLeft([]int64{8}, 8)
	}},
	{"all that is due goes in one call", func(f *fixture) {
		f.fill("a", 1234)
		if n := f.prune(relay.Retention{MaxMessages: 1}); n != 1233 {
			f.Errorf("Prune: got %d, want 1233", n)
		}
		f.wantLeft([]int64{1234}, 1234)
	}},
	{"ids go on after the newest message was pruned", func(f *fixture) {
		f.fill("a", 3)
		f.clock.advance(time.Hour)
		f.prune(relay.Retention{MaxAge: time.Minute})
		if head := f.info().Head; head != 3 {
			f.Errorf("Head: got %d, want 3", head)
		}
		if id := f.post("a", "s"); id != 4 {
			f.Errorf("next id: got %d, want 4", id)
		}
		f.wantLeft([]int64{4}, 4)
	}},
	{"the oldest id is that of the channels read", func(f *fixture) {
		f.fill("a", 2)
		f.fill("b", 2)
		f.fill("c", 2)
		f.prune(relay.Retention{MaxMessages: 3})
		for _, tt := range []struct {
			targets []string
			want    int64
		}{
			{[]string{"a"}, 3}, {[]string{"b"}, 4}, {[]string{"c"}, 1}, {[]string{"none"}, 1},
			{[]string{"a", "c"}, 3}, {[]string{"c", "b", "a"}, 4}, {nil, 4},
		} {
			if got := f.read(relay.Query{Targets: tt.targets}).OldestID; got != tt.want {
				f.Errorf("OldestID of %v: got %d, want %d", tt.targets, got, tt.want)
			}
		}
	}},
	{"the oldest id never goes back", func(f *fixture) {
		f.post("a", "s")
		// The clock was set back: the later message is the older one.
		f.clock.advance(-time.Hour)
		f.post("a", "s")
		f.clock.advance(time.Hour)
		f.prune(relay.Retention{MaxAge: time.Minute})
		f.wantLeft([]int64{1}, 3)
		f.clock.advance(time.Hour)
		f.prune(relay.Retention{MaxAge: time.Minute})
		f.wantLeft([]int64{}, 3)
	}},
	{"counts go down", func(f *fixture) {
		f.fill("a", 3)
		f.fill("b", 3)
		f.prune(relay.Retention{MaxMessages: 4})
		if got := f.channels(); got["a"].Count != 1 || got["b"].Count != 3 {
			f.Errorf("Channels: got %v, want 1 in a and 3 in b", got)
		}
	}},
	{"no filter finds a pruned message", func(f *fixture) {
		f.append(relay.Draft{Target: "a", Sender: "s", Text: "t", Key: "k"})
		f.post("b", "t")
		f.prune(relay.Retention{MaxMessages: 1})
		for _, q := range []relay.Query{{Key: "k"}, {Senders: []string{"s"}}, {Targets: []string{"a"}}} {
			if p := f.read(q); len(p.Messages) != 0 {
				f.Errorf("Read(%+v): got %v, want nothing", q, ids(p.Messages))
			}
		}
	}},
	{"a key is remembered for 30 days after its message went", func(f *fixture) {
		d := relay.Draft{Target: "a", Sender: "s", Text: "t", Key: "k"}
		first := f.append(d).ID
		f.clock.advance(time.Hour)
		f.prune(relay.Retention{MaxAge: time.Minute})
		f.clock.advance(30*day - time.Hour)
		f.prune(relay.Retention{MaxAge: time.Minute})
		if p := f.append(d); !p.Duplicate || p.ID != first || p.Message != nil {
			f.Errorf("Append: got %+v, want a duplicate of %d without its message", p, first)
		}
		f.clock.advance(time.Microsecond)
		f.prune(relay.Retention{MaxAge: time.Minute})
		if p := f.append(d); p.Duplicate {
			f.Errorf("Append after 30 days: got a duplicate of %d", p.ID)
		}
	}},
	{"a key is remembered for as long as its message is there", func(f *fixture) {
		d := relay.Draft{Target: "a", Sender: "s", Text: "t", Key: "k"}
		first := f.append(d)
		f.clock.advance(400 * day)
		f.prune(relay.Retention{MaxMessages: 10})
		if p := f.append(d); !p.Duplicate || p.ID != first.ID || p.Message == nil {
			f.Errorf("Append: got %+v, want a duplicate of %d with its message", p, first.ID)
		}
	}},
}

// wantLeft wants these ids and no others in the log, and this OldestID.
func (f *fixture) wantLeft(want []int64, oldest int64) {
	f.Helper()
	p := f.read(relay.Query{})
	if got := ids(p.Messages); !slices.Equal(got, want) || p.OldestID != oldest {
		f.Errorf("left: got %v and oldest %d, want %v and %d", got, p.OldestID, want, oldest)
	}
}
