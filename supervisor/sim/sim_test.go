package sim_test

import (
	"bufio"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// With one processor the numbers of goroutines show in which order they were
// started, see world.steps.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1)
	os.Exit(m.Run())
}

// enough is how many schedules may fail before no more are begun.
const enough = 10

// TestThePromiseHoldsInEverySchedule runs as many schedules as it is told to, and
// those that failed once.
func TestThePromiseHoldsInEverySchedule(t *testing.T) {
	schedules := number(t, "SIM_SCHEDULES", 300)
	first := number(t, "SIM_SEED", rand.Uint64()>>16)
	if os.Getenv(tallyEnv) == "" && schedules >= 1000 {
		inProcesses(t, first, schedules)
		return
	}
	var seeds []uint64
	if os.Getenv("SIM_SEED") == "" {
		seeds = corpus(t)
	}
	for i := range schedules {
		seeds = append(seeds, first+i)
	}
	total := simulate(t, seeds, schedules == 1)
	if path := os.Getenv(tallyEnv); path != "" {
		total.write(t, path)
		return
	}
	total.report(t, first, schedules)
}

func simulate(t *testing.T, seeds []uint64, trace bool) (total tally) {
	dir := workdir(t)
	began := time.Now()
	for _, seed := range seeds {
		if total.Failed >= enough {
			break
		}
		w := inBubble(t, seed, dir)
		total.add(w)
		reportSchedule(t, w, dir, trace)
		if total.Schedules%1000 == 0 {
			t.Logf("%d schedules, %d steps, %v", total.Schedules, total.Steps, time.Since(began).Round(time.Second))
		}
	}
	total.Took = time.Since(began)
	return total
}

// tallyEnv is set in the processes that do a part: it is where they write what
// it came to.
const tallyEnv = "SIM_TALLY"

// inProcesses shares the schedules out, one process for each processor.
func inProcesses(t *testing.T, first, schedules uint64) {
	parts := uint64(runtime.NumCPU())
	tallies := make([]tally, parts)
	var wg sync.WaitGroup
	for i := range parts {
		from, to := schedules*i/parts, schedules*(i+1)/parts
		path := filepath.Join(t.TempDir(), "tally.json")
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v", "-test.timeout", "0")
			cmd.Env = append(os.Environ(), tallyEnv+"="+path, "SIM_SEED="+strconv.FormatUint(first+from, 10), "SIM_SCHEDULES="+strconv.FormatUint(to-from, 10))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("a part failed (%v):\n%s", err, out)
			}
			b, err := os.ReadFile(path)
			if err == nil {
				err = json.Unmarshal(b, &tallies[i])
			}
			if err != nil {
				t.Errorf("a part did not say what it came to: %v", err)
			}
		})
	}
	total := simulate(t, corpus(t), false)
	wg.Wait()
	for _, part := range tallies {
		total.join(part)
	}
	total.report(t, first, schedules)
}

// TestASeedRepeatsItsTrace holds what a printed seed is good for.
func TestASeedRepeatsItsTrace(t *testing.T) {
	first := number(t, "SIM_SEED", rand.Uint64()>>16)
	dir := workdir(t)
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

// tally is what schedules came to.
type tally struct {
	Schedules, Steps, Lives, Deaths, Packets, Logs, Failed int
	Rows                                                   map[string]int // :: row of the crash table → deaths
	Took                                                   time.Duration
}

func (a *tally) add(w *world) {
	b := tally{Schedules: 1, Steps: len(w.trace), Lives: len(w.lives), Packets: len(w.packets), Logs: len(w.logs), Rows: w.covered}
	if len(w.broken) > 0 {
		b.Failed = 1
	}
	for _, l := range w.lives {
		if l.dead {
			b.Deaths++
		}
	}
	a.join(b)
}

func (a *tally) join(b tally) {
	a.Schedules, a.Steps, a.Lives, a.Deaths = a.Schedules+b.Schedules, a.Steps+b.Steps, a.Lives+b.Lives, a.Deaths+b.Deaths
	a.Packets, a.Logs, a.Failed, a.Took = a.Packets+b.Packets, a.Logs+b.Logs, a.Failed+b.Failed, max(a.Took, b.Took)
	if a.Rows == nil {
		a.Rows = make(map[string]int)
	}
	for row, n := range b.Rows {
		a.Rows[row] += n
	}
}

func (a *tally) write(t *testing.T, path string) {
	b, err := json.Marshal(a)
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Error(err)
	}
}

func (a *tally) report(t *testing.T, first, schedules uint64) {
	t.Logf("seeds from %d: %d schedules with %d steps, %d lives of the supervisor and %d deaths, %d logs, %d packets; %d schedules failed; %v",
		first, a.Schedules, a.Steps, a.Lives, a.Deaths, a.Logs, a.Packets, a.Failed, a.Took.Round(time.Second))
	for _, row := range rows {
		t.Logf("%6d deaths %s", a.Rows[row], row)
		if a.Rows[row] == 0 && schedules >= 1000 && a.Failed == 0 {
			t.Errorf("no life died %s", row)
		}
	}
}

// reportSchedule says what did not hold in a schedule, and whether its seed
// repeats it.
func reportSchedule(t *testing.T, w *world, dir string, trace bool) {
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
func workdir(t *testing.T) string {
	base := "/dev/shm"
	if st, err := os.Stat(base); err != nil || !st.IsDir() {
		base = t.TempDir()
	}
	dir, err := os.MkdirTemp(base, "sim-")
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
