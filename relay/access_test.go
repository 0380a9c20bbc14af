package relay_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"autoreview/relay"
	"autoreview/relay/store/memory"
)

func codeOf(err error) relay.Code {
	if e, ok := errors.AsType[*relay.Error](err); ok {
		return e.Code
	}
	return ""
}

func TestAccessToPost(t *testing.T) {
	log := relay.New(memory.New(nil), relay.Options{})
	tests := []struct {
		name           string
		access         relay.Access
		target, sender string
		want           relay.Code // "" is allowed
		field          string
	}{
		{"no restriction", relay.Access{Name: "t"}, "a", "anybody", "", ""},
		{"own sender", relay.Access{Senders: []string{"claude"}}, "a", "claude", "", ""},
		{"own sender with white space", relay.Access{Senders: []string{"claude"}}, "a", " claude ", "", ""},
		{"another sender", relay.Access{Senders: []string{"claude", "user"}}, "a", "codex", relay.CodeForbidden, "sender"},
		{"another case is another sender", relay.Access{Senders: []string{"claude"}}, "a", "Claude", relay.CodeForbidden, "sender"},
		{"own channel", relay.Access{Channels: []string{"a"}}, "a", "x", "", ""},
		{"another channel", relay.Access{Channels: []string{"a", "b"}}, "c", "x", relay.CodeForbidden, "target"},
		{"read only", relay.Access{ReadOnly: true}, "a", "x", relay.CodeForbidden, ""},
		{"taken back", relay.Access{Ended: func() bool { return true }}, "a", "x", relay.CodeUnauthorized, ""},
		{"still good", relay.Access{Ended: func() bool { return false }}, "a", "x", "", ""},
		{"a bad draft is told first", relay.Access{ReadOnly: true}, "", "x", relay.CodeInvalid, "target"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, _ := log.Info(t.Context())
			_, err := log.Post(relay.WithAccess(t.Context(), tt.access), relay.Draft{Target: tt.target, Sender: tt.sender, Text: "x"})
			if got := codeOf(err); got != tt.want || (err == nil) != (tt.want == "") {
				t.Errorf("Post: got %v, want code %q", err, tt.want)
			}
			if e, ok := errors.AsType[*relay.Error](err); ok && e.Field != tt.field {
				t.Errorf("field: got %q, want %q", e.Field, tt.field)
			}
			after, _ := log.Info(t.Context())
			if stored := after.Head > before.Head; stored != (tt.want == "") {
				t.Errorf("stored: got %v, want %v", stored, tt.want == "")
			}
		})
	}
}

func targets(messages []relay.Message) []string {
	var out []string
	for _, m := range messages {
		out = append(out, m.Target)
	}
	return slices.Compact(slices.Sorted(slices.Values(out)))
}

func TestAccessToRead(t *testing.T) {
	log := relay.New(memory.New(nil), relay.Options{})
	for _, target := range []string{"a", "b", "c"} {
		post(t, log, target, "x", "x")
	}
	tests := []struct {
		name          string
		access        relay.Access
		targets, want []string
		code          relay.Code
	}{
		{"no restriction", relay.Access{}, nil, []string{"a", "b", "c"}, ""},
		{"senders and read-only are for posting", relay.Access{Senders: []string{"y"}, ReadOnly: true}, nil, []string{"a", "b", "c"}, ""},
		{"all channels are the allowed ones", relay.Access{Channels: []string{"a", "c"}}, nil, []string{"a", "c"}, ""},
		{"one of them", relay.Access{Channels: []string{"a", "c"}}, []string{"c"}, []string{"c"}, ""},
		{"another one", relay.Access{Channels: []string{"a", "c"}}, []string{"b"}, nil, relay.CodeForbidden},
		{"another one beside an allowed one", relay.Access{Channels: []string{"a"}}, []string{"a", "b"}, nil, relay.CodeForbidden},
		{"taken back", relay.Access{Ended: func() bool { return true }}, nil, nil, relay.CodeUnauthorized},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx := relay.WithAccess(t.Context(), tt.access)
			for verb, read := range map[string]func(relay.Query) (relay.Page, error){
				"Read":   func(q relay.Query) (relay.Page, error) { return log.Read(ctx, q) },
				"newest": func(q relay.Query) (relay.Page, error) { q.Newest = true; return log.Read(ctx, q) },
				"Wait":   func(q relay.Query) (relay.Page, error) { return log.Wait(ctx, q, time.Second) },
			} {
				p, err := read(relay.Query{Targets: tt.targets})
				if got := targets(p.Messages); codeOf(err) != tt.code || !slices.Equal(got, tt.want) {
					t.Errorf("%s: got %v, %v, want %v, code %q", verb, got, err, tt.want, tt.code)
				}
			}
		})
	}
}

func TestAccessToChannels(t *testing.T) {
	log := relay.New(memory.New(nil), relay.Options{})
	for _, target := range []string{"a", "b", "c"} {
		post(t, log, target, "x", "x")
	}
	ctx := relay.WithAccess(t.Context(), relay.Access{Channels: []string{"b", "z"}})
	list, err := log.Channels(ctx)
	if err != nil || len(list) != 1 || list[0].Name != "b" {
		t.Errorf("Channels: got %+v, %v, want b alone", list, err)
	}
	if got := relay.Readable(ctx, []string{"a", " z ", "b"}); !slices.Equal(got, []string{" z ", "b"}) {
		t.Errorf("Readable: got %q", got)
	}
	if got := relay.Readable(t.Context(), []string{"a", "b"}); len(got) != 2 {
		t.Errorf("Readable without an Access: got %q, want all", got)
	}
	if _, err := log.Channels(relay.WithAccess(ctx, relay.Access{Ended: func() bool { return true }})); codeOf(err) != relay.CodeUnauthorized {
		t.Errorf("Channels after the end: got %v, want unauthorized", err)
	}
}

// A wait of all channels is woken for the allowed ones only, and one that goes on
// when its access is taken back brings nothing more.
func TestAccessOfAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := relay.New(memory.New(nil), relay.Options{})
		var ended atomic.Bool
		ctx := relay.WithAccess(t.Context(), relay.Access{Name: "t", Channels: []string{"a"}, Ended: ended.Load})
		type answer struct {
			page relay.Page
			err  error
		}
		wait := func(ctx context.Context) <-chan answer {
			out := make(chan answer, 1)
			go func() {
				p, err := log.Wait(ctx, relay.Query{}, time.Hour)
				out <- answer{p, err}
			}()
			synctest.Wait()
			return out
		}
		waiting := wait(ctx)
		post(t, log, "b", "x", "not yours")
		synctest.Wait()
		select {
		case a := <-waiting:
			t.Fatalf("Wait: got %+v for another channel", a)
		default:
		}
		ended.Store(true)
		post(t, log, "a", "x", "too late")
		if a := <-waiting; codeOf(a.err) != relay.CodeUnauthorized || len(a.page.Messages) > 0 {
			t.Errorf("Wait: got %+v, want unauthorized and no message", a)
		}
	})
}
