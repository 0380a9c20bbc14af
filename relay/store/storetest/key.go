package storetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"autoreview/relay"

	"github.com/google/go-cmp/cmp"
)

var keyTests = []test{
	{"a repeated key returns the first message and stores nothing", func(f *fixture) {
		d := relay.Draft{Target: "a", Sender: "s", Text: "first", Key: "k"}
		first := f.append(d)
		f.post("a", "s")
		d.Text = "second"
		again := f.append(d)
		if diff := cmp.Diff(relay.Posted{ID: first.ID, Message: first.Message, Duplicate: true}, again); diff != "" {
			f.Errorf("second Append (-want +got):\n%s", diff)
		}
		if n, head := len(f.read(relay.Query{}).Messages), f.info().Head; n != 2 || head != 2 {
			f.Errorf("got %d messages and head %d, want 2 and 2", n, head)
		}
	}},
	{"a repeated key is answered before its reply is looked at", func(f *fixture) {
		f.append(relay.Draft{Target: "a", Sender: "s", Text: "t", Key: "k"})
		if p := f.append(relay.Draft{Target: "a", Sender: "s", Text: "t", Key: "k", ReplyTo: 99}); !p.Duplicate {
			f.Errorf("Append: got %+v, want a duplicate", p)
		}
	}},
	{"a key belongs to its channel and sender", func(f *fixture) {
		for _, d := range []relay.Draft{
			{Target: "a", Sender: "s", Key: "k"}, {Target: "b", Sender: "s", Key: "k"},
			{Target: "a", Sender: "t", Key: "k"}, {Target: "a", Sender: "s", Key: "K"},
		} {
			d.Text = "t"
			if p := f.append(d); p.Duplicate {
				f.Errorf("Append(%+v): got a duplicate of %d", d, p.ID)
			}
		}
	}},
	{"no key is never repeated", func(f *fixture) {
		for range 3 {
			if p := f.append(relay.Draft{Target: "a", Sender: "s", Text: "same"}); p.Duplicate {
				f.Errorf("Append without a key: got a duplicate of %d", p.ID)
			}
		}
	}},
	{"a long key is compared whole", func(f *fixture) {
		long := strings.Repeat("é", relay.MaxKeyChars-1)
		for _, end := range []string{"a", "b"} {
			if p := f.append(relay.Draft{Target: "a", Sender: "s", Text: "t", Key: long + end}); p.Duplicate {
				f.Errorf("key ending in %q: got a duplicate of %d", end, p.ID)
			}
		}
	}},
	{"a refused draft does not take its key", func(f *fixture) {
		d := relay.Draft{Target: "a", Sender: "s", Text: "t", Key: "k", ReplyTo: 7}
		if _, err := f.store.Append(f.Context(), d); err == nil {
			f.Fatal("Append of a reply to nothing: got no error")
		}
		d.ReplyTo = 0
		if p := f.append(d); p.Duplicate || p.ID != 1 {
			f.Errorf("Append: got %+v, want a new message with id 1", p)
		}
	}},
}

var replyTests = []test{
	{"a reply to a message of the channel is taken", func(f *fixture) {
		first := f.post("a", "s")
		if p := f.append(relay.Draft{Target: "a", Sender: "s", Text: "t", ReplyTo: first}); p.Message.ReplyTo != first {
			f.Errorf("ReplyTo: got %d, want %d", p.Message.ReplyTo, first)
		}
	}},
	{"a reply to what was never in the channel is refused", func(f *fixture) {
		f.post("a", "s")
		other := f.post("b", "s")
		for _, to := range []int64{other, f.info().Head + 1, f.info().Head + 2} {
			f.wantRefused(relay.Draft{Target: "a", Sender: "s", Text: "t", ReplyTo: to})
		}
		f.wantRefused(relay.Draft{Target: "never used", Sender: "s", Text: "t", ReplyTo: other})
		if head := f.info().Head; head != 2 {
			f.Errorf("Head after refusals: got %d, want 2", head)
		}
		if _, ok := f.channels()["never used"]; ok {
			f.Error("a refused draft has made a channel")
		}
	}},
	{"a reply to a pruned message is taken", func(f *fixture) {
		pruned := f.post("a", "s")
		f.post("a", "s")
		f.prune(relay.Retention{MaxMessages: 1})
		f.append(relay.Draft{Target: "a", Sender: "s", Text: "t", ReplyTo: pruned})
	}},
	{"a reply to another channel is refused also below what was pruned", func(f *fixture) {
		kept := f.post("b", "s")
		// The clock was set back: the later message is the older one.
		f.clock.advance(-time.Hour)
		f.post("a", "s")
		f.clock.advance(time.Hour)
		if n := f.prune(relay.Retention{MaxAge: time.Minute}); n != 1 {
			f.Fatalf("Prune: got %d, want 1", n)
		}
		f.wantRefused(relay.Draft{Target: "a", Sender: "s", Text: "t", ReplyTo: kept})
	}},
}

// wantRefused wants Append to refuse a draft for its reply_to.
func (f *fixture) wantRefused(d relay.Draft) {
	f.Helper()
	_, err := f.store.Append(f.Context(), d)
	var refusal *relay.Error
	if !errors.As(err, &refusal) || refusal.Code != relay.CodeInvalid || refusal.Field != "reply_to" {
		f.Errorf("Append(%+v): got %v, want an invalid reply_to", d, err)
		return
	}
	if want := fmt.Sprintf("reply_to %d is not a message of channel %q", d.ReplyTo, d.Target); refusal.Text != want {
		f.Errorf("refusal: got %q, want %q", refusal.Text, want)
	}
}
