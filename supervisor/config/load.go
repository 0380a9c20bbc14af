package config

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// DefaultFile is what Load looks for in the working directory.
const DefaultFile = "autoreview.toml"

// The defaults that do not depend on anything.
const (
	DefaultRelay        = "http://127.0.0.1:8010"
	DefaultCodexBin     = "codex"
	DefaultWorkers      = 2
	DefaultPollInterval = 20 * time.Second
	DefaultSender       = "claude"
	DefaultReplyAs      = "codex"
	DefaultSandbox      = "read-only"
	DefaultTimeout      = 30 * time.Minute
	DefaultIdleTimeout  = 15 * time.Minute
	DefaultGrace        = 5 * time.Second
)

// Load reads the configuration file at path and checks all of it. With path ""
// it reads DefaultFile in the working directory or, where there is none but one
// of the bash loop's variables is set, FromEnv. env is os.Getenv or a
// replacement for it.
//
// What is wrong with the content comes as one *Error that lists every problem.
// The warnings are good also when there is an error.
func Load(path string, env func(string) string) (Config, []Warning, error) {
	given := path != ""
	if !given {
		path = DefaultFile
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return Config{}, nil, fmt.Errorf("finding the configuration: %w", err)
	}
	src, err := os.ReadFile(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !given && len(loopVariables(env)) > 0:
		return FromEnv(env, filepath.Dir(abs))
	case errors.Is(err, fs.ErrNotExist):
		return Config{}, nil, &Error{
			Problems: []Problem{{Place: Place{File: path}, Text: "there is no such file"}},
			Hint:     "run `autoreview init` in the repository, name another one with --config, or set BASE_URL and TARGET as for the bash loop",
		}
	case err != nil:
		return Config{}, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return decode(path, abs, src, env)
}

// decode reads a configuration file. file is its name in messages, abs its
// absolute path.
func decode(file, abs string, src []byte, env func(string) string) (Config, []Warning, error) {
	doc, err := parse(file, src)
	if err != nil {
		return Config{}, nil, err
	}
	c := &checker{doc: doc, env: env, base: filepath.Dir(abs)}
	cfg := c.config(abs)
	if set := loopVariables(env); len(set) > 0 {
		c.warnings = append(c.warnings, Warning{Place: Place{File: file}, Text: fmt.Sprintf(
			"%s from the environment not used: the bash loop's variables count only where there is no file", strings.Join(set, ", "))})
	}
	c.sort()
	if len(c.problems) > 0 {
		return Config{}, c.warnings, &Error{Problems: c.problems}
	}
	return cfg, c.warnings, nil
}

func (c *checker) config(abs string) Config {
	t := &table{checker: c, values: c.doc.root}
	cfg := Config{
		Path:         abs,
		Relay:        t.address("relay", DefaultRelay),
		TokenEnv:     t.tokenEnv("token_env"),
		StateDir:     t.file("state_dir", stateDir(c.env, identify(abs))),
		CodexBin:     t.program("codex_bin", DefaultCodexBin),
		Workers:      t.workers(),
		Grace:        t.duration("grace", DefaultGrace, 0),
		Limits:       t.limits("limits"),
		PollInterval: t.duration("poll_interval", DefaultPollInterval, time.Second),
		LastFile:     t.file("last_file", ""),
		RunsKeepDays: t.whole("runs_keep_days", DefaultRunsKeepDays),
		RunsKeepMB:   t.whole("runs_keep_mb", DefaultRunsKeepMB),
		MetricsAddr:  t.loopbackAddr("metrics_addr"),
	}
	if cfg.StateDir == "" {
		t.problem("state_dir", "no home folder is known to keep the state in; want the path of a folder")
	}
	tables := t.watches()
	for _, w := range tables {
		cfg.Watches = append(cfg.Watches, w.watch())
	}
	c.compare(tables, cfg.Watches)
	cfg.Schedules = t.schedules(cfg.Watches)
	if cfg.LastFile != "" && len(cfg.Watches) > 1 {
		t.problem("last_file", "keeps the id of one watch, and there are %d; leave it out, the cursors are in state_dir", len(cfg.Watches))
	}
	t.finish(belowWatch)
	return cfg
}

// watches returns the tables of [[watch]].
func (t *table) watches() []*table {
	if !t.has("watch") {
		t.problem("watch", "there is no [[watch]], so there is nothing to do; want at least one, with channel = \"...\"")
	}
	tables := t.tables("watch")
	if items, ok := t.values["watch"].([]any); ok && len(items) == 0 {
		t.problem("watch", "the list is empty, so there is nothing to do; want at least one [[watch]]")
	}
	return tables
}

// tables returns the tables of an array of tables.
func (t *table) tables(key string) []*table {
	v, ok := t.get(key)
	if !ok {
		return nil
	}
	items, ok := v.([]any)
	if !ok {
		t.problem(key, "want [[%s]] in double brackets, got %s", key, kindOf(v))
		return nil
	}
	var tables []*table
	for i, item := range items {
		values, ok := item.(map[string]any)
		if !ok {
			t.problem(key, "want [[%s]] tables, got %s in a list", key, kindOf(item))
			continue
		}
		tables = append(tables, &table{checker: t.checker, name: key, values: values, path: []string{key, fmt.Sprint(i)}})
	}
	return tables
}

// sub returns the table below a key, an empty one when there is none.
func (t *table) sub(key string) *table {
	values, _ := read[map[string]any](t, key, "a table")
	return &table{checker: t.checker, name: t.key(key), values: values, path: append(t.path[:len(t.path):len(t.path)], key)}
}

// address reads the base URL of a relay.
func (t *table) address(key, def string) string {
	s := t.str(key, def)
	u, text := checkURL(s)
	if text != "" {
		t.problem(key, "%s", text)
	}
	return u
}

// checkURL returns a base URL without a trailing slash, or what is wrong
// with it.
func checkURL(s string) (clean, wrong string) {
	const want = `want an address such as "http://127.0.0.1:8010"`
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return "", fmt.Sprintf("%s, got %q", want, shorten(s))
	case u.User != nil:
		return "", want + " without a user or password; a token goes into the variable that token_env names"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", fmt.Sprintf("%s without a query or fragment, got %q", want, shorten(s))
	}
	clean = strings.TrimRight(s, "/#")
	for _, tail := range []string{"/mcp", "/api", "/api/messages"} {
		if strings.HasSuffix(clean, tail) {
			return "", fmt.Sprintf("%s without %s at its end, got %q", want, tail, shorten(s))
		}
	}
	return clean, ""
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (t *table) tokenEnv(key string) string {
	s := t.str(key, "")
	switch {
	case s == "":
		return ""
	case !variableName.MatchString(s):
		// The value is not shown: it may be the token itself.
		t.problem(key, "want the name of an environment variable such as \"RELAY_TOKEN\", not the token itself")
		return ""
	case t.env(s) == "":
		t.warn(key, "the variable %s is not set", s)
	}
	return s
}

// program reads a name to look up in PATH, or a path.
func (t *table) program(key, def string) string {
	if s, _ := t.values[key].(string); strings.ContainsAny(s, `/\`) || strings.HasPrefix(s, "~") {
		return t.file(key, def)
	}
	return t.str(key, def)
}

func (t *table) workers() int {
	const most = 64
	n := t.integer("workers", DefaultWorkers, 1)
	if n > most {
		t.problem("workers", "want at most %d, got %d", most, n)
	}
	return int(min(n, math.MaxInt32))
}

// topKeys and watchKeys name all keys, in the order in which Print writes them.
var (
	topKeys = []string{"relay", "token_env", "state_dir", "codex_bin", "workers", "grace", "poll_interval", "last_file",
		"runs_keep_days", "runs_keep_mb", "metrics_addr"}
	watchKeys = []string{"name", "channel", "senders", "reply_as", "workdir", "sandbox", "network_access", "session",
		"project_config", "deliver", "model", "profile", "plugins", "config", "extra_args", "template", "timeout",
		"idle_timeout", "coalesce", "start", "isolate", "retry"}
	belowWatch = told(watchKeys, "belongs below a [[watch]] line")
	aboveWatch = told(topKeys, "belongs above the first [[watch]] line")
)

func told(keys []string, text string) map[string]string {
	m := map[string]string{}
	for _, k := range slices.Sorted(slices.Values(keys)) {
		m[k] = text
	}
	return m
}
