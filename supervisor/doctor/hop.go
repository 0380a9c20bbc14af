package doctor

import (
	"context"
	"slices"
	"sync"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/supervisor"
)

// Hop is one step of the loop and when it was done.
type Hop struct {
	Name string `json:"name"`
	// AtMS is the time since the packet was sent, TookMS the time since the hop
	// before, in milliseconds.
	AtMS   float64 `json:"at_ms"`
	TookMS float64 `json:"took_ms"`
}

// The hops, in their order.
const (
	hopPosted    = "posted"      // the relay has acknowledged the packet
	hopWoken     = "woken"       // the supervisor has read it
	hopLaunched  = "launched"    // the process of Codex is there
	hopEvent     = "first event" // Codex has begun
	hopVerdict   = "verdict"     // Codex has ended with its answer
	hopReview    = "review posted"
	hopDelivered = "delivered" // a client has read the review
)

var hopOrder = []string{hopPosted, hopWoken, hopLaunched, hopEvent, hopVerdict, hopReview, hopDelivered}

// times notes when each hop was first reached.
type times struct {
	mu    sync.Mutex
	start time.Time            // guarded by mu
	at    map[string]time.Time // :: hop → time, guarded by mu
}

// begin starts the clock. Marks before it do not count.
func (t *times) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.start, t.at = time.Now(), make(map[string]time.Time)
}

func (t *times) mark(hop string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, done := t.at[hop]; t.at != nil && !done {
		t.at[hop] = time.Now()
	}
}

// hops are those that were reached, in their order. Two that happen at the same
// time in two places (the supervisor can be woken before the poster has its
// answer) may stand in each other's order: then one took no time.
func (t *times) hops() []Hop {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Hop
	last := t.start
	for _, name := range hopOrder {
		at, ok := t.at[name]
		if !ok {
			continue
		}
		took := max(at.Sub(last), 0)
		out = append(out, Hop{Name: name, AtMS: millis(at.Sub(t.start)), TookMS: millis(took)})
		if at.After(last) {
			last = at
		}
	}
	return out
}

func millis(d time.Duration) float64 {
	return float64(d.Round(100*time.Microsecond).Microseconds()) / 1000
}

// tappedRelay notes when the supervisor reads the packet and posts the review.
type tappedRelay struct {
	*client.Client
	times *times
	// ready is closed when the supervisor waits for news, reviewed when it has
	// posted the review.
	ready, reviewed         chan struct{}
	readyOnce, reviewedOnce sync.Once
}

var _ supervisor.Relay = (*tappedRelay)(nil)

// Wait implements supervisor.Relay.
func (r *tappedRelay) Wait(ctx context.Context, q relay.Query, d time.Duration) (relay.Page, error) {
	r.readyOnce.Do(func() { close(r.ready) })
	p, err := r.Client.Wait(ctx, q, d)
	if slices.ContainsFunc(p.Messages, func(m relay.Message) bool { return m.Kind == relay.KindPacket }) {
		r.times.mark(hopWoken)
	}
	return p, err
}

// Post implements supervisor.Relay.
func (r *tappedRelay) Post(ctx context.Context, d relay.Draft) (relay.Posted, error) {
	p, err := r.Client.Post(ctx, d)
	if err == nil && d.Kind == relay.KindReview {
		r.times.mark(hopReview)
		r.reviewedOnce.Do(func() { close(r.reviewed) })
	}
	return p, err
}

// tappedCodex is the real Codex, with its steps noted.
type tappedCodex struct {
	supervisor.CLI
	times *times
	env   []string
	// ended gets how the first run ended.
	ended chan codexrun.Result
}

var _ supervisor.Codex = (*tappedCodex)(nil)

// Find implements supervisor.Codex.
func (c *tappedCodex) Find(ctx context.Context, name string) (codexrun.Binary, error) {
	bin, err := c.CLI.Find(ctx, name)
	if err != nil {
		c.end(codexrun.Result{Class: codexrun.NoCodex, Text: err.Error()})
	}
	return bin, err
}

// end tells how a run ended, if it is the first.
func (c *tappedCodex) end(res codexrun.Result) {
	select {
	case c.ended <- res:
	default:
	}
}

// Run implements supervisor.Codex.
func (c *tappedCodex) Run(ctx context.Context, spec codexrun.Spec, obs codexrun.Observer) codexrun.Result {
	spec.Env = append(slices.Clone(spec.Env), c.env...)
	spec.Unset = append(slices.Clone(spec.Unset), "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
	started, event := obs.Started, obs.Event
	obs.Started = func(p codexrun.Process) error {
		c.times.mark(hopLaunched)
		if started == nil {
			return nil
		}
		return started(p)
	}
	obs.Event = func(e codexrun.Event) {
		c.times.mark(hopEvent)
		if event != nil {
			event(e)
		}
	}
	res := c.CLI.Run(ctx, spec, obs)
	if res.Class == codexrun.Completed {
		c.times.mark(hopVerdict)
	}
	c.end(res)
	return res
}
