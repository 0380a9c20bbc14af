//go:build unix

package chaos_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"autoreview/codexrun/codextest"
	"autoreview/relay/client"
	"autoreview/supervisor/config"
)

// world is the two programs with what is around them.
type world struct {
	t    *testing.T
	seed uint64
	dir  string // of all that is kept

	relay, supervisor *program
	proxy             *proxy
	relayURL          string // past the proxy
	ledger            *ledger
	injected          map[string]int // :: kind of fault → how often

	posting, following context.CancelFunc
	posters, followers sync.WaitGroup
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "chaos-")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, seed: seed, dir: dir, ledger: newLedger(), injected: make(map[string]int)}
	t.Cleanup(w.clean)
	w.build()
	addr := quietAddr(t)
	w.relayURL = "http://" + addr
	w.proxy = newProxy(t, addr, w.random("proxy"))
	for _, name := range []string{"home", "codex", "fake", "a", "b", "c"} {
		if err := os.Mkdir(w.path(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.write("fake/do", strings.Join(plans(w.random("plans"), 5000), "|"))
	w.write("autoreview.toml", w.configuration())
	_, port, _ := net.SplitHostPort(addr)
	w.relay = w.program("relay", "serve", "--port", port, "--data", w.path("data"), "--log-backup-count", "2")
	w.supervisor = w.program("autoreview", "run", "--verbose", "--config", w.path("autoreview.toml"))
	return w
}

// clean keeps the folder of a failure and says where it is.
func (w *world) clean() {
	if w.t.Failed() {
		w.t.Logf("chaos: everything is kept in %s; repeat with CHAOS_SEED=%d", w.dir, w.seed)
		return
	}
	if err := os.RemoveAll(w.dir); err != nil {
		w.t.Error(err)
	}
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// write replaces a file as a whole: it may be read at any moment.
func (w *world) write(name, text string) {
	w.t.Helper()
	tmp := w.path(name) + ".new"
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(tmp, w.path(name)); err != nil {
		w.t.Fatal(err)
	}
}

// random is a stream of its own for each use, so that they do not shift each
// other.
func (w *world) random(use string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(use))
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

// build makes the programs as a release does.
func (w *world) build() {
	w.t.Helper()
	if err := os.Mkdir(w.path("bin"), 0o700); err != nil {
		w.t.Fatal(err)
	}
	for out, pkg := range map[string]string{
		"relay": "autoreview/cmd/relay", "autoreview": "autoreview/cmd/autoreview", "codex": "autoreview/codexrun/codextest/fakecodex",
	} {
		cmd := exec.Command("go", "build", "-trimpath", "-o", w.path("bin/"+out), pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			w.t.Fatalf("building %s: %v\n%s", pkg, err, text)
		}
	}
}

// quietAddr is an address for the relay through all its lives. Its port is below
// those that systems give to outgoing connections: one of them could take the
// port while the relay is down.
func quietAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 18000+rand.IntN(12000))
		ln, err := net.Listen("tcp", addr)
		if err == nil {
			_ = ln.Close()
			return addr
		}
	}
	t.Fatal("found no free port for the relay")
	return ""
}

// program is one of the built programs, in an environment that has nothing of
// the user's.
func (w *world) program(name string, args ...string) *program {
	w.t.Helper()
	log, err := os.OpenFile(w.path(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = log.Close() })
	p := &program{t: w.t, name: name, log: log, argv: append([]string{w.path("bin/" + name)}, args...), env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.path("home"), "CODEX_HOME=" + w.path("codex"), "XDG_STATE_HOME=" + w.path("home"),
		codextest.FakeDir + "=" + w.path("fake"),
	}}
	w.t.Cleanup(p.destroy)
	return p
}

// The watches differ in what is most likely to lose or to double a packet: who
// posts, whether a thread goes on, and whether packets share a review.
var channels = []string{"chan-a", "chan-b", "chan-c"}

func (w *world) configuration() string {
	var b strings.Builder
	fmt.Fprintf(&b, "relay = %q\nstate_dir = %q\ncodex_bin = %q\nworkers = 3\ngrace = \"1s\"\n", w.proxy.url(), w.path("state"), w.path("bin/codex"))
	for i, extra := range []string{`session = "continue"`, `deliver = "mcp"`, `coalesce = "200ms"`} {
		fmt.Fprintf(&b, "\n[[watch]]\nname = %q\nchannel = %q\nworkdir = %q\ntimeout = \"4s\"\nidle_timeout = \"2s\"\n%s\n",
			"watch-"+channels[i], channels[i], w.path(string(rune('a'+i))), extra)
		for _, class := range config.RetryClasses {
			if class != "input_too_large" {
				fmt.Fprintf(&b, "retry.%s = { first = \"1s\", limit = \"1s\" }\n", class)
			}
		}
	}
	return b.String()
}

// begin starts all, and packets once the supervisor has its place in the log:
// what came before its very first start would be history.
func (w *world) begin() {
	w.t.Helper()
	w.relay.start()
	w.supervisor.start()
	w.until(time.Minute, "the supervisor watches", func() bool {
		log, _ := os.ReadFile(w.path("autoreview.log"))
		return strings.Count(string(log), " watching watch=") >= len(channels)
	})
	reading, stopReading := context.WithCancel(w.t.Context())
	posting, stopPosting := context.WithCancel(w.t.Context())
	w.following, w.posting = stopReading, stopPosting
	w.followers.Go(func() { w.follow(reading) })
	for i := range 2 {
		w.posters.Go(func() { w.post(posting, i) })
	}
	w.t.Cleanup(func() { // a test that gave up half way
		w.posting()
		w.following()
		w.posters.Wait()
		w.followers.Wait()
	})
}

// client talks to the relay, past the proxy or through it.
func (w *world) client(url string) *client.Client {
	return client.New(client.Options{BaseURL: url, Timeout: 3 * time.Second, Source: "chaos"})
}

// until waits for something that is bound to become true.
func (w *world) until(d time.Duration, what string, is func() bool) bool {
	w.t.Helper()
	for end := time.Now().Add(d); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Errorf("after %s it is still not so: %s", d, what)
			return false
		}
	}
	return true
}

func counts(m map[string]int) string {
	var out []string
	for k, n := range m {
		out = append(out, fmt.Sprintf("%s %d", k, n))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
