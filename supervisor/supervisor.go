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
	"sync/atomic"
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
	State state.Store
	// Codex is CLI{} when nil.
	Codex Codex
	// Logger is silent when nil.
	Logger *slog.Logger
	// Load reads the configuration again, for Reload; nil means that it never
	// changes.
	Load func() (config.Config, error)
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
	// cfg is the configuration of the start, for what does not change after it.
	cfg     config.Config
	plan    atomic.Pointer[plan]
	load    func() (config.Config, error)
	relay   Relay
	state   state.Store
	codex   Codex
	log     *slog.Logger
	now     func() time.Time
	jitter  func() float64
	lost    func()
	runsDir string

	live  *live
	meter Meter

	// wake tells the dispatcher to look for due jobs; it holds at most one token.
	wake chan struct{}
	// manyRuns tells that the folders of runs may take too much by now; it holds at
	// most one token.
	manyRuns  chan struct{}
	runsEnded atomic.Int64
	// reload asks for the configuration to be read again, replanned tells the
	// schedules that it was; each holds at most one token.
	reload, replanned chan struct{}
	// stopping is closed when no more is to be begun, hurry when nobody waits for
	// what is running.
	stopping, hurry chan struct{}
	hurryOnce       sync.Once

	// aside are posts that nothing waits for until the end.
	aside sync.WaitGroup

	hintMu        sync.Mutex // guards hinted and doubt
	hinted, doubt time.Time  // see accountUntil

	lastFileMu sync.Mutex // serialises writes of LASTFILE
	logs       sync.Map   // :: watch → the log that it reads, by the name of its jobs
}

// New returns a Supervisor that has not started anything yet.
func New(o Options) (*Supervisor, error) {
	if o.Relay == nil || o.State == nil {
		return nil, errors.New("a relay and a state are required")
	}
	p, err := newPlan(o.Config)
	if err != nil {
		return nil, err
	}
	s := &Supervisor{
		cfg: o.Config, relay: o.Relay, state: o.State, codex: o.Codex,
		log: o.Logger, now: o.Now, jitter: o.Jitter,
		lost: o.Unreachable, load: o.Load,
		runsDir: filepath.Join(o.Config.StateDir, "runs"),
		wake:    make(chan struct{}, 1), manyRuns: make(chan struct{}, 1),
		reload: make(chan struct{}, 1), replanned: make(chan struct{}, 1),
		stopping: make(chan struct{}), hurry: make(chan struct{}),
	}
	s.plan.Store(p)
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
	return s, nil
}

// Run supervises until ctx ends and everything it started has ended: running
// reviews may go on for Config.Grace, or until Hurry is called; those that have
// not ended then are stopped and go on in the next life. It first ends what an
// earlier life left behind. The error is nil when ctx ended it.
func (s *Supervisor) Run(ctx context.Context) error {
	answered, err := s.takeOver(ctx)
	switch {
	case ctx.Err() != nil:
		return nil // what is left of the earlier life is the next one's
	case err != nil:
		return fmt.Errorf("taking over from an earlier life: %w", err)
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	work, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	idle := make(chan struct{})
	var wg sync.WaitGroup
	s.live.touch() // what an earlier life left is queued again
	wg.Go(func() { s.grace(ctx, idle, cut) })
	s.tellReleases(ctx)
	wg.Go(func() { s.postAsked(ctx) })
	wg.Go(func() { s.forgetRuns(ctx) })
	wg.Go(func() { s.keepTime(ctx) })
	for _, j := range answered {
		wg.Go(func() { s.deliver(ctx, j) })
	}
	wg.Go(func() { s.read(ctx) })
	newDispatcher(s).run(ctx, work)
	end(nil)
	s.aside.Wait()
	close(idle)
	wg.Wait()
	return nil
}

// takeOver ends what an earlier life left running, gives its jobs back to the
// queue, and returns those whose answer is yet to be posted.
func (s *Supervisor) takeOver(ctx context.Context) ([]state.Job, error) {
	if err := s.rescue(ctx); err != nil {
		return nil, err
	}
	return s.state.Jobs(ctx, state.Answered)
}

// read reads the channels, by the plan of the time, until ctx ends.
func (s *Supervisor) read(ctx context.Context) {
	r := &readers{s: s, running: make(map[string]reader)}
	defer r.stop()
	r.follow(ctx, s.plan.Load())
	s.reloads(ctx, r)
}

// errStopping is why a run ends that the supervisor has no more time for.
var errStopping = errors.New("the supervisor is stopping")

// grace lets what is running go on for a while after ctx has ended, and then
// cuts it off. It returns when nothing is running any more.
func (s *Supervisor) grace(ctx context.Context, idle <-chan struct{}, cut context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
	case <-idle:
		return
	}
	close(s.stopping)
	select {
	case <-time.After(s.plan.Load().cfg.Grace):
	case <-s.hurry:
	case <-idle:
		return
	}
	cut(errStopping)
	<-idle
}

// Hurry ends the time that running reviews have when Run is told to stop. It may
// be called more than once, and before that.
func (s *Supervisor) Hurry() { s.hurryOnce.Do(func() { close(s.hurry) }) }

func (s *Supervisor) wakeDispatcher() { signal(s.wake) }

// pause waits for d and reports whether to go on: not when ctx has ended, nor
// when the supervisor is stopping.
func (s *Supervisor) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	case <-s.stopping:
		return false
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
