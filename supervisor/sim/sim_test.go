package sim_test

import (
	"bufio"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// enough is how many schedules may fail before no more are begun.
const enough = 10

// TestThePromiseHoldsInEverySchedule runs as many schedules as it is told to, and
// those that failed once.
func TestThePromiseHoldsInEverySchedule(t *testing.T) {
	schedules := number(t, "SIM_SCHEDULES", 300)
	first := number(t, "SIM_SEED", rand.Uint64()>>16)
	seeds := make(chan uint64)
	go func() {
		defer close(seeds)
		if os.Getenv("SIM_SEED") == "" {
			for _, s := range corpus(t) {
				seeds <- s
			}
		}
		for i := range schedules {
			seeds <- first + i
		}
	}()
	var total tally
	var wg sync.WaitGroup
	began := time.Now()
	for i := range 2 {
		dir := workdir(t, i)
		wg.Go(func() {
			for seed := range seeds {
				if total.failed.Load() >= enough {
					continue
				}
				w := inBubble(t, seed, dir)
				total.add(w)
				report(t, w, dir, schedules == 1)
				if n := total.schedules.Load(); n%1000 == 0 {
					t.Logf("%d schedules, %d steps, %v", n, total.steps.Load(), time.Since(began).Round(time.Second))
				}
			}
		})
	}
	wg.Wait()
	t.Logf("seeds from %d: %d schedules with %d steps, %d lives, %d deaths, %d packets, %d schedules failed, in %v", first,
		total.schedules.Load(), total.steps.Load(), total.lives.Load(), total.deaths.Load(), total.packets.Load(), total.failed.Load(), time.Since(began).Round(time.Second))
	for _, row := range rows {
		n := total.rows[row]
		t.Logf("%6d deaths %s", n, row)
		if n == 0 && schedules >= 1000 {
			t.Errorf("no life died %s", row)
		}
	}
}

// TestASeedRepeatsItsTrace holds what a printed seed is good for.
func TestASeedRepeatsItsTrace(t *testing.T) {
	first := number(t, "SIM_SEED", rand.Uint64()>>16)
	dir := workdir(t, 0)
	for seed := first; seed < first+number(t, "SIM_REPEATS", 30); seed++ {
		one, two := inBubble(t, seed, dir), inBubble(t, seed, dir)
		if one.hash != two.hash {
			t.Errorf("seed %d has another trace the second time:\n%s", seed, firstDifference(one.trace, two.trace))
		}
	}
}

func firstDifference(a, b []string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return strings.Join(a[max(0, i-5):i], "\n") + "\n- " + a[i] + "\n+ " + b[i]
		}
	}
	return strconv.Itoa(len(a)) + " and " + strconv.Itoa(len(b)) + " steps"
}

// tally is what all schedules came to.
type tally struct {
	schedules, steps, lives, deaths, packets atomic.Int64
	failed                                   atomic.Int64
	mu                                       sync.Mutex
	rows                                     map[string]int // guarded by mu
}

func (a *tally) add(w *world) {
	a.schedules.Add(1)
	a.steps.Add(int64(len(w.trace)))
	a.lives.Add(int64(len(w.lives)))
	a.packets.Add(int64(len(w.packets)))
	if len(w.broken) > 0 {
		a.failed.Add(1)
	}
	for _, l := range w.lives {
		if l.dead {
			a.deaths.Add(1)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rows == nil {
		a.rows = make(map[string]int)
	}
	for row, n := range w.covered {
		a.rows[row] += n
	}
}

// report says what did not hold in a schedule, and whether its seed repeats it.
func report(t *testing.T, w *world, dir string, trace bool) {
	if trace {
		t.Logf("seed %d:\n%s", w.seed, strings.Join(w.trace, "\n"))
	}
	if len(w.broken) == 0 {
		return
	}
	again := "its trace is the same when it is repeated"
	if w.hash != inBubble(t, w.seed, dir).hash {
		again = "its trace is ANOTHER when it is repeated"
	}
	t.Errorf("seed %d, %s:\n\t%s\nrepeat it with: SIM_SEED=%d SIM_SCHEDULES=1 make sim", w.seed, again, strings.Join(w.broken, "\n\t"), w.seed)
}

func number(t *testing.T, name string, other uint64) uint64 {
	v := os.Getenv(name)
	if v == "" {
		return other
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q: want a whole number", name, v)
	}
	return n
}

// workdir is a folder in memory, where there is one: the runs keep their records
// in it.
func workdir(t *testing.T, i int) string {
	base := "/dev/shm"
	if st, err := os.Stat(base); err != nil || !st.IsDir() {
		base = t.TempDir()
	}
	dir, err := os.MkdirTemp(base, "sim"+strconv.Itoa(i)+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.MkdirAll(filepath.Join(dir, "other"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// corpus are the seeds that failed once.
func corpus(t *testing.T) (seeds []uint64) {
	f, err := os.Open(filepath.Join("testdata", "seeds.txt"))
	if err != nil {
		t.Error(err)
		return nil
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		field, _, _ := strings.Cut(s.Text(), "#")
		if field = strings.TrimSpace(field); field == "" {
			continue
		}
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			t.Errorf("seeds.txt: %q is no seed", field)
			continue
		}
		seeds = append(seeds, n)
	}
	return seeds
}
