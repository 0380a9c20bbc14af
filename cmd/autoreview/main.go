// Command autoreview supervises reviews: it watches channels of a relay and
// runs Codex for every packet.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/spf13/cobra"

	"autoreview/cmd/internal/program"
)

func main() {
	// The second signal ends the program at once, unless somebody else asked for
	// it: this handler is taken away as soon as the first has been seen.
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals()...)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	var silent exitError
	if errors.As(err, &silent) {
		return int(silent)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		program.Report(stderr, "autoreview", program.Misused(cmd.CommandPath(), err))
		return 2
	}
	program.Report(stderr, "autoreview", err)
	return 1
}

// exitError ends the program with this code and says nothing.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// usageError is a wrong command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// hintError is an error that knows what to do about it.
type hintError struct {
	error
	hint string
}

func (e hintError) Unwrap() error { return e.error }
func (e hintError) Hint() string  { return e.hint }

const rootHelp = `autoreview watches channels of a relay and has Codex review every packet that
is posted there. Exactly one review, or one plain notice, answers each packet.

  autoreview init     set up a repository: show the changes, ask, make them
  autoreview up       supervise, and host a relay when none is running
  autoreview run      supervise with a relay that is already running
  autoreview doctor   find out why reviews do not happen
  autoreview check    check the configuration and print what is in effect
  autoreview threads  list the Codex threads that a watch can continue

Of a supervisor that runs, or of what the last one left:

  autoreview status   say what every watch and job is doing
  autoreview logs     print what Codex does for a job, also as it happens
  autoreview show     show everything about a job
  autoreview runs     list the runs of Codex
  autoreview retry    have a job made again
  autoreview cancel   end a job
  autoreview pause    keep a watch from starting reviews
  autoreview resume   let it go on
  autoreview replay   show a run again
  autoreview export   write a run as a page for a bug report

Example, in the repository to be reviewed:

  autoreview init
  autoreview up
`

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use: "autoreview", Long: rootHelp, Version: version(),
		SilenceErrors: true, SilenceUsage: true, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newRun(), newUp(), newInit(), newDoctor(), newCheck(), newThreads(), newVersion())
	root.AddCommand(newStatus(), newLogs(), newShow(), newRuns(), newRetry(), newCancel(), newPause(), newResume(), newReplay(), newExport())
	return root
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no arguments and has no command %q", cmd.CommandPath(), args[0])}
	}
	return nil
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: noArgs,
		Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), "autoreview", version()) },
	}
}

func version() string { return program.Version() }
