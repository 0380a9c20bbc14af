package guard_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"autoreview/relay"
	"autoreview/relay/guard"
)

func TestRequestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := guard.New(guard.Options{
			MaxRequestsPerSecond: 10,
			Tokens:               keys{access: map[string]relay.Access{"a": {Name: "a"}, "b": {Name: "b"}}},
		})(named)
		get := func(secret, remote string) int {
			return ask(h, "GET", "/api/messages", "Authorization", "Bearer "+secret, "remote", remote).Code
		}
		for i := range 20 {
			if got := get("a", fmt.Sprintf("192.0.2.%d:1", i)); got != 200 {
				t.Fatalf("request %d: got %d, want 200", i, got)
			}
		}
		rec := ask(h, "GET", "/api/messages", "Authorization", "Bearer a")
		if rec.Code != 429 || rec.Header().Get("Retry-After") != "1" || !strings.Contains(rec.Body.String(), "at most 10 in a second") {
			t.Errorf("past the limit: got %d %s, Retry-After %q", rec.Code, rec.Body, rec.Header().Get("Retry-After"))
		}
		if got := get("b", "192.0.2.1:1"); got != 200 {
			t.Errorf("another token: got %d, want 200", got)
		}
		if got := ask(h, "GET", "/healthz").Code; got != 200 {
			t.Errorf("the probe: got %d, want 200", got)
		}
		// It comes back at the rate, no faster and no slower.
		for range 5 {
			time.Sleep(100 * time.Millisecond)
			if first, second := get("a", "192.0.2.1:1"), get("a", "192.0.2.1:1"); first != 200 || second != 429 {
				t.Errorf("a tenth of a second later: got %d and %d, want 200 and 429", first, second)
			}
		}
		time.Sleep(time.Hour)
		for i := range 20 {
			if got := get("a", "192.0.2.1:1"); got != 200 {
				t.Fatalf("request %d after a pause: got %d, want 200", i, got)
			}
		}
		if got := get("a", "192.0.2.1:1"); got != 429 {
			t.Errorf("a pause saves up no more than the burst: got %d, want 429", got)
		}
	})
}

func TestNoLimitUnlessSet(t *testing.T) {
	h := guard.New(guard.Options{})(named)
	for i := range 5000 {
		if rec := ask(h, "GET", "/api/stream"); rec.Code != 200 {
			t.Fatalf("request %d: got %d", i, rec.Code)
		}
	}
}

// held is a door whose requests stay open until they are told to end.
type held struct {
	h    http.Handler
	open sync.WaitGroup
	end  chan struct{}
}

func hold(o guard.Options) *held {
	d := &held{end: make(chan struct{})}
	d.h = guard.New(o)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-d.end }))
	return d
}

// try opens a request and reports the status of one that was refused, or 0.
func (d *held) try(method, path, remote string) int {
	done := make(chan int, 1)
	d.open.Go(func() {
		r := httptest.NewRequestWithContext(context.Background(), method, "http://localhost"+path, nil)
		r.RemoteAddr = remote
		rec := httptest.NewRecorder()
		d.h.ServeHTTP(rec, r)
		done <- rec.Code
	})
	synctest.Wait()
	select {
	case status := <-done:
		return status
	default:
		return 0
	}
}

func TestOpenRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := hold(guard.Options{MaxStreamsPerClient: 3, MaxStreams: 5})
		const one, two, three = "192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"
		for _, step := range []struct {
			method, path, remote string
			want                 int
		}{
			{"GET", "/api/stream", one, 0},
			{"GET", "/api/messages?target=a&since_id=0&wait=5", one, 0},
			{"POST", "/mcp", one, 0},
			{"GET", "/api/stream?target=a", one, 429},
			{"POST", "/mcp", one, 429},
			{"GET", "/api/messages?target=a", one, 0}, // no wait: it is not counted
			{"POST", "/api/messages", one, 0},
			{"GET", "/api/stream", two, 0},
			{"GET", "/api/stream", two, 0},
			{"GET", "/api/stream", three, 429}, // five in all
		} {
			if got := d.try(step.method, step.path, step.remote); got != step.want {
				t.Errorf("%s %s of %s: got %d, want %d", step.method, step.path, step.remote, got, step.want)
			}
		}
		close(d.end)
		d.open.Wait()
		// What has ended is given back.
		d.end = make(chan struct{})
		for i := range 3 {
			if got := d.try("GET", "/api/stream", one); got != 0 {
				t.Errorf("stream %d after the others ended: got %d, want it open", i, got)
			}
		}
		close(d.end)
		d.open.Wait()
	})
}

// A place is given back also when the body is refused or the door panics.
func TestPlacesAreGivenBack(t *testing.T) {
	h := guard.New(guard.Options{MaxStreams: 1, MaxBodyBytes: 5})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	}))
	for i := range 3 {
		r := httptest.NewRequest("POST", "http://localhost/mcp", strings.NewReader("more than five"))
		r.ContentLength = -1
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		if h.ServeHTTP(rec, r); rec.Code != 413 {
			t.Fatalf("request %d: got %d %s, want 413", i, rec.Code, rec.Body)
		}
	}
	for i := range 3 {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("request %d did not reach the door", i)
				}
			}()
			ask(h, "GET", "/api/stream")
		}()
	}
}
