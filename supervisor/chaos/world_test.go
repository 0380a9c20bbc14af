//go:build unix

package chaos_test

import (
	"context"
	"errors"
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
)

// kit is what differs between a storm with a fake Codex and one with the real.
type kit struct {
	codex  func(w *world) string // makes it ready and returns its path
	env    []string
	calm   func(w *world) // has every later run be quick
	faults []fault
	open   int // how many packets may wait for an answer before no more are posted
	// The longest wait between two faults, and what all may take to settle.
	pause, settle time.Duration
	// What a run may take, in all and in silence.
	timeout, idle time.Duration
}

// world is the two programs with what is around them.
type world struct {
	t    *testing.T
	kit  kit
	seed uint64
	dir  string // of all that is kept

	relay, supervisor *program
	proxy             *proxy
	disk              *disk
	repo              *repo
	relayURL          string // past the proxy
	ledger            *ledger
	injected          map[string]int // :: kind of fault → how often
	rewritten         spell          // another configuration
	usual             settings
	began, settled    time.Time

	posting, following context.CancelFunc
	posters, followers sync.WaitGroup
}

func newWorld(t *testing.T, set setting, k kit) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "chaos-")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, kit: k, seed: set.seed, dir: dir, ledger: newLedger(), injected: make(map[string]int)}
	t.Cleanup(w.clean)
	addr := quietAddr(t)
	w.relayURL = "http://" + addr
	w.proxy = newProxy(t, addr, w.random("proxy"))
	w.disk = newDisk(t, w.path("disk"))
	for _, name := range []string{"bin", "conf", "fake", "a", "b", "c", "d", "disk/home", "disk/codex", "disk/tmp"} {
		if err := os.Mkdir(w.path(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.repo = newRepo(t, w.path("d"))
	w.build("relay", "autoreview/cmd/relay")
	w.build("autoreview", "autoreview/cmd/autoreview")
	codex := k.codex(w)
	w.configure(usual(w, codex))
	_, port, _ := net.SplitHostPort(addr)
	w.relay = w.program("relay", "serve", "--port", port, "--data", w.path("disk/data"),
		"--log-max-mb", "2", "--channel-log-max-mb", "2", "--log-backup-count", "2")
	w.relay.ready = "relay is ready:"
	w.supervisor = w.program("autoreview", "run", "--verbose", "--config", w.path(configFile))
	w.supervisor.ready = " watching watch="
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
	if err := errors.Join(os.WriteFile(tmp, []byte(text), 0o600), os.Rename(tmp, w.path(name))); err != nil {
		w.t.Error(err)
	}
}

// random is a stream of its own for each use, so that they do not shift each
// other.
func (w *world) random(use string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(use))
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

// build makes a program as a release does. It stays the same through all its
// lives, whatever is built elsewhere meanwhile.
func (w *world) build(name, pkg string) {
	w.t.Helper()
	cmd := exec.Command("go", "build", "-trimpath", "-o", w.path("bin/"+name), pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("building %s: %v\n%s", pkg, err, text)
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
	p := &program{t: w.t, name: name, log: log, disk: w.disk, argv: append([]string{w.path("bin/" + name)}, args...), env: w.environ()}
	w.t.Cleanup(p.destroy)
	return p
}

// environ has nothing of the user's, and the mark by which whatever was started
// here can be told from all else.
func (w *world) environ() []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "TMPDIR=" + w.path("disk/tmp"), "HOME=" + w.path("disk/home"), "CODEX_HOME=" + w.path("disk/codex"),
		"XDG_STATE_HOME=" + w.path("disk/home"), "GIT_CONFIG_GLOBAL=/dev/null",
		codextest.FakeDir + "=" + w.path("fake"), w.mark(),
	}, w.kit.env...)
}

func (w *world) mark() string { return "CHAOS_WORLD=" + w.dir }

// begin starts all, and packets once the supervisor has its place in the log:
// what came before its very first start would be history.
func (w *world) begin() {
	w.t.Helper()
	w.began = time.Now()
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
	for i := range 3 {
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
