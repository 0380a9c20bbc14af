package storetest

import (
	"context"
	"encoding/json"
	"strings"

	"autoreview/relay"

	"github.com/google/go-cmp/cmp"
)

var appendTests = []test{
	{"ids increase over all channels from 1", func(f *fixture) {
		if head := f.info().Head; head != 0 {
			f.Errorf("Head of an empty log: got %d, want 0", head)
		}
		for want := int64(1); want <= 6; want++ {
			if got := f.post([]string{"a", "b", "c"}[want%3], "s"); got != want {
				f.Errorf("id: got %d, want %d", got, want)
			}
			if head := f.info().Head; head != want {
				f.Errorf("Head: got %d, want %d", head, want)
			}
		}
	}},
	{"every field comes back as it was posted", func(f *fixture) {
		first := f.post("a", "s")
		d := relay.Draft{
			Target: "a", Sender: "codex", Text: "all good", Kind: relay.KindReview,
			ReplyTo: first, Meta: json.RawMessage(`{"verdict":"approve","n":[1,2.5,null]}`), Key: "job/1",
			Source: "not stored",
		}
		want := relay.Message{
			ID: 2, TS: 1772366400.123456, Target: "a", Sender: "codex", Text: "all good",
			Kind: relay.KindReview, ReplyTo: first, Meta: d.Meta, Key: "job/1",
		}
		f.wantPosted(d, want)
	}},
	{"optional fields that were left out stay unset", func(f *fixture) {
		f.wantPosted(relay.Draft{Target: "a", Sender: "s", Text: "t"},
			relay.Message{ID: 1, TS: 1772366400.123456, Target: "a", Sender: "s", Text: "t"})
	}},
	{"text is kept byte for byte", func(f *fixture) {
		for _, text := range []string{
			" \tspace kept \r\n", "zero \x00 byte", "\x00", "Grüße 評価 🧪 \u202eright to left", "e\u0301 is not \u00e9",
			`'; DROP TABLE messages; --`, `\u0000 %00 ?1 :a $b`, strings.Repeat("line\n", 100),
		} {
			p := f.append(relay.Draft{Target: "a", Sender: "s", Text: text})
			got := f.read(relay.Query{Since: p.ID - 1}).Messages[0].Text
			if got != text || p.Message.Text != text {
				f.Errorf("text: got %q and %q, want %q", p.Message.Text, got, text)
			}
		}
	}},
	{"a text of 4 MiB is kept", func(f *fixture) {
		text := strings.Repeat("0123456789abcde\n", relay.DefaultTextBytes/16)
		f.append(relay.Draft{Target: "a", Sender: "s", Text: text})
		if got := f.read(relay.Query{}).Messages[0].Text; got != text {
			f.Errorf("text: got %d bytes that differ, want %d", len(got), len(text))
		}
	}},
	{"names may hold any character", func(f *fixture) {
		for _, name := range []string{"proj x", "日本語", "a'b\"c", "%", "🧪"} {
			f.post(name, name)
			p := f.read(relay.Query{Targets: []string{name}, Senders: []string{name}})
			if len(p.Messages) != 1 || p.Messages[0].Target != name || p.Messages[0].Sender != name {
				f.Errorf("messages of %q: got %+v, want one", name, p.Messages)
			}
		}
	}},
	{"a draft of an ended request is stored exactly when there is no error", func(f *fixture) {
		ctx, cancel := context.WithCancel(f.Context())
		cancel()
		_, err := f.store.Append(ctx, relay.Draft{Target: "a", Sender: "s", Text: "t"})
		if stored := len(f.read(relay.Query{}).Messages) == 1; stored != (err == nil) {
			f.Errorf("Append with an ended context: got stored %v and error %v", stored, err)
		}
	}},
	{"the log has one id", func(f *fixture) {
		want := f.info().LogID
		f.post("a", "s")
		if got := f.info().LogID; got != want || got == "" {
			f.Errorf("LogID: got %q, then %q", want, got)
		}
	}},
	{"a check stores nothing", func(f *fixture) {
		f.post("a", "s")
		before := f.info()
		if err := f.store.Check(f.Context()); err != nil {
			f.Errorf("Check: %v", err)
		}
		if diff := cmp.Diff(before, f.info()); diff != "" {
			f.Errorf("Info after Check (-before +after):\n%s", diff)
		}
		if got := f.post("a", "s"); got != 2 {
			f.Errorf("id after Check: got %d, want 2", got)
		}
		if n := len(f.read(relay.Query{}).Messages); n != 2 {
			f.Errorf("messages after Check: got %d, want 2", n)
		}
	}},
}

// wantPosted appends d and wants the message from Append and from Read.
func (f *fixture) wantPosted(d relay.Draft, want relay.Message) {
	f.Helper()
	p := f.append(d)
	if diff := cmp.Diff(relay.Posted{ID: want.ID, Message: &want}, p); diff != "" {
		f.Errorf("Append (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]relay.Message{want}, f.read(relay.Query{Since: want.ID - 1}).Messages); diff != "" {
		f.Errorf("Read (-want +got):\n%s", diff)
	}
}
