package hostile_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/launcher/flags"
	"github.com/go-rod/rod/lib/proto"
)

// chromium finds a browser, or skips; on a build machine it must be there.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = "NOT TESTED: foreign pages in a browser; neither chromium, chromium-browser nor google-chrome is installed"
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// newBrowser starts a browser with a profile of its own, for which the name
// evil.example is this machine: what DNS rebinding comes to.
func newBrowser(t *testing.T) *rod.Browser {
	t.Helper()
	l := launcher.New().Bin(chromium(t)).NoSandbox(true).Leakless(false).UserDataDir(t.TempDir())
	for _, flag := range []flags.Flag{
		"disable-background-networking", "disable-component-update", "disable-sync", "no-first-run", "disable-quic", "disable-popup-blocking",
	} {
		l.Set(flag)
	}
	l.Set("host-resolver-rules", "MAP evil.example 127.0.0.1")
	url, err := l.Launch()
	if err != nil {
		t.Fatalf("starting the browser: %v", err)
	}
	b := rod.New().ControlURL(url)
	if err := b.Connect(); err != nil {
		t.Fatalf("connecting to the browser: %v", err)
	}
	t.Cleanup(func() {
		_ = b.Close()
		l.Cleanup() // waits for the process and removes its profile
	})
	return b
}

// evil serves the page that attacks.
func evil(t *testing.T) (port string) {
	t.Helper()
	script, err := os.ReadFile("testdata/attacks.js")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, "<!doctype html><title>evil</title><body><script>%s</script>", script)
	}))
	t.Cleanup(s.Close)
	_, port, _ = net.SplitHostPort(s.Listener.Addr().String())
	return port
}

// from opens the page of an origin and lets it attack a server.
func from(t *testing.T, b *rod.Browser, origin, server string) map[string]string {
	t.Helper()
	page, err := b.Page(proto.TargetCreateTarget{URL: "about:blank"})
	if err != nil {
		t.Fatalf("opening a tab: %v", err)
	}
	defer func() { _ = page.Close() }()
	page = page.Timeout(3 * patience)
	if err := page.Navigate(origin); err != nil {
		t.Fatalf("opening %s: %v", origin, err)
	}
	if err := page.WaitLoad(); err != nil {
		t.Fatalf("opening %s: %v", origin, err)
	}
	res, err := page.Evaluate(rod.Eval("(server) => attack(server)", server).ByPromise().ByUser())
	if err != nil {
		t.Fatalf("attacking from %s: %v", origin, err)
	}
	out := make(map[string]string)
	for name, v := range res.Value.Map() {
		out[name] = v.String()
	}
	return out
}

// A page of any other origin, of this machine or not, in a real browser: it
// reads nothing, loads nothing and has nothing stored.
func TestForeignPageInChromium(t *testing.T) {
	b := newBrowser(t)
	r := start(t)
	port := evil(t)
	for name, origin := range map[string]string{
		"another port, which is the same site": "http://127.0.0.1:" + port,
		"another name of this machine":         "http://localhost:" + port,
		"another site":                         "http://evil.example:" + port,
	} {
		t.Run(name, func(t *testing.T) {
			results := from(t, b, origin, r.URL)
			if len(results) < 30 {
				t.Fatalf("got %d results, want one for each attack", len(results))
			}
			for attack, got := range results {
				if got != "nothing" {
					t.Errorf("%s: got %q, want nothing", attack, got)
				}
			}
			r.unharmed(t)
		})
	}
	t.Run("a name that is rebound to the relay", func(t *testing.T) {
		page, err := b.Page(proto.TargetCreateTarget{URL: "about:blank"})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = page.Close() }()
		page = page.Timeout(patience)
		_, relayPort, _ := net.SplitHostPort(r.addr)
		if err := page.Navigate("http://evil.example:" + relayPort + "/api/messages?target=proj-x"); err != nil {
			t.Fatal(err)
		}
		body, err := page.Eval("() => document.body.textContent")
		if err != nil || !strings.Contains(body.Value.String(), "Invalid Host") {
			t.Errorf("got %v, %v, want a refusal", body, err)
		}
		r.unharmed(t)
	})
}

// careless is a server like many on developers' machines. It shows that the
// attacks work where nobody stands in their way.
type careless struct {
	mu     sync.Mutex
	posted int // guarded by mu
}

func (c *careless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Headers", "*")
	w.Header().Set("Access-Control-Allow-Methods", "*")
	if r.Method == http.MethodPost {
		if b, _ := io.ReadAll(r.Body); len(b) > 0 {
			c.mu.Lock()
			c.posted++
			c.mu.Unlock()
		}
	}
	switch {
	case r.URL.Path == "/api/stream":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: x\n\n")
	case strings.HasSuffix(r.URL.Path, ".js"):
		w.Header().Set("Content-Type", "text/javascript")
	case strings.HasSuffix(r.URL.Path, ".css"):
		w.Header().Set("Content-Type", "text/css")
	case strings.HasSuffix(r.URL.Path, ".svg"):
		w.Header().Set("Content-Type", "image/svg+xml")
		_, _ = io.WriteString(w, `<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>`)
	default:
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = io.WriteString(w, "'a secret plan'")
	}
}

func TestTheAttacksWorkElsewhere(t *testing.T) {
	b := newBrowser(t)
	victim := new(careless)
	s := httptest.NewServer(victim)
	defer s.Close()
	results := from(t, b, "http://127.0.0.1:"+evil(t), s.URL)
	for _, attack := range []string{
		"read by fetch", "read by XMLHttpRequest", "read by a stream", "read the channels", "read by fetch with a header",
		"load an image", "load messages as a script", "load a script", "load a style", "load a module",
		"post text by fetch with cors", "post JSON by fetch", "delete",
	} {
		if !strings.HasPrefix(results[attack], "got ") {
			t.Errorf("%s: got %q, want it to work against a careless server", attack, results[attack])
		}
	}
	victim.mu.Lock()
	defer victim.mu.Unlock()
	// Two by fetch with an answer, and those that are sent blindly: by fetch,
	// to MCP, outliving the page, two beacons (one by CORS) and three forms.
	if victim.posted < 9 {
		t.Errorf("posts that arrived: got %d, want at least 9", victim.posted)
	}
}
