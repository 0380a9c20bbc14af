package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"unicode"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"autoreview/supervisor/config"
	"autoreview/supervisor/repository"
	"autoreview/supervisor/setup"
)

const initHelp = `Set up the review loop in this repository: what autoreview, Codex, Claude Code
and VS Code need in their files. Every change is shown as a diff before it is
made, what you wrote stays to the byte, and a second run changes nothing.

"autoreview init --undo" takes out what was put in, and leaves alone what was
changed since.

Example, in the repository to be reviewed:

  autoreview init
`

// initFlags are the flags of init.
type initFlags struct {
	dryRun, yes, undo bool
	opts              setup.Options
}

func newInit() *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use: "init", Short: "Set up the review loop in this repository", Long: initHelp, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runInit(cmd, f) },
	}
	o, flags := &f.opts, cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "show the changes and make none")
	flags.BoolVarP(&f.yes, "yes", "y", false, "make the changes without asking")
	flags.BoolVar(&f.undo, "undo", false, "take out what was put in")
	flags.StringVar(&o.Channel, "channel", "", "`name` of the channel (default: the repository's name)")
	flags.StringVar(&o.Relay, "relay", "", "`URL` of the relay (default "+config.DefaultRelay+")")
	flags.StringVar(&o.TokenEnv, "token-env", "", "`name` of the variable that holds the relay's token")
	flags.StringVar(&o.ClaudeTokenEnv, "claude-token-env", "", "the same for Claude Code's own token (default: --token-env)")
	flags.BoolVar(&o.Trust, "trust", false, "have Codex trust this repository, in your Codex configuration")
	flags.BoolVar(&o.Network, "network", false, "let commands in Codex's workspace-write sandbox use the network")
	flags.BoolVar(&o.Copilot, "copilot", false, "add a section to .github/copilot-instructions.md")
	flags.BoolVar(&o.Desktop, "claude-desktop", false, "add the relay to Claude Desktop")
	flags.BoolVar(&o.Service, "user-service", false, "install a service that starts with your session (systemd, launchd)")
	flags.BoolVar(&o.VSCodeSettings, "vscode-settings", false, "let VS Code up to 1.108 start the task without asking")
	flags.BoolVar(&o.NoVSCode, "no-vscode", false, "leave .vscode/tasks.json alone")
	flags.BoolVar(&o.NoClaude, "no-claude", false, "leave the files of Claude Code alone")
	flags.BoolVar(&o.RemoveStale, "remove-stale", false, "take out settings of the original that no program reads")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "yes")
	return cmd
}

func runInit(cmd *cobra.Command, f initFlags) error {
	record, err := f.prepare()
	if err != nil {
		return err
	}
	plan := setup.Plan
	if f.undo {
		plan = setup.Undo
	}
	t := &talker{cmd: cmd, in: bufio.NewReader(cmd.InOrStdin()), asks: !f.yes && !f.dryRun}
	r := plan(f.opts)
	if !f.undo && len(r.Stale) > 0 && t.offerStale(r.Stale) {
		f.opts.RemoveStale = true
		r = plan(f.opts)
	}
	t.show(r)
	switch {
	case len(r.Changes) == 0:
		t.say("nothing to change")
	case f.dryRun:
		t.say("%s would change; nothing was written", files(len(r.Changes)))
	default:
		if err := t.confirm(len(r.Changes)); err != nil {
			return err
		}
		if err := applyInit(cmd, r, record, f.undo); err != nil {
			return err
		}
		t.finish(r, f.undo)
	}
	if len(r.Problems) > 0 {
		return exitError(1)
	}
	return nil
}

func applyInit(cmd *cobra.Command, r setup.Result, record string, undo bool) error {
	units := services(r)
	if undo {
		stopServices(cmd.Context(), cmd.ErrOrStderr(), units)
	}
	if err := setup.Apply(r, record); err != nil {
		return err
	}
	if !undo {
		startServices(cmd.Context(), cmd.ErrOrStderr(), units)
	}
	return nil
}

// prepare fills in what the flags do not say, and returns the path of the
// record.
func (f *initFlags) prepare() (record string, err error) {
	o := &f.opts
	if err := f.check(); err != nil {
		return "", err
	}
	if o.Root, o.Repository, err = findRoot(); err != nil {
		return "", err
	}
	o.Home, o.CodexHome, o.GOOS = config.HomeDir(os.Getenv), config.CodexHome(os.Getenv), runtime.GOOS
	o.ConfigDir, _ = os.UserConfigDir() // "" where none is known
	o.Read = setup.Disk(o.Root)
	if err := f.programs(); err != nil {
		return "", err
	}
	dir := config.DefaultStateDir(os.Getenv, filepath.Join(o.Root, config.DefaultFile))
	if dir == "" {
		return "", errors.New("no home folder is known to keep a record of the changes in: set HOME")
	}
	record = filepath.Join(dir, "init.json")
	o.Record, err = setup.ReadRecord(record)
	return record, err
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// check refuses flags that the files could not hold.
func (f *initFlags) check() error {
	o := &f.opts
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-/", r)
	}
	if strings.ContainsFunc(o.Channel, odd) || len([]rune(o.Channel)) > 64 {
		return usageError{fmt.Errorf("--channel: want at most 64 letters, digits and ._-/, got %q", o.Channel)}
	}
	for flag, name := range map[string]string{"token-env": o.TokenEnv, "claude-token-env": o.ClaudeTokenEnv} {
		if name != "" && !variableName.MatchString(name) {
			return usageError{fmt.Errorf("--%s: want the name of a variable such as RELAY_TOKEN, not the token itself", flag)}
		}
	}
	if o.Relay != "" {
		clean, err := config.CheckRelay(o.Relay)
		if err != nil {
			return usageError{fmt.Errorf("--relay: %w", err)}
		}
		o.Relay = clean
	}
	return nil
}

// findRoot is the repository that the working directory is in or, where there
// is none, the directory itself. One that has an autoreview.toml of its own is
// taken as it is.
func findRoot() (root string, inRepository bool, err error) {
	here, err := os.Getwd()
	if err == nil {
		here, err = filepath.EvalSymlinks(here)
	}
	if err != nil {
		return "", false, fmt.Errorf("finding the repository: %w", err)
	}
	dir := repository.Root(here)
	if dir == "" {
		return here, false, nil
	}
	if _, err := os.Lstat(filepath.Join(here, config.DefaultFile)); err == nil {
		return here, dir == here, nil
	}
	return dir, true, nil
}

// programs finds out how the programs are started by others.
func (f *initFlags) programs() error {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.Abs(self)
	}
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	o := &f.opts
	o.Program, o.ProgramPath = "autoreview", self
	if found, err := exec.LookPath("autoreview"); err != nil || !filepath.IsAbs(found) {
		o.Program = self
	}
	sibling := filepath.Join(filepath.Dir(self), "relay"+filepath.Ext(self))
	if _, err := os.Stat(sibling); err == nil {
		o.RelayPath = sibling
	} else if found, err := exec.LookPath("relay"); err == nil {
		o.RelayPath, _ = filepath.Abs(found)
	}
	for _, name := range []string{"PATH", "CODEX_HOME", "XDG_STATE_HOME"} {
		if v := os.Getenv(name); v != "" {
			o.ServiceEnv = append(o.ServiceEnv, name+"="+v)
		}
	}
	return nil
}

// talker shows a person what is found, and asks.
type talker struct {
	cmd  *cobra.Command
	in   *bufio.Reader
	asks bool
}

func (t *talker) say(format string, args ...any) {
	fmt.Fprintf(t.cmd.ErrOrStderr(), "autoreview: "+format+"\n", args...)
}

// terminal says that there is somebody to ask.
func (t *talker) terminal() bool {
	f, ok := t.cmd.InOrStdin().(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

func (t *talker) yes(question string) bool {
	fmt.Fprintf(t.cmd.ErrOrStderr(), "%s [y/N] ", question)
	answer, err := t.in.ReadString('\n')
	if err != nil {
		fmt.Fprintln(t.cmd.ErrOrStderr())
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}

func (t *talker) offerStale(stale []string) bool {
	for _, s := range stale {
		t.say("%s", s)
	}
	if t.asks && t.terminal() {
		return t.yes("Take it out?")
	}
	t.say("--remove-stale takes it out")
	return false
}

func (t *talker) show(r setup.Result) {
	out := t.cmd.OutOrStdout()
	for _, c := range r.Changes {
		for _, why := range c.Why {
			fmt.Fprintf(out, "# %s: %s\n", c.Name, why)
		}
		fmt.Fprintln(out, c.Diff())
	}
	for _, n := range r.Notes {
		t.say("note: %s", n)
	}
	for _, p := range r.Problems {
		t.say("left alone: %s", p)
	}
}

func (t *talker) confirm(n int) error {
	switch {
	case !t.asks:
		return nil
	case !t.terminal():
		return hintError{
			usageError{errors.New("there is no terminal to ask on, so nothing was written")},
			"--yes makes the changes that are shown above, --dry-run only shows them",
		}
	case !t.yes("Change " + files(n) + "?"):
		t.say("nothing was written")
		return exitError(1)
	}
	return nil
}

func (t *talker) finish(r setup.Result, undo bool) {
	if undo {
		t.say("%s put back", files(len(r.Changes)))
		return
	}
	t.say("%s written; \"autoreview init --undo\" takes it all out again", files(len(r.Changes)))
	t.say("next: \"autoreview up\" starts the reviews of the channel %s, and the relay", r.Site.Channel)
	for _, c := range r.Changes {
		switch filepath.Base(c.Path) {
		case "tasks.json":
			t.say("in VS Code: open the folder again and answer \"Allow and Run\"; then it starts by itself")
		case "CLAUDE.md":
			t.say("in Claude Code: start a new session; it posts what it has done, or type /review-packet")
		}
	}
}

func files(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}
