package client_test

import (
	"errors"
	"fmt"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/relay/relaytest"
)

// A Client answers every query as the Log behind the relay does.
func TestClientIsTheLog(t *testing.T) {
	r := relaytest.Start(t)
	c, log := r.Client(), r.Log()
	for i := range 12 {
		r.Post([]string{"proj-x", "größe & co"}[i%2], []string{"claude", "codex", "user"}[i%3], fmt.Sprint("text ", i))
	}
	meta := []byte(`{"verdict":"approve"}`)
	d := relay.Draft{Target: "proj-x", Sender: "codex", Text: "<ok>\n", Kind: relay.KindReview, ReplyTo: 1, Meta: meta, Key: "k 1"}
	posted, err := c.Post(t.Context(), d)
	if err != nil || posted.Duplicate || posted.Message.TS == 0 {
		t.Fatalf("Post: got %+v, %v, want a new message", posted, err)
	}
	if again, err := c.Post(t.Context(), d); err != nil || !again.Duplicate || again.ID != posted.ID {
		t.Errorf("Post again: got %+v, %v, want a duplicate of %d", again, err, posted.ID)
	}
	x := []string{"proj-x"}
	for _, q := range []relay.Query{
		{Targets: x},
		{Targets: x, Since: 3, Limit: 2},
		{Targets: x, Newest: true, Limit: 2},
		{Targets: x, Newest: true, Before: 9, Limit: 3},
		{Targets: x, Senders: []string{"claude", "user"}, Since: 2},
		{Targets: x, Senders: []string{"nobody"}},
		{Targets: x, Key: "k 1"},
		{Targets: []string{"proj-x", "größe & co"}, Since: 1},
		{Targets: []string{"none"}, Since: 99},
	} {
		want, err := log.Read(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Read(t.Context(), q)
		if err != nil {
			t.Errorf("Read(%+v): %v", q, err)
		}
		if len(got.Messages) == 0 {
			got.Messages = want.Messages // none is none
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Read(%+v) (-log +client):\n%s", q, diff)
		}
	}
	want, _ := log.Info(t.Context())
	if got, err := c.Info(t.Context()); err != nil || got != want {
		t.Errorf("Info: got %+v, %v, want %+v", got, err, want)
	}
	channels, err := c.Channels(t.Context())
	if i := slices.IndexFunc(channels, func(ch relay.Channel) bool { return ch.Name == "proj-x" }); err != nil || i < 0 || channels[i].Count != 7 || channels[i].LastID != posted.ID {
		t.Errorf("Channels: got %+v, %v, want proj-x with 7 messages", channels, err)
	}
	if err := c.Check(t.Context()); err != nil {
		t.Errorf("Check: %v", err)
	}
}

func TestRelayErrorsComeThrough(t *testing.T) {
	c := relaytest.Start(t).Client()
	tests := []struct {
		d     relay.Draft
		code  relay.Code
		field string
	}{
		{relay.Draft{Target: "a", Text: "x"}, relay.CodeInvalid, "sender"},
		{relay.Draft{Target: "a", Sender: "b", Text: "x", ReplyTo: 7}, relay.CodeInvalid, "reply_to"},
		{relay.Draft{Target: "a", Sender: "b", Text: strings.Repeat("x", relay.DefaultTextBytes+1)}, relay.CodeTooLarge, "text"},
	}
	for _, tt := range tests {
		_, err := c.Post(t.Context(), tt.d)
		var re *relay.Error
		if !errors.As(err, &re) || re.Code != tt.code || re.Field != tt.field {
			t.Errorf("Post: got %v (%#v), want %s of %s", err, re, tt.code, tt.field)
		}
	}
}

func TestWaitIsWoken(t *testing.T) {
	r := relaytest.Start(t)
	q := relay.Query{Targets: []string{"proj-x"}, Senders: []string{"claude"}}
	got := make(chan relay.Page, 1)
	go func() {
		p, err := r.Client().Wait(t.Context(), q, time.Hour)
		if err != nil {
			t.Errorf("Wait: %v", err)
		}
		got <- p
	}()
	r.Post("proj-x", "codex", "not for us")
	r.Post("proj-x", "claude", "packet")
	if p := <-got; len(p.Messages) != 1 || p.Messages[0].Text != "packet" {
		t.Errorf("Wait: got %+v, want the packet", p.Messages)
	}
}

// The server behind an address may change while a Client is in use.
func TestServerIsSwapped(t *testing.T) {
	o, srv := newOriginal(t)
	o.add("proj-x", "claude", "old")
	c := client.New(client.Options{BaseURL: srv.URL})
	t.Cleanup(c.Close)
	q := relay.Query{Targets: []string{"proj-x"}}
	if p, err := c.Read(t.Context(), q); err != nil || p.LogID != client.OriginalLog {
		t.Fatalf("Read: got %+v, %v, want the original", p, err)
	}
	r := relaytest.Start(t)
	r.Post("proj-x", "claude", "new")
	to, err := url.Parse(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	srv.Config.Handler = &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(to) }}
	p, err := c.Read(t.Context(), q)
	if err != nil || p.LogID == client.OriginalLog || len(p.Messages) != 1 || p.Messages[0].Text != "new" {
		t.Errorf("Read after the swap: got %+v, %v, want the relay's message", p, err)
	}
}
