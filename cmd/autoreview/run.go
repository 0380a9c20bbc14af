package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"autoreview/relay/client"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
	"autoreview/supervisor/control"
	"autoreview/supervisor/state/sqlite"
)

const runHelp = `Watch the channels of autoreview.toml and have Codex review every packet.

Without a file the variables of the bash loop are enough: BASE_URL TARGET
INTERVAL LASTFILE SESSION_ID WATCH_SENDER.

Example:

  autoreview run --config autoreview.toml
`

const upHelp = `The same as "autoreview run", and host a relay in this process when none
answers at the address of the configuration. When the relay in use ends, this
one takes its place.

Example, in the repository to be reviewed:

  autoreview up
`

// runFlags are the flags of run and up.
type runFlags struct {
	config     string
	standby    bool
	ifNot      bool
	verbose    bool
	jsonLog    bool
	profile    bool
	relayFile  string
	relayData  string
	hostsRelay bool
}

func newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use: "run", Short: "Supervise with a relay that is already running", Long: runHelp, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return unlessStopped(cmd.Context(), supervise(cmd, f)) },
	}
	f.add(cmd)
	return cmd
}

func newUp() *cobra.Command {
	f := runFlags{hostsRelay: true}
	cmd := &cobra.Command{
		Use: "up", Short: "Supervise, and host a relay when none is running", Long: upHelp, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return unlessStopped(cmd.Context(), supervise(cmd, f)) },
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.relayFile, "relay-config", "", "`file` with the settings of a relay that is hosted here (default: the user's relay.toml)")
	cmd.Flags().StringVar(&f.relayData, "relay-data", "", "data `folder` of a relay that is hosted here")
	return cmd
}

func (f *runFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.config, "config", "", "configuration `file` (default autoreview.toml)")
	cmd.Flags().BoolVar(&f.standby, "standby", false, "when another one has this configuration, wait for it to end and take over")
	cmd.Flags().BoolVar(&f.ifNot, "if-not-running", false, "when another one has this configuration, end quietly with exit code 0")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "log every step and every event of Codex")
	cmd.Flags().BoolVar(&f.jsonLog, "log-json", false, "log JSON lines")
	cmd.Flags().BoolVar(&f.profile, "pprof", false, "serve profiles on the control socket and on metrics_addr")
	cmd.MarkFlagsMutuallyExclusive("standby", "if-not-running")
}

func (f runFlags) instance() instance {
	switch {
	case f.standby:
		return standby
	case f.ifNot:
		return yield
	default:
		return insist
	}
}

func supervise(cmd *cobra.Command, f runFlags) error {
	ctx, talk := cmd.Context(), cmd.ErrOrStderr()
	known := contentOf(f.config)
	cfg, err := loadConfig(f.config, talk)
	if err != nil {
		return err
	}
	release, err := lockState(ctx, cfg.StateDir, cfg.Path, f.instance(), talk)
	if errors.Is(err, errRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	defer release()
	if f.standby {
		// It may have stood by for days.
		known = contentOf(f.config)
		if cfg, err = reread(cfg, f.config); err != nil {
			return err
		}
	}
	log := newLogger(talk, f)
	st, err := sqlite.Open(ctx, filepath.Join(cfg.StateDir, "state.db"))
	if err != nil {
		return err
	}
	defer st.Close()
	lost := make(chan struct{}, 1)
	metrics := control.NewMetrics(version())
	s, err := supervisor.New(supervisor.Options{
		Config: cfg, Relay: newClient(cfg), State: st, Logger: log,
		Load:        func() (config.Config, error) { return loadConfig(f.config, talk) },
		Unreachable: func() { signalOnce(lost) },
		Meter:       metrics,
	})
	if err != nil {
		return err
	}
	door, err := control.Open(ctx, control.Options{
		Dir: cfg.StateDir, Supervisor: s, Version: version(), Logger: log,
		Metrics: metrics, MetricsAddr: cfg.MetricsAddr, Profile: f.profile,
	})
	if err != nil {
		return err
	}
	defer door.Close()
	if f.hostsRelay {
		stop, err := hostRelay(ctx, cfg.Relay, f, lost, log)
		if err != nil {
			return err
		}
		defer stop()
	}
	fmt.Fprintf(talk, "autoreview: %s; page: %s/\n", describe(cfg), cfg.Relay)
	notify("READY=1\nSTATUS=" + describe(cfg))
	defer notify("STOPPING=1")
	defer steer(ctx, s, cfg.Path, known, log)()
	return s.Run(ctx)
}

// reread reads a configuration again. Its state folder is locked and must be the
// same still.
func reread(cfg config.Config, path string) (config.Config, error) {
	again, err := loadConfig(path, io.Discard)
	if err == nil && again.StateDir != cfg.StateDir {
		err = fmt.Errorf("state_dir was changed from %s to %s while this one stood by: start it again", cfg.StateDir, again.StateDir)
	}
	return again, err
}

// contentOf is what a configuration file holds, nil when it cannot be read: that
// is for loadConfig to say.
func contentOf(path string) []byte {
	b, _ := os.ReadFile(cmp.Or(path, config.DefaultFile))
	return b
}

func signalOnce(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func loadConfig(path string, talk io.Writer) (config.Config, error) {
	cfg, warnings, err := config.Load(path, os.Getenv)
	for _, w := range warnings {
		fmt.Fprintf(talk, "autoreview: warning: %s\n", w)
	}
	var bad *config.Error
	switch {
	case !errors.As(err, &bad):
	case bad.Hint != "":
		return cfg, hintError{err, bad.Hint}
	case bad.Problems[0].Place.File != "":
		return cfg, hintError{err, "correct the file, and try it with: autoreview check"}
	}
	return cfg, err
}

func newClient(cfg config.Config) *client.Client {
	token := ""
	if cfg.TokenEnv != "" {
		token = os.Getenv(cfg.TokenEnv)
	}
	return client.New(client.Options{
		BaseURL: cfg.Relay, Token: token, UserAgent: "autoreview/" + version(), PollInterval: cfg.PollInterval, Source: "supervisor",
	})
}

func describe(cfg config.Config) string {
	watches := make([]string, len(cfg.Watches))
	for i, w := range cfg.Watches {
		watches[i] = fmt.Sprintf("watching %s for %s", w.Channel, strings.Join(w.Senders, ", "))
	}
	return strings.Join(watches, "; ")
}

// newLogger logs for a person on a terminal, and plain lines elsewhere.
func newLogger(w io.Writer, f runFlags) *slog.Logger {
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	if f.jsonLog {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !coloured(w)}))
}

func coloured(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd()) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
