//go:build linux

package soak_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/codexrun/codextest"
	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/relay/relaytest"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
	"autoreview/supervisor/control"
	"autoreview/supervisor/record"
	"autoreview/supervisor/state"
	"autoreview/supervisor/state/sqlite"
)

// Go's heap may grow by so much over a leak test: a little for the runtime, and
// less than one struct for each run. What a supervisor remembers of a run is in
// its state, not in its memory.
const (
	heapSlack  = 128 << 10
	heapPerRun = 64
)

// Reviews of every kind, with all that a Codex can do wrong, leave nothing in
// the supervisor or in the relay.
func TestReviewsLeaveNothing(t *testing.T) {
	n := times(t, 200)
	s := newSite(t)
	s.review(warmUp)
	s.relay.fillPool()
	before := atRest(t, s.relax)
	was := measure(t)
	began, had := time.Now(), s.ran.Load()
	s.review(n)
	t.Logf("leak: %d runs in %s", s.ran.Load()-had, time.Since(began).Round(time.Millisecond))
	back(t, before, s.relax)
	is := measure(t)
	t.Logf("leak: %+v before and after; before %v; after %v", before, was, is)
	if grown, most := is.heap-was.heap, int64(heapSlack+heapPerRun*n); grown > most {
		t.Errorf("the heap has grown by %s over %d runs, want at most %s", mib(grown), n, mib(most))
	}
	if left := marked(codextest.FakeDir + "=" + s.path("fake")); len(left) > 0 {
		t.Errorf("processes of runs that are left: %v", left)
	}
	if left, _ := os.ReadDir(s.path("state/worktrees")); len(left) > 0 {
		t.Errorf("%d worktrees are left", len(left))
	}
}

// What Codex does, run by run: a review as a rule, each of the other ways to end
// at times, and rarely one that takes until a watchdog ends it.
var (
	often  = strings.Split(strings.Repeat("answer|events:5 answer|command:ls answer|", 6)+"post:the_review answer|bad|crash|kill", "|")
	seldom = append(strings.Split("exit:3|children answer|big:300000 answer|wrongthread|fail:model_error|fail:bad_session|stubborn children crash", "|"), often...)
	rarely = append(strings.Split("hang|linger|silent", "|"), seldom...)
)

// warmUp is how many runs there are before anything is counted.
var warmUp = len(rarely)

// plans are what a fake Codex does in so many runs; the warm-up has everything.
func plans(runs int) string {
	all := slices.Clone(rarely)
	for len(all) < runs {
		for range 5 {
			all = append(append(all, seldom...), often...)
		}
		all = append(all, rarely...)
	}
	return strings.Join(append(all, "answer"), "|")
}

// The watches differ in what they open for a run.
var watches = []struct{ channel, extra string }{
	{"fresh", ""},
	{"continue", `session = "continue"`},
	{"mcp", `deliver = "mcp"`},
	{"isolate", `isolate = true`},
}

// site is a relay and a supervisor in this process, with a fake Codex.
type site struct {
	t        *testing.T
	dir      string
	relay    pool
	client   *client.Client // the supervisor's
	control  *control.Client
	ran      atomic.Int64
	channels []string
	open     map[int64]bool // :: packet that has no answer yet → true
	posted   int
	cursor   int64
}

var _ supervisor.Meter = (*site)(nil)

// Handed implements supervisor.Meter.
func (s *site) Handed(string, time.Duration) {}

// Ran implements supervisor.Meter.
func (s *site) Ran(string, codexrun.Class, time.Duration, state.Usage) { s.ran.Add(1) }

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), relay: pool{relaytest.Start(t)}, open: make(map[int64]bool)}
	s.prepare()
	cfg, _, err := config.Load(s.path("autoreview.toml"), os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	st, err := sqlite.Open(t.Context(), filepath.Join(cfg.StateDir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	s.client = client.New(client.Options{BaseURL: s.relay.URL})
	sup, err := supervisor.New(supervisor.Options{Config: cfg, Relay: s.client, State: st, Meter: s})
	if err != nil {
		t.Fatal(err)
	}
	door, err := control.Open(t.Context(), control.Options{Dir: cfg.StateDir, Supervisor: sup})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := sup.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	if s.control, err = control.Dial(t.Context(), cfg.StateDir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		done.Wait()
		s.relax()
		for _, err := range []error{door.Close(), st.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	})
	s.awaitWatching()
	return s
}

// awaitWatching waits until each watch has its place in the log: what came before
// its first start would be history.
func (s *site) awaitWatching() {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(look) {
		st, err := s.control.Status(s.t.Context(), 0)
		if err != nil {
			s.t.Fatal(err)
		}
		watching := func(w supervisor.WatchStatus) bool { return w.State == supervisor.WatchWatching }
		if len(st.Watches) == len(watches) && !slices.ContainsFunc(st.Watches, func(w supervisor.WatchStatus) bool { return !watching(w) }) {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("not watching: %+v", st.Watches)
		}
	}
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// prepare makes the folders, the configuration and the Codex.
func (s *site) prepare() {
	s.t.Helper()
	for _, name := range []string{"home", "codex", "fake", "state"} {
		if err := os.Mkdir(s.path(name), 0o700); err != nil {
			s.t.Fatal(err)
		}
	}
	text := fmt.Sprintf("relay = %q\nstate_dir = %q\ncodex_bin = %q\nworkers = 4\ngrace = \"1s\"\n", s.relay.URL, s.path("state"), s.path("bin/codex"))
	for _, w := range watches {
		s.channels = append(s.channels, w.channel)
		repository(s.t, s.path(w.channel))
		text += watch(w.channel, s.path(w.channel), w.extra)
	}
	s.write("autoreview.toml", text)
	s.write("fake/do", plans(4*times(s.t, 200)))
	build(s.t, s.path("bin"), "codex")
	s.t.Setenv("HOME", s.path("home"))
	s.t.Setenv("CODEX_HOME", s.path("codex"))
	s.t.Setenv(codextest.FakeDir, s.path("fake"))
}

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// watch is the table of a watch that tries again soon.
func watch(channel, dir, extra string) string {
	text := fmt.Sprintf("\n[[watch]]\nname = %q\nchannel = %q\nworkdir = %q\ntimeout = \"6s\"\nidle_timeout = \"3s\"\n%s\n", channel, channel, dir, extra)
	for _, class := range config.RetryClasses {
		if class != "input_too_large" {
			text += fmt.Sprintf("retry.%s = { first = \"1s\", limit = \"1s\" }\n", class)
		}
	}
	return text
}

// repository makes one with a commit.
func repository(t *testing.T, dir string) {
	t.Helper()
	for _, args := range [][]string{
		{"init", "-q", dir},
		{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "first"},
	} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
}

// build makes programs as a release does.
func build(t *testing.T, dir string, names ...string) {
	t.Helper()
	packages := map[string]string{
		"relay": "autoreview/cmd/relay", "autoreview": "autoreview/cmd/autoreview", "codex": "autoreview/codexrun/codextest/fakecodex",
	}
	for _, name := range names {
		cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, name), packages[name])
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", name, err, text)
		}
	}
}

// atOnce is how many packets wait for a review at the same time.
const atOnce = 12

// review posts packets until at least n more runs have ended, and returns when
// each packet has its answer.
func (s *site) review(n int) {
	s.t.Helper()
	goal := s.ran.Load() + int64(n)
	for end := time.Now().Add(10 * time.Minute); ; {
		for s.ran.Load() < goal && len(s.open) < atOnce {
			s.post()
		}
		if len(s.open) == 0 {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("no answer for %v", s.open)
		}
		s.take()
	}
}

func (s *site) post() {
	s.t.Helper()
	s.posted++
	m := s.relay.Post(s.channels[s.posted%len(s.channels)], "claude", fmt.Sprint("packet ", s.posted))
	s.open[m.ID] = true
	if s.posted%10 == 0 {
		s.ask()
	}
}

// ask has the supervisor tell how it stands, and follows a job for a moment.
func (s *site) ask() {
	s.t.Helper()
	if _, err := s.control.Status(s.t.Context(), 5); err != nil {
		s.t.Error(err)
	}
	id, ok, err := s.control.Latest(s.t.Context())
	if err != nil || !ok {
		return
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	_ = s.control.Follow(ctx, id, true, func(record.Line) error {
		cancel() // who follows goes away
		return nil
	})
}

// take reads what has come and crosses out what it answers.
func (s *site) take() {
	s.t.Helper()
	p, err := s.relay.Client().Wait(s.t.Context(), relay.Query{Targets: s.channels, Since: s.cursor, Limit: relay.MaxLimit}, 5*time.Second)
	if err != nil {
		s.t.Fatal(err)
	}
	s.cursor = p.LatestID
	for _, m := range p.Messages {
		for _, id := range answers(m) {
			if !s.open[id] {
				s.t.Errorf("#%d answers #%d, which was answered before or is no packet", m.ID, id)
			}
			delete(s.open, id)
		}
	}
}

// answers are the packets that a message ends: a review does, or the notice that
// there will be none.
func answers(m relay.Message) []int64 {
	var meta struct {
		Packets  []int64 `json:"packets"`
		Terminal bool    `json:"terminal"`
	}
	if len(m.Meta) == 0 || json.Unmarshal(m.Meta, &meta) != nil || m.Kind != relay.KindReview && !meta.Terminal {
		return nil
	}
	return meta.Packets
}

// relax drops the idle connections of all clients.
func (s *site) relax() {
	s.client.Close()
	s.relay.Client().Close()
	s.control.Close()
}

// pool is a relay whose store can be made to open all its connections.
type pool struct{ *relaytest.Relay }

// fillPool has so many read at once that each connection which the store may
// open is open: it keeps them.
func (p pool) fillPool() {
	var readers sync.WaitGroup
	for range 64 {
		readers.Go(func() {
			for range 20 {
				_, _ = p.Log().Read(context.Background(), relay.Query{Limit: relay.MaxLimit})
			}
		})
	}
	readers.Wait()
}
