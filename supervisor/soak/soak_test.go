//go:build linux

package soak_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"autoreview/codexrun/codextest"
	"autoreview/relay"
	"autoreview/relay/client"
)

// In the last quarter of the time a program may take so much more memory than in
// the second: SQLite's page caches, of 2 MiB for each connection, fill slowly.
const (
	rssSlack = 6 << 20
	rssShare = 0.10
)

const (
	printEvery  = 10 * time.Second
	sampleEvery = time.Second
	// keepMessages bounds the relay's log.
	keepMessages = 2000
)

// filler makes a packet as long as a small diff.
var filler = strings.Repeat("+\tif err != nil { return err } // a line of a diff\n", 40)

// Both programs, in processes of their own, under load for as long as SOAK_TIME
// says: every packet is answered, and they take no more than early on.
func TestLoadDoesNotGrow(t *testing.T) {
	text := os.Getenv("SOAK_TIME")
	if text == "" {
		t.Skip("SOAK_TIME is not set; `make soak` sets it")
	}
	length, err := time.ParseDuration(text)
	if err != nil || length < 20*time.Second {
		t.Fatalf("SOAK_TIME: got %q, want a duration of 20s or more", text)
	}
	w := newWorld(t)
	following, stopFollowing := context.WithCancel(t.Context())
	var follower sync.WaitGroup
	follower.Go(func() { w.load.follow(following) })
	defer follower.Wait()
	defer stopFollowing()

	w.fillCaches()
	w.under(length/10, func(sample) {})
	relayRest, supervisorRest := w.relay.atRest(), w.supervisor.atRest()
	w.head()
	w.under(length, w.print)
	w.compare("relay", func(s sample) int64 { return s.relay.rss })
	w.compare("autoreview", func(s sample) int64 { return s.supervisor.rss })
	r, s := w.relay.back(relayRest), w.supervisor.back(supervisorRest)
	t.Logf("soak: at rest early on and at the end: relay %d and %d files, %d and %d goroutines; autoreview %d and %d, %d and %d",
		relayRest.files, r.files, relayRest.goroutines, r.goroutines, supervisorRest.files, s.files, supervisorRest.goroutines, s.goroutines)
	w.load.ledger.check(t)
	stopFollowing()
	follower.Wait()
	w.supervisor.stop()
	w.relay.stop()
	if left := marked(w.mark()); len(left) > 0 {
		t.Errorf("processes that are left: %v", left)
	}
}

// world is the two programs and what is around them.
type world struct {
	t                 *testing.T
	dir               string
	relay, supervisor *program
	load              *load
	began             time.Time
	samples           []sample
	printed           sample // the last one
}

// sample is how everything stands at one moment.
type sample struct {
	at                time.Duration
	relay, supervisor standing
	posted, answered  int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	rate := 5
	if v := os.Getenv("SOAK_RATE"); v != "" {
		var err error
		if rate, err = strconv.Atoi(v); err != nil || rate < 1 {
			t.Fatalf("SOAK_RATE: got %q, want a number of packets a second", v)
		}
	}
	w := &world{t: t, dir: t.TempDir()}
	for _, name := range []string{"home", "codex"} {
		if err := os.Mkdir(w.path(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	build(t, w.path("bin"), "relay", "autoreview", "codex")
	addr, metrics := freeAddr(t), ""
	_, port, _ := net.SplitHostPort(addr)
	w.relay = start(t, w.path("relay.log"), "http://"+addr+"/metrics", w.env(), w.path("bin/relay"), "serve", "--port", port,
		"--data", w.path("data"), "--retention-messages", strconv.Itoa(keepMessages), "--log-max-mb", "5", "--channel-log-max-mb", "5",
		"--log-backup-count", "1", "--channel-log-backup-count", "1")
	metrics = freeAddr(t)
	w.load = &load{t: t, url: "http://" + addr, state: w.path("state"), rate: rate, ledger: newLedger(),
		verbs: client.New(client.Options{BaseURL: "http://" + addr}), caller: &caller{t: t, url: "http://" + addr}}
	w.configure(metrics)
	w.supervisor = start(t, w.path("autoreview.log"), "http://"+metrics+"/metrics", w.env(), w.path("bin/autoreview"), "run", "--config", w.path("autoreview.toml"))
	w.awaitWatching()
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// mark is a variable that everything started here has in its environment.
func (w *world) mark() string { return "SOAK_TEST=" + w.dir }

func (w *world) env() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.path("home"), "CODEX_HOME=" + w.path("codex"), "XDG_STATE_HOME=" + w.path("home"),
		w.mark(), codextest.FakeDo + "=slow:20ms events:5 command:ls answer"}
}

func (w *world) configure(metrics string) {
	w.t.Helper()
	text := fmt.Sprintf("relay = %q\nstate_dir = %q\ncodex_bin = %q\nmetrics_addr = %q\nworkers = 4\nruns_keep_mb = 2\n",
		w.load.url, w.path("state"), w.path("bin/codex"), metrics)
	for _, one := range watches {
		w.load.channels = append(w.load.channels, one.channel)
		repository(w.t, w.path(one.channel))
		text += watch(one.channel, w.path(one.channel), one.extra)
	}
	if err := os.WriteFile(w.path("autoreview.toml"), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// awaitWatching waits until each watch has its place in the log: what came before
// its first start would be history.
func (w *world) awaitWatching() {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(look) {
		log, _ := os.ReadFile(w.path("autoreview.log"))
		if strings.Count(string(log), " watching watch=") >= len(watches) {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("autoreview does not watch:\n%s", log)
		}
	}
}

// fillCaches fills what the relay may keep for the page, so that what grows after
// that is no cache that has not reached its bound.
func (w *world) fillCaches() {
	w.t.Helper()
	large := strings.Repeat("A line of a message that is long.\n", 6000)
	for range 50 {
		if _, err := w.load.verbs.Post(w.t.Context(), relay.Draft{Target: "large", Sender: "soak", Text: large}); err != nil {
			w.t.Fatal(err)
		}
		// One by one: an answer with all of them would be the largest of the whole run.
		if err := drain(w.load.caller.get(w.t.Context(), "/ui/messages?target=large&limit=1")); err != nil {
			w.t.Fatal(err)
		}
	}
}

// under puts the programs under load for a time and takes samples, then waits
// until every packet is answered.
func (w *world) under(length time.Duration, print func(sample)) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), length)
	defer cancel()
	var load sync.WaitGroup
	load.Go(func() { w.load.run(ctx) })
	w.began, w.samples = time.Now(), nil
	w.printed = w.sample()
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for ctx.Err() == nil && !w.t.Failed() {
		select {
		case <-ctx.Done():
		case <-tick.C:
			s := w.sample()
			w.samples = append(w.samples, s)
			if s.at-w.printed.at >= printEvery-sampleEvery/2 {
				print(s)
			}
		}
	}
	cancel()
	load.Wait()
	w.settle()
}

// settle waits until every packet is answered.
func (w *world) settle() {
	w.t.Helper()
	for end := time.Now().Add(restTime); ; time.Sleep(look) {
		posted, answered, open := w.load.ledger.count()
		if open == 0 {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("%d packets, %d answers: %d packets have none after %s", posted, answered, open, restTime)
		}
	}
}

func (w *world) sample() sample {
	w.t.Helper()
	s := sample{at: time.Since(w.began), relay: w.relay.look(), supervisor: w.supervisor.look()}
	s.posted, s.answered, _ = w.load.ledger.count()
	return s
}

const (
	heading = "%8s  %9s %5s %6s  %10s %5s %6s  %7s %8s  %8s %8s"
	row     = "%8s  %9.1f %5d %6d  %10.1f %5d %6d  %7d %8d  %8s %8s"
)

func (w *world) head() {
	w.t.Logf(heading, "elapsed", "relay MiB", "files", "gorout", "review MiB", "files", "gorout", "packets", "reviewed", "hand p50", "hand p99")
}

// print prints a line of the table; its hand-off times are those since the line
// before.
func (w *world) print(s sample) {
	now, before := s.supervisor.samples.buckets("autoreview_handoff_seconds"), w.printed.supervisor.samples.buckets("autoreview_handoff_seconds")
	for bound := range now {
		now[bound] -= before[bound]
	}
	w.printed = s
	w.t.Logf(row, s.at.Round(time.Second), float64(s.relay.rss)/(1<<20), s.relay.files, s.relay.goroutines,
		float64(s.supervisor.rss)/(1<<20), s.supervisor.files, s.supervisor.goroutines, s.posted, s.answered, quantile(now, 0.5), quantile(now, 0.99))
}

// quantile estimates a quantile of a histogram as Prometheus does: evenly within
// a bucket.
func quantile(buckets map[float64]float64, q float64) string {
	bounds := slices.Sorted(maps.Keys(buckets))
	rank := q * buckets[math.Inf(1)]
	var low, below float64
	for _, high := range bounds {
		n := buckets[high]
		if n >= rank && n > below {
			if math.IsInf(high, 1) {
				return fmt.Sprintf(">%gs", low)
			}
			s := low + (high-low)*(rank-below)/(n-below)
			return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
		}
		low, below = high, n
	}
	return "-"
}

// compare holds the memory of the last quarter against that of the second.
func (w *world) compare(name string, rss func(sample) int64) {
	w.t.Helper()
	n := len(w.samples)
	early, late := median(w.samples[n/4:n/2], rss), median(w.samples[3*n/4:], rss)
	most := early + max(rssSlack, int64(rssShare*float64(early)))
	w.t.Logf("soak: rss of %s: %s in the second quarter, %s in the last, at most %s", name, mib(early), mib(late), mib(most))
	if late > most {
		w.t.Errorf("%s: the resident memory has grown from %s to %s, want at most %s", name, mib(early), mib(late), mib(most))
	}
}

func median(samples []sample, of func(sample) int64) int64 {
	var all []int64
	for _, s := range samples {
		all = append(all, of(s))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
