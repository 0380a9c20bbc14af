package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// loopNames are the variables of the original's bash loop.
var loopNames = []string{"BASE_URL", "TARGET", "INTERVAL", "LASTFILE", "SESSION_ID", "WATCH_SENDER"}

// The bash loop's own defaults.
const (
	loopTarget   = "proj-x"
	loopLastFile = ".codex/auto-loop.last_id"
)

// loopVariables returns the names of those that are set.
func loopVariables(env func(string) string) []string {
	var set []string
	for _, name := range loopNames {
		if env(name) != "" {
			set = append(set, name)
		}
	}
	return set
}

// FromEnv makes a configuration with one watch out of the bash loop's
// environment: BASE_URL, TARGET, INTERVAL, LASTFILE, SESSION_ID and
// WATCH_SENDER, each with the loop's default. cwd, an absolute path, is where
// Codex runs and where a relative LASTFILE starts from.
//
// Unlike the loop it runs Codex read-only; a warning says so.
func FromEnv(env func(string) string, cwd string) (Config, []Warning, error) {
	c := &checker{env: env, base: cwd}
	cfg := Config{
		Relay:        c.variable("BASE_URL", DefaultRelay, checkURL),
		CodexBin:     DefaultCodexBin,
		Workers:      DefaultWorkers,
		Grace:        DefaultGrace,
		LastFile:     c.lastFile(),
		PollInterval: c.interval(),
		RunsKeepDays: DefaultRunsKeepDays,
		RunsKeepMB:   DefaultRunsKeepMB,
	}
	w := Watch{
		Channel: c.variable("TARGET", loopTarget, nameOf),
		Senders: []string{c.variable("WATCH_SENDER", DefaultSender, nameOf)},
		ReplyAs: DefaultReplyAs,
		Workdir: cwd,
		Sandbox: DefaultSandbox,
		Session: c.sessionID(),
		Deliver: DeliverSupervisor,
		Timeout: DefaultTimeout, IdleTimeout: DefaultIdleTimeout,
		Start: Start{Mode: StartUnanswered},
	}
	w.Name = w.Channel
	if w.Senders[0] == w.ReplyAs {
		c.variableProblem("WATCH_SENDER", "reviews are posted as %q, so they would be reviewed again for ever; want another sender", w.ReplyAs)
	}
	cfg.Watches = []Watch{w}
	cfg.StateDir = stateDir(env, fmt.Sprintf("env\x00%s\x00%s\x00%s\x00%s", identify(cwd), cfg.Relay, w.Channel, w.Senders[0]))
	if cfg.StateDir == "" {
		c.variableProblem("HOME", "is not set; want the home folder, to keep the state in")
	}
	c.variableWarning("", "the bash loop ran Codex with full access to this machine; reviews run read-only here, which is all they need. sandbox = \"bypass\" in %s brings that back", DefaultFile)
	if len(c.problems) > 0 {
		return Config{}, c.warnings, &Error{Problems: c.problems}
	}
	return cfg, c.warnings, nil
}

func (c *checker) variableProblem(name, format string, args ...any) {
	c.problems = append(c.problems, Problem{Key: name, Text: fmt.Sprintf(format, args...)})
}

func (c *checker) variableWarning(name, format string, args ...any) {
	c.warnings = append(c.warnings, Warning{Key: name, Text: fmt.Sprintf(format, args...)})
}

// variable reads one variable; check returns its clean form or what is wrong.
func (c *checker) variable(name, def string, check func(string) (clean, wrong string)) string {
	s := c.env(name)
	if s == "" {
		s = def
	}
	clean, wrong := check(s)
	if wrong != "" {
		c.variableProblem(name, "%s", wrong)
	}
	return clean
}

func nameOf(s string) (clean, wrong string) { return s, checkName(s) }

// interval reads INTERVAL in seconds.
func (c *checker) interval() time.Duration {
	s := c.env("INTERVAL")
	if s == "" {
		return DefaultPollInterval
	}
	const day = 24 * 60 * 60
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > day {
		c.variableProblem("INTERVAL", "want a whole number of seconds from 1 to %d, got %q", day, shorten(s))
		return DefaultPollInterval
	}
	c.variableWarning("INTERVAL", "is used only with the original Python server; a relay says at once when there is a packet")
	return time.Duration(n) * time.Second
}

// lastFile returns the path of LASTFILE; the loop's default one only where the
// loop has left it, for otherwise nobody reads it.
func (c *checker) lastFile() string {
	s := c.env("LASTFILE")
	if s == "" {
		path := filepath.Join(c.base, filepath.FromSlash(loopLastFile))
		if _, err := os.Stat(path); err != nil {
			return ""
		}
		return path
	}
	path, err := expand(c.env, c.base, s)
	if err == nil && isFolder(path) {
		err = errors.New("want a file, and this is a folder")
	}
	if err != nil {
		c.variableProblem("LASTFILE", "%v", err)
	}
	return path
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// sessionID reads SESSION_ID: empty is a fresh thread for each review, as it was
// in the loop.
func (c *checker) sessionID() Session {
	s := c.env("SESSION_ID")
	switch {
	case s == "":
		return Session{Mode: SessionFresh}
	case !uuid.MatchString(s):
		c.variableProblem("SESSION_ID", "want a Codex thread id such as \"0199c0de-0000-7000-8000-000000000000\", or nothing for a fresh thread each time, got %q; `autoreview threads` lists the ids", shorten(s))
		return Session{Mode: SessionFresh}
	}
	session, _ := parseSession(s)
	return session
}
