package supervisor_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"autoreview/relay"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
)

// reloads makes the world's configuration what change makes of it, by a reload.
func (w *world) reloads(s *supervisor.Supervisor, change func(*config.Config)) {
	w.t.Helper()
	cfg := w.cfg
	cfg.Watches = slices.Clone(cfg.Watches)
	change(&cfg)
	w.load = func() (config.Config, error) { return cfg, nil }
	s.Reload()
	w.settle(time.Millisecond)
}

// reloadable lets a test decide what the next reload reads.
func (w *world) reloadable(during func(*supervisor.Supervisor)) {
	w.t.Helper()
	current := func() (config.Config, error) { return w.load() }
	w.load = func() (config.Config, error) { return w.cfg, nil }
	indirect := *w
	indirect.load = current
	indirect.lives(during)
}

func TestReloadTakesWatchesInAndOut(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.reloadable(func(s *supervisor.Supervisor) {
			first := w.packet("p")
			w.settle(time.Second)
			w.reloads(s, func(c *config.Config) {
				c.Watches[0].Senders = []string{"opus"}
				other := c.Watches[0]
				other.Name, other.Channel = "other", "other"
				c.Watches = append(c.Watches, other)
			})
			w.packet("by whom nobody listens to any more")
			second := w.post(relay.Draft{Text: "p", Sender: "opus"})
			third := w.post(relay.Draft{Text: "p", Sender: "opus", Target: "other"})
			w.settle(time.Second)
			w.checkAnswered(first, second, third)
			w.reloads(s, func(c *config.Config) { c.Watches[0].Name = "renamed" })
			fourth := w.packet("for the one with another name")
			w.post(relay.Draft{Text: "for nobody", Sender: "opus", Target: "other"})
			w.settle(time.Second)
			// A new name is a new watch: it owes what is unanswered by the reviewer.
			w.checkAnswered(first, second, third, fourth, first+2)
		})
	})
}

// A review that runs goes on as it was started; the next one is by the new plan.
func TestReloadLeavesRunningReviewsAlone(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.run = takes(time.Minute)
		w.reloadable(func(s *supervisor.Supervisor) {
			first := w.packet("p")
			w.settle(time.Second)
			w.reloads(s, func(c *config.Config) { c.Watches[0].Model, c.Watches[0].ReplyAs = "new", "codex2" })
			w.settle(2 * time.Minute)
			w.checkAnswered(first)
			w.packet("q")
			w.settle(2 * time.Minute)
		})
		runs := w.codex.runs()
		if len(runs) != 2 || runs[0].Model != "" || runs[1].Model != "new" {
			t.Errorf("got %d runs; want the second alone with the new model", len(runs))
		}
		p, err := w.log.Read(t.Context(), relay.Query{Senders: []string{"codex2"}, Limit: 10})
		if err != nil || len(p.Messages) != 1 {
			t.Errorf("messages under the new name: got %d, %v; want one", len(p.Messages), err)
		}
	})
}

// A watch that is taken out ends its reading; its jobs stay for when it is back.
func TestReloadKeepsTheJobsOfAWatchThatIsAway(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.cfg.Workers = 1
		w.another("other", nil)
		w.codex.run = takes(time.Minute)
		w.reloadable(func(s *supervisor.Supervisor) {
			first := w.packet("p")
			w.settle(time.Second)
			second := w.post(relay.Draft{Text: "p", Target: "other"})
			w.settle(time.Second)
			w.reloads(s, func(c *config.Config) { c.Watches = c.Watches[:1] })
			w.settle(time.Hour)
			w.checkAnswered(first)
			w.reloads(s, func(c *config.Config) {})
			w.settle(time.Hour)
			w.checkAnswered(first, second)
		})
	})
}

func TestReloadOfWorkersAndSchedules(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.cfg.Workers = 1
		for _, name := range []string{"b", "c"} {
			dir := filepath.Join(w.dir, name)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			w.another(name, func(c *config.Watch) { c.Workdir = dir })
		}
		most := w.atOnce(time.Minute)
		w.reloadable(func(s *supervisor.Supervisor) {
			ids := []int64{w.packet("p"), w.post(relay.Draft{Text: "p", Target: "b"}), w.post(relay.Draft{Text: "p", Target: "c"})}
			w.settle(time.Second)
			w.reloads(s, func(c *config.Config) {
				c.Workers = 3
				c.Schedules = []config.Schedule{{Name: "n", Cron: "0 * * * *", Timezone: "UTC", Watch: "b"}}
			})
			w.settle(2 * time.Second)
			if got := most(); got != 3 {
				t.Errorf("at most %d runs at once, want 3 as soon as there are so many workers", got)
			}
			w.settle(90 * time.Minute)
			w.checkAnswered(ids...)
		})
		if n := len(w.codex.runs()); n != 4 {
			t.Errorf("codex ran %d times, want three packets and one hour", n)
		}
	})
}

// What is wrong changes nothing, and the log says what and where.
func TestABadReloadChangesNothing(t *testing.T) {
	problem := &config.Error{Problems: []config.Problem{{Place: config.Place{File: "autoreview.toml", Line: 3, Column: 1}, Key: "watch.timeout", Text: "want a duration"}}}
	tests := []struct {
		name string
		load func(config.Config) (config.Config, error)
		want []string
	}{
		{"a problem", func(c config.Config) (config.Config, error) { return config.Config{}, problem }, []string{"autoreview.toml:3:1", "watch.timeout", "want a duration"}},
		{"not readable", func(c config.Config) (config.Config, error) { return config.Config{}, errors.New("it is gone") }, []string{"it is gone"}},
		{"another relay", func(c config.Config) (config.Config, error) {
			c.Relay, c.StateDir = "http://else", "/else"
			return c, nil
		}, []string{"relay, state_dir cannot change"}},
		{"another address for metrics", func(c config.Config) (config.Config, error) {
			c.MetricsAddr = "127.0.0.1:9464"
			return c, nil
		}, []string{"metrics_addr cannot change"}},
		{"no watches", func(c config.Config) (config.Config, error) { c.Watches = nil; return c, nil }, []string{"nothing to watch"}},
		{"a bad schedule", func(c config.Config) (config.Config, error) {
			c.Schedules = []config.Schedule{{Name: "n", Cron: "x", Watch: "main"}}
			return c, nil
		}, []string{`schedule \"n\"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				var log lockedBuffer
				w.said = slog.New(slog.NewTextHandler(&log, nil))
				w.reloadable(func(s *supervisor.Supervisor) {
					w.load = func() (config.Config, error) {
						c := w.cfg
						c.Watches = slices.Clone(c.Watches)
						c.Watches[0].Channel = "elsewhere"
						return tt.load(c)
					}
					s.Reload()
					w.settle(time.Second)
					id := w.packet("p")
					w.settle(time.Second)
					w.checkAnswered(id)
					w.checkRefused(s, tt.want)
					w.load = func() (config.Config, error) { return w.cfg, nil }
					s.Reload()
					w.settle(time.Second)
					w.checkRefused(s, nil)
				})
				for _, want := range append(tt.want, "the old one stays") {
					if !strings.Contains(log.String(), want) {
						t.Errorf("the log lacks %q:\n%s", want, log.String())
					}
				}
			})
		})
	}
}

// checkRefused wants the status to say why the last reload was refused, and with
// nil that it was not.
func (w *world) checkRefused(s *supervisor.Supervisor, want []string) {
	w.t.Helper()
	st, err := s.View().Status(w.t.Context(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	if (st.ReloadRefused != nil) != (want != nil) {
		w.t.Fatalf("status of the last reload: got %v, want %q", st.ReloadRefused, want)
	}
	for _, text := range want {
		if text = strings.ReplaceAll(text, `\"`, `"`); !strings.Contains(st.ReloadRefused.Reason, text) {
			w.t.Errorf("status of the last reload: got %q, want it to have %q", st.ReloadRefused.Reason, text)
		}
	}
}

// A reload in the middle of everything loses nothing and doubles nothing.
func TestManyReloads(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.run = takes(3 * time.Second)
		var ids []int64
		w.reloadable(func(s *supervisor.Supervisor) {
			for i := range 40 {
				ids = append(ids, w.packet("p"))
				w.reloads(s, func(c *config.Config) { c.Watches[0].Timeout += time.Duration(i) * time.Second })
				w.settle(time.Duration(i%7) * time.Second)
			}
			w.settle(time.Hour)
		})
		w.checkAnswered(ids...)
	})
}

// The file is followed however it is written: in place, in pieces, by replacing
// it, through a link, and after it was away.
func TestFollowFile(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(t.TempDir(), "target.toml")
	path := filepath.Join(dir, "autoreview.toml")
	write(t, target, "0")
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan string, 100)
	done := make(chan error, 1)
	go func() { done <- supervisor.FollowFile(ctx, path, []byte("0"), func() { seen <- read(t, path) }) }()
	next := func(want string) {
		t.Helper()
		select {
		case got := <-seen:
			if got != want {
				t.Errorf("changed: got %q, want %q", got, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("no change was noticed, want %q", want)
		}
	}
	replace := func(path, text string) {
		t.Helper()
		write(t, path+".new", text)
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	awaitFollower(t, seen, target)
	replace(target, "the target replaced")
	next("the target replaced")
	replace(path, "the link replaced")
	next("the link replaced")
	var text bytes.Buffer
	for range 20 {
		text.WriteString("piece ")
		write(t, path, text.String())
	}
	// On a slow machine a piece may be noticed before the next is there.
	for got := ""; got != text.String(); {
		select {
		case got = <-seen:
		case <-time.After(30 * time.Second):
			t.Fatalf("the last piece was not noticed, only %q", got)
		}
	}
	write(t, filepath.Join(dir, "another file"), "x")
	write(t, path, text.String()) // the same again
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(t, path, "back")
	next("back")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("FollowFile: got %v", err)
	}
	if len(seen) > 0 {
		t.Errorf("noticed %d changes more than there were, first %q", len(seen), <-seen)
	}
}

// awaitFollower writes until a write is noticed, because nothing says when a
// watch has begun.
func awaitFollower(t *testing.T, seen <-chan string, path string) {
	t.Helper()
	for i := 1; ; i++ {
		write(t, path, strings.Repeat("1", i))
		select {
		case <-seen:
			return
		case <-time.After(time.Second):
			if i == 30 {
				t.Fatal("nothing was noticed")
			}
		}
	}
}

// Other files of the folder that never come to rest do not keep a change from
// being noticed.
func TestFollowFileInABusyFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "autoreview.toml")
	write(t, path, "0")
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan string, 100)
	done := make(chan error, 1)
	go func() { done <- supervisor.FollowFile(ctx, path, []byte("0"), func() { seen <- read(t, path) }) }()
	awaitFollower(t, seen, path)
	write(t, path, "changed")
	busy := time.NewTicker(50 * time.Millisecond)
	defer busy.Stop()
	for i := 0; ; i++ {
		select {
		case got := <-seen:
			if got != "changed" {
				t.Errorf("changed: got %q", got)
			}
			cancel()
			<-done
			return
		case <-busy.C:
			write(t, filepath.Join(filepath.Dir(path), "log"), strings.Repeat("x", i))
		}
		if i == 600 {
			t.Fatal("the change was not noticed")
		}
	}
}

func TestFollowFileWithoutAFolder(t *testing.T) {
	if err := supervisor.FollowFile(t.Context(), filepath.Join(t.TempDir(), "none", "x.toml"), nil, func() {}); err == nil {
		t.Error("FollowFile of a file in no folder: want an error")
	}
}

// A change between the reading of the file and the beginning of the watch is
// noticed as well.
func TestFollowFileThatChangedBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "autoreview.toml")
	write(t, path, "changed while the supervisor started")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	noticed := false
	err := supervisor.FollowFile(ctx, path, []byte("as it was read"), func() {
		noticed = true
		cancel()
	})
	if err != nil || !noticed {
		t.Errorf("FollowFile: got %v, noticed %v", err, noticed)
	}
}
