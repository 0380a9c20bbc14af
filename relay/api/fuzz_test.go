package api

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"

	"autoreview/relay"
)

func isRefusal(t *testing.T, err error) {
	t.Helper()
	if e, ok := errors.AsType[*relay.Error](err); !ok || e.Code != relay.CodeInvalid || e.Text == "" {
		t.Errorf("got %#v, want an *relay.Error that a client can read", err)
	}
}

// Any Last-Event-ID is a cursor or a clear refusal, and goes before since_id.
func FuzzLastEventID(f *testing.F) {
	for _, s := range []string{"0", "41", "-1", "x", "", " 1", "1\n", "9223372036854775807", "9223372036854775808", "0x10", "1_0", "+1"} {
		f.Add(s, "since_id=7")
	}
	f.Fuzz(func(t *testing.T, id, query string) {
		req, err := parseStream(query, id)
		if err != nil {
			isRefusal(t, err)
			return
		}
		if req.query.Since < 0 {
			t.Errorf("cursor %d", req.query.Since)
		}
		n, bad := strconv.ParseInt(id, 10, 64)
		if id != "" && (bad != nil || !req.resume || req.query.Since != n) {
			t.Errorf("Last-Event-ID %q with %q: got %+v", id, query, req)
		}
	})
}

// Any query string is a request within the limits or a clear refusal.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{
		"", "target=a&limit=5", "since_id=1&wait=5", "before_id=3&sender=a&sender=b", "limit=abc", "wait=1e999&since_id=0",
		"target=%zz", "a;b", "key=%00", "since_id=-1", "limit=99999999999999999999", "wait=NaN&since_id=1", "target=&target=",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if _, err := parseDetails(query); err != nil {
			isRefusal(t, err)
		}
		req, err := parsePage(query)
		if err != nil {
			isRefusal(t, err)
			return
		}
		q := req.query
		switch {
		case len(q.Targets) == 0, q.Limit < 1, q.Limit > relay.MaxLimit, q.Since < 0, q.Before < 0, req.wait < 0, req.wait > MaxWait:
			t.Errorf("%q: out of bounds: %+v", query, req)
		case q.Newest && (q.Since != 0 || req.wait != 0), !q.Newest && q.Before != 0:
			t.Errorf("%q: contradiction: %+v", query, req)
		}
	})
}

// Any body is a draft or a clear refusal, and no draft is invented.
func FuzzDraft(f *testing.F) {
	for _, s := range []string{`{"target":"a","sender":"b","text":"c"}`, `{"meta":{},"reply_to":1,"key":"k","kind":"note"}`, `[]`, `null`, `{"text":{}}`, "{\"text\":\"\xff\"}", `{"text":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := decodeDraft(body)
		if err != nil {
			isRefusal(t, err)
			return
		}
		if d.Text != "" && !bytes.Contains(body, []byte(`"`)) {
			t.Errorf("%q: text %q", body, d.Text)
		}
	})
}

// Whatever the data, an event is exactly one event and its data comes back.
func FuzzEvent(f *testing.F) {
	for _, s := range []string{"", "{}", "a\nb", "a\r\nb\r", "\n\nevent: forged\nid: 9\n\n", ": comment", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data string) {
		var buf bytes.Buffer
		appendEvent(&buf, "message", 7, []byte(data))
		rest, ok := strings.CutPrefix(buf.String(), "event: message\nid: 7\n")
		rest, closed := strings.CutSuffix(rest, "\n\n")
		if !ok || !closed || strings.Contains(rest, "\r") {
			t.Fatalf("got %q", buf.String())
		}
		var lines []string
		for line := range strings.SplitSeq(rest, "\n") {
			value, ok := strings.CutPrefix(line, "data: ")
			if !ok {
				t.Fatalf("%q: a line is no data: %q", data, line)
			}
			lines = append(lines, value)
		}
		want := strings.ReplaceAll(strings.ReplaceAll(data, "\r\n", "\n"), "\r", "\n")
		if got := strings.Join(lines, "\n"); got != want {
			t.Errorf("data: got %q, want %q", got, want)
		}
	})
}
