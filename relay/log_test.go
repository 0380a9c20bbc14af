package relay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"autoreview/relay"
	"autoreview/relay/store/memory"
)

func newLog(t *testing.T, o relay.Options) *relay.Log {
	t.Helper()
	return relay.New(memory.New(nil), o)
}

func post(t *testing.T, l *relay.Log, target, sender, text string) int64 {
	t.Helper()
	p, err := l.Post(t.Context(), relay.Draft{Target: target, Sender: sender, Text: text})
	if err != nil {
		t.Fatalf("Post: %v", err)
	}
	return p.ID
}

// A draft that is refused says which field is at fault, in the original's order
// and words, and stores nothing.
func TestPostRefuses(t *testing.T) {
	ok := relay.Draft{Target: "c", Sender: "s", Text: "t"}
	tests := []struct {
		name  string
		edit  func(*relay.Draft)
		code  relay.Code
		field string
		text  string
	}{
		{"everything missing", func(d *relay.Draft) { *d = relay.Draft{} }, relay.CodeInvalid, "target", "target is required"},
		{"blank target", func(d *relay.Draft) { d.Target = " \t" }, relay.CodeInvalid, "target", "target is required"},
		{"blank sender", func(d *relay.Draft) { d.Sender = " " }, relay.CodeInvalid, "sender", "sender is required"},
		{"blank text", func(d *relay.Draft) { d.Text = "\n " }, relay.CodeInvalid, "text", "text is required"},
		{"long target", func(d *relay.Draft) { d.Target = strings.Repeat("ä", 129) }, relay.CodeInvalid, "target", "target has 129 characters, more than the limit of 128"},
		{"control character", func(d *relay.Draft) { d.Sender = "a\x1bb" }, relay.CodeInvalid, "sender", "sender must not contain control characters"},
		{"name not utf-8", func(d *relay.Draft) { d.Sender = "a\xff" }, relay.CodeInvalid, "sender", "sender must be valid UTF-8"},
		{"text not utf-8", func(d *relay.Draft) { d.Text = "a\xff" }, relay.CodeInvalid, "text", "text must be valid UTF-8"},
		{"text too large", func(d *relay.Draft) { d.Text = strings.Repeat("x", 11) }, relay.CodeTooLarge, "text", "text has 11 bytes, more than the limit of 10"},
		{"kind", func(d *relay.Draft) { d.Kind = "bogus" }, relay.CodeInvalid, "kind", `kind must be packet, review, status or note, not "bogus"`},
		{"negative reply", func(d *relay.Draft) { d.ReplyTo = -1 }, relay.CodeInvalid, "reply_to", "reply_to must be the id of a message, not -1"},
		{"unknown reply", func(d *relay.Draft) { d.ReplyTo = 7 }, relay.CodeInvalid, "reply_to", `reply_to 7 is not a message of channel "c"`},
		{"long key", func(d *relay.Draft) { d.Key = strings.Repeat("k", 513) }, relay.CodeInvalid, "key", "key has 513 characters, more than the limit of 512"},
		{"key with newline", func(d *relay.Draft) { d.Key = "a\nb" }, relay.CodeInvalid, "key", "key must be valid UTF-8 without control characters"},
		{"meta no object", func(d *relay.Draft) { d.Meta = json.RawMessage(`[1]`) }, relay.CodeInvalid, "meta", "meta must be a JSON object"},
		{"meta no json", func(d *relay.Draft) { d.Meta = json.RawMessage(`{`) }, relay.CodeInvalid, "meta", "meta must be a JSON object"},
		{"meta too large", func(d *relay.Draft) { d.Meta = json.RawMessage(`{"a":"` + strings.Repeat("x", 64<<10) + `"}`) }, relay.CodeTooLarge, "meta", "meta has 65544 bytes, more than the limit of 65536"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLog(t, relay.Options{Limits: relay.Limits{TextBytes: 10}})
			d := ok
			tt.edit(&d)
			_, err := l.Post(t.Context(), d)
			var e *relay.Error
			if !errors.As(err, &e) {
				t.Fatalf("Post: got error %v, want a *relay.Error", err)
			}
			if e.Code != tt.code || e.Field != tt.field || e.Text != tt.text {
				t.Errorf("Post: got %s %s %q, want %s %s %q", e.Code, e.Field, e.Text, tt.code, tt.field, tt.text)
			}
			if info, err := l.Info(t.Context()); err != nil || info.Head != 0 {
				t.Errorf("Info: got head %d, %v; want nothing stored", info.Head, err)
			}
		})
	}
}

// Names are trimmed, the text is not, and a blank meta is no meta.
func TestPostCleans(t *testing.T) {
	l := newLog(t, relay.Options{})
	p, err := l.Post(t.Context(), relay.Draft{Target: " c ", Sender: "\ts\n", Text: " t ", Meta: json.RawMessage(" { \"a\" : 1 } ")})
	if err != nil {
		t.Fatal(err)
	}
	m := *p.Message
	if m.Target != "c" || m.Sender != "s" || m.Text != " t " || string(m.Meta) != `{"a":1}` {
		t.Errorf("Post: stored %+v with meta %s", m, m.Meta)
	}
	p, err = l.Post(t.Context(), relay.Draft{Target: "c", Sender: "s", Text: "t", Meta: json.RawMessage("null")})
	if err != nil || p.Message.Meta != nil {
		t.Errorf("Post with null meta: got %v, %v; want no meta", p.Message.Meta, err)
	}
}

func TestPostedIsToldOnce(t *testing.T) {
	var told []string
	l := newLog(t, relay.Options{Posted: func(m relay.Message, source string) {
		told = append(told, fmt.Sprintf("%d %s", m.ID, source))
	}})
	d := relay.Draft{Target: "c", Sender: "s", Text: "t", Key: "k", Source: "mcp"}
	for range 2 {
		if _, err := l.Post(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 1 || told[0] != "1 mcp" {
		t.Errorf("Options.Posted: got %q, want one call with \"1 mcp\"", told)
	}
}

// LatestID is the original's cursor without a filter, and the highest id
// scanned with one.
func TestLatestID(t *testing.T) {
	l := newLog(t, relay.Options{})
	for i := range 6 {
		post(t, l, "c", []string{"claude", "codex"}[i%2], "t")
	}
	post(t, l, "other", "claude", "t") // id 7
	tests := []struct {
		name   string
		q      relay.Query
		n      int
		latest int64
	}{
		{"all", relay.Query{Targets: []string{"c"}}, 6, 6},
		{"limited", relay.Query{Targets: []string{"c"}, Limit: 2}, 2, 2},
		{"nothing new", relay.Query{Targets: []string{"c"}, Since: 6}, 0, 6},
		{"stale cursor", relay.Query{Targets: []string{"c"}, Since: 99}, 0, 99},
		{"unknown channel", relay.Query{Targets: []string{"nope"}}, 0, 0},
		{"filter, page not full", relay.Query{Targets: []string{"c"}, Senders: []string{"claude"}}, 3, 7},
		{"filter, page full", relay.Query{Targets: []string{"c"}, Senders: []string{"claude"}, Limit: 2}, 2, 3},
		{"filter, nothing", relay.Query{Targets: []string{"c"}, Senders: []string{"nobody"}, Since: 2}, 0, 7},
		{"newest", relay.Query{Targets: []string{"c"}, Newest: true, Limit: 2}, 2, 6},
		{"newest before", relay.Query{Targets: []string{"c"}, Newest: true, Before: 4, Limit: 2}, 2, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := l.Read(t.Context(), tt.q)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Messages) != tt.n || p.LatestID != tt.latest {
				t.Errorf("Read: got %d messages, latest %d; want %d, %d", len(p.Messages), p.LatestID, tt.n, tt.latest)
			}
		})
	}
}

func TestReadRefusesBothCursors(t *testing.T) {
	l := newLog(t, relay.Options{})
	var e *relay.Error
	if _, err := l.Read(t.Context(), relay.Query{Since: 1, Newest: true}); !errors.As(err, &e) || e.Code != relay.CodeInvalid {
		t.Errorf("Read with Since and Newest: got %v, want an invalid *relay.Error", err)
	}
	if _, err := l.Wait(t.Context(), relay.Query{Newest: true}, time.Second); !errors.As(err, &e) {
		t.Errorf("Wait with Newest: got %v, want a *relay.Error", err)
	}
}

func TestWaitTimesOutEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := relay.New(memory.New(nil), relay.Options{})
		began := time.Now()
		p, err := l.Wait(t.Context(), relay.Query{Targets: []string{"c"}, Since: 3}, 50*time.Second)
		if err != nil || len(p.Messages) != 0 || p.LatestID != 3 {
			t.Errorf("Wait: got %v, %v; want an empty page with cursor 3", p, err)
		}
		if took := time.Since(began); took != 50*time.Second {
			t.Errorf("Wait: took %v, want 50s", took)
		}
	})
}

func TestWaitEndsWithTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := relay.New(memory.New(nil), relay.Options{})
		cause := errors.New("the client went away")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		if _, err := l.Wait(ctx, relay.Query{}, time.Minute); !errors.Is(err, cause) {
			t.Errorf("Wait: got %v, want the cause", err)
		}
	})
}

// A wait is woken only by its own channel, and a message of another sender does
// not end it.
func TestWaitIsWokenByItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := relay.New(memory.New(nil), relay.Options{})
		got := make(chan relay.Page, 1)
		go func() {
			p, err := l.Wait(t.Context(), relay.Query{Targets: []string{"c", "d"}, Senders: []string{"claude"}}, time.Hour)
			if err != nil {
				t.Errorf("Wait: %v", err)
			}
			got <- p
		}()
		synctest.Wait()
		post(t, l, "c", "codex", "not for it")
		post(t, l, "e", "claude", "not for it")
		synctest.Wait()
		select {
		case p := <-got:
			t.Fatalf("Wait returned %+v for messages it did not ask for", p)
		default:
		}
		want := post(t, l, "d", "claude", "for it")
		synctest.Wait()
		p := <-got
		if len(p.Messages) != 1 || p.Messages[0].ID != want {
			t.Errorf("Wait: got %+v, want message %d", p.Messages, want)
		}
	})
}

// However posts and waits interleave, a reader that goes on from its cursor sees
// every message once and in order.
func TestFollowMissesNothing(t *testing.T) {
	const writers, each = 8, 200
	l := newLog(t, relay.Options{})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if _, err := l.Post(t.Context(), relay.Draft{Target: fmt.Sprintf("c%d", w%2), Sender: "s", Text: fmt.Sprint(i)}); err != nil {
					t.Errorf("Post: %v", err)
				}
			}
		})
	}
	for reader := range 4 {
		targets := [][]string{nil, {"c0"}, {"c1"}, {"c0", "c1"}}[reader]
		want := writers * each
		if len(targets) == 1 {
			want /= 2
		}
		wg.Go(func() {
			var cursor int64
			for n := 0; n < want; {
				p, err := l.Wait(t.Context(), relay.Query{Targets: targets, Since: cursor, Limit: 7}, time.Minute)
				if err != nil || len(p.Messages) == 0 {
					t.Errorf("reader %v: Wait: got %d messages, %v after %d of %d", targets, len(p.Messages), err, n, want)
					return
				}
				for _, m := range p.Messages {
					if m.ID <= cursor {
						t.Errorf("reader %v: id %d after %d", targets, m.ID, cursor)
					}
					cursor = m.ID
				}
				n += len(p.Messages)
			}
		})
	}
	wg.Wait()
}
