package mcptools_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"autoreview/relay"
	"autoreview/relay/mcptools"
	"autoreview/relay/store/memory"
)

type posted struct {
	OK        bool   `json:"ok"`
	Posted    int64  `json:"posted"`
	Duplicate bool   `json:"duplicate"`
	Warning   string `json:"warning"`
}

func (r result) posted(t *testing.T) posted {
	t.Helper()
	var p posted
	r.decode(t, &p)
	if !p.OK {
		t.Fatalf("got %s, want ok true", r.Structured)
	}
	return p
}

// messageOf returns a message of the log without its time.
func messageOf(t *testing.T, l *relay.Log, id int64) relay.Message {
	t.Helper()
	p, err := l.Read(t.Context(), relay.Query{Since: id - 1, Limit: 1})
	if err != nil || len(p.Messages) != 1 || p.Messages[0].ID != id {
		t.Fatalf("Read %d: got %+v, %v", id, p.Messages, err)
	}
	m := p.Messages[0]
	m.TS = 0
	return m
}

func TestPostKeepsEveryField(t *testing.T) {
	var sources []string
	l := relay.New(memory.New(nil), relay.Options{Posted: func(_ relay.Message, source string) { sources = append(sources, source) }})
	url := listen(t, mcptools.Options{Log: l})
	packet := call(t, url, "post_message", object{"target": "proj-x", "sender": "claude", "text": "Summary"}).posted(t)
	args := object{
		"target": "proj-x", "sender": "codex", "text": "fine", "kind": "review",
		"reply_to": packet.Posted, "key": "r/1", "meta": object{"verdict": "approve"},
	}
	first := call(t, url, "post_message", args).posted(t)
	want := relay.Message{
		ID: 2, Target: "proj-x", Sender: "codex", Text: "fine", Kind: relay.KindReview,
		ReplyTo: 1, Key: "r/1", Meta: json.RawMessage(`{"verdict":"approve"}`),
	}
	if diff := cmp.Diff(want, messageOf(t, l, first.Posted)); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	again := call(t, url, "post_message", args).posted(t)
	if !again.Duplicate || again.Posted != first.Posted {
		t.Errorf("second post: got %+v, want a duplicate of %d", again, first.Posted)
	}
	if diff := cmp.Diff([]string{"mcp", "mcp"}, sources); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
}

func TestArgumentsAreReadAsMeant(t *testing.T) {
	l := newLog()
	url := listen(t, mcptools.Options{Log: l})
	for i := range 3 {
		post(t, l, "proj-x", "claude", strings.Repeat("x", i+1))
	}
	for _, c := range []struct {
		name, value string
		wantIDs     []int64
	}{
		{"since_id", `2`, []int64{3}},
		{"since_id", `2.0`, []int64{3}},
		{"since_id", `2e0`, []int64{3}},
		{"since_id", `"2"`, []int64{3}},
		{"since_id", `" 2.0 "`, []int64{3}},
		{"since_id", `null`, []int64{1, 2, 3}},
		{"since_id", `-4`, []int64{1, 2, 3}},
		{"since_id", `9007199254740993`, []int64{}},
		{"limit", `"1"`, []int64{1}},
		{"sender", `"claude"`, []int64{1, 2, 3}},
		{"sender", `""`, []int64{1, 2, 3}},
		{"sender", `null`, []int64{1, 2, 3}},
		{"sender", `"Claude"`, []int64{}},
	} {
		args := object{"target": "proj-x", c.name: json.RawMessage(c.value)}
		if diff := cmp.Diff(c.wantIDs, ids(call(t, url, "fetch_messages", args).fetched(t))); diff != "" {
			t.Errorf("%s=%s (-want +got):\n%s", c.name, c.value, diff)
		}
	}
	for _, meta := range []string{`{"a":1}`, `"{\"a\":1}"`, `" {\"a\": 1} "`} {
		args := object{"target": "m", "sender": "s", "text": "t", "meta": json.RawMessage(meta)}
		got := messageOf(t, l, call(t, url, "post_message", args).posted(t).Posted)
		if string(got.Meta) != `{"a":1}` {
			t.Errorf("meta=%s: got %s, want the object", meta, got.Meta)
		}
	}
}

func ids(f fetched) []int64 {
	got := []int64{}
	for _, m := range f.Messages {
		got = append(got, m.ID)
	}
	return got
}

func TestWrongArgumentsAreNamed(t *testing.T) {
	l := newLog()
	url := listen(t, mcptools.Options{Log: l})
	long := strings.Repeat("long ", 20)
	for _, c := range []struct {
		tool, args, want string
	}{
		{"post_message", `{"target":5,"sender":"s","text":"t"}`, `target must be a string, not the number 5`},
		{"post_message", `{"target":"t","sender":["s"],"text":"t"}`, `sender must be a string, not an array`},
		{"post_message", `{"target":"t","sender":"s","text":{"a":1}}`, `text must be a string, not an object`},
		{"post_message", `{"target":"t","sender":"s","text":true}`, `text must be a string, not true`},
		{"post_message", `{"target":"t","sender":"s","text":"t","reply_to":"#4"}`, `reply_to must be a whole number, not the string "#4"`},
		{"post_message", `{"target":"t","sender":"s","text":"t","reply_to":4}`, `reply_to 4 is not a message of channel "t"`},
		{"post_message", `{"target":"t","sender":"s","text":"t","kind":"reviews"}`, `kind must be packet, review, status or note, not "reviews"`},
		{"post_message", `{"target":"t","sender":"s","text":"t","meta":[1]}`, `meta must be a JSON object, not an array`},
		{"post_message", `{"target":"t","sender":"s","text":"t","meta":"approve"}`, `meta must be a JSON object, not the string "approve"`},
		{"post_message", `{"target":"t","sender":"s","text":"t","meta":"{"}`, `meta must be a JSON object, not the string "{"`},
		{"post_message", `{"target":"t\u0000","sender":"s","text":"t"}`, `target must not contain control characters`},
		{"post_message", `["t","s","t"]`, `arguments must be a JSON object, not an array`},
		{"post_message", `"t"`, `arguments must be a JSON object, not the string "t"`},
		{"fetch_messages", `{"target":"t","limit":"ten"}`, `limit must be a whole number, not the string "ten"`},
		{"fetch_messages", `{"target":"t","limit":true}`, `limit must be a whole number, not true`},
		{"fetch_messages", `{"target":"t","since_id":1.5}`, `since_id must be a whole number, not the number 1.5`},
		{"fetch_messages", `{"target":"t","since_id":1e300}`, `since_id must be a whole number, not the number 1e300`},
		{"fetch_messages", `{"target":"t","since_id":"0x10"}`, `since_id must be a whole number, not the string "0x10"`},
		{"fetch_messages", `{"target":"t","since_id":"` + long + `"}`, `since_id must be a whole number, not the string "` + long[:40] + `..."`},
		{"wait_for_messages", `{"target":"t"}`, `since_id is required`},
		{"wait_for_messages", `{"since_id":0}`, `target is required`},
		{"wait_for_messages", `{"target":"t","since_id":0,"timeout_seconds":"soon"}`, `timeout_seconds must be a number of seconds, not the string "soon"`},
		{"wait_for_messages", `{"target":"t","since_id":0,"timeout_seconds":"NaN"}`, `timeout_seconds must be a number of seconds, not the string "NaN"`},
	} {
		got := call(t, url, c.tool, json.RawMessage(c.args))
		if !got.IsError || got.text() != c.want {
			t.Errorf("%s %s: got %v %q, want the error %q", c.tool, c.args, got.IsError, got.text(), c.want)
		}
	}
	if i, _ := l.Info(t.Context()); i.Head != 0 {
		t.Errorf("got %d messages stored by refused calls, want none", i.Head)
	}
}

// The original ignores arguments it does not know. So does this server, but it
// says so: a misspelt since_id would show the same messages for ever.
func TestUnknownArgumentsAreIgnoredWithAWarning(t *testing.T) {
	l := newLog()
	url := listen(t, mcptools.Options{Log: l})
	p := call(t, url, "post_message", object{"target": "t", "sender": "s", "text": "x", "channel": "t"}).posted(t)
	if p.Posted != 1 || !strings.Contains(p.Warning, `ignored unknown arguments: "channel"`) {
		t.Errorf("post_message: got %+v, want id 1 and a warning about channel", p)
	}
	f := call(t, url, "fetch_messages", object{"target": "t", "since": 1}).fetched(t)
	want := `ignored unknown arguments: "since" (fetch_messages takes limit, sender, since_id, target)`
	if len(f.Messages) != 1 || f.Warning != want {
		t.Errorf("fetch_messages: got %d messages and %q, want 1 and %q", len(f.Messages), f.Warning, want)
	}
	var c struct{ Warning string }
	call(t, url, "list_channels", object{"all": true}).decode(t, &c)
	if c.Warning != `ignored unknown arguments: "all" (list_channels takes no arguments)` {
		t.Errorf("list_channels: got %q, want a warning", c.Warning)
	}
}

func TestTextBeyondTheLimitIsRefused(t *testing.T) {
	limits := relay.Limits{TextBytes: 100}
	l := relay.New(memory.New(nil), relay.Options{Limits: limits})
	url := listen(t, mcptools.Options{Log: l, Limits: limits})
	got := call(t, url, "post_message", object{"target": "t", "sender": "s", "text": strings.Repeat("x", 101)})
	if want := "text has 101 bytes, more than the limit of 100"; !got.IsError || got.text() != want {
		t.Errorf("got %v %q, want the error %q", got.IsError, got.text(), want)
	}
}

var errDisk = errors.New("reading /home/someone/relay.db: input/output error")

// failingLog fails in a way that clients have no business to know.
type failingLog struct{ *relay.Log }

func (failingLog) Channels(context.Context) ([]relay.Channel, error) { return nil, errDisk }

func TestInternalErrorsAreNotShown(t *testing.T) {
	var logged strings.Builder
	url := listen(t, mcptools.Options{Log: failingLog{newLog()}, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	got := call(t, url, "list_channels", object{})
	if !got.IsError || got.text() != "internal error" {
		t.Errorf("got %v %q, want the error %q", got.IsError, got.text(), "internal error")
	}
	if !strings.Contains(logged.String(), errDisk.Error()) {
		t.Errorf("log: got %q, want it to have %q", logged.String(), errDisk)
	}
}
