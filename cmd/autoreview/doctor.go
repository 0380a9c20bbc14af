package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	relayconfig "autoreview/relay/config"
	"autoreview/relay/server"
	"autoreview/supervisor/doctor"
	"autoreview/supervisor/setup"
)

const doctorHelp = `Examine everything that reviews need: Codex and its login, the configuration,
the relay, the sandbox, Claude Code, VS Code, folders and locks. Each check is
one line with what was seen; what is not right has its cause and its fix below
it. Nothing is changed without --fix. The exit code is 0 when nothing fails;
warnings do not count.

With names only those checks are run.

--fix does the repairs that can do no harm, and says what it did. --prove posts
a packet with a planted bug to the channel ` + doctor.Channel + `, has your Codex and
your model review it, and times each hop; with --offline a scripted model
answers in their place, and no account is needed.

Example:

  autoreview doctor
  autoreview doctor --prove --offline
`

type doctorFlags struct {
	config    string
	relayFile string
	relayData string
	json      bool
	fix       bool
	prove     bool
	offline   bool
	verbose   bool
}

func newDoctor() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use: "doctor [CHECK...]", Short: "Find out why reviews do not happen", Long: doctorHelp,
		ValidArgs: doctor.Names(),
		RunE:      func(cmd *cobra.Command, names []string) error { return runDoctor(cmd, f, names) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", "", "configuration `file` (default autoreview.toml)")
	flags.StringVar(&f.relayFile, "relay-config", "", "`file` with the settings of a relay on this machine (default: the user's relay.toml)")
	flags.StringVar(&f.relayData, "relay-data", "", "data `folder` of a relay on this machine")
	flags.BoolVar(&f.json, "json", false, "print a JSON list")
	flags.BoolVar(&f.fix, "fix", false, "do the repairs that can do no harm")
	flags.BoolVar(&f.prove, "prove", false, "have a packet with a planted bug reviewed")
	flags.BoolVar(&f.offline, "offline", false, "with --prove: a scripted model in place of yours")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "say more: capabilities, what was left out, each step of a proof")
	return cmd
}

func runDoctor(cmd *cobra.Command, f doctorFlags, names []string) error {
	if f.offline && !f.prove {
		return usageError{errors.New("--offline is for --prove")}
	}
	ctx, talk := cmd.Context(), cmd.ErrOrStderr()
	env, err := f.environment()
	if err != nil {
		return err
	}
	report, err := doctor.Examine(ctx, env, names...)
	if err != nil {
		return usageError{hintError{err, "the checks are " + strings.Join(doctor.Names(), ", ")}}
	}
	if f.fix {
		if report, err = repair(ctx, env, report, names, talk); err != nil {
			return err
		}
	}
	if f.prove {
		report.Results = append(report.Results, f.proof(ctx, env, talk))
	}
	if err := f.print(cmd.OutOrStdout(), report); err != nil {
		return err
	}
	if report.Failed() {
		return exitError(1)
	}
	return nil
}

func (f doctorFlags) print(w io.Writer, r doctor.Report) error {
	if f.json {
		return doctor.PrintJSON(w, r)
	}
	return doctor.Print(w, r, doctor.Style{Colour: coloured(w), Verbose: f.verbose})
}

// environment is where the user stands.
func (f doctorFlags) environment() (doctor.Environment, error) {
	dir, err := os.Getwd()
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return doctor.Environment{}, fmt.Errorf("finding the working directory: %w", err)
	}
	env := doctor.Environment{Dir: dir, ConfigPath: f.config, Getenv: os.Getenv, Version: version()}
	flags := map[string]string{}
	if f.relayData != "" {
		flags["data"] = f.relayData
	}
	// A relay's configuration that cannot be read keeps no review away here:
	// the relay may run elsewhere, and says so itself when it starts.
	if cfg, err := relayconfig.Load(relayconfig.Sources{Path: f.relayFile, Flags: flags}); err == nil {
		env.RelayData = cfg.Data
	}
	env.Repair = repairSetup()
	return env, nil
}

// repairSetup is what sets up a repository again that has been set up once: who
// has never run init has not seen what it writes, and is told to run it.
func repairSetup() func() (string, error) {
	var f initFlags
	record, err := f.prepare()
	if err != nil || len(f.opts.Record.Edits) == 0 {
		return nil
	}
	return func() (string, error) {
		r := setup.Plan(f.opts)
		if len(r.Changes) == 0 {
			return "", errors.New("autoreview init has nothing to change here; see what the fix says")
		}
		var names []string
		for _, c := range r.Changes {
			names = append(names, c.Name)
		}
		return "set up again: " + strings.Join(names, ", "), setup.Apply(r, record)
	}
}

// repair does the safe repairs and examines once more what they were for.
func repair(ctx context.Context, env doctor.Environment, before doctor.Report, names []string, talk io.Writer) (doctor.Report, error) {
	did := doctor.Repair(before)
	if len(did) == 0 {
		fmt.Fprintln(talk, "autoreview: nothing here can be repaired by itself")
		return before, nil
	}
	after, err := doctor.Examine(ctx, env, names...)
	if err != nil {
		return after, err
	}
	for i := range after.Results {
		for _, d := range did {
			if d.Name != after.Results[i].Name {
				continue
			}
			after.Results[i].Fixed = d.Fixed
			if d.Fixed == "" {
				after.Results[i].Cause = d.Cause
			}
		}
	}
	return after, nil
}

// proof runs the whole loop once.
func (f doctorFlags) proof(ctx context.Context, env doctor.Environment, talk io.Writer) doctor.Result {
	o := doctor.ProveOptions{Environment: env, Offline: f.offline, Host: hostForProof}
	model := "your model"
	if f.offline {
		model = "a scripted model"
	}
	fmt.Fprintf(talk, "autoreview: waiting for Codex with %s to review a packet with a planted bug\n", model)
	if f.verbose {
		o.Logger = newLogger(talk, runFlags{verbose: true})
	}
	return doctor.Prove(ctx, o)
}

// hostForProof opens a relay on a port of the system's choice.
func hostForProof(ctx context.Context, dir string) (url string, stop func(), err error) {
	none := func(string) (string, bool) { return "", false }
	cfg, err := relayconfig.Load(relayconfig.Sources{Env: none, Flags: map[string]string{"data": dir, "host": "127.0.0.1", "port": "0"}})
	if err != nil {
		return "", nil, err
	}
	s, err := server.Open(ctx, server.Options{Config: cfg, Logger: slog.New(slog.DiscardHandler), Version: version()})
	if err != nil {
		return "", nil, err
	}
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(serving) // what it did wrong, its clients see
	}()
	return "http://" + net.JoinHostPort("127.0.0.1", fmt.Sprint(s.Addr().(*net.TCPAddr).Port)), func() {
		cancel()
		<-done
	}, nil
}
