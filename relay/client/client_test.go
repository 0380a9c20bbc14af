package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/relay/relaytest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction(relaytest.LeakedFunction))
}

func serve(t *testing.T, h http.HandlerFunc) *client.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c := client.New(client.Options{BaseURL: srv.URL, Token: "secret", UserAgent: "test/1", Source: "tester"})
	t.Cleanup(c.Close)
	return c
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(client.HeaderLog, "L1")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

var anywhere = relay.Query{Targets: []string{"proj-x"}}

func TestErrors(t *testing.T) {
	tests := []struct {
		status int
		body   string
		code   relay.Code // "" means no *relay.Error
		denied bool
		text   string
	}{
		{400, `{"ok":false,"error":"limit must be a number","field":"limit"}`, relay.CodeInvalid, false, "limit must be a number"},
		{413, `{"ok":false,"error":"text is too long"}`, relay.CodeTooLarge, false, "text is too long"},
		{401, `{"ok":false,"error":"a token is required"}`, relay.CodeUnauthorized, true, "a token is required"},
		{403, `{"ok":false,"error":"origin refused"}`, relay.CodeForbidden, true, "origin refused"},
		{429, `{"ok":false,"error":"slow down"}`, relay.CodeUnavailable, false, "slow down"},
		{503, `{"ok":false,"error":"the disk is full"}`, relay.CodeUnavailable, false, "the disk is full"},
		{500, `{"ok":false,"error":"internal error"}`, "", false, "the relay answered 500 Internal Server Error"},
		{404, `<html>nope</html>`, "", false, "the relay answered 404 Not Found"},
		{302, ``, "", false, "the relay answered 302 Found"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status), func(t *testing.T) {
			_, err := serve(t, answer(tt.status, tt.body)).Read(t.Context(), anywhere)
			var re *relay.Error
			if got := errors.As(err, &re); got != (tt.code != "") || got && re.Code != tt.code {
				t.Errorf("Read: got %#v, want a *relay.Error of code %q", re, tt.code)
			}
			var se *client.StatusError
			if !errors.As(err, &se) || se.Status != tt.status {
				t.Errorf("Read: got %v, want status %d", err, tt.status)
			}
			if got := client.Denied(err); got != tt.denied {
				t.Errorf("Denied: got %v, want %v", got, tt.denied)
			}
			if !strings.HasSuffix(err.Error(), tt.text) {
				t.Errorf("error: got %q, want it to end with %q", err, tt.text)
			}
		})
	}
}

func TestAnotherServerIsNotARelay(t *testing.T) {
	for _, body := range []string{"<html>hello</html>", `{"hello":"world"}`, `[]`, ""} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
		if _, err := c.Read(t.Context(), anywhere); !errors.Is(err, client.ErrNotRelay) {
			t.Errorf("Read of %q: got %v, want ErrNotRelay", body, err)
		}
		if _, err := c.Info(t.Context()); !errors.Is(err, client.ErrNotRelay) {
			t.Errorf("Info of %q: got %v, want ErrNotRelay", body, err)
		}
		if _, err := c.Post(t.Context(), relay.Draft{Target: "a", Sender: "b", Text: "c"}); !errors.Is(err, client.ErrNotRelay) {
			t.Errorf("Post to %q: got %v, want ErrNotRelay", body, err)
		}
	}
}

func TestRequestOnTheWire(t *testing.T) {
	var got *http.Request
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		answer(200, `{"messages":[],"latest_id":9,"oldest_id":4,"head_id":12}`)(w, r)
	})
	p, err := c.Read(t.Context(), relay.Query{Targets: []string{"a b", "ü"}, Senders: []string{"x", "y"}, Key: "k", Since: 7, Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"target": {"a b", "ü"}, "sender": {"x", "y"}, "key": {"k"}, "since_id": {"7"}, "limit": {"5"}}
	if got.URL.Query().Encode() != want.Encode() {
		t.Errorf("query: got %s, want %s", got.URL.RawQuery, want.Encode())
	}
	if h := got.Header; h.Get("Authorization") != "Bearer secret" || h.Get("User-Agent") != "test/1" {
		t.Errorf("headers: got %v, want the token and the user agent", h)
	}
	if p.LogID != "L1" || p.Head != 12 || p.LatestID != 9 || p.OldestID != 4 {
		t.Errorf("Read: got %+v, want what was answered", p)
	}
	if _, err := c.Read(t.Context(), relay.Query{Targets: []string{"a"}, Newest: true, Before: 3}); err != nil {
		t.Fatal(err)
	}
	if q := got.URL.Query(); q.Has("since_id") || q.Get("before_id") != "3" || q.Get("limit") != "200" {
		t.Errorf("query for the newest: got %s, want before_id=3 and no since_id", got.URL.RawQuery)
	}
}

func TestWaitRepeatsFromWhatWasScanned(t *testing.T) {
	var asked []url.Values
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query())
		body := `{"messages":[],"latest_id":30,"head_id":30}`
		if len(asked) == 2 {
			body = `{"messages":[{"id":31,"target":"proj-x","sender":"claude","text":"x"}],"latest_id":31,"head_id":31}`
		}
		answer(200, body)(w, r)
	})
	p, err := c.Wait(t.Context(), relay.Query{Targets: []string{"proj-x"}, Senders: []string{"claude"}, Since: 4}, time.Hour)
	if err != nil || len(p.Messages) != 1 {
		t.Fatalf("Wait: got %+v, %v, want one message", p, err)
	}
	if asked[0].Get("since_id") != "4" || asked[1].Get("since_id") != "30" {
		t.Errorf("Wait: asked since %s then %s, want 4 then 30", asked[0].Get("since_id"), asked[1].Get("since_id"))
	}
	if asked[0].Get("wait") != "55.000" {
		t.Errorf("Wait: asked to wait %s s, want 55", asked[0].Get("wait"))
	}
}

// The ids of another log, or of one that went back, have to go a long way before
// they reach the cursor: who waits for them must know.
func TestWaitSeesAnotherLog(t *testing.T) {
	var asked []url.Values
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query())
		answer(200, `{"messages":[],"latest_id":41,"head_id":40}`)(w, r)
	})
	second := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query())
		w.Header().Set(client.HeaderLog, fmt.Sprint("L", len(asked)))
		io.WriteString(w, `{"messages":[],"latest_id":41,"head_id":41}`)
	})
	tests := []struct {
		name  string
		c     *client.Client
		polls int
	}{
		{"ids behind the cursor", c, 1},
		{"another id of the log", second, 2},
	}
	for _, tt := range tests {
		asked = nil
		p, err := tt.c.Wait(t.Context(), relay.Query{Targets: []string{"proj-x"}, Since: 41}, time.Hour)
		if err != nil || len(p.Messages) != 0 || len(asked) != tt.polls {
			t.Errorf("%s: got %+v, %v after %v, want an empty page after %d polls", tt.name, p, err, asked, tt.polls)
		}
	}
}

func TestWaitTimeOutIsAnEmptyPage(t *testing.T) {
	c := serve(t, answer(200, `{"messages":[],"latest_id":8,"head_id":30}`))
	p, err := c.Wait(t.Context(), anywhere, time.Millisecond)
	if err != nil || len(p.Messages) != 0 || p.LatestID != 8 {
		t.Errorf("Wait: got %+v, %v, want an empty page with the cursor", p, err)
	}
}

func TestWaitEndsWithTheCauseOfItsContext(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel(cause)
		<-r.Context().Done()
	})
	if _, err := c.Wait(ctx, anywhere, time.Hour); err != cause {
		t.Errorf("Wait: got %v, want the cause", err)
	}
}

func TestSilentRelay(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(srv.Close)
	c := client.New(client.Options{BaseURL: srv.URL, Timeout: 20 * time.Millisecond})
	_, err := c.Read(t.Context(), anywhere)
	if err == nil || !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("Read: got %v, want a time-out", err)
	}
}

func TestUnreachableRelay(t *testing.T) {
	srv := httptest.NewServer(nil)
	srv.Close()
	_, err := client.New(client.Options{BaseURL: srv.URL}).Read(t.Context(), anywhere)
	if err == nil || strings.Count(err.Error(), srv.URL) != 1 || strings.Contains(err.Error(), "api/messages") {
		t.Errorf("Read: got %v, want an error that names the address once", err)
	}
	var unreachable *client.UnreachableError
	if !errors.As(err, &unreachable) || unreachable.BaseURL != srv.URL {
		t.Errorf("Read: got %#v, want an *UnreachableError for %s", err, srv.URL)
	}
}

// A page past the bound is fetched in smaller steps, so that no size of message
// can stop a reader.
func TestLargePagesAreReadInSteps(t *testing.T) {
	var limits []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limits = append(limits, r.FormValue("limit"))
		size := 2000
		if len(limits) < 3 {
			size = 4000
		}
		answer(200, `{"messages":[{"id":1,"text":"`+strings.Repeat("x", size)+`"}],"latest_id":1}`)(w, r)
	}))
	t.Cleanup(srv.Close)
	c := client.New(client.Options{BaseURL: srv.URL, MaxResponse: 3000})
	p, err := c.Read(t.Context(), anywhere)
	if err != nil || len(p.Messages) != 1 {
		t.Fatalf("Read: got %d messages, %v, want 1", len(p.Messages), err)
	}
	if got := strings.Join(limits, " "); got != "200 25 3" {
		t.Errorf("limits asked for: got %s, want 200 25 3", got)
	}
}

func TestConnectionsAreReused(t *testing.T) {
	conns := make(map[string]bool)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		conns[r.RemoteAddr] = true
		answer(400, `{"ok":false,"error":"`+strings.Repeat("no ", 5000)+`"}`)(w, r)
	})
	for range 5 {
		c.Read(t.Context(), anywhere)
	}
	if len(conns) != 1 {
		t.Errorf("connections: got %d, want 1", len(conns))
	}
}

func TestLocalChecks(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	for _, q := range []relay.Query{{}, {Targets: []string{""}}, {Targets: []string{"a"}, Newest: true, Since: 1}, {Targets: []string{"a"}, Since: -1}} {
		var re *relay.Error
		if _, err := c.Read(t.Context(), q); !errors.As(err, &re) {
			t.Errorf("Read(%+v): got %v, want a *relay.Error", q, err)
		}
	}
	if _, err := c.Wait(t.Context(), relay.Query{Targets: []string{"a"}, Newest: true}, time.Second); err == nil {
		t.Error("Wait for the newest: got nil, want an error")
	}
}
