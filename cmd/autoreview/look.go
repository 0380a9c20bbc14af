package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"autoreview/supervisor"
	"autoreview/supervisor/config"
	"autoreview/supervisor/control"
	"autoreview/supervisor/record"
	"autoreview/supervisor/state/sqlite"
)

// looker tells how things stand: a supervisor that runs, or the state that one
// has left.
type looker interface {
	Status(ctx context.Context, ended int) (supervisor.Status, error)
	Runs(ctx context.Context, limit int) ([]supervisor.RunStatus, error)
	Latest(ctx context.Context) (id int64, ok bool, err error)
	Job(ctx context.Context, id int64) (supervisor.JobDetail, error)
	Follow(ctx context.Context, id int64, wait bool, each func(record.Line) error) error
}

var (
	_ looker = (*control.Client)(nil)
	_ looker = (*supervisor.View)(nil)
)

// look finds who can tell how things stand. Where no supervisor answers it says
// so and reads what is on disk. close must be called at the end.
func look(cmd *cobra.Command, cfg config.Config) (_ looker, close func(), err error) {
	ctx, talk := cmd.Context(), cmd.ErrOrStderr()
	c, err := control.Dial(ctx, cfg.StateDir)
	if err == nil {
		return c, c.Close, nil
	}
	owner, running := lockHolder(cfg.StateDir)
	if !running && !errors.Is(err, control.ErrNotRunning) {
		return nil, nil, err
	}
	st, openErr := sqlite.OpenReadOnly(ctx, filepath.Join(cfg.StateDir, "state.db"))
	if errors.Is(openErr, fs.ErrNotExist) {
		return nil, nil, hintError{errors.New("no autoreview has ever run for this configuration"), "start it with autoreview up"}
	}
	if openErr != nil {
		return nil, nil, openErr
	}
	if running {
		fmt.Fprintf(talk, "autoreview: another autoreview%s has this configuration and does not answer (%v); this is what is on disk\n", owner, err)
	} else {
		fmt.Fprintln(talk, "autoreview: no autoreview runs for this configuration; this is what the last one left")
	}
	return supervisor.Look(cfg, st, running), func() { _ = st.Close() }, nil
}

// looking calls do with who can tell how things stand for the configuration at
// path.
func looking(cmd *cobra.Command, path string, do func(looker) error) error {
	cfg, err := findConfig(cmd, path)
	if err != nil {
		return err
	}
	l, done, err := look(cmd, cfg)
	if err != nil {
		return err
	}
	defer done()
	return do(l)
}

// dial reaches the supervisor that runs, for what only it can do.
func dial(ctx context.Context, cfg config.Config) (*control.Client, error) {
	c, err := control.Dial(ctx, cfg.StateDir)
	if errors.Is(err, control.ErrNotRunning) {
		if owner, running := lockHolder(cfg.StateDir); running {
			return nil, hintError{
				fmt.Errorf("another autoreview%s has this configuration and does not answer", owner),
				"it may be starting or ending: try again in a moment; if it stays so, end that process and run autoreview up",
			}
		}
		return nil, hintError{err, "start it with autoreview up"}
	}
	return c, err
}

// lockHolder reports whether a process has the lock of a state folder. The lock
// is tried only when a file names an owner: whoever starts in that instant would
// find it taken.
func lockHolder(dir string) (owner string, held bool) {
	if owner = readOwner(dir); owner == "" {
		return "", false
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	ok, err := lock.TryRLock()
	if ok {
		_ = lock.Unlock()
	}
	return owner, !ok && err == nil
}

// numberArg reads the one argument that names a job or a run.
func numberArg(what string, args []string) (int64, error) {
	if len(args) != 1 {
		return 0, usageError{fmt.Errorf("want the number of one %s", what)}
	}
	return numberOf(what, args[0])
}

func numberOf(what, s string) (int64, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id <= 0 {
		return 0, usageError{fmt.Errorf("%q is not the number of a %s", s, what)}
	}
	return id, nil
}

// refusal gives a refusal the hint that it came with, and what nobody knows one
// on where to look.
func refusal(err error) error {
	var r *supervisor.Refusal
	switch {
	case !errors.As(err, &r):
	case r.Hint != "":
		return hintError{err, r.Hint}
	case r.Unknown:
		return hintError{err, "autoreview status lists jobs and watches"}
	}
	return err
}

func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// configFlag adds the flag by which a command finds the configuration.
func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "config", "", "configuration `file` (default autoreview.toml)")
}

// quietConfig loads the configuration without its warnings, which are for who
// starts the supervisor.
func quietConfig(path string) (config.Config, error) { return loadConfig(path, io.Discard) }

// findConfig loads the configuration for a command that only has to find the
// supervisor and its state folder. Where the file has a mistake and a supervisor
// runs all the same, it says so and returns what that one goes by: StateDir and
// the names of the watches, and nothing else.
func findConfig(cmd *cobra.Command, path string) (config.Config, error) {
	cfg, err := quietConfig(path)
	if err == nil {
		return cfg, nil
	}
	dir := config.StateDirOf(os.Getenv, path)
	if dir == "" {
		return cfg, err
	}
	c, dialErr := control.Dial(cmd.Context(), dir)
	if dialErr != nil {
		return cfg, err
	}
	defer c.Close()
	st, askErr := c.Status(cmd.Context(), 0)
	if askErr != nil {
		return cfg, err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "autoreview: note: %s has a mistake (%s); the supervisor goes on with what it had\n",
		filepath.Base(orWord(path, config.DefaultFile)), firstLine(err.Error()))
	cfg = config.Config{Path: st.Config, Relay: st.Relay, StateDir: dir}
	for _, w := range st.Watches {
		cfg.Watches = append(cfg.Watches, config.Watch{Name: w.Name, Channel: w.Channel})
	}
	return cfg, nil
}

// firstLine is the first line of a text, and how many more there are.
func firstLine(text string) string {
	first, rest, more := strings.Cut(text, "\n")
	if !more {
		return first
	}
	return fmt.Sprintf("%s, and %d more", first, strings.Count(rest, "\n")+1)
}

// harmless takes out what could tell a terminal to do things. Line breaks and
// tabs stay.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || !unicode.IsControl(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// oneLine makes a text fit into a cell.
func oneLine(s string, most int) string {
	s = harmless(strings.Join(strings.Fields(s), " "))
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// runDir is the folder of a run.
func runDir(cfg config.Config, run int64) (string, error) {
	dir := filepath.Join(cfg.StateDir, "runs", strconv.FormatInt(run, 10))
	if _, err := os.Stat(dir); err != nil {
		return "", hintError{fmt.Errorf("run %d has no folder: it never was, or it has been removed by its age", run), "autoreview runs lists the runs, runs_keep_days says how long they are kept"}
	}
	return dir, nil
}
