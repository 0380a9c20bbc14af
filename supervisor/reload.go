package supervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"autoreview/supervisor/config"
)

// Reload has the configuration read again, also if the file has not changed. It
// returns at once; what came of it is in the log. Without Options.Load it does
// nothing.
func (s *Supervisor) Reload() {
	select {
	case s.reload <- struct{}{}:
	default: // one is asked for already
	}
}

// reloads reads the configuration again each time that it is asked for, until
// ctx ends.
func (s *Supervisor) reloads(ctx context.Context, r *readers) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.reload:
		}
		if s.load == nil {
			continue
		}
		p, err := s.loadPlan()
		if err != nil {
			s.live.reloaded(err)
			sayProblems(s.log, err)
			continue
		}
		old := s.plan.Swap(p)
		// From here on there is no way back, and nothing that can fail.
		r.follow(ctx, p)
		signal(s.replanned)
		s.wakeDispatcher()
		s.live.reloaded(nil)
		s.log.Info("configuration reloaded", changes(old.cfg, p.cfg)...)
	}
}

// loadPlan reads, checks and builds everything, and changes nothing.
func (s *Supervisor) loadPlan() (*plan, error) {
	cfg, err := s.load()
	if err != nil {
		return nil, err
	}
	if keys := fixed(s.plan.Load().cfg, cfg); len(keys) > 0 {
		return nil, fmt.Errorf("%s cannot change while it runs: restart it for that", strings.Join(keys, ", "))
	}
	if keys := loosened(s.plan.Load().cfg, cfg); len(keys) > 0 {
		return nil, fmt.Errorf("%s would let codex do more than when this was started: restart it if you mean that", strings.Join(keys, ", "))
	}
	return newPlan(cfg)
}

// fixed names the keys that differ and that only a restart can change.
func fixed(old, new config.Config) (keys []string) {
	for _, k := range []struct {
		key  string
		same bool
	}{
		{"relay", old.Relay == new.Relay}, {"token_env", old.TokenEnv == new.TokenEnv}, {"state_dir", old.StateDir == new.StateDir},
		{"poll_interval", old.PollInterval == new.PollInterval}, {"last_file", old.LastFile == new.LastFile},
		{"metrics_addr", old.MetricsAddr == new.MetricsAddr},
	} {
		if !k.same {
			keys = append(keys, k.key)
		}
	}
	return keys
}

// sayProblems logs why a configuration was not taken, each problem with its
// place.
func sayProblems(log *slog.Logger, err error) {
	var bad *config.Error
	if !errors.As(err, &bad) {
		log.Error("configuration not reloaded, the old one stays", "err", err)
		return
	}
	log.Error("configuration not reloaded, the old one stays", "problems", len(bad.Problems))
	for _, p := range bad.Problems {
		log.Error("configuration has a problem", "place", p.Place.String(), "key", p.Key, "err", p.Text)
	}
}

// changes are the attributes that tell what a reload changed.
func changes(old, new config.Config) []any {
	before, after := byName(old.Watches), byName(new.Watches)
	var added, removed, changed []string
	for name, w := range after {
		was, ok := before[name]
		switch {
		case !ok:
			added = append(added, name)
		case !reflect.DeepEqual(was, w):
			changed = append(changed, name)
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			removed = append(removed, name)
		}
	}
	var attrs []any
	for _, group := range []struct {
		key   string
		names []string
	}{{"added", added}, {"changed", changed}, {"removed", removed}} {
		if len(group.names) > 0 {
			slices.Sort(group.names)
			attrs = append(attrs, group.key, group.names)
		}
	}
	return append(attrs, "watches", len(after), "schedules", len(new.Schedules))
}

func byName(watches []config.Watch) map[string]config.Watch {
	m := make(map[string]config.Watch)
	for _, w := range watches {
		m[w.Name] = w
	}
	return m
}

// readers are the goroutines that read the channels, one for each watch. Only
// one goroutine at a time may call its methods.
type readers struct {
	s       *Supervisor
	running map[string]reader // :: watch → its reader
}

type reader struct {
	watch  config.Watch
	cancel context.CancelFunc
	done   chan struct{}
}

// follow starts the readers of new watches and of those that changed, and ends
// the others. Where a reader had got to is in the state.
func (r *readers) follow(ctx context.Context, p *plan) {
	var ending []string
	for _, name := range slices.Sorted(maps.Keys(r.running)) {
		if w, ok := p.watches[name]; !ok || !reflect.DeepEqual(r.running[name].watch, w) {
			r.running[name].cancel()
			ending = append(ending, name)
		}
	}
	for _, name := range ending {
		<-r.running[name].done
		delete(r.running, name)
	}
	for _, name := range slices.Sorted(maps.Keys(p.watches)) {
		if _, ok := r.running[name]; ok {
			continue
		}
		w := p.watches[name]
		ctx, cancel := context.WithCancel(ctx)
		x := reader{watch: w, cancel: cancel, done: make(chan struct{})}
		r.running[name] = x
		go func() {
			defer close(x.done)
			r.s.watch(ctx, w)
		}()
	}
}

// stop ends all readers and waits for them.
func (r *readers) stop() {
	for _, x := range r.running {
		x.cancel()
	}
	for _, x := range r.running {
		<-x.done
	}
}

// settle is how long a file must be left alone before it is read: editors write
// in several steps. longest is how long that is waited for, because other files
// of the folder may never come to rest.
const settle, longest = 250 * time.Millisecond, 2 * time.Second

// FollowFile calls changed each time that the content of a file has changed and
// was left alone for a quarter of a second, until ctx ends. known is the content
// that the caller has read, so that what changed since then counts. It watches
// the file's folder, and where the file is a link that of its target as well, so
// that a file which is replaced, as editors and installers do, is noticed. The
// error says that it cannot be watched.
func FollowFile(ctx context.Context, path string, known []byte, changed func()) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching %s: %w", path, err)
	}
	defer w.Close()
	if err := w.Add(filepath.Dir(path)); err != nil {
		return fmt.Errorf("watching the folder of %s: %w", path, err)
	}
	followTarget(w, path)
	seen := known
	timer := time.NewTimer(0)
	<-timer.C
	var first time.Time // of the events since the file was read
	stir := func() {
		if first.IsZero() {
			first = time.Now()
		}
		timer.Reset(min(settle, max(longest-time.Since(first), 0)))
	}
	stir() // it may have changed before it was watched
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.Events:
			// Whatever changes in the folder may be a part of what the path leads
			// to: its content decides.
			stir()
		case <-w.Errors:
			stir() // events may be lost
		case <-timer.C:
			first = time.Time{}
			followTarget(w, path)
			now, err := os.ReadFile(path)
			if err != nil || bytes.Equal(now, seen) {
				continue // it is being replaced, or nothing has changed
			}
			seen = now
			changed()
		}
	}
}

func followTarget(w *fsnotify.Watcher, path string) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		// Adding a folder again changes nothing.
		_ = w.Add(filepath.Dir(target))
	}
}

// signal puts a token into a channel that holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
