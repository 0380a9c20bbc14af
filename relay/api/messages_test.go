package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"autoreview/relay"
	"autoreview/relay/api"
	"autoreview/relay/store/memory"

	"github.com/google/go-cmp/cmp"
)

func TestReadByCursor(t *testing.T) {
	f := open(t, nil)
	for i := range 10 {
		f.post(relay.Draft{Target: []string{"a", "b"}[i%2], Sender: []string{"x", "y", "z"}[i%3], Text: "t", Key: fmt.Sprint("k", i)})
	}
	tests := []struct {
		query  string
		want   []int64
		latest int64
	}{
		{"target=a", []int64{1, 3, 5, 7, 9}, 9},
		{"target=a&limit=2", []int64{7, 9}, 9},
		{"target=a&since_id=0&limit=2", []int64{1, 3}, 3},
		{"target=a&since_id=3", []int64{5, 7, 9}, 9},
		{"target=a&since_id=9", []int64{}, 9},
		{"target=a&since_id=99", []int64{}, 99},
		{"target=a&before_id=7", []int64{1, 3, 5}, 5},
		{"target=a&before_id=7&limit=2", []int64{3, 5}, 5},
		{"target=a&before_id=1", []int64{}, 0},
		{"target=a&sender=x", []int64{1, 7}, 10},
		{"target=a&sender=x&sender=y", []int64{1, 5, 7}, 10},
		{"target=a&sender=x&since_id=0&limit=1", []int64{1}, 1},
		{"target=a&sender=nobody&since_id=0", []int64{}, 10},
		{"target=a&key=k4", []int64{5}, 10},
		{"target=b&key=k4", []int64{}, 10},
		{"target=a&target=b&since_id=7", []int64{8, 9, 10}, 10},
		{"target=a&unknown=1&since_id=8", []int64{9}, 9},
		{"target=A", []int64{}, 0},
	}
	for _, tt := range tests {
		p := f.page("/api/messages?" + tt.query)
		if diff := cmp.Diff(tt.want, ids(p.Messages)); diff != "" {
			t.Errorf("%s: ids (-want +got)\n%s", tt.query, diff)
		}
		if p.LatestID != tt.latest || p.HeadID != 10 || p.OldestID != 1 {
			t.Errorf("%s: latest, head, oldest: got %d %d %d, want %d 10 1", tt.query, p.LatestID, p.HeadID, p.OldestID, tt.latest)
		}
	}
}

func TestBadQueriesAreClear400s(t *testing.T) {
	f := open(t, nil)
	many := strings.Repeat("sender=a&", 101)
	for query, want := range map[string]string{
		"/api/messages?limit=abc":                         `limit must be an integer, not "abc"`,
		"/api/messages?limit=":                            `limit must be an integer, not ""`,
		"/api/messages?limit=1.5":                         `limit must be an integer, not "1.5"`,
		"/api/messages?since_id=x":                        `since_id must be an integer of at least 0, not "x"`,
		"/api/messages?since_id=-1":                       `since_id must be an integer of at least 0, not "-1"`,
		"/api/messages?since_id=9223372036854775808":      `since_id must be an integer of at least 0, not "9223372036854775808"`,
		"/api/messages?before_id=0":                       `before_id must be an integer of at least 1, not "0"`,
		"/api/messages?since_id=0&before_id=9":            `since_id and before_id cannot be used together`,
		"/api/messages?since_id=3&before_id=9":            `since_id and before_id cannot be used together`,
		"/api/messages?wait=5":                            `wait needs since_id`,
		"/api/messages?wait=5&before_id=3":                `wait needs since_id`,
		"/api/messages?since_id=0&wait=soon":              `wait must be a number of seconds, not "soon"`,
		"/api/messages?since_id=0&wait=NaN":               `wait must be a number of seconds, not "NaN"`,
		"/api/messages?sender=":                           `sender must be text`,
		"/api/messages?key=":                              `key must be text`,
		"/api/messages?target=%ff":                        `target must be text`,
		"/api/messages?target=a%00":                       `target must be text`,
		"/api/messages?target=a&target=":                  `target must be text`,
		"/api/messages?target=%zz":                        `the query string cannot be read`,
		"/api/messages?a=1;b=2":                           `the query string cannot be read`,
		"/api/messages?" + many:                           `sender may be given at most 100 times`,
		"/api/channels?details=maybe":                     `details must be 1 or 0, not "maybe"`,
		"/api/stream?since_id=x":                          `since_id must be an integer`,
		"/api/stream?target=":                             `target must be text`,
		"/api/stream?" + many:                             `sender may be given at most 100 times`,
		"/api/messages?limit=" + strings.Repeat("x", 500): strings.Repeat("x", 64) + `..."`,
	} {
		if got := refused(t, f.get(query), http.StatusBadRequest); !strings.Contains(got, want) {
			t.Errorf("GET %s: error %q, want %q in it", query, got, want)
		}
	}
}

func TestBadBodiesAreClear400s(t *testing.T) {
	f := open(t, nil)
	for body, want := range map[string]string{
		``:                             "Request body must be valid JSON",
		`{"target":`:                   "Request body must be valid JSON",
		"{\"text\":\"\xff\"}":          "Request body must be valid JSON",
		`{} {}`:                        "Request body must be valid JSON",
		`[]`:                           "Request body must be a JSON object",
		`null`:                         "Request body must be a JSON object",
		`"text"`:                       "Request body must be a JSON object",
		`{}`:                           "target is required",
		`{"target":5}`:                 "target must be a string, not the number 5",
		`{"target":["a"]}`:             "target must be a string, not an array",
		`{"Target":"a"}`:               "target is required",
		`{"target":"a","sender":true}`: "sender must be a string, not a boolean",
		`{"target":"a","sender":"b","text":{"a":1}}`:              "text must be a string, not an object",
		`{"target":"a","sender":"b","text":0}`:                    "text must be a string, not the number 0",
		`{"target":"a","sender":"b","text":null}`:                 "text is required",
		`{"target":"a","sender":"b","text":" \n"}`:                "text is required",
		`{"target":"a","sender":"b","text":"c","reply_to":"1"}`:   "reply_to must be an integer, not a string",
		`{"target":"a","sender":"b","text":"c","reply_to":1.5}`:   "reply_to must be an integer, not the number 1.5",
		`{"target":"a","sender":"b","text":"c","reply_to":7}`:     `reply_to 7 is not a message of channel "a"`,
		`{"target":"a","sender":"b","text":"c","kind":"verdict"}`: `kind must be packet, review, status or note, not "verdict"`,
		`{"target":"a","sender":"b","text":"c","meta":[1]}`:       "meta must be a JSON object",
		`{"target":"a","sender":"b","text":"c","key":1e99}`:       "key must be a string, not the number 1e99",
		`{"target":"a\u0000","sender":"b","text":"c"}`:            "target must not contain control characters",
		`{"target":"` + strings.Repeat("a", 129) + `"}`:           "more than the limit of 128",
		`{"target":1` + strings.Repeat("0", 90) + `}`:             "target must be a string, not a number that long",
	} {
		if got := refused(t, f.send(body), http.StatusBadRequest); !strings.Contains(got, want) {
			t.Errorf("POST %.60s: error %q, want %q in it", body, got, want)
		}
	}
	if p := f.page("/api/messages?target=a"); len(p.Messages) > 0 {
		t.Errorf("something was stored: %+v", p.Messages)
	}
}

func TestErrorNamesItsField(t *testing.T) {
	rec := open(t, nil).send(`{"target":"a","sender":5}`)
	want := `{"ok":false,"error":"sender must be a string, not the number 5","field":"sender"}`
	if got := strings.TrimSpace(rec.Body.String()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPostWithEverything(t *testing.T) {
	f := open(t, nil)
	f.fill("a", 1)
	body := `{"target":" a ","sender":" b ","text":" c<&> ","kind":"review","reply_to":1,"meta":{ "n": 1 },"key":"k","more":"ignored"}`
	message := `{"id":2,"ts":1795392000.25,"target":"a","sender":"b","text":" c<&> ","kind":"review","reply_to":1,"meta":{"n":1},"key":"k"}`
	rec := f.send(body)
	if got, want := strings.TrimSpace(rec.Body.String()), `{"ok":true,"posted":2,"message":`+message+`}`; rec.Code != 201 || got != want {
		t.Errorf("first: got %d %s, want 201 %s", rec.Code, got, want)
	}
	rec = f.send(body)
	if got, want := strings.TrimSpace(rec.Body.String()), `{"ok":true,"posted":2,"message":`+message+`,"duplicate":true}`; rec.Code != 200 || got != want {
		t.Errorf("second: got %d %s, want 200 %s", rec.Code, got, want)
	}
}

func TestPostContentType(t *testing.T) {
	f := open(t, nil)
	for typ, want := range map[string]int{
		"application/json": 201, "application/json; charset=utf-8": 201, "Application/JSON": 201,
		"": 415, "text/plain": 415, "application/x-www-form-urlencoded": 415, "text/plain; application/json": 415, "application/jsonp": 415,
	} {
		req := jsonPost(`{"target":"a","sender":"b","text":"c"}`)
		req.Header.Set("Content-Type", typ)
		if rec := f.do(req); rec.Code != want {
			t.Errorf("%q: got %d, want %d", typ, rec.Code, want)
		}
	}
}

// A text within its limit is taken however its JSON is escaped; a larger one,
// and a body that no such text needs, is a 413 that names the limit.
func TestSizeLimits(t *testing.T) {
	const limit = 100_000
	log := relay.New(memory.New(clock), relay.Options{Limits: relay.Limits{TextBytes: limit}})
	f := fixture{t: t, log: log, h: api.New(api.Options{Log: log, MaxTextBytes: limit})}
	escaped := func(n int) string {
		return `{"target":"a","sender":"b","text":"` + strings.Repeat(`\u001b`, n) + `"}`
	}
	if rec := f.send(escaped(limit)); rec.Code != 201 {
		t.Errorf("text at its limit: got %d %s, want 201", rec.Code, rec.Body)
	}
	if got := refused(t, f.send(escaped(limit+1)), 413); !strings.Contains(got, "limit of 100000") {
		t.Errorf("text over its limit: error %q does not name it", got)
	}
	huge := fmt.Sprintf("limit of %d", api.MaxBodyBytes(limit))
	if got := refused(t, f.send(escaped(300_000)), 413); !strings.Contains(got, huge) {
		t.Errorf("body over its limit: error %q, want %q in it", got, huge)
	}
	meta := `{"target":"a","sender":"b","text":"c","meta":{"m":"` + strings.Repeat("x", relay.MaxMetaBytes) + `"}}`
	if got := refused(t, f.send(meta), 413); !strings.Contains(got, "meta") {
		t.Errorf("meta over its limit: error %q does not name it", got)
	}
}

func TestSourceOfAPost(t *testing.T) {
	var got string
	log := relay.New(memory.New(clock), relay.Options{Posted: func(_ relay.Message, source string) { got = source }})
	f := fixture{t: t, log: log, h: api.New(api.Options{Log: log})}
	for header, want := range map[string]string{
		"": "web-ui", "supervisor": "supervisor", "cli-2.0_x": "cli-2.0_x", "bad name": "web-ui", "x\"}": "web-ui", strings.Repeat("x", 33): "web-ui",
	} {
		req := jsonPost(`{"target":"a","sender":"b","text":"c"}`)
		req.Header.Set(api.HeaderSource, header)
		f.do(req)
		if got != want {
			t.Errorf("%q: source is %q, want %q", header, got, want)
		}
	}
}

func TestChannelDetails(t *testing.T) {
	f := open(t, func(o *api.Options) { o.Channels = []string{" z ", "", "b", "z"} })
	f.fill("b", 2)
	f.fill("a", 1)
	info, err := f.log.Info(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	const list = `{"channels":["a","b","z"]`
	if got := strings.TrimSpace(f.get("/api/channels").Body.String()); got != list+"}" {
		t.Errorf("plain: got %s", got)
	}
	want := list + `,"details":[{"name":"a","count":1,"last_id":3,"last_ts":1795392000.25},` +
		`{"name":"b","count":2,"last_id":2,"last_ts":1795392000.25},{"name":"z","count":0,"last_id":0,"last_ts":0}],` +
		`"log_id":"` + info.LogID + `","head_id":3}`
	if got := strings.TrimSpace(f.get("/api/channels?details=1").Body.String()); got != want {
		t.Errorf("details: got %s, want %s", got, want)
	}
	empty := open(t, func(o *api.Options) { o.Channels = nil })
	if got := strings.TrimSpace(empty.get("/api/channels").Body.String()); got != `{"channels":[]}` {
		t.Errorf("none: got %s", got)
	}
}

func TestWait(t *testing.T) {
	// serve answers a request in the background of the bubble.
	serve := func(f fixture, path string) chan *httptest.ResponseRecorder {
		done := make(chan *httptest.ResponseRecorder, 1)
		go func() { done <- f.get(path) }()
		return done
	}
	t.Run("returns what is there at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, start := open(t, nil), time.Now()
			f.fill("a", 3)
			if p := f.page("/api/messages?target=a&since_id=1&wait=30"); len(p.Messages) != 2 || time.Since(start) != 0 {
				t.Errorf("got %d messages after %v, want 2 after 0s", len(p.Messages), time.Since(start))
			}
		})
	})
	t.Run("is woken by a post", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, start := open(t, nil), time.Now()
			done := serve(f, "/api/messages?target=a&sender=claude&since_id=0&wait=30")
			synctest.Wait()
			f.post(relay.Draft{Target: "a", Sender: "codex", Text: "not this one"})
			synctest.Wait()
			f.post(relay.Draft{Target: "a", Sender: "claude", Text: "this one"})
			p := decode[page](t, <-done, 200)
			if len(p.Messages) != 1 || p.Messages[0].ID != 2 || time.Since(start) != 0 {
				t.Errorf("got %+v after %v, want message 2 after 0s", p.Messages, time.Since(start))
			}
		})
	})
	for query, want := range map[string]time.Duration{
		"wait=7": 7 * time.Second, "wait=1.5": 1500 * time.Millisecond, "wait=3600": api.MaxWait, "wait=1e999": api.MaxWait, "wait=-3": 0, "wait=0": 0,
	} {
		t.Run("times out empty, "+query, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, start := open(t, nil), time.Now()
				f.fill("b", 4)
				p := f.page("/api/messages?target=a&since_id=2&" + query)
				if got := time.Since(start); got != want {
					t.Errorf("took %v, want %v", got, want)
				}
				if p.Messages == nil || len(p.Messages) > 0 || p.LatestID != 2 || p.HeadID != 4 {
					t.Errorf("got %+v, want an empty list and cursor 2", p)
				}
			})
		})
	}
	t.Run("ends empty when the relay stops", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			stop, cancel := context.WithCancel(t.Context())
			f, start := open(t, func(o *api.Options) { o.Stop = stop }), time.Now()
			done := serve(f, "/api/messages?target=a&since_id=0&wait=50")
			synctest.Wait()
			cancel()
			p := decode[page](t, <-done, 200)
			if p.Messages == nil || len(p.Messages) > 0 || time.Since(start) != 0 {
				t.Errorf("got %+v after %v, want an empty list after 0s", p, time.Since(start))
			}
			if rec := f.send(`{"target":"a","sender":"b","text":"c"}`); rec.Code != 201 {
				t.Errorf("post while stopping: got %d, want 201", rec.Code)
			}
		})
	})
}
