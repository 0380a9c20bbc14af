package storetest

import (
	"time"

	"autoreview/relay"

	"github.com/google/go-cmp/cmp"
)

var channelTests = []test{
	{"a new log has none, and the list is not nil", func(f *fixture) {
		list, err := f.store.Channels(f.Context())
		if err != nil || list == nil || len(list) != 0 {
			f.Errorf("Channels: got %v, %v, want an empty list", list, err)
		}
	}},
	{"each has its count, last id and last time, by name", func(f *fixture) {
		f.fill("b", 2)
		f.clock.advance(time.Second)
		f.fill("Z", 1)
		f.fill("ä", 1)
		f.clock.advance(time.Second)
		f.fill("a", 3)
		want := map[string]relay.Channel{
			"Z": {Name: "Z", Count: 1, LastID: 3, LastTS: 1772366401.123456},
			"a": {Name: "a", Count: 3, LastID: 7, LastTS: 1772366402.123456},
			"b": {Name: "b", Count: 2, LastID: 2, LastTS: 1772366400.123456},
			"ä": {Name: "ä", Count: 1, LastID: 4, LastTS: 1772366401.123456},
		}
		if diff := cmp.Diff(want, f.channels()); diff != "" {
			f.Errorf("Channels (-want +got):\n%s", diff)
		}
	}},
	{"reading makes none", func(f *fixture) {
		f.read(relay.Query{Targets: []string{"asked for"}})
		if got := f.channels(); len(got) != 0 {
			f.Errorf("Channels: got %v, want none", got)
		}
	}},
	{"a duplicate is not counted", func(f *fixture) {
		for range 2 {
			f.append(relay.Draft{Target: "a", Sender: "s", Text: "t", Key: "k"})
		}
		if got := f.channels()["a"].Count; got != 1 {
			f.Errorf("Count: got %d, want 1", got)
		}
	}},
	{"one stays when all of it was pruned", func(f *fixture) {
		f.fill("a", 2)
		f.clock.advance(time.Hour)
		f.fill("b", 1)
		f.prune(relay.Retention{MaxAge: time.Minute})
		want := map[string]relay.Channel{
			"a": {Name: "a", Count: 0, LastID: 2, LastTS: 1772366400.123456},
			"b": {Name: "b", Count: 1, LastID: 3, LastTS: 1772370000.123456},
		}
		if diff := cmp.Diff(want, f.channels()); diff != "" {
			f.Errorf("Channels (-want +got):\n%s", diff)
		}
	}},
}
