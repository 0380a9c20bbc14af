// Command relay keeps the log of messages that agents and people share, and is
// the command line to it: serve, post, fetch, tail, channels, stdio, import, token.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"

	"autoreview/cmd/internal/program"
	"autoreview/relay/client"
)

func main() {
	// The second signal ends the program at once: the first one's handler is
	// taken away as soon as it has been seen.
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals()...)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// stopSignals leaves SIGHUP alone where nohup has turned it off: asking for it
// would turn it on again.
func stopSignals() []os.Signal {
	s := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		s = append(s, syscall.SIGHUP)
	}
	return s
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	if _, ok := errors.AsType[usageError](err); ok {
		program.Report(stderr, "relay", program.Misused(cmd.CommandPath(), err))
		return 2
	}
	program.Report(stderr, "relay", err)
	return 1
}

// usageError is a wrong command line.
type usageError struct{ error }

// hintError is an error that knows what to do about it.
type hintError struct {
	error
	hint string
}

func (e hintError) Unwrap() error { return e.error }
func (e hintError) Hint() string  { return e.hint }

// say prints to the person, never to the program that reads the output.
func say(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(cmd.ErrOrStderr(), "relay: "+format+"\n", args...)
}

func newRoot() *cobra.Command {
	root := newServe()
	root.Use, root.Long, root.Version = "relay", rootHelp, version()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { fmt.Fprint(cmd.OutOrStdout(), cmd.Long) })
	root.AddCommand(newServe(), newPost(), newFetch(), newTail(), newChannels(), newStdio(), newImport(), newToken(), newVersion())
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
		Use: "version", Short: "Print the version", Long: versionHelp, Args: noArgs,
		Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), "relay", version()) },
	}
}

func version() string { return program.Version() }

// env is a variable of the environment, or def when it is unset or empty.
func env(name, def string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return def
}

// relayFlags are those of every command that talks to a running relay.
type relayFlags struct {
	url       string
	target    string
	tokenFile string
}

func (f *relayFlags) add(cmd *cobra.Command, withTarget bool) {
	cmd.Flags().StringVar(&f.url, "url", env("BASE_URL", client.DefaultBaseURL), "address of the relay")
	cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "")
	if withTarget {
		cmd.Flags().StringVarP(&f.target, "target", "t", env("TARGET", "proj-x"), "channel")
	}
}

func (f *relayFlags) client() (*client.Client, error) {
	secret, err := f.token()
	if err != nil {
		return nil, err
	}
	return client.New(client.Options{BaseURL: f.url, Token: secret, Source: "cli", UserAgent: "relay/" + version(), PollInterval: interval()}), nil
}

// token is the bearer token to send, "" for none. There is no flag for the token
// itself: every user of the machine could read it in the list of processes.
func (f *relayFlags) token() (string, error) {
	if f.tokenFile == "" {
		return strings.TrimSpace(os.Getenv("RELAY_TOKEN")), nil
	}
	b, err := os.ReadFile(f.tokenFile)
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	secret := strings.TrimSpace(string(b))
	if secret == "" || strings.ContainsFunc(secret, unicode.IsSpace) {
		return "", hintError{fmt.Errorf("%s does not hold a token", f.tokenFile), "it must hold what relay token new printed, and nothing else"}
	}
	return secret, nil
}

// withHint adds what to do when the relay cannot be reached.
func withHint(err error) error {
	_, silent := errors.AsType[*client.UnreachableError](err)
	switch {
	case status(err) == http.StatusUnauthorized:
		return hintError{err, "give a token by the variable RELAY_TOKEN or by --token-file; relay token new makes one"}
	case client.Denied(err):
		return hintError{err, "the relay is there, and refuses this request; relay token list says what each token may do"}
	case errors.Is(err, client.ErrNotRelay):
		return hintError{err, "another address can be given with --url or BASE_URL"}
	case silent:
		return hintError{err, "is the relay running? start it with: relay serve"}
	}
	return err
}

// status is the relay's HTTP status of an error, 0 when it has none.
func status(err error) int {
	if s, ok := errors.AsType[*client.StatusError](err); ok {
		return s.Status
	}
	return 0
}
