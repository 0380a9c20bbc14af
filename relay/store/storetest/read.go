package storetest

import (
	"fmt"
	"slices"

	"autoreview/relay"

	"github.com/google/go-cmp/cmp"
)

var readTests = []test{
	{"an empty log has an empty page", func(f *fixture) {
		p := f.read(relay.Query{Targets: []string{"a"}})
		if len(p.Messages) != 0 || p.OldestID != 1 || p.Head != 0 || p.LogID != f.info().LogID {
			f.Errorf("Read: got %+v, want no messages, oldest 1, head 0", p)
		}
	}},
	{"a page has the identity and the head of the log", func(f *fixture) {
		f.fill("a", 3)
		f.fill("b", 2)
		for _, q := range []relay.Query{{}, {Targets: []string{"a"}}, {Targets: []string{"none"}}, {Limit: 1}} {
			if p := f.read(q); p.Info != f.info() || p.Head != 5 {
				f.Errorf("Read(%+v): got %+v, want %+v", q, p.Info, f.info())
			}
		}
	}},
	{"a page starts after the cursor and ends at the limit", func(f *fixture) {
		all := f.fill("a", 10)
		for since := range int64(12) {
			want := all[min(since, 10):]
			for _, limit := range []int{1, 3, 10, 500} {
				got := ids(f.read(relay.Query{Targets: []string{"a"}, Since: since, Limit: limit}).Messages)
				if want := want[:min(limit, len(want))]; !slices.Equal(got, want) {
					f.Errorf("since %d limit %d: got %v, want %v", since, limit, got, want)
				}
			}
		}
	}},
	{"the newest page ends below its bound and is in order", func(f *fixture) {
		all := f.fill("a", 10)
		for before := range int64(13) {
			want := all
			if before > 0 {
				want = all[:min(before-1, 10)]
			}
			for _, limit := range []int{1, 3, 10, 500} {
				got := ids(f.read(relay.Query{Targets: []string{"a"}, Newest: true, Before: before, Limit: limit}).Messages)
				if want := want[max(0, len(want)-limit):]; !slices.Equal(got, want) {
					f.Errorf("before %d limit %d: got %v, want %v", before, limit, got, want)
				}
			}
		}
	}},
	{"the largest limit is honoured", func(f *fixture) {
		f.fill("a", relay.MaxLimit+1)
		if got := len(f.read(relay.Query{Limit: relay.MaxLimit}).Messages); got != relay.MaxLimit {
			f.Errorf("messages: got %d, want %d", got, relay.MaxLimit)
		}
	}},
	{"a cursor past the head is an empty page", func(f *fixture) {
		f.fill("a", 2)
		if p := f.read(relay.Query{Since: 1 << 60}); len(p.Messages) != 0 || p.Head != 2 {
			f.Errorf("Read: got %+v, want no messages and head 2", p)
		}
	}},
	{"names are compared exactly", func(f *fixture) {
		f.post("Proj", "Claude")
		for _, q := range []relay.Query{
			{Targets: []string{"proj"}}, {Targets: []string{"Proj "}}, {Targets: []string{"Pro"}},
			{Senders: []string{"claude"}}, {Senders: []string{""}}, {Targets: []string{"Proj%"}},
		} {
			if p := f.read(q); len(p.Messages) != 0 {
				f.Errorf("Read(%+v): got %v, want nothing", q, ids(p.Messages))
			}
		}
	}},
	{"every mix of filters selects what it says", testFilters},
	{"a key selects its messages", func(f *fixture) {
		for _, d := range []relay.Draft{
			{Target: "a", Sender: "s", Key: "k"}, {Target: "b", Sender: "s", Key: "k"},
			{Target: "a", Sender: "t", Key: "k"}, {Target: "a", Sender: "s", Key: "other"}, {Target: "a", Sender: "s"},
		} {
			d.Text = "t"
			f.append(d)
		}
		for want, q := range map[string]relay.Query{
			"[1 2 3]": {Key: "k"}, "[1 3]": {Key: "k", Targets: []string{"a"}},
			"[1 2]": {Key: "k", Senders: []string{"s"}}, "[3]": {Key: "k", Targets: []string{"a"}, Since: 1},
			"[2]": {Key: "k", Newest: true, Before: 3, Limit: 1}, "[]": {Key: "none"},
		} {
			if got := fmt.Sprint(ids(f.read(q).Messages)); got != want {
				f.Errorf("Read(%+v): got %s, want %s", q, got, want)
			}
		}
	}},
}

// testFilters compares every shape of query with a plain scan of what was
// posted: channels and senders are uneven, so that merging them is needed.
func testFilters(f *fixture) {
	var all []relay.Message
	for i := range 60 {
		target := []string{"a", "b", "b", "c"}[i%4]
		sender := []string{"s", "t", "s", "s", "u"}[i%5]
		all = append(all, *f.append(relay.Draft{Target: target, Sender: sender, Text: "t"}).Message)
	}
	targets := [][]string{nil, {"a"}, {"b", "a"}, {"c", "none", "a", "c"}, {"none"}}
	senders := [][]string{nil, {"s"}, {"u", "t"}, {"none"}, {"s", "s", "none"}}
	for _, q := range queries(targets, senders) {
		if diff := cmp.Diff(scan(all, q), f.read(q).Messages); diff != "" {
			f.Errorf("Read(%+v) (-want +got):\n%s", q, diff)
		}
	}
}

func queries(targets, senders [][]string) []relay.Query {
	var out []relay.Query
	for _, t := range targets {
		for _, s := range senders {
			for _, limit := range []int{1, 7, 100} {
				for _, at := range []int64{0, 1, 31, 60} {
					out = append(out,
						relay.Query{Targets: t, Senders: s, Limit: limit, Since: at},
						relay.Query{Targets: t, Senders: s, Limit: limit, Newest: true, Before: at})
				}
			}
		}
	}
	return out
}

// scan is the meaning of a query, without a thought for its cost.
func scan(all []relay.Message, q relay.Query) []relay.Message {
	var out []relay.Message
	for _, m := range all {
		inBounds := m.ID > q.Since
		if q.Newest {
			inBounds = q.Before == 0 || m.ID < q.Before
		}
		if inBounds && oneOf(q.Targets, m.Target) && oneOf(q.Senders, m.Sender) {
			out = append(out, m)
		}
	}
	if q.Newest {
		return slices.Clip(out[max(0, len(out)-q.Limit):])
	}
	return out[:min(len(out), q.Limit)]
}

func oneOf(names []string, name string) bool {
	return len(names) == 0 || slices.Contains(names, name)
}
