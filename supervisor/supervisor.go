// Package supervisor turns packets into reviews. It watches channels of a
// relay, owes one review for each packet, runs Codex for it, and posts the
// answer: exactly one review or one plain notice for each packet, whatever dies
// in between.
//
// Everything that must survive is in supervisor/state; see its package comment
// for the states of a job. A watch reads from its cursor and enqueues jobs
// (watch.go), the dispatcher claims jobs that are due (dispatch.go), a worker
// runs Codex and decides what came of it (work.go, retry.go), and the answer is
// saved, then posted with the job's key (answer.go, deliver.go).
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

// Relay is what the supervisor needs of a relay. Both relay.Log and
// relay/client.Client are one.
type Relay interface {
	Post(ctx context.Context, d relay.Draft) (relay.Posted, error)
	Read(ctx context.Context, q relay.Query) (relay.Page, error)
	Wait(ctx context.Context, q relay.Query, d time.Duration) (relay.Page, error)
}

// Codex starts and ends codex processes. CLI is the real one.
type Codex interface {
	Find(ctx context.Context, name string) (codexrun.Binary, error)
	Run(ctx context.Context, spec codexrun.Spec, obs codexrun.Observer) codexrun.Result
	Kill(p codexrun.Process) error
}

// CLI is the Codex of package codexrun.
type CLI struct{}

// Find implements Codex.
func (CLI) Find(ctx context.Context, name string) (codexrun.Binary, error) {
	return codexrun.Find(ctx, name)
}

// Run implements Codex.
func (CLI) Run(ctx context.Context, spec codexrun.Spec, obs codexrun.Observer) codexrun.Result {
	return codexrun.Run(ctx, spec, obs)
}

// Kill implements Codex.
func (CLI) Kill(p codexrun.Process) error { return codexrun.Kill(p) }

// Options are what a Supervisor works with. Config, Relay and State are
// required.
type Options struct {
	Config config.Config
	Relay  Relay
	// State is open and locked by the caller, who closes it after Run.
	State *state.Store
	// Codex is CLI{} when nil.
	Codex Codex
	// Logger is silent when nil.
	Logger *slog.Logger
	// Unreachable, if not nil, is called each time the relay could not be read.
	// It must not block.
	Unreachable func()
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Meter is told what is done; nil means that nobody measures.
	Meter Meter
	// Jitter returns numbers in [0, 1); nil means random ones.
	Jitter func() float64
}

// Supervisor supervises. Make one with New and call Run once.
type Supervisor struct {
	cfg     config.Config
	relay   Relay
	state   *state.Store
	codex   Codex
	log     *slog.Logger
	now     func() time.Time
	jitter  func() float64
	lost    func()
	runsDir string
	watches map[string]config.Watch // :: name → watch
	names   []string

	live  *live
	meter Meter

	// wake tells the dispatcher to look for due jobs; it holds at most one token.
	wake chan struct{}

	lastFileMu sync.Mutex // serialises writes of LASTFILE
}

// New returns a Supervisor that has not started anything yet.
func New(o Options) (*Supervisor, error) {
	if o.Relay == nil || o.State == nil {
		return nil, errors.New("a relay and a state are required")
	}
	if len(o.Config.Watches) == 0 {
		return nil, errors.New("there is nothing to watch")
	}
	s := &Supervisor{
		cfg: o.Config, relay: o.Relay, state: o.State, codex: o.Codex,
		log: o.Logger, now: o.Now, jitter: o.Jitter,
		lost:    o.Unreachable,
		runsDir: filepath.Join(o.Config.StateDir, "runs"),
		watches: make(map[string]config.Watch),
		wake:    make(chan struct{}, 1),
	}
	if s.codex == nil {
		s.codex = CLI{}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.meter = o.Meter; s.meter == nil {
		s.meter = noMeter{}
	}
	s.live = newLive(s.now)
	if s.lost == nil {
		s.lost = func() {}
	}
	if s.jitter == nil {
		s.jitter = rand.Float64
	}
	for _, w := range o.Config.Watches {
		s.watches[w.Name] = w
		s.names = append(s.names, w.Name)
	}
	return s, nil
}

// Run supervises until ctx ends and everything it started has ended: running
// reviews are stopped and go on in the next life. It first ends what an earlier
// life left behind. The error is nil when ctx ended it.
func (s *Supervisor) Run(ctx context.Context) error {
	if err := s.rescue(ctx); err != nil {
		return fmt.Errorf("rescuing jobs of an earlier life: %w", err)
	}
	answered, err := s.state.Jobs(ctx, state.Answered)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	s.live.touch() // what an earlier life left is queued again
	wg.Go(func() { s.postAsked(ctx) })
	wg.Go(func() { s.forgetRuns(ctx) })
	for _, j := range answered {
		wg.Go(func() { s.deliver(ctx, j) })
	}
	for _, w := range s.cfg.Watches {
		wg.Go(func() { s.watch(ctx, w) })
	}
	if err := s.dispatch(ctx); err != nil {
		cancel(err)
		wg.Wait()
		return err
	}
	wg.Wait()
	return nil
}

func (s *Supervisor) wakeDispatcher() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// sleep waits for d and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
