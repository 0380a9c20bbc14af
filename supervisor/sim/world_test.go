package sim_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/relay/store/memory"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
	statememory "autoreview/supervisor/state/memory"
)

// world is everything there is in one schedule. What the scheduler alone uses
// has no guard: nothing else runs while it does.
type world struct {
	seed uint64
	rng  *rand.Rand
	dir  string

	mu     sync.Mutex
	parked []*step // guarded by mu
	// order is in which order goroutines came to a seam first, from 1.
	order map[uint64]int // :: goroutine → its place; guarded by mu

	// logs are all that the relay ever had; the last is the one it has.
	logs   []*memory.Store
	state  *statememory.Store
	server *server // nil while the relay is down
	cfg    config.Config
	// whole is the configuration with all its watches, said what was ever posted
	// to each log, pruned up to where it was removed again.
	whole  config.Config
	said   map[*memory.Store][]relay.Message
	pruned int64
	// account is what Codex has recorded of it.
	account codexrun.Windows
	lives   []*life
	// processes are all that were ever started, threads those that Codex knows.
	processes []*process
	pids      int
	threads   map[string][]string // :: thread → what it has read
	people    sync.WaitGroup

	packets              []packet
	skew                 atomic.Int64 // nanoseconds
	stateFull, relayFull bool
	paused               map[string]bool
	faults               faults
	calm                 bool

	trace   []string
	hash    uint64
	broken  []string       // what does not hold
	covered map[string]int // :: row of the crash table → deaths there
}

// packet is a message that the relay has acknowledged.
type packet struct {
	id      int64
	log     string // the log's id
	channel string
	sender  string
	text    string
}

// life is one life of the supervisor.
type life struct {
	w    *world
	n    int
	dead bool // guarded by w.mu
	sup  *supervisor.Supervisor
	ctx  context.Context
	stop context.CancelFunc
	// stopping says that it was told to stop; done is closed when Run returned.
	stopping bool
	done     chan struct{}
}

func newWorld(seed uint64, dir string) *world {
	w := &world{
		seed: seed, rng: rand.New(rand.NewPCG(seed, 0x5eed)), dir: dir,
		state: statememory.New(), threads: make(map[string][]string), order: make(map[uint64]int), paused: make(map[string]bool), covered: make(map[string]int),
	}
	w.logs = []*memory.Store{memory.New(w.now)}
	w.faults = chooseFaults(w.rng)
	w.cfg = w.chooseConfig()
	w.whole, w.said = w.cfg, make(map[*memory.Store][]relay.Message)
	return w
}

// now is the clock of the machine, which can be set.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.skew.Load())) }

func (w *world) note(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	w.trace = append(w.trace, line)
	h := fnv.New64a()
	_, _ = io.WriteString(h, line)
	w.hash = w.hash*31 + h.Sum64()
}

// fail takes note of something that must not be.
func (w *world) fail(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	w.broken = append(w.broken, line)
	w.note("BROKEN: %s", line)
}

// chooseConfig makes a configuration that the file could have as well.
func (w *world) chooseConfig() config.Config {
	modes := []config.SessionMode{config.SessionFresh, config.SessionContinue}
	delivers := []config.Deliver{config.DeliverSupervisor, config.DeliverMCP}
	cfg := config.Config{
		Relay: "http://127.0.0.1:8010", StateDir: w.dir, CodexBin: "codex", Workers: 1 + w.rng.IntN(3),
		Grace: time.Duration(w.rng.IntN(3)) * time.Minute,
	}
	for i := range 1 + w.rng.IntN(2) {
		watch := config.Watch{
			Name: fmt.Sprintf("w%d", i), Channel: fmt.Sprintf("c%d", i), Senders: []string{"claude", "mate"}, ReplyAs: fmt.Sprintf("codex%d", i),
			Workdir: w.dir, Sandbox: "read-only", Session: config.Session{Mode: modes[w.rng.IntN(2)]},
			Deliver: delivers[w.rng.IntN(2)], Start: config.Start{Mode: config.StartID},
			Timeout: 30 * time.Minute, IdleTimeout: 15 * time.Minute,
			Coalesce: time.Duration(w.rng.IntN(2)) * time.Minute,
		}
		if w.rng.IntN(3) == 0 {
			watch.Channel = "c0" // two watches read one channel
		}
		if w.rng.IntN(2) == 0 {
			watch.Workdir = w.dir + "/other" // and may run beside each other
		}
		if w.rng.IntN(4) == 0 {
			watch.Limits = config.Limits{RunsPerHour: 6, RunsPerRound: 3}
		}
		cfg.Watches = append(cfg.Watches, watch)
	}
	if w.rng.IntN(4) == 0 {
		cfg.Schedules = []config.Schedule{{Name: "s", Task: config.TaskReview, Cron: "*/10 * * * *", Timezone: "UTC", Watch: "w0", CatchUp: w.rng.IntN(2) == 0}}
	}
	if w.rng.IntN(8) == 0 {
		cfg.Schedules = append(cfg.Schedules, config.Schedule{Name: "r", Task: config.TaskRetention, Cron: "*/15 * * * *", Timezone: "UTC", KeepDays: 365, CatchUp: true})
	}
	return cfg
}

// birth starts a life.
func (w *world) birth() {
	l := &life{w: w, n: len(w.lives) + 1, done: make(chan struct{})}
	l.ctx, l.stop = context.WithCancel(context.Background())
	sup, err := supervisor.New(supervisor.Options{
		Config: w.cfg, Relay: &wire{l}, State: &seamState{l, w.state}, Codex: &seamCodex{l},
		Now: w.now, Jitter: func() float64 { return 0.5 },
		Load: func() (config.Config, error) { return w.cfg, nil },
	})
	if err != nil {
		w.fail("a life cannot start: %v", err)
		return
	}
	l.sup = sup
	w.lives = append(w.lives, l)
	go func() {
		defer close(l.done)
		if err := sup.Run(l.ctx); err != nil && !w.isDead(l) {
			w.mu.Lock()
			defer w.mu.Unlock()
			l.dead = true // it ended with an error, as the program would
		}
	}()
}

// current is the life there is, nil for none.
func (w *world) current() *life {
	if len(w.lives) == 0 {
		return nil
	}
	l := w.lives[len(w.lives)-1]
	if w.isDead(l) || l.ended() {
		return nil
	}
	return l
}

func (l *life) ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// death is kill -9. What the life had asked the relay for may still arrive.
func (w *world) death(l *life) {
	w.cover(l)
	w.mu.Lock()
	l.dead = true
	var kept []*step
	for _, s := range w.parked {
		switch {
		case s.life != l:
			kept = append(kept, s)
		case s.kind == kindWire && s.write && !s.done && !s.left:
			s.left = true
			kept = append(kept, s)
			s.release <- verdict{dead: true}
		case s.left:
			kept = append(kept, s)
		default:
			s.release <- verdict{dead: true}
		}
	}
	w.parked = kept
	w.mu.Unlock()
	l.sup.Hurry()
	l.stop()
}

// cover counts which rows of the crash table a death is in.
func (w *world) cover(l *life) {
	hit := make(map[string]bool)
	for _, s := range w.steps() {
		if s.life != l || s.done || !s.write {
			continue
		}
		switch {
		case hasPrefix(s, "state Enqueue") && !hasPrefix(s, "state Enqueue w0 [] ") && !hasPrefix(s, "state Enqueue w1 [] "):
			hit["before jobs are inserted"] = true
		case hasPrefix(s, "state Forget"):
			hit["in a retention run"] = true
		case hasPrefix(s, "state Fire"):
			hit["between a due time and its job"] = true
		}
	}
	for _, p := range w.aliveProcesses() {
		if p.life == l && p.prompted {
			hit["while codex runs"] = true
		} else if p.life == l {
			hit["between start and prompt"] = true
		}
	}
	jobs, _ := w.state.Jobs(context.Background(), state.Queued, state.Answered)
	for _, j := range jobs {
		switch {
		case j.State == state.Queued:
			hit["after that"] = true
		case w.findKey(j.Channel, j.Answer.Sender, j.Key) == nil:
			hit["after the answer was saved"] = true
		default:
			hit["after the answer was posted"] = true
		}
	}
	for row := range hit {
		w.covered[row]++
	}
}

// rows are the rows of the crash table that a simulation without files has.
var rows = []string{
	"before jobs are inserted", "after that", "while codex runs", "between start and prompt",
	"after the answer was saved", "after the answer was posted", "between a due time and its job", "in a retention run",
}

func (w *world) jobOf(p *process) (h jobHeader) {
	raw, err := base64.RawURLEncoding.DecodeString(w.jobHeader(p))
	if err == nil {
		err = json.Unmarshal(raw, &h)
	}
	if err != nil {
		w.fail("pid %d has no job: %v", p.pid, err)
	}
	return h
}

// inBubble runs a schedule in a bubble of its own.
func inBubble(t *testing.T, seed uint64, dir string) (w *world) {
	synctest.Test(t, func(*testing.T) {
		w = newWorld(seed, dir)
		w.run()
	})
	return w
}
