package supervisor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/relay/store/memory"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
	"autoreview/supervisor/state/sqlite"
)

const approval = `{"verdict":"approve","summary":"All good.","findings":[],"tests":[],"questions":[]}`

// scripted is a Codex without a process: run decides what comes of the n-th run
// (from 1).
type scripted struct {
	run  func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result
	find error

	mu     sync.Mutex
	specs  []codexrun.Spec      // guarded by mu
	record codexrun.Windows     // guarded by mu
	killed []codexrun.Process   // guarded by mu
	events func(codexrun.Event) // of the latest run; guarded by mu
}

func (c *scripted) Find(context.Context, string) (codexrun.Binary, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return codexrun.Binary{Path: "codex", Version: "0.169.0"}, c.find
}

func (c *scripted) Run(ctx context.Context, spec codexrun.Spec, obs codexrun.Observer) codexrun.Result {
	c.mu.Lock()
	c.specs = append(c.specs, spec)
	n := len(c.specs)
	c.mu.Unlock()
	if err := obs.Started(codexrun.Process{PID: 1000 + n, RunID: fmt.Sprint(n)}); err != nil {
		return codexrun.Result{Class: codexrun.Killed, Text: err.Error()}
	}
	thread := spec.Resume
	if thread == "" {
		thread = fmt.Sprintf("thread-%d", n)
	}
	if err := obs.Thread(thread); err != nil {
		return codexrun.Result{Class: codexrun.Killed, Text: err.Error()}
	}
	c.mu.Lock()
	c.events = obs.Event
	c.mu.Unlock()
	res := c.run(ctx, n, spec)
	if res.ThreadID == "" {
		res.ThreadID = thread
	}
	return res
}

func (c *scripted) Kill(p codexrun.Process) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killed = append(c.killed, p)
	return nil
}

// Windows is what Codex has recorded of the account; nothing unless a test sets
// it.
func (c *scripted) Windows() (codexrun.Windows, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.record, !c.record.Recorded.IsZero()
}

func (c *scripted) records(w codexrun.Windows) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.record = w
}

func (c *scripted) runs() []codexrun.Spec {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]codexrun.Spec(nil), c.specs...)
}

func says(final string) func(context.Context, int, codexrun.Spec) codexrun.Result {
	return func(context.Context, int, codexrun.Spec) codexrun.Result {
		return codexrun.Result{Class: codexrun.Completed, Final: final, Took: time.Second, ThreadUsage: codexrun.Usage{InputTokens: 100, OutputTokens: 20}}
	}
}

// world is a relay in memory, a state on disk and a scripted Codex, in which
// supervisors can live and die. Time is the bubble's.
type world struct {
	t     *testing.T
	store *memory.Store
	log   *relay.Log
	codex *scripted
	meter supervisor.Meter // nil for none
	cfg   config.Config
	dir   string
	relay supervisor.Relay // the log, unless a test puts something in between
	said  *slog.Logger     // what the supervisor logs to; nil is silent
	load  func() (config.Config, error)
	// between, if not nil, puts something between the supervisor and its state.
	between func(state.Store) state.Store
}

// inWorld runs a test in a world of its own.
func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, store: memory.New(nil), codex: &scripted{run: says(approval)}, dir: dir}
		w.log = relay.New(w.store, relay.Options{})
		w.relay = w.log
		w.cfg = config.Config{
			Relay: "http://127.0.0.1:8010", StateDir: dir, CodexBin: "codex", Workers: 2,
			Watches: []config.Watch{{
				Name: "main", Channel: "proj-x", Senders: []string{"claude"}, ReplyAs: "codex", Workdir: dir,
				Sandbox: "read-only", Session: config.Session{Mode: config.SessionFresh},
				Deliver: config.DeliverSupervisor, Start: config.Start{Mode: config.StartUnanswered},
				Timeout: time.Hour, IdleTimeout: time.Hour,
			}},
		}
		test(t, w)
	})
}

func (w *world) watch() *config.Watch { return &w.cfg.Watches[0] }

// live runs one life of a supervisor while during runs, then stops it.
func (w *world) live(during func()) {
	w.t.Helper()
	w.lives(func(*supervisor.Supervisor) { during() })
}

// lives is live for a test that asks things of the supervisor.
func (w *world) lives(during func(*supervisor.Supervisor)) {
	w.t.Helper()
	st, err := sqlite.Open(w.t.Context(), filepath.Join(w.dir, "state.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	var kept state.Store = st
	if w.between != nil {
		kept = w.between(st)
	}
	s, err := supervisor.New(supervisor.Options{Config: w.cfg, Relay: w.relay, State: kept, Codex: w.codex, Logger: w.said, Load: w.load, Meter: w.meter, Jitter: func() float64 { return 0 }})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	synctest.Wait()
	during(s)
	synctest.Wait()
	cancel()
	if err := <-done; err != nil {
		w.t.Errorf("Run: got %v, want nil after a stop", err)
	}
	if err := st.Close(); err != nil {
		w.t.Error(err)
	}
}

// inState gives access to the state between two lives.
func (w *world) inState(do func(state.Store)) {
	w.t.Helper()
	st, err := sqlite.Open(w.t.Context(), filepath.Join(w.dir, "state.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	do(st)
	if err := st.Close(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) post(d relay.Draft) int64 {
	w.t.Helper()
	if d.Target == "" {
		d.Target = "proj-x"
	}
	if d.Sender == "" {
		d.Sender = "claude"
	}
	p, err := w.log.Post(w.t.Context(), d)
	if err != nil {
		w.t.Fatal(err)
	}
	return p.ID
}

func (w *world) packet(text string) int64 {
	w.t.Helper()
	return w.post(relay.Draft{Text: text})
}

// settle lets d pass, and everything that happens in it.
func (w *world) settle(d time.Duration) {
	synctest.Wait()
	time.Sleep(d)
	synctest.Wait()
}

// answers are the messages by the reviewer.
func (w *world) answers() []relay.Message {
	w.t.Helper()
	p, err := w.log.Read(w.t.Context(), relay.Query{Senders: []string{"codex"}, Limit: relay.MaxLimit})
	if err != nil {
		w.t.Fatal(err)
	}
	return p.Messages
}

// meta is the supervisor's meta of a message; a plain status has none.
type meta struct {
	Verdict      string  `json:"verdict"`
	Packets      []int64 `json:"packets"`
	Terminal     bool    `json:"terminal"`
	Unstructured bool    `json:"unstructured"`
	Class        string  `json:"class"`
	Hop          int     `json:"hop"`
	Findings     []any   `json:"findings"`
	Run          struct {
		ID      int64   `json:"id"`
		Codex   string  `json:"codex"`
		Thread  string  `json:"thread"`
		Tokens  int64   `json:"tokens"`
		Seconds float64 `json:"seconds"`
	} `json:"run"`
}

func metaOf(t *testing.T, m relay.Message) meta {
	t.Helper()
	var out meta
	if len(m.Meta) == 0 {
		return out
	}
	if err := json.Unmarshal(m.Meta, &out); err != nil {
		t.Fatalf("meta of #%d: %v", m.ID, err)
	}
	return out
}

// checkAnswered holds the promise: each packet has exactly one terminal answer.
func (w *world) checkAnswered(packets ...int64) {
	w.t.Helper()
	count := make(map[int64]int)
	for _, m := range w.answers() {
		if mm := metaOf(w.t, m); m.Kind == relay.KindReview || mm.Terminal {
			for _, id := range mm.Packets {
				count[id]++
			}
		}
	}
	for _, id := range packets {
		if count[id] != 1 {
			w.t.Errorf("packet #%d has %d answers, want exactly 1", id, count[id])
		}
	}
	if len(count) != len(packets) {
		w.t.Errorf("answers for packets %v, want only for %v", count, packets)
	}
}

// lockedBuffer takes a log.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
