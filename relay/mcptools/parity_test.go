package mcptools_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"autoreview/relay/mcptools"
)

// The three tools of the original Python server behave as they did there: same
// arguments, same results, same texts of errors.
func TestToolsOfTheOriginalServer(t *testing.T) {
	const none = `{"messages":[],"latest_id":%d}`
	for _, c := range []struct {
		name string
		// stored is how many messages by claude are in proj-x before the call.
		stored int
		tool   string
		args   object
		want   string // the result, or the error with isError
		err    bool
	}{
		{name: "post answers the id", tool: "post_message", args: object{"target": "proj-x", "sender": "claude", "text": "hi"}, want: `{"ok":true,"posted":1}`},
		{name: "ids go on over channels", stored: 2, tool: "post_message", args: object{"target": "new", "sender": "claude", "text": "hi"}, want: `{"ok":true,"posted":3}`},
		{name: "target is required", tool: "post_message", args: object{"target": " ", "sender": "", "text": ""}, want: "target is required", err: true},
		{name: "sender is required", tool: "post_message", args: object{"target": "t", "sender": "\t", "text": ""}, want: "sender is required", err: true},
		{name: "text is required", tool: "post_message", args: object{"target": "t", "sender": "s", "text": " \n "}, want: "text is required", err: true},
		{name: "nothing given", tool: "post_message", args: object{}, want: "target is required", err: true},
		{name: "null is nothing", tool: "post_message", args: object{"target": "t", "sender": "s", "text": nil}, want: "text is required", err: true},
		{name: "fetch of an unknown channel", stored: 1, tool: "fetch_messages", args: object{"target": "nobody"}, want: fmt.Sprintf(none, 0)},
		{name: "fetch does not trim the target", stored: 1, tool: "fetch_messages", args: object{"target": " proj-x "}, want: fmt.Sprintf(none, 0)},
		{name: "an empty fetch answers the cursor it was given", stored: 3, tool: "fetch_messages", args: object{"target": "other", "since_id": 2}, want: fmt.Sprintf(none, 2)},
		{name: "fetch without a target", tool: "fetch_messages", args: object{}, want: "target is required", err: true},
		{name: "channels", stored: 1, tool: "list_channels", args: object{}, want: `{"channels":["claude","codex","proj-x"]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLog()
			for range c.stored {
				post(t, l, "proj-x", "claude", "x")
			}
			url := listen(t, mcptools.Options{Log: l, Channels: []string{"proj-x", "codex", "claude"}})
			got := call(t, url, c.tool, c.args)
			if got.IsError != c.err || got.text() != c.want {
				t.Errorf("got %v %s, want %v %s", got.IsError, got.text(), c.err, c.want)
			}
		})
	}
}

func TestFetchOfTheOriginalServer(t *testing.T) {
	l := newLog()
	for i := range 220 {
		post(t, l, "proj-x", "claude", fmt.Sprint(i+1))
	}
	url := listen(t, mcptools.Options{Log: l})
	for _, c := range []struct {
		args               object
		first, last, count int64
	}{
		{object{}, 1, 50, 50},
		{object{"since_id": 10}, 11, 60, 50},
		{object{"since_id": 219}, 220, 220, 1},
		{object{"limit": 1}, 1, 1, 1},
		{object{"limit": 0}, 1, 1, 1},
		{object{"limit": -7}, 1, 1, 1},
		{object{"limit": 200}, 1, 200, 200},
		{object{"limit": 201}, 1, 200, 200},
		{object{"limit": 99999}, 1, 200, 200},
		{object{"since_id": 100, "limit": 200}, 101, 220, 120},
	} {
		c.args["target"] = "proj-x"
		f := call(t, url, "fetch_messages", c.args).fetched(t)
		n := int64(len(f.Messages))
		if n != c.count || f.Messages[0].ID != c.first || f.LatestID != c.last {
			t.Errorf("%v: got %d messages %d to %d, want %d messages %d to %d", c.args, n, f.Messages[0].ID, f.LatestID, c.count, c.first, c.last)
		}
	}
}

// Names are trimmed, the text is kept as it is, and a message of the original's
// kind has the original's five fields and no other.
func TestMessageOfTheOriginalServer(t *testing.T) {
	url := listen(t, mcptools.Options{Log: newLog()})
	call(t, url, "post_message", object{"target": " proj-x\n", "sender": "\tclaude ", "text": "  Summary: <b> & é\n\n"})
	text := call(t, url, "fetch_messages", object{"target": "proj-x"}).text()
	if !strings.Contains(text, "<b> & é") {
		t.Errorf("got %s, want the text readable as it is", text)
	}
	var got struct{ Messages []map[string]any }
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Messages) != 1 {
		t.Fatalf("got %d messages, want 1", len(got.Messages))
	}
	ts, ok := got.Messages[0]["ts"].(float64)
	if !ok || ts < 1e9 || ts > 1e11 {
		t.Errorf("ts: got %v, want seconds since the epoch", got.Messages[0]["ts"])
	}
	delete(got.Messages[0], "ts")
	want := object{"id": 1.0, "target": "proj-x", "sender": "claude", "text": "  Summary: <b> & é\n\n"}
	if diff := cmp.Diff(want, got.Messages[0]); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}
