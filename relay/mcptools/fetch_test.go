package mcptools_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"autoreview/relay"
	"autoreview/relay/mcptools"
	"autoreview/relay/store/memory"
)

// A model that passes latest_id on sees every message once, in order, whatever
// their sizes, and a single result stays small.
func TestFetchStopsAtTheSizeOfAResult(t *testing.T) {
	l := newLog()
	sizes := []int{10, 390_000, 390_000, 20_000, 1_000_000, 10, 10}
	for _, n := range sizes {
		post(t, l, "proj-x", "claude", strings.Repeat("x", n))
	}
	url := listen(t, mcptools.Options{Log: l})
	var seen [][]int64
	var since int64
	for {
		f := call(t, url, "fetch_messages", object{"target": "proj-x", "since_id": since}).fetched(t)
		if len(f.Messages) == 0 {
			break
		}
		seen = append(seen, ids(f))
		since = f.LatestID
	}
	want := [][]int64{{1, 2}, {3}, {4}, {5}, {6, 7}}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("fetches until empty (-want +got):\n%s", diff)
	}
	if mcptools.MaxResultBytes >= mcptools.InlineChars {
		t.Errorf("a full result has %d bytes, more than the %d that Claude Code takes inline", mcptools.MaxResultBytes, mcptools.InlineChars)
	}
}

// A size that does not fit is counted as it is sent: quotes and newlines take
// two bytes each.
func TestResultSizeCountsEscapes(t *testing.T) {
	l := newLog()
	for range 4 {
		post(t, l, "proj-x", "claude", strings.Repeat(`"`, 120_000))
	}
	url := listen(t, mcptools.Options{Log: l})
	got := call(t, url, "fetch_messages", object{"target": "proj-x"})
	if n := len(got.text()); n > mcptools.InlineChars {
		t.Errorf("got a result of %d bytes, want at most %d", n, mcptools.InlineChars)
	}
	if f := got.fetched(t); len(f.Messages) != 1 || f.LatestID != 1 {
		t.Errorf("got %d messages to %d, want 1 to 1", len(f.Messages), f.LatestID)
	}
}

// countingLog counts how many messages one Read may bring into memory.
type countingLog struct {
	*relay.Log
	limits []int
}

func (c *countingLog) Read(ctx context.Context, q relay.Query) (relay.Page, error) {
	c.limits = append(c.limits, q.Limit)
	return c.Log.Read(ctx, q)
}

func TestLargeFetchesReadInSteps(t *testing.T) {
	l := &countingLog{Log: newLog()}
	for i := range 130 {
		post(t, l.Log, "proj-x", "claude", fmt.Sprint(i))
	}
	url := listen(t, mcptools.Options{Log: l})
	f := call(t, url, "fetch_messages", object{"target": "proj-x", "limit": 120}).fetched(t)
	if len(f.Messages) != 120 || f.LatestID != 120 {
		t.Errorf("got %d messages to %d, want 120 to 120", len(f.Messages), f.LatestID)
	}
	if diff := cmp.Diff([]int{50, 50, 20}, l.limits); diff != "" {
		t.Errorf("limits of the reads (-want +got):\n%s", diff)
	}
}

// With a sender filter the cursor passes over what others wrote.
func TestSenderFilterMovesTheCursor(t *testing.T) {
	l := newLog()
	post(t, l, "proj-x", "codex", "one")
	for range 60 {
		post(t, l, "proj-x", "claude", "noise")
	}
	url := listen(t, mcptools.Options{Log: l})
	f := call(t, url, "fetch_messages", object{"target": "proj-x", "sender": "codex"}).fetched(t)
	if len(f.Messages) != 1 || f.LatestID != 61 {
		t.Errorf("got %v to %d, want message 1 to 61", ids(f), f.LatestID)
	}
}

// A cursor from a log that is gone must not leave the reader deaf.
func TestCursorOfAnotherLogIsToldAtOnce(t *testing.T) {
	l := newLog()
	post(t, l, "proj-x", "claude", "hello")
	url := listen(t, mcptools.Options{Log: l})
	for _, tool := range []string{"fetch_messages", "wait_for_messages"} {
		f := call(t, url, tool, object{"target": "proj-x", "since_id": 500}).fetched(t)
		if len(f.Messages) != 0 || !strings.Contains(f.Warning, "start again with since_id 0") {
			t.Errorf("%s: got %v and %q, want nothing and a warning", tool, ids(f), f.Warning)
		}
	}
}

// prunedLog is a log whose messages up to id 10 are gone.
type prunedLog struct{ *relay.Log }

func (p prunedLog) Read(ctx context.Context, q relay.Query) (relay.Page, error) {
	page, err := p.Log.Read(ctx, q)
	page.OldestID = 11
	return page, err
}

func TestPrunedMessagesAreTold(t *testing.T) {
	l := newLog()
	for range 12 {
		post(t, l, "proj-x", "claude", "x")
	}
	url := listen(t, mcptools.Options{Log: prunedLog{l}})
	for since, want := range map[int64]string{
		0:  "", // a reader that starts has missed nothing it knew of
		4:  "messages up to id 10 were pruned: some after since_id 4 may be gone",
		10: "",
	} {
		f := call(t, url, "fetch_messages", object{"target": "proj-x", "since_id": since}).fetched(t)
		if f.Warning != want {
			t.Errorf("since_id %d: got warning %q, want %q", since, f.Warning, want)
		}
	}
}

type fetchEvent struct {
	Target          string
	Since           int64
	Limit, Returned int
	Latest          int64
}

func TestFetchesAreObserved(t *testing.T) {
	var got []fetchEvent
	l := newLog()
	post(t, l, "proj-x", "claude", "x")
	url := listen(t, mcptools.Options{Log: l, Fetched: func(target string, since int64, limit, returned int, latest int64) {
		got = append(got, fetchEvent{target, since, limit, returned, latest})
	}})
	call(t, url, "fetch_messages", object{"target": "proj-x", "limit": 900})
	call(t, url, "wait_for_messages", object{"target": "proj-x", "since_id": 0})
	call(t, url, "wait_for_messages", object{"target": "proj-x", "since_id": 1, "timeout_seconds": 0})
	call(t, url, "fetch_messages", object{"target": "proj-x", "limit": "many"})
	want := []fetchEvent{
		{"proj-x", 0, 200, 1, 1},
		{"proj-x", 0, 50, 1, 1},
		{"proj-x", 1, 50, 0, 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
}

func TestChannelsAreTheUsedAndTheConfigured(t *testing.T) {
	l := relay.New(memory.New(nil), relay.Options{})
	post(t, l, "zeta", "claude", "x")
	post(t, l, "codex", "claude", "x")
	for _, c := range []struct {
		configured []string
		want       []string
	}{
		{nil, []string{"codex", "zeta"}},
		{[]string{"proj-x", " codex ", "", "  ", "proj-x"}, []string{"codex", "proj-x", "zeta"}},
	} {
		url := listen(t, mcptools.Options{Log: l, Channels: c.configured})
		var got struct{ Channels []string }
		call(t, url, "list_channels", object{}).decode(t, &got)
		if diff := cmp.Diff(c.want, got.Channels); diff != "" {
			t.Errorf("configured %q (-want +got):\n%s", c.configured, diff)
		}
	}
	url := listen(t, mcptools.Options{Log: newLog()})
	if got := call(t, url, "list_channels", nil).text(); got != `{"channels":[]}` {
		t.Errorf("empty relay: got %s, want an empty list", got)
	}
}
