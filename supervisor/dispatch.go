package supervisor

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

// dispatcher starts jobs that are due, at most Config.Workers at once. Its
// fields belong to the goroutine that calls run.
type dispatcher struct {
	s       *Supervisor
	running map[int64]claimed // :: job → what it runs with
	ended   chan int64        // jobs whose worker has returned
	turn    int
	served  map[string]int // :: watch → the turn in which it was served last
}

// claimed is a job with what it was started with.
type claimed struct {
	job      state.Job
	plan     *plan
	watch    config.Watch
	isolated bool
	locks    []string
}

func newDispatcher(s *Supervisor) *dispatcher {
	return &dispatcher{s: s, running: make(map[int64]claimed), ended: make(chan int64), served: make(map[string]int)}
}

// run starts jobs until ctx ends: when a packet arrives, when a run ends, when
// the next job is due. Workers live on with work; it returns when the last has.
// While the state cannot be read or written it tries again.
func (d *dispatcher) run(ctx, work context.Context) {
	defer func() {
		for len(d.running) > 0 {
			delete(d.running, <-d.ended)
		}
	}()
	for failures := 0; ctx.Err() == nil; {
		next, err := d.startDue(ctx, work)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			if failures++; failures == 1 {
				d.s.log.Error("cannot start jobs, trying again", "err", err)
			}
			next = d.s.now().Add(backoff(saveFirst, saveLimit, failures))
		} else {
			failures = 0
		}
		var timer <-chan time.Time
		if !next.IsZero() {
			timer = time.After(max(next.Sub(d.s.now()), time.Millisecond))
		}
		select {
		case id := <-d.ended: // it makes room for what the others ask for
			delete(d.running, id)
			continue
		default:
		}
		select {
		case <-ctx.Done():
		case <-d.s.wake:
		case <-timer:
		case id := <-d.ended:
			delete(d.running, id)
		}
	}
}

// startDue starts what may start and returns when to look again, zero when only
// an event can change anything.
func (d *dispatcher) startDue(ctx, work context.Context) (next time.Time, err error) {
	for {
		p := d.s.plan.Load()
		if len(d.running) >= p.cfg.Workers {
			return time.Time{}, nil
		}
		ready, next, err := d.ready(ctx, p)
		if err != nil || len(ready) == 0 {
			return next, err
		}
		j, ok, err := d.s.state.Claim(ctx, ready, d.s.now())
		if err != nil {
			return time.Time{}, err
		}
		if !ok {
			// A person was faster.
			return d.s.now().Add(time.Second), nil
		}
		d.start(work, p, j)
	}
}

func (d *dispatcher) start(work context.Context, p *plan, j state.Job) {
	w := p.watchFor(j)
	isolated := isolates(w)
	c := claimed{job: j, plan: p, watch: w, isolated: isolated, locks: p.locks(w, isolated)}
	d.turn++
	d.served[w.Name] = d.turn
	d.running[j.ID] = c
	go func() {
		defer func() { d.ended <- j.ID }()
		d.s.work(work, c)
	}()
}

// ready returns the watches that have a job which may start now, the one whose
// turn it is first, and when the next of the others may.
func (d *dispatcher) ready(ctx context.Context, p *plan) (ready []string, next time.Time, err error) {
	due, err := d.s.state.Due(ctx)
	if err != nil || len(due) == 0 {
		return nil, time.Time{}, err
	}
	g, err := d.s.newGate(ctx, p)
	if err != nil {
		return nil, time.Time{}, err
	}
	for _, name := range slices.Sorted(maps.Keys(due)) {
		at := due[name]
		w, ok := p.watches[name]
		if !ok || d.busy(p, w, g.held(name)) {
			continue
		}
		at, err := g.opens(ctx, w, at)
		switch {
		case err != nil:
			return nil, time.Time{}, err
		case !at.After(g.now):
			ready = append(ready, name)
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	slices.SortFunc(ready, func(a, b string) int { return d.before(a, b, due) })
	return ready, next, nil
}

// before is the order of turns: who has fewer runs, who was not served for
// longer, whose job has been due for longer.
func (d *dispatcher) before(a, b string, due map[string]time.Time) int {
	return cmp.Or(
		cmp.Compare(d.runs(a), d.runs(b)),
		cmp.Compare(d.served[a], d.served[b]),
		due[a].Compare(due[b]),
		cmp.Compare(a, b),
	)
}

func (d *dispatcher) runs(watch string) int {
	n := 0
	for _, c := range d.running {
		if c.watch.Name == watch {
			n++
		}
	}
	return n
}

// busy reports whether a run of the watch must wait for another to end. A watch
// that is in trouble tries one at a time.
func (d *dispatcher) busy(p *plan, w config.Watch, held bool) bool {
	if held && d.runs(w.Name) > 0 {
		return true
	}
	wanted := p.locks(w, isolates(w))
	for _, c := range d.running {
		for _, lock := range c.locks {
			if slices.Contains(wanted, lock) {
				return true
			}
		}
	}
	return false
}
