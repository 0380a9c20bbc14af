package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"autoreview/relay"
	"autoreview/relay/api"

	"github.com/google/go-cmp/cmp"
)

// event is one server-sent event as a browser would see it.
type event struct {
	name, id, data string
	comment        bool
}

// events reads a stream by the rules of the HTML standard.
type events struct {
	t    testing.TB
	body io.ReadCloser
	scan *bufio.Reader
}

// listen opens a stream at a real server.
func listen(t testing.TB, base, query, lastEventID string) *events {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, base+"/api/stream?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastEventID != "" {
		req.Header.Set("Last-Event-ID", lastEventID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || got != "text/event-stream" {
		t.Fatalf("stream %s: got %d %s", query, resp.StatusCode, got)
	}
	return read(t, resp.Body)
}

func read(t testing.TB, body io.ReadCloser) *events {
	return &events{t: t, body: body, scan: bufio.NewReader(body)}
}

// next returns the next event, or the error that ended the stream.
func (e *events) next() (event, error) {
	var ev event
	var data []string
	for {
		line, err := e.scan.ReadString('\n')
		if err != nil {
			return event{}, err
		}
		line = strings.TrimSuffix(line, "\n")
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && ev == event{} && data == nil:
		case line == "":
			ev.data = strings.Join(data, "\n")
			return ev, nil
		case field == "":
			ev.comment = true
		case field == "event":
			ev.name = value
		case field == "id":
			ev.id = value
		case field == "data":
			data = append(data, value)
		case field == "retry":
		default:
			e.t.Errorf("unknown field in line %q", line)
		}
	}
}

func (e *events) must(name string) event {
	e.t.Helper()
	for {
		ev, err := e.next()
		if err != nil {
			e.t.Fatalf("stream ended: %v", err)
		}
		if ev.comment {
			continue
		}
		if ev.name != name {
			e.t.Fatalf("event: got %+v, want %s", ev, name)
		}
		return ev
	}
}

func (e *events) message() relay.Message {
	e.t.Helper()
	ev := e.must("message")
	var m relay.Message
	if err := json.Unmarshal([]byte(ev.data), &m); err != nil {
		e.t.Fatalf("data %q: %v", ev.data, err)
	}
	if ev.id != fmt.Sprint(m.ID) {
		e.t.Errorf("id of the event is %s, of the message %d", ev.id, m.ID)
	}
	return m
}

func (f fixture) server() *httptest.Server {
	srv := httptest.NewServer(f.h)
	f.t.Cleanup(srv.Close)
	return srv
}

func TestStreamReplaysThenFollows(t *testing.T) {
	f := open(t, nil)
	srv := f.server()
	for i := range 120 { // more than one page
		f.post(relay.Draft{Target: []string{"a", "b", "c"}[i%3], Sender: []string{"x", "y"}[i%2], Text: "line 1\nline 2\r\n\n"})
	}
	// start is the cursor that hello names; the messages after it follow.
	tests := []struct {
		query, last string
		start       int64
		want        func(relay.Message) bool
	}{
		{"", "", 120, func(relay.Message) bool { return true }},
		{"since_id=0", "", 0, func(relay.Message) bool { return true }},
		{"since_id=110", "", 110, func(relay.Message) bool { return true }},
		{"since_id=0", "90", 90, func(relay.Message) bool { return true }},
		{"", "90", 90, func(relay.Message) bool { return true }},
		{"target=a&since_id=0", "", 0, func(m relay.Message) bool { return m.Target == "a" }},
		{"target=a&target=c&since_id=50", "", 50, func(m relay.Message) bool { return m.Target != "b" }},
		{"target=b&sender=x&since_id=0", "", 0, func(m relay.Message) bool { return m.Target == "b" && m.Sender == "x" }},
		{"sender=y", "1", 1, func(m relay.Message) bool { return m.Sender == "y" }},
	}
	var streams []*events
	for _, tt := range tests {
		e := listen(t, srv.URL, tt.query, tt.last)
		hello := e.must("hello")
		info, err := f.log.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf(`{"log_id":%q,"head_id":120,"oldest_id":1}`, info.LogID); hello.id != fmt.Sprint(tt.start) || hello.data != want {
			t.Errorf("%s, %q: hello is %+v, want id %d and %s", tt.query, tt.last, hello, tt.start, want)
		}
		streams = append(streams, e)
	}
	for i := range 60 {
		f.post(relay.Draft{Target: []string{"a", "b", "c"}[i%3], Sender: []string{"x", "y"}[i%2], Text: "live"})
	}
	all, err := f.log.Read(t.Context(), relay.Query{Limit: 500})
	if err != nil {
		t.Fatal(err)
	}
	for i, tt := range tests {
		for _, want := range all.Messages {
			if want.ID <= tt.start || !tt.want(want) {
				continue
			}
			if diff := cmp.Diff(want, streams[i].message()); diff != "" {
				t.Fatalf("%s, %q: (-want +got)\n%s", tt.query, tt.last, diff)
			}
		}
	}
}

// A cursor past the head is another log's. Waiting for this log to reach it
// would make the reader deaf, as the original's readers were after a restart.
func TestStreamIsNotDeafAfterAnotherLogsCursor(t *testing.T) {
	f := open(t, nil)
	f.fill("a", 3)
	e := listen(t, f.server().URL, "target=a", "700")
	if hello := e.must("hello"); hello.id != "3" {
		t.Errorf("starts from %s, want 3", hello.id)
	}
	f.fill("a", 1)
	if got := e.message().ID; got != 4 {
		t.Errorf("first message is %d, want 4", got)
	}
}

func TestBadLastEventIDIs400(t *testing.T) {
	f := open(t, nil)
	for _, v := range []string{"x", "-1", "1.5", "9223372036854775808", "1 2"} {
		req := httptest.NewRequest(http.MethodGet, "/api/stream", nil)
		req.Header.Set("Last-Event-ID", v)
		if got := refused(t, f.do(req), http.StatusBadRequest); !strings.Contains(got, "Last-Event-ID") {
			t.Errorf("%q: error %q does not name the header", v, got)
		}
	}
}

// Whoever reconnects with the last id it saw gets every message once and in
// order, however often the connection breaks and however many post meanwhile.
func TestStreamHasNoGapsUnderConcurrentPosts(t *testing.T) {
	const posters, each = 4, 150
	f := open(t, nil)
	srv := f.server()
	var wg sync.WaitGroup
	for p := range posters {
		wg.Go(func() {
			for i := range each {
				f.post(relay.Draft{Target: []string{"a", "b"}[i%2], Sender: fmt.Sprint(p), Text: fmt.Sprint(i)})
			}
		})
	}
	for r, query := range []string{"since_id=0", "target=a&target=b&since_id=0", "since_id=0&sender=0&sender=1&sender=2&sender=3"} {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(r)))
			var last int64
			for last < posters*each {
				e := listen(t, srv.URL, query, fmt.Sprint(last))
				e.must("hello")
				for range 1 + random.IntN(100) {
					m := e.message()
					if m.ID != last+1 {
						t.Errorf("%s: message %d came after %d", query, m.ID, last)
					}
					if last = m.ID; last >= posters*each {
						break
					}
				}
				e.body.Close()
			}
		})
	}
	wg.Wait()
}

// watched is a client whose answer can be read while it is written.
type watched struct {
	*httptest.ResponseRecorder
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		client, done := &watched{ResponseRecorder: httptest.NewRecorder()}, make(chan struct{})
		go func() {
			defer close(done)
			f.h.ServeHTTP(client, httptest.NewRequest(http.MethodGet, "/api/stream?target=a", nil).WithContext(ctx))
		}()
		beats := func() int {
			synctest.Wait()
			return strings.Count(client.String(), ": heartbeat\n\n")
		}
		time.Sleep(14 * time.Second)
		if got := beats(); got != 0 {
			t.Errorf("after 14 s: %d heartbeats, want 0", got)
		}
		time.Sleep(32 * time.Second)
		if got := beats(); got != 3 {
			t.Errorf("after 46 s: %d heartbeats, want 3", got)
		}
		f.fill("a", 1)
		time.Sleep(14 * time.Second)
		if got := beats(); got != 3 || !strings.Contains(client.String(), "event: message\nid: 1\n") {
			t.Errorf("14 s after a message: %d heartbeats, want 3\n%s", got, client)
		}
		cancel()
		<-done
	})
}

// A stop ends every stream, and cleanly: each client sees the end of the body,
// not a broken connection.
func TestStopEndsAllStreams(t *testing.T) {
	stop, cancel := context.WithCancel(context.Background())
	f := open(t, func(o *api.Options) { o.Stop = stop })
	srv := f.server()
	var streams []*events
	for range 100 {
		e := listen(t, srv.URL, "target=a", "")
		e.must("hello")
		streams = append(streams, e)
	}
	cancel()
	for i, e := range streams {
		if ev, err := e.next(); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("stream %d: got %+v, %v, want its end", i, ev, err)
		}
	}
}

// A client that stopped reading is dropped, and the stream's goroutine ends.
func TestStuckClientIsDropped(t *testing.T) {
	f := open(t, func(o *api.Options) { o.EventTimeout = 20 * time.Millisecond })
	for range 16 { // more than sockets buffer
		f.post(relay.Draft{Target: "a", Sender: "b", Text: strings.Repeat("x", 2<<20)})
	}
	over := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(over)
		f.h.ServeHTTP(w, r)
	}))
	defer srv.Close()
	e := listen(t, srv.URL, "since_id=0", "")
	e.must("hello")
	<-over
}

// stuck is a connection whose client does not read messages: a write of one
// ends at its deadline.
type stuck struct {
	*httptest.ResponseRecorder
	writing  chan struct{} // closed when a write is stuck
	deadline chan time.Time
}

func (s *stuck) SetWriteDeadline(t time.Time) error {
	select {
	case <-s.deadline: // only the last one counts
	default:
	}
	s.deadline <- t
	return nil
}

func (s *stuck) Write(b []byte) (int, error) {
	if !strings.Contains(string(b), "event: message") {
		return len(b), nil
	}
	<-s.deadline // the one that was set for this write
	close(s.writing)
	time.Sleep(time.Until(<-s.deadline))
	return 0, os.ErrDeadlineExceeded
}

// A stop does not wait for a client that does not read.
func TestStopFreesStuckStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, cancel := context.WithCancel(t.Context())
		f := open(t, func(o *api.Options) { o.Stop, o.EventTimeout = stop, time.Hour })
		f.fill("a", 1)
		w := &stuck{httptest.NewRecorder(), make(chan struct{}), make(chan time.Time, 1)}
		over := make(chan struct{})
		go func() {
			defer close(over)
			f.h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/stream?since_id=0", nil))
		}()
		<-w.writing
		start := time.Now()
		cancel()
		<-over
		if took := time.Since(start); took > time.Second {
			t.Errorf("the stream ended %v after the stop, want less than 1s", took)
		}
	})
}

// failing reads well until its log breaks.
type failing struct{ api.Log }

func (failing) Wait(context.Context, relay.Query, time.Duration) (relay.Page, error) {
	return relay.Page{}, errors.New("disk on fire")
}

func TestStreamLogsWhatBreaksIt(t *testing.T) {
	var lines strings.Builder
	f := open(t, func(o *api.Options) {
		o.Log = failing{o.Log}
		o.Logger = logTo(&lines)
	})
	rec := f.get("/api/stream")
	if rec.Code != 200 || strings.Contains(rec.Body.String(), "fire") {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
	if !strings.Contains(lines.String(), "disk on fire") {
		t.Errorf("log: got %q", lines.String())
	}
}
