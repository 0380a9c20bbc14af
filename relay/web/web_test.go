package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"autoreview/relay"
	"autoreview/relay/store/memory"
	"autoreview/relay/web"
)

func newPage(t *testing.T) (http.Handler, *relay.Log) {
	t.Helper()
	log := relay.New(memory.New(nil), relay.Options{})
	return web.New(web.Options{Log: log, Version: "v1.2.3 <dev>"}), log
}

func post(t *testing.T, log *relay.Log, d relay.Draft) int64 {
	t.Helper()
	p, err := log.Post(t.Context(), d)
	if err != nil {
		t.Fatalf("Post: %v", err)
	}
	return p.ID
}

func do(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func wantStatus(t *testing.T, w *httptest.ResponseRecorder, want int) {
	t.Helper()
	if w.Code != want {
		t.Fatalf("status: got %d, want %d: %.300s", w.Code, want, w.Body)
	}
}

func wantHeader(t *testing.T, w *httptest.ResponseRecorder, name, want string) {
	t.Helper()
	if got := w.Header().Get(name); got != want {
		t.Errorf("%s: got %q, want %q", name, got, want)
	}
}

// Nothing but our own files may run, and no page may frame ours: on every
// answer, also the failing ones.
func TestPolicyIsOnEveryAnswer(t *testing.T) {
	h, _ := newPage(t)
	for _, path := range []string{"/", "/assets/app.js", "/assets/none", "/ui/messages?target=a", "/ui/messages", "/ui/text/9", "/nothing"} {
		w := do(h, "GET", path)
		csp := w.Header().Get("Content-Security-Policy")
		for _, want := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self'",
			"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
		} {
			if !strings.Contains(csp+";", want+";") {
				t.Errorf("%s: policy %q lacks %q", path, csp, want)
			}
		}
		for _, never := range []string{"unsafe", "http:", "https:", "*"} {
			if strings.Contains(csp, never) {
				t.Errorf("%s: policy %q has %q", path, csp, never)
			}
		}
		wantHeader(t, w, "X-Content-Type-Options", "nosniff")
		wantHeader(t, w, "Cross-Origin-Resource-Policy", "same-origin")
		wantHeader(t, w, "Referrer-Policy", "no-referrer")
	}
}

func TestPageHasNothingInlineAndNothingForeign(t *testing.T) {
	h, _ := newPage(t)
	w := do(h, "GET", "/")
	wantStatus(t, w, 200)
	wantHeader(t, w, "Content-Type", "text/html; charset=utf-8")
	page := w.Body.String()
	for _, never := range []string{`<script>`, `<style`, ` style=`, ` onclick=`, ` onload=`, `//cdn`, `http://`, `https://`, `<dev>`} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %q", never)
		}
	}
	if !strings.Contains(page, "relay v1.2.3 &lt;dev&gt;") {
		t.Error("the page does not show its version, escaped")
	}
}

var (
	linked   = regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`)
	imported = regexp.MustCompile(`(?:from |import\()'(\./[^']+)'`)
)

// Every file that the page asks for is there, cached for ever, with the type
// that nosniff insists on.
func TestAssetsAreThere(t *testing.T) {
	h, _ := newPage(t)
	var queue []string
	for _, m := range linked.FindAllStringSubmatch(do(h, "GET", "/").Body.String(), -1) {
		queue = append(queue, m[1])
	}
	types := map[string]string{
		".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
	}
	seen := make(map[string]bool)
	for len(queue) > 0 {
		file := queue[0]
		queue = queue[1:]
		if seen[file] {
			continue
		}
		seen[file] = true
		w := do(h, "GET", file)
		if w.Code != 200 || w.Body.Len() == 0 {
			t.Errorf("%s: got %d with %d bytes, want a file", file, w.Code, w.Body.Len())
		}
		wantHeader(t, w, "Content-Type", types[path.Ext(file)])
		wantHeader(t, w, "Cache-Control", "public, max-age=31536000, immutable")
		if path.Ext(file) == ".js" && !strings.Contains(file, "/vendor/") {
			for _, m := range imported.FindAllStringSubmatch(w.Body.String(), -1) {
				queue = append(queue, path.Join(path.Dir(file), m[1]))
			}
		}
	}
	if len(seen) < 14 {
		t.Errorf("files: got %d, want all modules found: %v", len(seen), seen)
	}
	license := do(h, "GET", "/assets/vendor/highlight.LICENSE.txt")
	if !strings.Contains(license.Body.String(), "BSD 3-Clause") {
		t.Errorf("licence of highlight.js: got %d %.80q", license.Code, license.Body)
	}
}

func TestCachingByContent(t *testing.T) {
	h, _ := newPage(t)
	for _, path := range []string{"/", "/assets/app.js", linked.FindStringSubmatch(do(h, "GET", "/").Body.String())[1]} {
		first := do(h, "GET", path)
		wantStatus(t, first, 200)
		tag := first.Header().Get("ETag")
		if !regexp.MustCompile(`^"[0-9a-f]{16}"$`).MatchString(tag) {
			t.Errorf("%s: ETag: got %q, want a strong one", path, tag)
		}
		again := do(h, "GET", path, "If-None-Match", tag)
		wantStatus(t, again, 304)
		if again.Body.Len() != 0 {
			t.Errorf("%s: got %d bytes with a 304, want none", path, again.Body.Len())
		}
		wantStatus(t, do(h, "GET", path, "If-None-Match", `"other"`), 200)
		if head := do(h, "HEAD", path); head.Code != 200 || head.Body.Len() != 0 {
			t.Errorf("HEAD %s: got %d with %d bytes, want 200 with none", path, head.Code, head.Body.Len())
		}
	}
	wantHeader(t, do(h, "GET", "/"), "Cache-Control", "no-cache")
	wantHeader(t, do(h, "GET", "/assets/app.js"), "Cache-Control", "no-cache")
	// A file of an older binary must not be answered with one of this.
	wantStatus(t, do(h, "GET", "/assets/0123456789abcdef/app.js"), 404)
	// Another version is another page.
	other := do(web.New(web.Options{Log: relay.New(memory.New(nil), relay.Options{}), Version: "v2"}), "GET", "/")
	if got, same := other.Header().Get("ETag"), do(h, "GET", "/").Header().Get("ETag"); got == same {
		t.Errorf("ETag of another version: got the same %q", got)
	}
}

func TestErrorsAreJSON(t *testing.T) {
	h, _ := newPage(t)
	for _, c := range []struct {
		method, path string
		status       int
		text         string
	}{
		{"GET", "/nothing", 404, "there is nothing at this address"},
		{"GET", "/assets/../web.go", 307, ""},
		{"GET", "/assets/index.html", 404, "there is no such file"},
		{"POST", "/", 405, "POST is not allowed here"},
		{"DELETE", "/ui/messages", 405, "DELETE is not allowed here"},
		{"PUT", "/assets/app.js", 405, "PUT is not allowed here"},
		{"GET", "/ui/messages", 400, "target is required"},
		{"GET", "/ui/messages?target=a&target=b", 400, "target is required"},
		{"GET", "/ui/messages?target=a&limit=abc", 400, `limit must be a whole number, not "abc"`},
		{"GET", "/ui/messages?target=a&since_id=-1", 400, `since_id must be a whole number, not "-1"`},
		{"GET", "/ui/messages?target=a&since_id=1&before_id=2", 400, "since_id and before_id cannot be used together"},
		{"GET", "/ui/text/x", 400, `id must be a whole number, not "x"`},
		{"GET", "/ui/text/7", 404, "there is no message 7"},
	} {
		w := do(h, c.method, c.path)
		if w.Code != c.status {
			t.Errorf("%s %s: got %d, want %d", c.method, c.path, w.Code, c.status)
		}
		if c.text == "" {
			continue
		}
		var got struct {
			OK    *bool
			Error string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.OK == nil || *got.OK || got.Error != c.text {
			t.Errorf("%s %s: got %s, want the error %q", c.method, c.path, w.Body, c.text)
		}
		if c.status == 405 {
			wantHeader(t, w, "Allow", "GET, HEAD")
		}
	}
}

type brokenLog struct{ err error }

func (l brokenLog) Read(context.Context, relay.Query) (relay.Page, error) { return relay.Page{}, l.err }

// What fails inside is logged, not shown.
func TestInternalErrorsStayInside(t *testing.T) {
	for status, err := range map[int]error{
		500: errors.New("disk /secret/path is on fire"),
		503: &relay.Error{Code: relay.CodeUnavailable, Text: "the log is closing"},
	} {
		w := do(web.New(web.Options{Log: brokenLog{err}}), "GET", "/ui/messages?target=a")
		wantStatus(t, w, status)
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("got %s, want no internals", w.Body)
		}
	}
}

type shown struct {
	ID        int64           `json:"id"`
	Target    string          `json:"target"`
	Sender    string          `json:"sender"`
	Kind      string          `json:"kind"`
	ReplyTo   int64           `json:"reply_to"`
	Meta      json.RawMessage `json:"meta"`
	Text      *string         `json:"text"`
	HTML      string          `json:"html"`
	TextBytes int             `json:"text_bytes"`
	Truncated bool            `json:"truncated"`
}

type answer struct {
	Target   string  `json:"target"`
	Messages []shown `json:"messages"`
	LatestID int64   `json:"latest_id"`
	OldestID int64   `json:"oldest_id"`
	LogID    string  `json:"log_id"`
	HeadID   int64   `json:"head_id"`
}

func fetch(t *testing.T, h http.Handler, query string) answer {
	t.Helper()
	w := do(h, "GET", "/ui/messages?"+query)
	wantStatus(t, w, 200)
	wantHeader(t, w, "Content-Type", "application/json")
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	if a.LogID == "" || w.Header().Get("X-Relay-Log") != a.LogID {
		t.Errorf("log: got %q in the answer and %q in the header", a.LogID, w.Header().Get("X-Relay-Log"))
	}
	return a
}

func TestMessagesAsHTML(t *testing.T) {
	h, log := newPage(t)
	post(t, log, relay.Draft{Target: "a", Sender: "claude", Text: "**one**"})
	post(t, log, relay.Draft{Target: "b", Sender: "claude", Text: "elsewhere"})
	post(t, log, relay.Draft{
		Target: "a", Sender: "codex", Text: "two <3", Kind: relay.KindReview, ReplyTo: 1, Meta: json.RawMessage(`{"verdict":"approve"}`),
	})
	got := fetch(t, h, "target=a")
	want := answer{Target: "a", LatestID: 3, OldestID: 1, LogID: got.LogID, HeadID: 3, Messages: []shown{
		{ID: 1, Target: "a", Sender: "claude", HTML: "<p><strong>one</strong></p>\n", TextBytes: 7},
		{
			ID: 3, Target: "a", Sender: "codex", HTML: "<p>two &lt;3</p>\n", TextBytes: 6,
			Kind: "review", ReplyTo: 1, Meta: json.RawMessage(`{"verdict":"approve"}`),
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if empty := fetch(t, h, "target=none"); len(empty.Messages) != 0 || empty.HeadID != 3 {
		t.Errorf("unknown channel: got %+v, want no messages", empty)
	}
}

func TestWindowsOfMessages(t *testing.T) {
	h, log := newPage(t)
	for range 120 {
		post(t, log, relay.Draft{Target: "a", Sender: "s", Text: "x"})
	}
	for query, want := range map[string]string{
		"":                        "21..120",
		"&limit=30":               "91..120",
		"&limit=500":              "21..120",
		"&limit=0":                "120..120",
		"&before_id=91&limit=30":  "61..90",
		"&since_id=0&limit=30":    "1..30",
		"&since_id=100":           "101..120",
		"&since_id=120":           "",
		"&before_id=1":            "",
		"&before_id=121&limit=10": "111..120",
	} {
		got, messages := "", fetch(t, h, "target=a"+query).Messages
		if n := len(messages); n > 0 {
			got = fmt.Sprintf("%d..%d", messages[0].ID, messages[n-1].ID)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
}

// A text of any size costs the page a bounded amount; all of it is a link away.
func TestLongTextIsCutAndWhole(t *testing.T) {
	h, log := newPage(t)
	text := "```diff\n" + strings.Repeat("+ a line of ünicode <b>\n", 40_000) + "```\n"
	id := post(t, log, relay.Draft{Target: "a", Sender: "s", Text: text})
	m := fetch(t, h, "target=a").Messages[0]
	if !m.Truncated || m.TextBytes != len(text) {
		t.Errorf("got truncated %v and %d bytes, want true and %d", m.Truncated, m.TextBytes, len(text))
	}
	if len(m.HTML) > 3*web.MaxRenderBytes || !strings.HasSuffix(m.HTML, "&lt;b&gt;\n</code></pre>\n") {
		t.Errorf("HTML: got %d bytes ending in %q, want it cut after a line", len(m.HTML), m.HTML[len(m.HTML)-40:])
	}
	w := do(h, "GET", fmt.Sprintf("/ui/text/%d", id))
	wantStatus(t, w, 200)
	wantHeader(t, w, "Content-Type", "text/plain; charset=utf-8")
	if w.Body.String() != text {
		t.Errorf("text: got %d bytes, want the %d that were posted", w.Body.Len(), len(text))
	}
}
