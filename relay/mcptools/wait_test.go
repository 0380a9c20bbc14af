package mcptools_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"autoreview/relay"
	"autoreview/relay/mcptools"
)

// stream is a response whose writes are kept with their time since start.
type stream struct {
	start time.Time

	mu     sync.Mutex
	header http.Header // guarded by mu, as all below
	status int
	body   bytes.Buffer
	at     []time.Duration
}

func newStream() *stream { return &stream{start: time.Now(), header: http.Header{}} }

func (s *stream) Header() http.Header { return s.header }
func (s *stream) WriteHeader(n int)   { s.status = n }
func (s *stream) Flush()              {}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(bytes.TrimSpace(p)) > 0 {
		s.at = append(s.at, time.Since(s.start))
	}
	return s.body.Write(p)
}

// progress returns the progress of the messages before the last, and the last.
func (s *stream) read(t *testing.T) (progress []float64, last result) {
	t.Helper()
	all := readMessages(t, &s.body)
	if len(all) == 0 {
		t.Fatal("got no message, want an answer")
	}
	for _, m := range all[:len(all)-1] {
		var p struct {
			ProgressToken string
			Progress      float64
		}
		if err := json.Unmarshal(m.Params, &p); err != nil || m.Method != "notifications/progress" || p.ProgressToken != "tok" {
			t.Fatalf("got %s %s, want progress for tok", m.Method, m.Params)
		}
		progress = append(progress, p.Progress)
	}
	if err := json.Unmarshal(all[len(all)-1].Result, &last); err != nil {
		t.Fatalf("the last message has no result: %v", err)
	}
	return progress, last
}

// wait calls wait_for_messages inside a bubble and returns when it is answered.
func wait(ctx context.Context, h http.Handler, args object, token any) *stream {
	args["target"] = "proj-x"
	s := newStream()
	r := httptest.NewRequest(http.MethodPost, "/mcp", strings.NewReader(callBody("wait_for_messages", args, token))).WithContext(ctx)
	r.Header.Set("Content-Type", "application/json")
	h.ServeHTTP(s, r)
	return s
}

// How long a wait lasts: 50 s unless the client can be kept waiting by progress
// and asked for more. A time-out is an empty answer.
func TestWaitLastsAsLongAsTheClientCanBear(t *testing.T) {
	for _, c := range []struct {
		name  string
		args  object
		token any
		want  time.Duration
	}{
		{"default", object{}, nil, 50 * time.Second},
		{"default with progress", object{}, "tok", 50 * time.Second},
		{"shorter", object{"timeout_seconds": 3}, nil, 3 * time.Second},
		{"fractions", object{"timeout_seconds": 2.5}, nil, 2500 * time.Millisecond},
		{"as a string", object{"timeout_seconds": "3"}, nil, 3 * time.Second},
		{"longer without progress", object{"timeout_seconds": 600}, nil, 50 * time.Second},
		{"longer with progress", object{"timeout_seconds": 600}, "tok", 600 * time.Second},
		{"an hour at most", object{"timeout_seconds": 1e12}, "tok", time.Hour},
		{"none", object{"timeout_seconds": 0}, "tok", 0},
		{"less than none", object{"timeout_seconds": -1e12}, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.args["since_id"] = 0
				start := time.Now()
				s := wait(t.Context(), mcptools.New(mcptools.Options{Log: newLog()}), c.args, c.token)
				if took := time.Since(start); took != c.want {
					t.Errorf("got an answer after %v, want %v", took, c.want)
				}
				if _, got := s.read(t); len(got.fetched(t).Messages) != 0 {
					t.Errorf("got %s, want no messages", got.text())
				}
			})
		})
	}
}

// A client gives up on a call that is silent for 60 s: the stream begins at once
// and never pauses for more than 25 s, and progress only grows.
func TestWaitReportsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := wait(t.Context(), mcptools.New(mcptools.Options{Log: newLog()}), object{"since_id": 0, "timeout_seconds": 130}, "tok")
		if ct := s.header.Get("Content-Type"); ct != "text/event-stream" {
			t.Errorf("Content-Type: got %q, want text/event-stream", ct)
		}
		if s.at[0] != 0 {
			t.Errorf("the stream began after %v, want at once", s.at[0])
		}
		for i, at := range s.at[1:] {
			if pause := at - s.at[i]; pause > 25*time.Second {
				t.Errorf("got a silence of %v before %v, want 25s at most", pause, at)
			}
		}
		progress, _ := s.read(t)
		if diff := cmp.Diff([]float64{0, 20, 40, 60, 80, 100, 120}, progress); diff != "" {
			t.Errorf("progress (-want +got):\n%s", diff)
		}
	})
}

// The end of a wait is never a progress report: the transport could lose it.
func TestWaitEndsWithoutProgress(t *testing.T) {
	for seconds, want := range map[int][]float64{40: {0, 20}, 20: {0}, 0: nil} {
		synctest.Test(t, func(t *testing.T) {
			s := wait(t.Context(), mcptools.New(mcptools.Options{Log: newLog()}), object{"since_id": 0, "timeout_seconds": seconds}, "tok")
			progress, _ := s.read(t)
			if diff := cmp.Diff(want, progress); diff != "" {
				t.Errorf("progress of a wait of %d s (-want +got):\n%s", seconds, diff)
			}
		})
	}
}

// Without a progressToken there is nothing to report to: plain JSON.
func TestWaitWithoutTokenAnswersPlainly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := wait(t.Context(), mcptools.New(mcptools.Options{Log: newLog()}), object{"since_id": 0}, nil)
		if ct := s.header.Get("Content-Type"); ct != "application/json" {
			t.Errorf("Content-Type: got %q, want application/json", ct)
		}
	})
}

// What is there already is answered plainly and at once, token or not.
func TestWaitReturnsWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog()
		post(t, l, "proj-x", "codex", "done")
		start := time.Now()
		s := wait(t.Context(), mcptools.New(mcptools.Options{Log: l}), object{"since_id": 0}, "tok")
		progress, got := s.read(t)
		if f := got.fetched(t); time.Since(start) != 0 || len(progress) != 0 || len(f.Messages) != 1 || f.LatestID != 1 {
			t.Errorf("got %v with progress %v after %v, want message 1 alone and at once", ids(f), progress, time.Since(start))
		}
	})
}

// A wait is woken by what it waits for and by nothing else, and its cursor moves
// over the rest.
func TestWaitIsWokenByItsMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog()
		h := mcptools.New(mcptools.Options{Log: l})
		answered := make(chan *stream)
		start := time.Now()
		go func() {
			answered <- wait(t.Context(), h, object{"since_id": 0, "sender": "codex", "timeout_seconds": 3000}, "tok")
		}()
		for _, m := range []struct{ target, sender string }{{"other", "codex"}, {"proj-x", "claude"}, {"proj-x", "Codex"}, {"proj-x", "codex"}} {
			time.Sleep(33 * time.Second)
			post(t, l, m.target, m.sender, "x")
		}
		_, got := (<-answered).read(t)
		if f := got.fetched(t); len(f.Messages) != 1 || f.Messages[0].ID != 4 || f.LatestID != 4 {
			t.Errorf("got %v to %d, want message 4", ids(f), f.LatestID)
		}
		if took := time.Since(start); took != 4*33*time.Second {
			t.Errorf("got the answer after %v, want at once", took)
		}
	})
}

func TestTimedOutWaitMovesTheCursorOfItsSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog()
		h := mcptools.New(mcptools.Options{Log: l})
		go func() {
			time.Sleep(time.Second)
			post(t, l, "proj-x", "claude", "noise")
		}()
		_, got := wait(t.Context(), h, object{"since_id": 0, "sender": "codex"}, nil).read(t)
		if f := got.fetched(t); len(f.Messages) != 0 || f.LatestID != 1 {
			t.Errorf("got %v to %d, want nothing to 1", ids(f), f.LatestID)
		}
	})
}

// A stop ends waits as a time-out would and leaves posts alone.
func TestStopEndsWaits(t *testing.T) {
	for _, token := range []any{nil, "tok"} {
		synctest.Test(t, func(t *testing.T) {
			stop, cancel := context.WithCancel(t.Context())
			l := newLog()
			h := mcptools.New(mcptools.Options{Log: l, Stop: stop})
			start := time.Now()
			time.AfterFunc(7*time.Second, cancel)
			_, got := wait(t.Context(), h, object{"since_id": 0, "sender": "codex"}, token).read(t)
			if f := got.fetched(t); len(f.Messages) != 0 {
				t.Errorf("token %v: got %v, want nothing", token, ids(f))
			}
			if took := time.Since(start); took != 7*time.Second {
				t.Errorf("token %v: got the answer after %v, want at the stop", token, took)
			}
			// A wait that begins after the stop ends at once too.
			_, got = wait(t.Context(), h, object{"since_id": 0}, token).read(t)
			if f := got.fetched(t); len(f.Messages) != 0 || time.Since(start) > 7*time.Second {
				t.Errorf("token %v: a wait after the stop took until %v", token, time.Since(start))
			}
			r := httptest.NewRequest(http.MethodPost, "/mcp", strings.NewReader(
				callBody("post_message", object{"target": "proj-x", "sender": "codex", "text": "late"}, nil)))
			r.Header.Set("Content-Type", "application/json")
			h.ServeHTTP(httptest.NewRecorder(), r)
			if i, _ := l.Info(t.Context()); i.Head != 1 {
				t.Errorf("token %v: got %d messages after a post during the stop, want 1", token, i.Head)
			}
		})
	}
}

// A client that goes away takes its wait with it. The bubble fails the test if
// a goroutine is left.
func TestDisconnectEndsWait(t *testing.T) {
	for _, token := range []any{nil, "tok"} {
		synctest.Test(t, func(t *testing.T) {
			ctx, gone := context.WithTimeout(t.Context(), 9*time.Second)
			defer gone()
			start := time.Now()
			s := wait(ctx, mcptools.New(mcptools.Options{Log: newLog()}), object{"since_id": 0, "timeout_seconds": 3000}, token)
			if took := time.Since(start); took != 9*time.Second {
				t.Errorf("the wait went on for %v, want 9s", took)
			}
			if strings.Contains(s.body.String(), `"result"`) {
				t.Errorf("got %s, want no answer to nobody", s.body.String())
			}
		})
	}
}

// hastyLog answers waits early and empty, as a relay elsewhere does when it
// restarts.
type hastyLog struct{ *relay.Log }

func (h hastyLog) Wait(ctx context.Context, q relay.Query, d time.Duration) (relay.Page, error) {
	return h.Log.Wait(ctx, q, min(d, 7*time.Second))
}

func TestEarlyEmptyWaitsDoNotEndTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := wait(t.Context(), mcptools.New(mcptools.Options{Log: hastyLog{newLog()}}), object{"since_id": 0, "timeout_seconds": 65}, "tok")
		progress, _ := s.read(t)
		if took := time.Since(start); took != 65*time.Second {
			t.Errorf("the wait took %v, want 65s", took)
		}
		if diff := cmp.Diff([]float64{0, 20, 40, 60}, progress); diff != "" {
			t.Errorf("progress (-want +got):\n%s", diff)
		}
	})
}
