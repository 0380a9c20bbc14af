//go:build unix

package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"

	"autoreview/supervisor/config"
)

// configFile is in a folder of its own: the supervisor hears of every change in
// that folder.
const configFile = "conf/autoreview.toml"

// The watches differ in what is most likely to lose or to double a packet: who
// posts, whether a thread goes on, whether packets share a review, and where it
// runs.
var (
	channels = []string{"chan-a", "chan-b", "chan-c", "chan-d"}
	extras   = []string{`session = "continue"`, `deliver = "mcp"`, `coalesce = "200ms"`, `isolate = true`}
)

// byItself is the channel that Codex posts in by itself, isolated the one whose
// watch reviews in worktrees.
const byItself, isolated = "chan-b", "chan-d"

// Two schedules: one whose due times anybody can tell, and one that is due as
// often as there is time for.
const (
	minutely, often = "minutely", "often"
	oftenEvery      = 3 * time.Second

	schedules = `
[[schedule]]
name = "minutely"
cron = "* * * * *"
watch = "watch-chan-a"

[[schedule]]
name = "often"
cron = "@every 3s"
watch = "watch-chan-d"
catch_up = "skip"
`
)

// settings are what a configuration can vary in.
type settings struct {
	codex   string
	workers int
	grace   time.Duration
	watches int // how many of them
}

func usual(w *world, codex string) settings {
	return settings{codex: codex, workers: 3, grace: time.Second, watches: len(channels)}
}

// configure writes the configuration, and makes it the one to come back to.
func (w *world) configure(s settings) {
	w.t.Helper()
	w.usual = s
	w.write(configFile, w.configuration(s))
}

func (w *world) configuration(s settings) string {
	var b strings.Builder
	fmt.Fprintf(&b, "relay = %q\nstate_dir = %q\ncodex_bin = %q\nworkers = %d\ngrace = %q\nruns_keep_mb = 4\n",
		w.proxy.url(), w.path("disk/state"), s.codex, s.workers, s.grace)
	for i, channel := range channels[len(channels)-s.watches:] {
		i += len(channels) - s.watches
		fmt.Fprintf(&b, "\n[[watch]]\nname = %q\nchannel = %q\nworkdir = %q\ntimeout = %q\nidle_timeout = %q\n%s\n",
			"watch-"+channel, channel, w.path(string(rune('a'+i))), w.kit.timeout, w.kit.idle, extras[i])
		for _, class := range config.RetryClasses {
			if class != "input_too_large" {
				fmt.Fprintf(&b, "retry.%s = { first = \"1s\", limit = \"1s\" }\n", class)
			}
		}
	}
	if s.watches == len(channels) {
		b.WriteString(schedules)
	}
	return b.String()
}

// rewrite gives the supervisor another configuration for a while; some lack a
// watch and the schedules.
func rewrite(w *world, rng *rand.Rand) bool {
	other := w.usual
	other.workers, other.grace = 1+rng.IntN(4), time.Duration(rng.IntN(1500))*time.Millisecond
	other.watches -= rng.IntN(2)
	d := time.Duration(300+rng.IntN(1200)) * time.Millisecond
	return w.rewritten.cast(d, func() bool {
		w.write(configFile, w.configuration(other))
		return true
	}, func() { w.write(configFile, w.configuration(w.usual)) })
}

// misconfigure has the supervisor read a file that is wrong, which changes
// nothing. It must not meet a supervisor that starts.
func misconfigure(w *world, _ *rand.Rand) bool {
	w.supervisor.mu.Lock()
	defer w.supervisor.mu.Unlock()
	return w.rewritten.cast(0, func() bool {
		if !w.supervisor.listensLocked() {
			return false
		}
		w.write(configFile, w.configuration(w.usual)+"\nworkers = 0\n[[watch]]\nnam = 1\n")
		_ = w.supervisor.life.cmd.Process.Signal(syscall.SIGHUP) // it may have ended just now
		time.Sleep(150 * time.Millisecond)
		w.write(configFile, w.configuration(w.usual))
		return true
	}, func() {})
}
