package mcptools_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"autoreview/relay"
	"autoreview/relay/mcptools"
)

const jobKey = "job/w/40-41/0/secret"

// jobLog is a log with two packets, 1 and 2, that a job answers, and the job's
// header.
func jobLog(t *testing.T) (l *relay.Log, url, header string) {
	t.Helper()
	l = newLog()
	post(t, l, "proj-x", "claude", "packet one")
	post(t, l, "proj-x", "claude", "packet two")
	return l, listen(t, mcptools.Options{Log: l}), encodeJob(t, object{
		"key": jobKey, "target": "proj-x", "sender": "codex", "reply_to": 2, "packets": []int{1, 2},
	})
}

func encodeJob(t *testing.T, job any) string {
	t.Helper()
	return base64.RawURLEncoding.EncodeToString(mustJSON(t, job))
}

// The first post of a job is its review, whatever the model passes.
func TestFirstPostOfAJobIsItsReview(t *testing.T) {
	for _, c := range []struct {
		name     string
		args     object
		wantMeta string
	}{
		{"plain", object{"sender": "codex"}, `{"packets":[1,2],"verdict":"comment"}`},
		{"no sender", object{}, `{"packets":[1,2],"verdict":"comment"}`},
		{"another sender", object{"sender": "claude"}, `{"packets":[1,2],"verdict":"comment"}`},
		{"own key, kind and reply", object{"sender": "codex", "key": "mine", "kind": "note", "reply_to": 1}, `{"packets":[1,2],"verdict":"comment"}`},
		{"a verdict", object{"meta": object{"verdict": "request_changes", "findings": 3}}, `{"findings":3,"packets":[1,2],"verdict":"request_changes"}`},
		{"meta as a string", object{"meta": `{"verdict":"approve"}`}, `{"packets":[1,2],"verdict":"approve"}`},
		{"null verdict", object{"meta": object{"verdict": nil}}, `{"packets":[1,2],"verdict":"comment"}`},
		{"other packets", object{"meta": object{"packets": []int{9}}}, `{"packets":[1,2],"verdict":"comment"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, url, header := jobLog(t)
			c.args["target"], c.args["text"] = " proj-x ", "looks fine"
			got := call(t, url, "post_message", c.args, mcptools.HeaderJob, header).posted(t)
			want := relay.Message{
				ID: 3, Target: "proj-x", Sender: "codex", Text: "looks fine", Kind: relay.KindReview,
				ReplyTo: 2, Key: jobKey, Meta: json.RawMessage(c.wantMeta),
			}
			if diff := cmp.Diff(want, messageOf(t, l, got.Posted)); diff != "" {
				t.Errorf("review (-want +got):\n%s", diff)
			}
			if got.Duplicate {
				t.Error("got duplicate true, want a first post")
			}
		})
	}
}

// A model whose post was answered too late posts again: one review.
func TestRetriedReviewIsTheSameMessage(t *testing.T) {
	l, url, header := jobLog(t)
	args := object{"target": "proj-x", "sender": "codex", "text": "looks fine"}
	first := call(t, url, "post_message", args, mcptools.HeaderJob, header).posted(t)
	args["meta"] = object{"verdict": "approve"}
	second := call(t, url, "post_message", args, mcptools.HeaderJob, header).posted(t)
	if second.Posted != first.Posted || !second.Duplicate {
		t.Errorf("got %+v, want a duplicate of %d", second, first.Posted)
	}
	if i, _ := l.Info(t.Context()); i.Head != 3 {
		t.Errorf("got %d messages, want 3", i.Head)
	}
}

// A second word of the job is kept, but it is no review and answers nothing.
func TestSecondPostOfAJobIsANote(t *testing.T) {
	l, url, header := jobLog(t)
	call(t, url, "post_message", object{"target": "proj-x", "text": "looks fine"}, mcptools.HeaderJob, header).posted(t)
	got := call(t, url, "post_message", object{
		"target": "proj-x", "sender": "claude", "text": "one more thing", "kind": "review", "key": jobKey,
		"meta": object{"verdict": "approve"},
	}, mcptools.HeaderJob, header).posted(t)
	want := relay.Message{
		ID: 4, Target: "proj-x", Sender: "codex", Text: "one more thing", Kind: relay.KindNote,
		ReplyTo: 2, Meta: json.RawMessage(`{"verdict":"approve"}`),
	}
	if diff := cmp.Diff(want, messageOf(t, l, got.Posted)); diff != "" {
		t.Errorf("note (-want +got):\n%s", diff)
	}
}

func TestJobRefusesWhatItCannotPost(t *testing.T) {
	l, url, header := jobLog(t)
	fine := object{"target": "proj-x", "sender": "codex", "text": "t"}
	with := func(name string, value any) object {
		args := object{name: value}
		for k, v := range fine {
			if k != name {
				args[k] = v
			}
		}
		return args
	}
	for _, c := range []struct {
		name, header string
		args         object
		want         string
	}{
		{"wrong channel", header, with("target", "other"), `this job answers in channel "proj-x", not in "other"`},
		{"no channel", header, with("target", ""), "target is required"},
		{"no text", header, with("text", " "), "text is required"},
		{"odd verdict", header, with("meta", object{"verdict": "LGTM"}), `meta.verdict must be approve, request_changes or comment, not the string "LGTM"`},
		{"verdict no string", header, with("meta", object{"verdict": true}), `meta.verdict must be approve, request_changes or comment, not true`},
		{"not base64", "***", fine, "the header X-Relay-Job is not unpadded base64url"},
		{"padded", base64.URLEncoding.EncodeToString([]byte(`{}`)), fine, "the header X-Relay-Job is not unpadded base64url"},
		{"not JSON", base64.RawURLEncoding.EncodeToString([]byte(`{`)), fine, "the header X-Relay-Job does not hold a job: "},
		{"no key", encodeJob(t, object{"target": "proj-x", "sender": "codex"}), fine, "the header X-Relay-Job needs key, target and sender"},
		{"a reply nobody wrote", encodeJob(t, object{"key": "k", "target": "proj-x", "sender": "codex", "reply_to": 99}), fine,
			`reply_to 99 is not a message of channel "proj-x"`},
	} {
		got := call(t, url, "post_message", c.args, mcptools.HeaderJob, c.header)
		if !got.IsError || !strings.HasPrefix(got.text(), c.want) {
			t.Errorf("%s: got %v %q, want the error %q", c.name, got.IsError, got.text(), c.want)
		}
	}
	if i, _ := l.Info(t.Context()); i.Head != 2 {
		t.Errorf("got %d messages, want the 2 packets only", i.Head)
	}
}

// Reading in a job is plain reading, also with a header that is no job.
func TestJobHeaderDoesNotTouchReading(t *testing.T) {
	_, url, header := jobLog(t)
	for _, h := range []string{header, "***"} {
		f := call(t, url, "fetch_messages", object{"target": "proj-x"}, mcptools.HeaderJob, h).fetched(t)
		if len(f.Messages) != 2 {
			t.Errorf("header %q: got %d messages, want 2", h, len(f.Messages))
		}
	}
}

// A post without the header is not of the job, even with its key.
func TestPostWithoutHeaderIsNoReview(t *testing.T) {
	l, url, _ := jobLog(t)
	got := call(t, url, "post_message", object{"target": "proj-x", "sender": "codex", "text": "t"}).posted(t)
	if m := messageOf(t, l, got.Posted); m.Kind != "" || m.Key != "" || m.Meta != nil {
		t.Errorf("got %+v, want a plain message", m)
	}
}

// The ids of a job are those of one log. Where the relay has another by now they
// would name other messages.
func TestJobOfAnotherLogIsNotPosted(t *testing.T) {
	l, url, _ := jobLog(t)
	info, err := l.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	job := object{"key": jobKey, "target": "proj-x", "sender": "codex", "reply_to": 2, "packets": []int{1, 2}}
	args := object{"target": "proj-x", "text": "looks fine"}
	job["log"] = "another"
	got := call(t, url, "post_message", args, mcptools.HeaderJob, encodeJob(t, job))
	if !got.IsError || !strings.Contains(got.text(), "another log") {
		t.Errorf("got %v %q, want an error about another log", got.IsError, got.text())
	}
	if i, _ := l.Info(t.Context()); i.Head != 2 {
		t.Errorf("got %d messages, want 2", i.Head)
	}
	job["log"] = info.LogID + "#1"
	id := call(t, url, "post_message", args, mcptools.HeaderJob, encodeJob(t, job)).posted(t).Posted
	want := fmt.Sprintf(`{"log":"%s#1","packets":[1,2],"verdict":"comment"}`, info.LogID)
	if diff := cmp.Diff(want, string(messageOf(t, l, id).Meta)); diff != "" {
		t.Errorf("meta (-want +got):\n%s", diff)
	}
}
