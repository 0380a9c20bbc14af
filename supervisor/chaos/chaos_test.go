//go:build unix

package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// settleTime is how long all may take until every packet is answered once
// nothing is broken any more. The longest wait of the supervisor in it is the
// half minute between attempts to post.
const settleTime = 90 * time.Second

// setting is what the environment asks for.
type setting struct {
	faults int
	seed   uint64
	bound  time.Duration
}

func readSetting(t *testing.T) setting {
	t.Helper()
	s := setting{faults: 20, seed: rand.Uint64() >> 1, bound: 10 * time.Minute}
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
	}
	return s
}

// The promise: whatever dies, whenever, each acknowledged packet gets exactly
// one review or one plain notice.
func TestNothingIsLostOrDoubled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for a while; left out by -short")
	}
	set := readSetting(t)
	t.Logf("chaos: %d faults, CHAOS_SEED=%d", set.faults, set.seed)
	began := time.Now()
	w := newWorld(t, set.seed)
	w.begin()
	faults := w.storm(set)
	w.settle()
	w.stop()
	r := w.audit()
	w.sum(r)
	t.Logf("chaos: faults %d, packets %d, answered %d, lost %d, doubled %d, seconds %.0f, seed %d",
		faults, r.packets, r.answered, r.lost, r.doubled, time.Since(began).Seconds(), set.seed)
}

// storm injects the faults, one after the other with random waits in between,
// and returns how many there were.
func (w *world) storm(set setting) int {
	rng := w.random("faults")
	count := 0
	for end := time.Now().Add(set.bound); count < set.faults && time.Now().Before(end) && !w.t.Failed(); {
		// Many follow closely, so that a second one hits what the first began.
		f := rng.Float64()
		time.Sleep(time.Duration(f * f * float64(900*time.Millisecond)))
		if !w.inject(rng) {
			continue
		}
		if count++; count%50 == 0 {
			w.t.Logf("chaos: %d faults, %s", count, w.progress())
		}
	}
	return count
}

// sum tells what the faults were and what Codex was made to do.
func (w *world) sum(r result) {
	w.t.Logf("chaos: faults by kind: %s", counts(w.injected))
	w.t.Logf("chaos: relay had %d lives, autoreview %d, codex %d runs; reviews %d, notices %d; connections %d, of which %d were cut",
		w.relay.lives, w.supervisor.lives, r.runs, r.reviews, r.notices, w.proxy.accepted.Load(), w.proxy.severed.Load())
}

func (w *world) progress() string {
	posted, open := w.ledger.standing()
	return fmt.Sprintf("%d packets, %d of them open", posted, open)
}
