package sim_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"autoreview/relay"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

// faults are how likely each kind of trouble is in one schedule. Each schedule
// leaves out some, so that what only happens without them happens as well.
type faults struct {
	death, stop, relay, log, prune, full, lose, refuse, kill, jump, person, reload, codex float64
}

func chooseFaults(rng *rand.Rand) faults {
	some := func(most float64) float64 {
		if rng.IntN(2) == 0 {
			return 0
		}
		return most * rng.Float64()
	}
	return faults{
		death: some(0.06), stop: some(0.02), relay: some(0.03), log: some(0.1), prune: some(0.01), full: some(0.02), lose: some(0.15), refuse: some(0.10),
		kill: some(0.03), jump: some(0.02), person: some(0.04), reload: some(0.02), codex: some(0.9),
	}
}

const (
	maxPackets = 8
	// healLimit is how much time a world gets to come to rest when all is well.
	healLimit = 30 * time.Hour
)

// run makes the schedule: a while of trouble, then calm, then the end.
func (w *world) run() {
	w.startRelay()
	w.birth()
	for range 150 + w.rng.IntN(350) {
		synctest.Wait()
		w.trouble()
	}
	w.heal()
	w.settle()
	w.finish()
	w.audit()
}

// trouble does one thing.
func (w *world) trouble() {
	f, x := w.faults, w.rng.Float64()
	hit := func(p float64) bool {
		x -= p
		return x < 0
	}
	l := w.current()
	switch {
	case l == nil && hit(0.25):
		w.note("birth")
		w.birth()
	case l != nil && hit(f.death):
		w.note("death of life %d", l.n)
		w.death(l)
	case l != nil && hit(f.stop):
		w.note("stop of life %d", l.n)
		l.stopping = true
		l.stop()
	case w.server == nil && len(w.logs) < 3 && hit(f.log):
		w.note("the relay gets another log")
		w.replaceLog()
		w.pruned = 0
	case w.server == nil && hit(0.15):
		w.note("relay starts")
		w.startRelay()
	case w.server != nil && hit(f.relay):
		w.note("relay dies")
		w.killRelay()
	case w.server != nil && hit(f.prune):
		w.prune()
	case hit(f.full):
		w.fill()
	case hit(f.jump):
		by := []time.Duration{-3 * time.Hour, -time.Minute, time.Minute, 5 * time.Hour}[w.rng.IntN(4)]
		w.note("clock jumps by %v", by)
		w.skew.Add(int64(by))
	case hit(f.kill):
		w.killProcess()
	case l != nil && hit(f.person):
		w.person(l)
	case l != nil && hit(f.reload):
		w.reload(l)
	case len(w.packets) < maxPackets && hit(0.05):
		w.post()
	default:
		w.progress()
	}
}

// progress lets something go on: an effect, a process, or time.
func (w *world) progress() {
	steps, procs := w.steps(), w.steppable()
	n := w.rng.IntN(len(steps) + len(procs) + 1)
	switch {
	case n < len(steps):
		w.decide(steps[n])
	case n < len(steps)+len(procs):
		w.act(procs[n-len(steps)])
	default:
		w.pass([]time.Duration{time.Millisecond, 100 * time.Millisecond, 5 * time.Second, time.Minute, 20 * time.Minute}[w.rng.IntN(5)])
	}
}

func (w *world) pass(d time.Duration) {
	w.note("%v pass", d)
	w.fence()
	time.Sleep(d)
}

// fence tells the race detector that who wakes by a timer goes on after the
// scheduler, which sleeps.
func (w *world) fence() {
	w.mu.Lock()
	defer w.mu.Unlock()
}

func (w *world) act(p *process) { w.note("pid %d %s", p.pid, p.step()) }

func (w *world) steppable() []*process {
	var out []*process
	for _, p := range w.processes {
		if p.steppable() {
			out = append(out, p)
		}
	}
	return out
}

// decide lets an effect happen, or not, or not be heard of.
func (w *world) decide(s *step) {
	var v verdict
	f, x := w.faults, w.rng.Float64()
	switch {
	case s.done:
	case s.kind == kindState && s.write && w.stateFull:
		v.fail = errFull
	case s.kind == kindState && x < 0.02*f.lose:
		v.fail = fmt.Errorf("disk I/O error")
	case s.kind == kindCodex && hasPrefix(s, "codex Find") && x < 0.1*f.codex:
		v.fail = errors.New("there is no codex")
	case s.kind == kindWire && x < f.refuse:
		v.fail = errRefused
	case s.kind == kindWire && x < f.refuse+f.lose:
		v.lost, v.hold = errReset, x < f.refuse+f.lose/2
	default:
		v.hold = x > 0.85
	}
	how := ""
	switch {
	case v.fail != nil:
		how = " FAILS: " + v.fail.Error()
	case v.lost != nil:
		how = " REPLY LOST"
	case v.hold:
		how = " and waits"
	}
	w.note("%s%s", s.name(), how)
	w.let(s, v)
}

func hasPrefix(s *step, prefix string) bool { return strings.HasPrefix(s.label, prefix) }

// post is what Claude and a mate do.
func (w *world) post() {
	if w.server == nil {
		return
	}
	watch := w.cfg.Watches[w.rng.IntN(len(w.cfg.Watches))]
	sender := watch.Senders[w.rng.IntN(2)]
	if w.rng.IntN(5) == 0 {
		_, err := w.server.log.Post(context.Background(), relay.Draft{Target: watch.Channel, Sender: sender, Text: "a note", Kind: relay.KindNote})
		w.note("note by %s in %s%s", sender, watch.Channel, outcome(err))
		return
	}
	text := fmt.Sprintf("please look at token-%d-end", len(w.packets)+1)
	p, err := w.server.log.Post(context.Background(), relay.Draft{Target: watch.Channel, Sender: sender, Text: text})
	w.note("packet by %s in %s: %v%s", sender, watch.Channel, p.ID, outcome(err))
	if err == nil {
		w.packets = append(w.packets, packet{p.ID, w.logID(), watch.Channel, sender, text})
	}
}

func (w *world) fill() {
	switch w.rng.IntN(2) {
	case 0:
		w.stateFull = !w.stateFull
		w.note("disk of the state full: %v", w.stateFull)
	default:
		w.relayFull = !w.relayFull
		w.note("disk of the relay full: %v", w.relayFull)
	}
}

func (w *world) killProcess() {
	if alive := w.aliveProcesses(); len(alive) > 0 {
		p := alive[w.rng.IntN(len(alive))]
		w.note("kill -9 of pid %d", p.pid)
		p.die()
	}
}

// prune removes old messages from the log, as its retention does.
func (w *world) prune() {
	n, err := w.log().Prune(context.Background(), relay.Retention{MaxMessages: 3})
	w.note("%d messages are pruned%s", n, outcome(err))
	p, _ := w.log().Read(context.Background(), relay.Query{Limit: 1})
	w.pruned = p.OldestID - 1
}

// reload changes the configuration: a key of each watch, or which there are.
func (w *world) reload(l *life) {
	w.cfg.Watches = slices.Clone(w.cfg.Watches)
	switch {
	case w.rng.IntN(3) > 0:
		for i := range w.cfg.Watches {
			watch := &w.cfg.Watches[i]
			watch.Coalesce = time.Minute - watch.Coalesce
		}
	case w.rng.IntN(2) == 0:
		watch := &w.cfg.Watches[0]
		watch.ReplyAs = map[string]string{"codex0": "other0", "other0": "codex0"}[watch.ReplyAs]
	case len(w.cfg.Watches) == 2:
		w.cfg.Watches = w.cfg.Watches[:1]
	default:
		w.cfg.Watches = w.whole.Watches
	}
	w.note("reload with %d watches", len(w.cfg.Watches))
	l.sup.Reload()
}

// person asks something of the supervisor.
func (w *world) person(l *life) {
	watch := w.cfg.Watches[w.rng.IntN(len(w.cfg.Watches))].Name
	jobs, _ := w.state.Summaries(context.Background(), state.Filter{})
	what := w.rng.IntN(4)
	if len(jobs) == 0 && what < 2 {
		return
	}
	var id int64
	if len(jobs) > 0 {
		id = jobs[w.rng.IntN(len(jobs))].ID
	}
	ask := func(name string, do func(context.Context) error) {
		w.note("a person: %s", name)
		w.people.Go(func() {
			ctx, cancel := context.WithTimeout(l.ctx, time.Hour)
			defer cancel()
			_ = do(ctx) // what was refused or never answered is no promise
		})
	}
	switch what {
	case 0:
		ask(fmt.Sprintf("retry %d", id), func(ctx context.Context) error { _, err := l.sup.Retry(ctx, id); return err })
	case 1:
		ask(fmt.Sprintf("cancel %d", id), func(ctx context.Context) error { _, err := l.sup.Cancel(ctx, id); return err })
	case 2:
		ask("pause "+watch, func(ctx context.Context) error { return l.sup.Pause(ctx, watch) })
	default:
		ask("resume "+watch, func(ctx context.Context) error { return l.sup.Resume(ctx, watch) })
	}
}

// heal makes all well.
func (w *world) heal() {
	synctest.Wait()
	w.note("calm")
	w.calm, w.faults, w.stateFull, w.relayFull = true, faults{}, false, false
	if w.server == nil {
		w.startRelay()
	}
	w.cfg.Watches = w.whole.Watches
	if l := w.current(); l != nil {
		l.sup.Reload()
	}
}

// settle lets all go on until everything is answered and nobody has anything to
// do.
func (w *world) settle() {
	end := time.Now().Add(healLimit)
	for n := 0; ; n++ {
		synctest.Wait()
		if w.current() == nil {
			w.note("birth")
			w.birth()
			continue
		}
		if l := w.current(); l.stopping {
			w.quiet(l) // until it has stopped
			continue
		}
		steps, procs := w.steps(), w.steppable()
		switch {
		case len(steps)+len(procs) > 0:
			w.progressCalm(steps, procs)
		case w.unpause():
		case w.rests():
			return
		case time.Now().After(end) || n > 20_000:
			w.fail("no rest after %v of calm", healLimit)
			return
		default:
			w.pass(time.Minute)
		}
	}
}

func (w *world) progressCalm(steps []*step, procs []*process) {
	if n := w.rng.IntN(len(steps) + len(procs)); n < len(steps) {
		w.note("%s", steps[n].name())
		w.let(steps[n], verdict{})
	} else {
		w.act(procs[n-len(steps)])
	}
}

// unpause asks the supervisor to go on with what a person has paused.
func (w *world) unpause() bool {
	paused, _ := w.state.Paused(context.Background())
	for _, name := range slices.Sorted(maps.Keys(paused)) {
		l := w.current()
		w.note("a person: resume")
		w.people.Go(func() { _ = l.sup.Resume(l.ctx, name) })
		return true
	}
	return false
}

// rests reports whether every packet has been answered and every job has ended.
func (w *world) rests() bool {
	open, _ := w.state.Jobs(context.Background(), state.Queued, state.Waiting, state.Running, state.Answered)
	if len(open) > 0 {
		return false
	}
	for _, watch := range w.cfg.Watches {
		id, ok, _ := w.state.Cursor(context.Background(), watch.Name, watch.Channel, w.logID())
		if !ok || id < w.newest(watch) {
			return false
		}
	}
	return true
}

func (w *world) logID() string {
	info, _ := w.log().Info(context.Background())
	return info.LogID
}

// newest is the last packet for a watch.
func (w *world) newest(watch config.Watch) int64 {
	for i := len(w.packets) - 1; i >= 0; i-- {
		if w.packets[i].channel == watch.Channel && w.packets[i].log == w.logID() {
			return w.packets[i].id
		}
	}
	return 0
}

// quiet goes on with a life that is to end.
func (w *world) quiet(l *life) {
	steps, procs := w.steps(), w.steppable()
	if len(steps)+len(procs) > 0 {
		w.progressCalm(steps, procs)
		return
	}
	if !l.ended() {
		w.pass(time.Minute)
	}
}

// finish ends everything.
func (w *world) finish() {
	if l := w.current(); l != nil {
		w.note("stop of life %d", l.n)
		l.stopping = true
		l.stop()
		for n := 0; !l.ended(); n++ {
			synctest.Wait()
			if n > 10_000 {
				w.fail("a life does not stop")
				w.death(l)
			}
			w.quiet(l)
		}
	}
	for n := 0; len(w.steps())+len(w.steppable()) > 0 && n < 10_000; n++ {
		w.progressCalm(w.steps(), w.steppable())
		synctest.Wait()
	}
	for _, l := range w.lives {
		<-l.done
	}
	w.people.Wait()
	w.killRelay()
}
