//go:build unix

package chaos_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"

	"autoreview/codexrun"
	"autoreview/supervisor/state/sqlite"
)

// fault is one kind; do reports false when there was nothing that it could hit.
type fault struct {
	name   string
	weight int
	do     func(w *world, rng *rand.Rand) bool
}

// kills are what ends processes.
var kills = []fault{
	{"kill relay", 18, func(w *world, rng *rand.Rand) bool { return w.relay.fell(syscall.SIGKILL, down(rng)) }},
	{"kill autoreview", 24, func(w *world, rng *rand.Rand) bool { return w.supervisor.fell(syscall.SIGKILL, down(rng)) }},
	{"kill codex", 10, func(w *world, rng *rand.Rand) bool { return w.killCodex(rng, false, true) }},
	{"kill codex alone", 8, func(w *world, rng *rand.Rand) bool { return w.killCodex(rng, false, false) }},
	{"kill all", 8, killAll},
}

var faults = append(kills[:len(kills):len(kills)], []fault{
	{"stop autoreview", 7, func(w *world, rng *rand.Rand) bool { return w.supervisor.fell(syscall.SIGTERM, down(rng)) }},
	{"stop relay", 5, func(w *world, rng *rand.Rand) bool { return w.relay.fell(syscall.SIGTERM, down(rng)) }},
	{"hang up", 3, func(w *world, _ *rand.Rand) bool { return w.supervisor.poke(syscall.SIGHUP) }},
	{"rewrite configuration", 4, rewrite},
	{"wrong configuration", 1, misconfigure},
	{"disk full", 6, diskFull},
	{"no writes by relay", 3, noWrites(func(w *world) *program { return w.relay }, "disk/data/relay.db-wal")},
	{"no writes by autoreview", 4, noWrites(func(w *world) *program { return w.supervisor }, "disk/state/state.db-wal")},
	{"refuse", 5, turn(refuse)},
	{"cut answers", 8, turn(cut)},
	{"cut requests", 5, turn(cutAsk)},
	{"delay", 4, turn(delay)},
	{"drip", 4, turn(drip)},
	{"stall", 4, turn(stall)},
}...)

// inject does one fault, another one where the first could hit nothing. It
// reports false when none could.
func (w *world) inject(rng *rand.Rand) bool {
	all := 0
	for _, f := range w.kit.faults {
		all += f.weight
	}
	for range 20 {
		n := rng.IntN(all)
		for _, f := range w.kit.faults {
			if n -= f.weight; n >= 0 {
				continue
			}
			if f.do(w, rng) {
				w.injected[f.name]++
				return true
			}
			break
		}
	}
	return false
}

// down is how long a program stays down.
func down(rng *rand.Rand) time.Duration { return time.Duration(rng.IntN(250)) * time.Millisecond }

func turn(to weather) func(*world, *rand.Rand) bool {
	return func(w *world, rng *rand.Rand) bool {
		w.proxy.turn(to, brief(rng))
		return true
	}
}

// killAll is a machine that loses power, as far as processes can tell.
func killAll(w *world, rng *rand.Rand) bool {
	pause := down(rng)
	a := w.supervisor.fell(syscall.SIGKILL, pause)
	b := w.relay.fell(syscall.SIGKILL, pause/2)
	c := w.killCodex(rng, true, true)
	return a && b || c
}

// killCodex kills one run or all of them: the process group, or only the process
// that was started.
func (w *world) killCodex(rng *rand.Rand, all, group bool) bool {
	running := w.running()
	if len(running) == 0 {
		return false
	}
	if !all {
		running = running[rng.IntN(len(running)):][:1]
	}
	hit := false
	for _, p := range running {
		pid := p.PID
		if group {
			pid = -p.PGID
		}
		hit = syscall.Kill(pid, syscall.SIGKILL) == nil || hit
	}
	return hit
}

// running are the processes of codex that are there now.
func (w *world) running() []codexrun.Process {
	st, err := sqlite.OpenReadOnly(w.t.Context(), w.path(stateFile))
	if err != nil {
		return nil // there is none yet, or it is being made
	}
	defer st.Close()
	runs, err := st.OpenRuns(w.t.Context())
	if err != nil {
		return nil
	}
	var out []codexrun.Process
	for _, r := range runs {
		var p codexrun.Process
		if len(r.Process) > 0 && json.Unmarshal(r.Process, &p) == nil && p.PGID > 1 && codexrun.Alive(p) {
			out = append(out, p)
		}
	}
	return out
}

// plans are what codex does, run by run: see codextest.FakeDo.
func plans(rng *rand.Rand, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = plan(rng)
	}
	return append(out, calm)
}

// calm is the plan of every run once the storm is over.
const calm = "answer"

var turnClasses = []string{"auth", "rate_limited", "quota", "context_full", "model_error", "network", "usage_limit"}
var earlyClasses = []string{"mcp_down", "bad_config", "bad_session", "busy", "sandbox_unavailable", "input_too_large"}

func plan(rng *rand.Rand) string {
	words := []string{fmt.Sprintf("slow:%dms", rng.IntN(300))}
	if rng.IntN(4) == 0 {
		words = append(words, "children")
	}
	if rng.IntN(3) == 0 {
		words = append(words, "post:the_review")
	}
	if rng.IntN(8) == 0 {
		words = append(words, fmt.Sprintf("slow:%dms", rng.IntN(900)))
	}
	switch n := rng.IntN(100); {
	case n < 64:
		words = append(words, "events:3 answer")
	case n < 69:
		words = append(words, "bad")
	case n < 74:
		words = append(words, "crash")
	case n < 77:
		words = append(words, "kill")
	case n < 79:
		words = append(words, "exit:3")
	case n < 86:
		words = append(words, "fail:"+turnClasses[rng.IntN(len(turnClasses))])
	case n < 90:
		words = []string{"fail:" + earlyClasses[rng.IntN(len(earlyClasses))]}
	case n < 92:
		words = append(words, "hang")
	case n < 94:
		words = append(words, "stubborn hang")
	case n < 95:
		words = []string{"silent"}
	case n < 97:
		words = append(words, "linger")
	case n < 98:
		words = append([]string{"wrongthread"}, words...)
	default:
		words = append(words, "big:300000 answer")
	}
	return strings.Join(words, " ")
}
