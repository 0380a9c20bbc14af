// Package config reads the relay's settings: flags over environment over file
// over default. It reads relay.toml, and the original server's config.json as
// it is.
//
// Nothing is silently ignored. A file that cannot be read as it stands, a key
// nobody knows, a value of the wrong type: all of them are reported at once,
// each with its place, as one *Error.
package config

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"autoreview/relay"
	"autoreview/relay/redact"
)

// Config is the effective configuration: every default is filled in and every
// path is absolute.
type Config struct {
	// Path is the file it was read from, "" when there was none.
	Path string
	// Host and Port are where to listen; port 0 lets the system choose.
	Host string
	Port int
	// Data is the folder of the store, the lock and, unless they are told
	// otherwise, the logs.
	Data string
	// Log is the activity log, ChannelLog the archive of all messages.
	Log, ChannelLog LogFile
	// Channels are listed even before they have a message.
	Channels []string
	// AllowedHosts are further names by which the relay may be called, as
	// host, host:port or host:*.
	AllowedHosts []string
	// AllowedOrigins are further origins whose pages may use the relay.
	AllowedOrigins []string
	// TLSCert and TLSKey are the files of a certificate and its key, both or
	// none; with them the relay speaks HTTPS only.
	TLSCert, TLSKey string
	// Insecure lets the relay listen beyond this machine without tokens.
	Insecure bool
	// MaxRequestsPerSecond bounds how often one client may ask, and MaxStreams
	// and MaxStreamsPerClient how many streams and waits are open at once; 0 is
	// no bound.
	MaxRequestsPerSecond, MaxStreams, MaxStreamsPerClient int
	// MaxTextBytes bounds the text of one message.
	MaxTextBytes int
	// Redact says what becomes of messages that hold secrets.
	Redact redact.Mode
	// Pprof serves profiles of the program at /debug/pprof/.
	Pprof bool
	// RetentionDays and RetentionMessages bound what is kept; 0 keeps all.
	RetentionDays, RetentionMessages int
	// Warnings are what the user should know about how the settings were
	// understood, one sentence each.
	Warnings []string
}

// LogFile is one rotated log file.
type LogFile struct {
	Path string
	// MaxMB is the size in MiB at which it is rotated.
	MaxMB int
	// Backups is how many rotated files are kept; 0 keeps all.
	Backups int
}

// Addr is Host and Port as one address.
func (c Config) Addr() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// Sources are where settings come from.
type Sources struct {
	// Path is the file to read; it must exist. "" means relay.toml in the
	// user's configuration folder, if there is one.
	Path string
	// Flags are the flags that were given, by the key of their setting.
	Flags map[string]string
	// Env looks up an environment variable; nil means os.LookupEnv. An empty
	// variable is the same as an unset one.
	Env func(name string) (string, bool)
}

// EnvPrefix begins the name of every environment variable; the rest is the
// key in capitals.
const EnvPrefix = "CLAUDE_CODEX_"

// Load reads all sources. The error is an *Error unless the machine itself is
// at fault.
func Load(s Sources) (Config, error) {
	if s.Env == nil {
		s.Env = os.LookupEnv
	}
	l := loader{env: s.Env, config: defaults()}
	l.file(s.Path)
	l.environment()
	l.flags(s.Flags)
	l.finish()
	if len(l.problems) > 0 {
		return Config{}, &Error{Problems: l.problems}
	}
	return l.config, nil
}

func defaults() Config {
	return Config{
		Host:         "127.0.0.1",
		Port:         8010,
		Log:          LogFile{Path: filepath.Join("log", "relay.log"), MaxMB: 25, Backups: 10},
		ChannelLog:   LogFile{Path: filepath.Join("log", "channel_messages.log"), MaxMB: 25, Backups: 10},
		Channels:     []string{"proj-x", "codex", "claude"},
		MaxTextBytes: relay.DefaultTextBytes,
		Redact:       redact.Mask,

		MaxRequestsPerSecond: 1000,
		MaxStreams:           5000,
		MaxStreamsPerClient:  500,
	}
}

// loader applies one source after the other, weakest first.
type loader struct {
	env      func(string) (string, bool)
	config   Config
	problems []Problem
}

func (l *loader) file(path string) {
	if path == "" {
		dir, err := configDir(l.env)
		if err != nil {
			return // without a home there is no such file
		}
		path = filepath.Join(dir, "relay.toml")
		if _, err := os.Stat(path); os.IsNotExist(err) {
			return
		}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		l.problem(Problem{Text: fmt.Sprintf("finding the working folder: %v", err)})
		return
	}
	l.config.Path = path
	entries, problems := readFile(path)
	l.problems = append(l.problems, problems...)
	byKey := make(map[string]entry)
	for _, e := range entries {
		if find(e.key) == nil {
			l.problem(Problem{Path: path, Line: e.line, Key: e.key, Text: unknownText(e.key)})
			continue
		}
		byKey[e.key] = e
	}
	lax := strings.EqualFold(filepath.Ext(path), ".json")
	for _, s := range settings {
		if e, ok := byKey[s.key]; ok {
			l.apply(s, value{raw: e.value, lax: lax, dataBase: filepath.Dir(path)}, Problem{Path: path, Line: e.line, Key: s.key})
		}
	}
	l.bothSizes(path, func(key string) bool { _, ok := byKey[key]; return ok })
}

func (l *loader) environment() {
	given := func(key string) bool { text, _ := l.env(EnvName(key)); return text != "" }
	for _, s := range settings {
		if text, _ := l.env(EnvName(s.key)); text != "" {
			l.apply(s, value{raw: text, lax: true, dataBase: ".", base: "."}, Problem{Key: EnvName(s.key)})
		}
	}
	l.bothSizes("the environment", given)
}

func (l *loader) flags(flags map[string]string) {
	for _, s := range settings {
		if text, ok := flags[s.key]; ok {
			l.apply(s, value{raw: text, lax: true, dataBase: ".", base: "."}, Problem{Key: "--" + FlagName(s.key)})
		}
	}
}

// apply reads one value; place says where it stands.
func (l *loader) apply(s setting, v value, place Problem) {
	v.env = l.env
	warning, err := s.read(&l.config, v)
	if err != nil {
		place.Text = err.Error()
		l.problem(place)
	}
	if warning != "" {
		l.config.Warnings = append(l.config.Warnings, place.Key+": "+warning)
	}
}

// bothSizes warns when one source has a size in MB and in bytes: the one in MB
// is used, as the original does.
func (l *loader) bothSizes(place string, given func(key string) bool) {
	for _, key := range []string{"log_max", "channel_log_max"} {
		if given(key+"_mb") && given(key+"_bytes") {
			l.config.Warnings = append(l.config.Warnings,
				fmt.Sprintf("%s has both %s_mb and %s_bytes; %s_mb is used", place, key, key, key))
		}
	}
}

func (l *loader) problem(p Problem) { l.problems = append(l.problems, p) }

// finish makes every path absolute.
func (l *loader) finish() {
	c := &l.config
	if c.Data == "" {
		dir, err := stateDir(l.env)
		if err != nil {
			l.problem(Problem{Key: "data", Text: fmt.Sprintf("there is no place for the relay's data, say one with --data: %v", err)})
			return
		}
		c.Data = dir
	}
	for _, path := range []*string{&c.Log.Path, &c.ChannelLog.Path, &c.TLSCert, &c.TLSKey} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(c.Data, *path)
		}
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		l.problem(Problem{Key: "tls_cert", Text: "want tls_cert and tls_key together, or none of them"})
	}
	if c.Log.Path == c.ChannelLog.Path {
		l.problem(Problem{Key: "channel_log_path", Text: fmt.Sprintf("want another file than log_path, not %q for both", c.Log.Path)})
	}
}
