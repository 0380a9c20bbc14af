//go:build unix

package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// setting is what the environment asks for.
type setting struct {
	faults int
	seed   uint64
	bound  time.Duration
	// asked says that somebody asked for the bound, so that it may end a storm.
	asked bool
}

func readSetting(t *testing.T, faults int) setting {
	t.Helper()
	s := setting{faults: faults, seed: rand.Uint64() >> 1, bound: time.Hour}
	var err error
	if v := os.Getenv("CHAOS_FAULTS"); v != "" {
		if s.faults, err = strconv.Atoi(v); err != nil || s.faults < 1 {
			t.Fatalf("CHAOS_FAULTS: got %q, want a number of faults", v)
		}
	}
	if v := os.Getenv("CHAOS_SEED"); v != "" {
		if s.seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatalf("CHAOS_SEED: got %q, want a number", v)
		}
	}
	if v := os.Getenv("CHAOS_TIME"); v != "" {
		if s.bound, err = time.ParseDuration(v); err != nil || s.bound <= 0 {
			t.Fatalf("CHAOS_TIME: got %q, want a duration", v)
		}
		s.asked = true
	}
	return s
}

// The promise: whatever dies, whenever, each acknowledged packet gets exactly
// one review or one plain notice.
func TestNothingIsLostOrDoubled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for a while; left out by -short")
	}
	set := readSetting(t, 20)
	play(t, set, kit{
		codex: func(w *world) string {
			w.build("codex", "autoreview/codexrun/codextest/fakecodex")
			// Longer than it can be, for after the last plan all is calm.
			w.write("fake/do", strings.Join(plans(w.random("plans"), 1000+4*set.faults), "|"))
			return w.path("bin/codex")
		},
		calm:   func(w *world) { w.write("fake/do", calm) },
		faults: faults, pause: 600 * time.Millisecond, open: 60,
		// The longest wait of the supervisor in it is the half minute between
		// attempts to post.
		settle: 90 * time.Second, timeout: 4 * time.Second, idle: 2 * time.Second,
	})
}

// play does a storm, and looks at what it has left.
func play(t *testing.T, set setting, k kit) {
	t.Helper()
	t.Logf("chaos: %d faults, CHAOS_SEED=%d", set.faults, set.seed)
	w := newWorld(t, set, k)
	w.begin()
	faults := w.storm(set)
	w.settle()
	w.ask()
	w.stop()
	r := w.audit()
	w.sum(r)
	for _, text := range set.missing(faults, w.injected, r, w.able()) {
		t.Error(text)
	}
	t.Logf("chaos: faults %d, packets %d, answered %d, lost %d, doubled %d, seconds %.0f, seed %d",
		faults, r.packets, r.answered, r.lost, r.doubled, time.Since(w.began).Seconds(), set.seed)
}

// storm injects the faults, one after the other with random waits in between,
// and returns how many there were.
func (w *world) storm(set setting) int {
	rng := w.random("faults")
	count, said := 0, time.Now()
	for end := time.Now().Add(set.bound); count < set.faults && time.Now().Before(end) && !w.t.Failed(); {
		// Many follow closely, so that a second one hits what the first began.
		f := rng.Float64()
		time.Sleep(time.Duration(f * f * float64(w.kit.pause)))
		w.relay.revive()
		w.supervisor.revive()
		if w.inject(rng) {
			count++
		}
		if time.Since(said) >= 10*time.Second {
			said = time.Now()
			w.t.Logf("chaos: %d faults, %.1f a second, %s", count, float64(count)/time.Since(w.began).Seconds(), w.progress())
		}
	}
	return count
}

// missing says what a storm has to have had for its result to mean anything. Of
// many faults some must be of every kind that is not rare.
func (s setting) missing(count int, injected map[string]int, r result, kinds []fault) (out []string) {
	if count < s.faults && !s.asked {
		out = append(out, fmt.Sprintf("only %d of %d faults were injected within %s", count, s.faults, s.bound))
	}
	if r.packets == 0 || r.runs == 0 || r.reviews+r.notices == 0 {
		out = append(out, fmt.Sprintf("%d packets, %d runs of codex, %d reviews and %d notices: nothing was put to the test", r.packets, r.runs, r.reviews, r.notices))
	}
	all := 0
	for _, f := range kinds {
		all += f.weight
	}
	for _, f := range kinds {
		// So many are expected that none at all is no chance.
		if injected[f.name] == 0 && count*f.weight > 10*all {
			out = append(out, fmt.Sprintf("no fault of the kind %q could be injected", f.name))
		}
	}
	return out
}

// able are the kinds of faults that this system lets us make.
func (w *world) able() (out []fault) {
	for _, f := range w.kit.faults {
		if f.name == "disk full" && !w.disk.own || strings.HasPrefix(f.name, "no writes") && runtime.GOOS != "linux" {
			continue
		}
		out = append(out, f)
	}
	return out
}

// sum tells what the faults were and what Codex was made to do.
func (w *world) sum(r result) {
	w.t.Logf("chaos: faults by kind: %s", counts(w.injected))
	w.t.Logf("chaos: relay had %d lives, autoreview %d, of which %d and %d found no room to begin; connections %d, of which %d were cut",
		w.relay.lives, w.supervisor.lives, w.relay.refused, w.supervisor.refused, w.proxy.accepted.Load(), w.proxy.severed.Load())
	w.t.Logf("chaos: codex ran %d times; reviews %d, notices %d, by a schedule %d", r.runs, r.reviews, r.notices, r.scheduled)
}

func (w *world) progress() string {
	posted, open := w.ledger.standing()
	return fmt.Sprintf("%d packets, %d answered, %d open", posted, posted-open, open)
}
