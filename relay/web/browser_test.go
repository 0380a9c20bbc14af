package web_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/launcher/flags"

	"autoreview/relay"
	"autoreview/relay/api"
	"autoreview/relay/guard"
	"autoreview/relay/store/memory"
	"autoreview/relay/token"
	"autoreview/relay/web"
)

// site is a relay with its page, on a port that it keeps over restarts.
type site struct {
	URL  string
	Log  *relay.Log
	addr string

	streams counter
	// broken is a path that this relay does not have.
	broken string
	// tokens are those that it needs; nil for none.
	tokens *token.Store

	server *http.Server
	served chan struct{}
	stop   context.CancelFunc
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{Log: relay.New(memory.New(nil), relay.Options{}), addr: "127.0.0.1:0"}
	s.start(t)
	t.Cleanup(func() { s.shut(t) })
	return s
}

func (s *site) start(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		t.Fatalf("listening on %s: %v", s.addr, err)
	}
	s.addr = listener.Addr().String()
	s.URL = "http://" + s.addr
	stopping, stop := context.WithCancel(context.Background())
	door := api.New(api.Options{Log: s.Log, Stop: stopping})
	page := web.New(web.Options{Log: s.Log, Version: "v1.2.3"})
	mux := http.NewServeMux()
	mux.Handle("/", door)
	mux.Handle("/{$}", page)
	mux.Handle("/assets/", page)
	mux.Handle("/ui/", page)
	s.stop, s.served = stop, make(chan struct{})
	options := guard.Options{}
	if s.tokens != nil {
		options.Tokens = s.tokens
	}
	s.server = &http.Server{Handler: s.counted(guard.New(options)(mux))}
	go func() {
		defer close(s.served)
		_ = s.server.Serve(listener)
	}()
}

// shut stops the relay; its log stays for the next start.
func (s *site) shut(t *testing.T) {
	t.Helper()
	s.stop()
	_ = s.server.Close()
	<-s.served
}

func (s *site) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/stream" {
			s.streams.add(1)
			defer s.streams.add(-1)
		}
		if s.broken != "" && strings.HasSuffix(r.URL.Path, s.broken) {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// counter counts the streams that are open. The zero counter is ready to use.
type counter struct {
	mu sync.Mutex
	// guarded by mu
	open, most int
	changed    chan struct{} // closed at the next change; nil when nobody waits
}

func (c *counter) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open += n
	c.most = max(c.most, c.open)
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// until waits for so many streams to be open.
func (c *counter) until(t *testing.T, want int) {
	t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		if c.open == want {
			c.mu.Unlock()
			return
		}
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		open, changed := c.open, c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("open streams: got %d, want %d", open, want)
		}
	}
}

// reset returns the most that were open at a time, and starts over.
func (c *counter) reset() (most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	most, c.most = c.most, c.open
	return most
}

func (s *site) post(t *testing.T, d relay.Draft) int64 {
	t.Helper()
	if d.Target == "" {
		d.Target = "proj-x"
	}
	if d.Sender == "" {
		d.Sender = "claude"
	}
	p, err := s.Log.Post(t.Context(), d)
	if err != nil {
		t.Fatalf("Post: %v", err)
	}
	return p.ID
}

// chromium finds a browser, or skips; on a build machine it must be there.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = "NOT TESTED: the page in a browser; neither chromium, chromium-browser nor google-chrome is installed"
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// newBrowser starts a browser with a profile of its own.
func newBrowser(t *testing.T) *rod.Browser {
	t.Helper()
	l := launcher.New().Bin(chromium(t)).NoSandbox(true).Leakless(false).UserDataDir(t.TempDir())
	for _, flag := range []flags.Flag{
		"disable-background-networking", "disable-component-update", "disable-sync", "no-first-run", "disable-quic",
	} {
		l.Set(flag)
	}
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

// inBrowser runs a test with a relay and a browser profile of its own.
func inBrowser(t *testing.T, b *rod.Browser, name string, test func(t *testing.T, b *rod.Browser, s *site)) {
	t.Run(name, func(t *testing.T) {
		own, err := b.Incognito()
		if err != nil {
			t.Fatalf("making a profile: %v", err)
		}
		s := newSite(t)
		t.Cleanup(func() { _ = own.Close() })
		test(t, own, s)
	})
}
