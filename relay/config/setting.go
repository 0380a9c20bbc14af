package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"autoreview/relay"
	"autoreview/relay/redact"
	"autoreview/relay/spelling"
)

// setting is one key. read puts a value into the configuration; its error says
// what was expected, its warning what the user should know.
type setting struct {
	key  string
	arg  string // placeholder in a help text
	help string
	read func(*Config, value) (warning string, err error)
}

const mib = 1 << 20

// settings are in the order of the documentation. The sizes in bytes stand
// before those in MB, which so win within one source.
var settings = []setting{
	{"host", "HOST", "address to listen on (default 127.0.0.1)", text(func(c *Config) *string { return &c.Host })},
	{"port", "PORT", "port to listen on (default 8010)", whole(0, 65535, func(c *Config) *int { return &c.Port })},
	{"data", "DIR", "folder for the messages and the logs", readData},
	{"channels", "LIST", "channels to list even when empty (default proj-x,codex,claude)", names(func(c *Config) *[]string { return &c.Channels }, checkChannel)},
	{"allowed_hosts", "LIST", "further names by which the relay may be called", names(func(c *Config) *[]string { return &c.AllowedHosts }, checkHost)},
	{"allowed_origins", "LIST", "further origins whose pages may use the relay", names(func(c *Config) *[]string { return &c.AllowedOrigins }, checkOrigin)},
	{"tls_cert", "FILE", "certificate in PEM; with it the relay speaks HTTPS only", path(func(c *Config) *string { return &c.TLSCert })},
	{"tls_key", "FILE", "key of the certificate in PEM", path(func(c *Config) *string { return &c.TLSKey })},
	{"insecure", switchArg, "listen beyond this machine without tokens (default false)", yesNo(func(c *Config) *bool { return &c.Insecure })},
	{"max_requests_per_second", "N", "requests of one client; 0 is no bound (default 1000)", whole(0, maxWhole, func(c *Config) *int { return &c.MaxRequestsPerSecond })},
	{"max_streams", "N", "open streams and waits in all; 0 is no bound (default 5000)", whole(0, maxWhole, func(c *Config) *int { return &c.MaxStreams })},
	{"max_streams_per_client", "N", "the same for one client (default 500)", whole(0, maxWhole, func(c *Config) *int { return &c.MaxStreamsPerClient })},
	{"max_text_bytes", "N", "longest text of a message (default 4194304)", whole(1, 256*mib, func(c *Config) *int { return &c.MaxTextBytes })},
	{"redact", "MODE", "secrets in messages: off, mask or reject (default mask)", readRedact},
	{"retention_days", "N", "forget messages older than this; 0 keeps all (default 0)", whole(0, 100*366, func(c *Config) *int { return &c.RetentionDays })},
	{"retention_messages", "N", "keep only the newest so many; 0 keeps all (default 0)", whole(0, maxWhole, func(c *Config) *int { return &c.RetentionMessages })},
	{"pprof", switchArg, "serve profiles of the program at /debug/pprof/ (default false)", yesNo(func(c *Config) *bool { return &c.Pprof })},
	{"log_path", "FILE", "activity log (default DIR/log/relay.log)", path(func(c *Config) *string { return &c.Log.Path })},
	{"log_max_bytes", "N", "the original's older name for log_max_mb, in bytes", byteSize(func(c *Config) *int { return &c.Log.MaxMB })},
	{"log_max_mb", "N", "size at which the activity log is rotated (default 25)", whole(1, maxMB, func(c *Config) *int { return &c.Log.MaxMB })},
	{"log_backup_count", "N", "rotated activity logs to keep; 0 keeps all (default 10)", whole(0, maxWhole, func(c *Config) *int { return &c.Log.Backups })},
	{"channel_log_path", "FILE", "archive of all messages (default DIR/log/channel_messages.log)", path(func(c *Config) *string { return &c.ChannelLog.Path })},
	{"channel_log_max_bytes", "N", "the original's older name for channel_log_max_mb, in bytes", byteSize(func(c *Config) *int { return &c.ChannelLog.MaxMB })},
	{"channel_log_max_mb", "N", "size at which the archive is rotated (default 25)", whole(1, maxMB, func(c *Config) *int { return &c.ChannelLog.MaxMB })},
	{"channel_log_backup_count", "N", "rotated archives to keep; 0 keeps all (default 10)", whole(0, maxWhole, func(c *Config) *int { return &c.ChannelLog.Backups })},
}

const (
	maxWhole = 1<<31 - 1
	maxMB    = 1 << 20
	// switchArg marks a setting that is true or false.
	switchArg = "[=BOOL]"
)

// Setting describes one key to a command line.
type Setting struct {
	// Key is the name in a file.
	Key string
	// Arg is a placeholder for the value, as "PORT".
	Arg string
	// Help is one line, with the default.
	Help string
	// Switch says that the value is true or false, and that a flag alone means
	// true.
	Switch bool
}

// Settings lists every key, in the order of the documentation.
func Settings() []Setting {
	out := make([]Setting, len(settings))
	for i, s := range settings {
		out[i] = Setting{Key: s.key, Arg: s.arg, Help: s.help, Switch: s.arg == switchArg}
	}
	return out
}

// EnvName is the environment variable of a key.
func EnvName(key string) string { return EnvPrefix + strings.ToUpper(key) }

// FlagName is the flag of a key, without its dashes.
func FlagName(key string) string { return strings.ReplaceAll(key, "_", "-") }

func find(key string) *setting {
	for i := range settings {
		if settings[i].key == key {
			return &settings[i]
		}
	}
	return nil
}

func unknownText(key string) string {
	keys := make([]string, len(settings))
	for i, s := range settings {
		keys[i] = s.key
	}
	if best := spelling.Nearest(key, keys, 3); best != "" {
		return fmt.Sprintf("unknown key, did you mean %q?", best)
	}
	return "unknown key"
}

func text(field func(*Config) *string) func(*Config, value) (string, error) {
	return func(c *Config, v value) (string, error) {
		s, err := v.text()
		if err == nil && s == "" {
			err = errors.New(`want a text, not ""`)
		}
		if err != nil {
			return "", err
		}
		*field(c) = s
		return "", nil
	}
}

func whole(low, high int, field func(*Config) *int) func(*Config, value) (string, error) {
	return func(c *Config, v value) (string, error) {
		n, err := v.whole(low, high)
		if err != nil {
			return "", err
		}
		*field(c) = n
		return "", nil
	}
}

func yesNo(field func(*Config) *bool) func(*Config, value) (string, error) {
	return func(c *Config, v value) (string, error) {
		b, err := v.yesNo()
		if err != nil {
			return "", err
		}
		*field(c) = b
		return "", nil
	}
}

// byteSize reads a size in bytes into a field in MB: log files are cut at full
// megabytes only.
func byteSize(field func(*Config) *int) func(*Config, value) (string, error) {
	return func(c *Config, v value) (string, error) {
		n, err := v.whole(1, maxWhole)
		if err != nil {
			return "", err
		}
		mb := (n + mib - 1) / mib
		*field(c) = mb
		if mb*mib == n {
			return "", nil
		}
		return fmt.Sprintf("log files are cut at full megabytes, %d bytes are rounded up to %d MB", n, mb), nil
	}
}

func path(field func(*Config) *string) func(*Config, value) (string, error) {
	return func(c *Config, v value) (string, error) {
		s, err := v.path(v.base)
		if err != nil {
			return "", err
		}
		*field(c) = s
		return "", nil
	}
}

// readData reads the data folder, whose own relative path cannot mean one
// below it: in a file it is relative to the file's folder.
func readData(c *Config, v value) (string, error) {
	s, err := v.path(v.dataBase)
	if err != nil {
		return "", err
	}
	c.Data = filepath.Clean(s)
	return "", nil
}

func readRedact(c *Config, v value) (string, error) {
	s, err := v.text()
	if err != nil {
		return "", err
	}
	switch mode := redact.Mode(s); mode {
	case redact.Off, redact.Mask, redact.Reject:
		c.Redact = mode
		return "", nil
	}
	return "", fmt.Errorf("want off, mask or reject, not %q", s)
}

func names(field func(*Config) *[]string, check func(string) error) func(*Config, value) (string, error) {
	return func(c *Config, v value) (string, error) {
		list, err := v.list()
		if err != nil {
			return "", err
		}
		for _, name := range list {
			if err := check(name); err != nil {
				return "", err
			}
		}
		*field(c) = list
		return "", nil
	}
}

// checkChannel holds a name to what a message's target may be.
func checkChannel(name string) error {
	_, err := relay.Limits{}.Clean(relay.Draft{Target: name, Sender: "x", Text: "x"})
	if err != nil {
		return fmt.Errorf("want names of channels, not %q: %v", name, err)
	}
	return nil
}

func checkHost(name string) error {
	if strings.ContainsAny(name, "/@ \t?#") {
		return fmt.Errorf("want hosts as host or host:port, not %q", name)
	}
	return nil
}

func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin {
		return fmt.Errorf("want origins as scheme://host or scheme://host:port, not %q", origin)
	}
	return nil
}
