package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
	"autoreview/supervisor/state/sqlite"
)

// owner is who has, or had, the lock of a folder.
type owner struct {
	pid    int
	config string // the configuration of a supervisor, "" when it is not told
	alive  bool   // the lock is held
	file   string // what names the owner; "" when there is none
}

// readOwner reads the owner of a state folder, or of a relay's data folder. A
// lock that is not held any more tells that its owner has ended without saying
// so, whatever process has its number now.
func readOwner(dir string) owner {
	for _, name := range []string{"owner", "owner.json"} {
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		o := owner{file: path, alive: held(filepath.Join(dir, "lock"))}
		if name == "owner" {
			o.pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
			path, _ := os.ReadFile(filepath.Join(dir, "owner.config")) // one of the environment has none
			o.config = strings.TrimSpace(string(path))
			return o
		}
		var v struct {
			PID int `json:"pid"`
		}
		if json.Unmarshal(bytes.TrimSpace(b), &v) == nil {
			o.pid = v.PID
		}
		return o
	}
	return owner{}
}

// held says whether a process has a lock. It is tried for a moment where it is
// free; a file that is not there is not made.
func held(path string) bool {
	if !exists(path) {
		return false
	}
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	defer lock.Close()
	got, err := lock.TryRLock()
	return err == nil && !got
}

// runningSupervisor is the supervisor that has this configuration now.
func (s *snapshot) runningSupervisor() (pid int, running bool) {
	if !s.configured() {
		return 0, false
	}
	o := readOwner(s.cfg.StateDir)
	return o.pid, o.alive
}

// checkSupervisor says whether this configuration is being supervised, and
// finds what ended processes left.
func checkSupervisor(_ context.Context, s *snapshot) Result {
	if !s.configured() {
		return nothing
	}
	seen := "no supervisor is running; autoreview up starts one"
	if pid, running := s.runningSupervisor(); running {
		seen = fmt.Sprintf("a supervisor is running, pid %d", pid)
	}
	var parts []Result
	for _, dir := range []string{s.cfg.StateDir, s.RelayData} {
		if dir == "" {
			continue
		}
		if o := readOwner(dir); o.file != "" && !o.alive {
			r := warn("a lock was left behind", fmt.Sprintf("%s names the process %d, which does not hold the lock any more; that is harmless, the next start goes over it", o.file, o.pid), "autoreview doctor --fix")
			r.repair = removeStale(dir, o.file)
			parts = append(parts, r)
		}
	}
	return worst(seen, parts...)
}

func removeStale(dir, file string) func() (string, error) {
	return func() (string, error) {
		if held(filepath.Join(dir, "lock")) {
			return "", errors.New("it is in use again")
		}
		_ = os.Remove(filepath.Join(dir, "owner.config")) // of a supervisor alone
		return "removed " + file, os.Remove(file)
	}
}

// checkState opens the supervisor's database without changing it.
func checkState(ctx context.Context, s *snapshot) Result {
	if !s.configured() {
		return nothing
	}
	path := filepath.Join(s.cfg.StateDir, "state.db")
	st, err := sqlite.Peek(ctx, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ok("no state yet; it will be kept in %s", s.cfg.StateDir)
	case err != nil:
		return fail("the state cannot be opened", err.Error(), fmt.Sprintf("use the autoreview that wrote it, or move %s away: packets that were never answered are found again", path))
	}
	defer st.Close()
	counts, err := st.Counts(ctx)
	if err != nil {
		return fail("the state cannot be read", err.Error(), "move "+path+" away: packets that were never answered are found again")
	}
	waiting, all := 0, 0
	for _, c := range counts {
		all += c.Jobs
		if c.State == state.Waiting {
			waiting += c.Jobs
		}
	}
	if waiting > 0 {
		return ok("%s: %d reviews, %d of them waiting; autoreview status says for what", path, all, waiting)
	}
	return ok("%s: %d reviews", path, all)
}

// checkChannels finds another supervisor on one of our channels: every packet
// would be reviewed twice.
func checkChannels(ctx context.Context, s *snapshot) Result {
	if !s.configured() {
		return nothing
	}
	var parts []Result
	for _, dir := range s.otherStates() {
		o := readOwner(dir)
		if !o.alive {
			continue
		}
		if channels := s.shared(ctx, dir, o); len(channels) > 0 {
			where := o.config
			if where == "" {
				where = dir
			}
			parts = append(parts, fail(fmt.Sprintf("another supervisor (pid %d) watches %s too", o.pid, strings.Join(channels, ", ")),
				"its configuration is "+where+"; every packet there is reviewed twice", fmt.Sprintf("end it (kill %d), or give one of them another channel", o.pid)))
		}
	}
	return worst("no other supervisor watches these channels", parts...)
}

// otherStates are the state folders of other configurations.
func (s *snapshot) otherStates() []string {
	// With a state_dir of its own the neighbours are still in the usual place.
	homes := []string{filepath.Dir(s.cfg.StateDir)}
	if usual := config.DefaultStateDir(s.Getenv, s.Dir); usual != "" {
		homes = appendNew(homes, filepath.Dir(usual))
	}
	var dirs []string
	for _, home := range homes {
		entries, _ := os.ReadDir(home) // one that cannot be read has none for us
		for _, e := range entries {
			if dir := filepath.Join(home, e.Name()); e.IsDir() && dir != filepath.Clean(s.cfg.StateDir) && exists(filepath.Join(dir, "owner")) {
				dirs = appendNew(dirs, dir)
			}
		}
	}
	return dirs
}

// shared are our channels that the supervisor of a state folder watches: by its
// configuration where that is known, else by what it has read.
func (s *snapshot) shared(ctx context.Context, dir string, o owner) (channels []string) {
	if other, _, err := config.Load(o.config, s.Getenv); o.config != "" && err == nil {
		if !sameAddress(other.Relay, s.cfg.Relay) {
			return nil
		}
		for _, w := range other.Watches {
			if slices.ContainsFunc(s.cfg.Watches, func(ours config.Watch) bool { return overlap(ours, w) }) {
				channels = appendNew(channels, w.Channel)
			}
		}
		return channels
	}
	st, err := sqlite.Peek(ctx, filepath.Join(dir, "state.db"))
	if err != nil {
		return nil
	}
	defer st.Close()
	for _, w := range s.cfg.Watches {
		if _, has, err := st.Cursor(ctx, w.Name, w.Channel, s.relay().info.LogID); err == nil && has {
			channels = appendNew(channels, w.Channel)
		}
	}
	return channels
}

// overlap says whether two watches answer a same packet.
func overlap(a, b config.Watch) bool {
	return a.Channel == b.Channel && slices.ContainsFunc(a.Senders, func(s string) bool { return slices.Contains(b.Senders, s) })
}
