package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"autoreview/relay"
	"autoreview/relay/client"
)

// original answers as the Python server does: newest messages only, no header,
// unknown parameters and fields ignored, ids from 1 with every start.
type original struct {
	mu sync.Mutex
	// guarded by mu
	messages []relay.Message
	bodies   []string // of the POSTs
	gets     int
	got      chan struct{} // holds a token after each GET of messages
}

func newOriginal(t *testing.T) (*original, *httptest.Server) {
	t.Helper()
	o := &original{got: make(chan struct{}, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/messages", o.list)
	mux.HandleFunc("POST /api/messages", o.create)
	mux.HandleFunc("GET /api/channels", o.channels)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return o, srv
}

func (o *original) list(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gets++
	target, limit := r.FormValue("target"), 200
	if !r.Form.Has("target") {
		target = "proj-x"
	}
	if s := r.FormValue("limit"); s != "" {
		limit, _ = strconv.Atoi(s)
	}
	limit = min(max(limit, 1), 500)
	found := []relay.Message{}
	for _, m := range o.messages {
		if m.Target == target {
			found = append(found, m)
		}
	}
	found = found[max(len(found)-limit, 0):]
	json.NewEncoder(w).Encode(map[string]any{"target": target, "messages": found})
	select {
	case o.got <- struct{}{}:
	default:
	}
}

func (o *original) create(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var d relay.Draft
	if json.Unmarshal(body, &d) != nil {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"ok":false,"error":"Request body must be valid JSON"}`)
		return
	}
	if strings.TrimSpace(d.Sender) == "" {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"ok":false,"error":"sender is required"}`)
		return
	}
	m := o.add(strings.TrimSpace(d.Target), strings.TrimSpace(d.Sender), d.Text)
	o.mu.Lock()
	o.bodies = append(o.bodies, string(body))
	o.mu.Unlock()
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(map[string]any{"ok": true, "posted": m.ID, "message": m})
}

func (o *original) channels(w http.ResponseWriter, _ *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	names := []string{"claude", "codex", "proj-x"}
	for _, m := range o.messages {
		if !slices.Contains(names, m.Target) {
			names = append(names, m.Target)
		}
	}
	slices.Sort(names)
	json.NewEncoder(w).Encode(map[string]any{"channels": names})
}

func (o *original) add(target, sender, text string) relay.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	id := int64(len(o.messages) + 1)
	m := relay.Message{ID: id, TS: 1.5, Target: target, Sender: sender, Text: text}
	o.messages = append(o.messages, m)
	return m
}

// restart is what a restart of the Python server does to its log.
func (o *original) restart() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.messages = nil
}

func ids(p relay.Page) []int64 {
	out := []int64{}
	for _, m := range p.Messages {
		out = append(out, m.ID)
	}
	return out
}

func TestOriginalRead(t *testing.T) {
	o, srv := newOriginal(t)
	for i := range 6 {
		o.add("proj-x", []string{"claude", "codex"}[i%2], fmt.Sprint("m", i))
	}
	o.add("other", "claude", "elsewhere")
	c := client.New(client.Options{BaseURL: srv.URL + "/"})

	tests := []struct {
		name   string
		q      relay.Query
		want   []int64
		latest int64
	}{
		{"oldest after the cursor", relay.Query{Since: 1, Limit: 2}, []int64{2, 3}, 3},
		{"nothing new", relay.Query{Since: 6}, []int64{}, 6},
		{"sender filter scans to the head", relay.Query{Senders: []string{"claude"}, Since: 1}, []int64{3, 5}, 6},
		{"full page of a filter stops at its last", relay.Query{Senders: []string{"claude"}, Limit: 1}, []int64{1}, 1},
		{"newest", relay.Query{Newest: true, Limit: 2}, []int64{5, 6}, 6},
		{"newest below a bound", relay.Query{Newest: true, Before: 4, Limit: 2}, []int64{2, 3}, 3},
		{"it never had keys", relay.Query{Key: "k"}, []int64{}, 6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.q.Targets = []string{"proj-x"}
			p, err := c.Read(t.Context(), tt.q)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(ids(p), tt.want) || p.LatestID != tt.latest {
				t.Errorf("Read: got ids %v latest %d, want %v and %d", ids(p), p.LatestID, tt.want, tt.latest)
			}
			if p.LogID != client.OriginalLog || p.Head != 6 || p.OldestID != 1 {
				t.Errorf("Read: got log %q head %d oldest %d, want original, 6, 1", p.LogID, p.Head, p.OldestID)
			}
		})
	}
}

func TestOriginalFullWindowIsAPossibleGap(t *testing.T) {
	o, srv := newOriginal(t)
	for range 510 {
		o.add("proj-x", "claude", "x")
	}
	p, err := client.New(client.Options{BaseURL: srv.URL}).Read(t.Context(), relay.Query{Targets: []string{"proj-x"}, Since: 3})
	if err != nil {
		t.Fatal(err)
	}
	if p.OldestID != 11 || p.Messages[0].ID != 11 {
		t.Errorf("Read: got oldest %d first %d, want 11 and 11", p.OldestID, p.Messages[0].ID)
	}
}

func TestOriginalRestartShowsAsHeadBelowTheCursor(t *testing.T) {
	o, srv := newOriginal(t)
	c := client.New(client.Options{BaseURL: srv.URL})
	for range 5 {
		o.add("proj-x", "claude", "x")
	}
	q := relay.Query{Targets: []string{"proj-x"}, Since: 5}
	if p, err := c.Read(t.Context(), q); err != nil || p.Head != 5 {
		t.Fatalf("Read: got head %d, %v, want 5", p.Head, err)
	}
	o.restart()
	o.add("proj-x", "claude", "new life")
	p, err := c.Read(t.Context(), q)
	if err != nil || p.Head != 1 || len(p.Messages) != 0 {
		t.Errorf("Read: got head %d and %d messages, %v, want head 1 and none", p.Head, len(p.Messages), err)
	}
}

func TestOriginalWaitPolls(t *testing.T) {
	o, srv := newOriginal(t)
	c := client.New(client.Options{BaseURL: srv.URL, PollInterval: time.Millisecond})
	type result struct {
		page relay.Page
		err  error
	}
	done := make(chan result)
	go func() {
		p, err := c.Wait(context.WithoutCancel(t.Context()), relay.Query{Targets: []string{"proj-x"}, Senders: []string{"claude"}}, time.Minute)
		done <- result{p, err}
	}()
	for range 3 {
		<-o.got // it has asked, and found nothing
	}
	o.add("proj-x", "codex", "not for us")
	o.add("proj-x", "claude", "packet")
	r := <-done
	if r.err != nil || !slices.Equal(ids(r.page), []int64{2}) {
		t.Errorf("Wait: got %v, %v, want [2]", ids(r.page), r.err)
	}
}

func TestOriginalPost(t *testing.T) {
	o, srv := newOriginal(t)
	c := client.New(client.Options{BaseURL: srv.URL})
	d := relay.Draft{Target: "proj-x", Sender: "codex", Text: "Verdict: approve", Kind: relay.KindReview, ReplyTo: 1, Key: "job/1"}
	first, err := c.Post(t.Context(), d)
	if err != nil || first.ID != 1 || first.Duplicate {
		t.Fatalf("Post: got %+v, %v, want id 1", first, err)
	}
	if want := `{"target":"proj-x","sender":"codex","text":"Verdict: approve"}`; o.bodies[0] != want {
		t.Errorf("Post sent %s, want %s", o.bodies[0], want)
	}
	again, err := c.Post(t.Context(), d)
	if err != nil || again.ID != 1 || !again.Duplicate {
		t.Errorf("Post again: got %+v, %v, want the first message as a duplicate", again, err)
	}
	d.Sender = "claude"
	if other, err := c.Post(t.Context(), d); err != nil || other.Duplicate {
		t.Errorf("Post by another sender: got %+v, %v, want a new message", other, err)
	}
	d.Sender, d.Key = "codex", ""
	if plain, err := c.Post(t.Context(), d); err != nil || plain.Duplicate || plain.ID != 3 {
		t.Errorf("Post without a key: got %+v, %v, want a new message 3", plain, err)
	}
}

func TestOriginalInfoChannelsCheck(t *testing.T) {
	o, srv := newOriginal(t)
	o.add("proj-x", "claude", "a")
	o.add("zeta", "claude", "b")
	c := client.New(client.Options{BaseURL: srv.URL})
	if info, err := c.Info(t.Context()); err != nil || info != (relay.Info{LogID: client.OriginalLog, Head: 2}) {
		t.Errorf("Info: got %+v, %v, want original and 2", info, err)
	}
	chs, err := c.Channels(t.Context())
	if err != nil || len(chs) != 4 || chs[3].Name != "zeta" {
		t.Errorf("Channels: got %+v, %v, want four with zeta last", chs, err)
	}
	if err := c.Check(t.Context()); err != nil {
		t.Errorf("Check: got %v, want nil", err)
	}
}
