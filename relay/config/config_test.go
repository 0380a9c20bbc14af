package config_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"autoreview/relay/config"
	"autoreview/relay/redact"
)

// env is an environment with a home of its own and nothing else but pairs.
func env(home string, pairs ...string) func(string) (string, bool) {
	vars := map[string]string{"HOME": home, "USERPROFILE": home}
	for _, p := range pairs {
		name, v, _ := strings.Cut(p, "=")
		vars[name] = v
	}
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, s config.Sources) config.Config {
	t.Helper()
	c, err := config.Load(s)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	home := t.TempDir()
	state := map[string]string{
		"darwin":  "Library/Application Support/autoreview/relay",
		"windows": "AppData/Local/autoreview/relay",
	}[runtime.GOOS]
	if state == "" {
		state = ".local/state/autoreview/relay"
	}
	data := filepath.Join(home, filepath.FromSlash(state))
	want := config.Config{
		Host: "127.0.0.1", Port: 8010, Data: data,
		Log:          config.LogFile{Path: filepath.Join(data, "log", "relay.log"), MaxMB: 25, Backups: 10},
		ChannelLog:   config.LogFile{Path: filepath.Join(data, "log", "channel_messages.log"), MaxMB: 25, Backups: 10},
		Channels:     []string{"proj-x", "codex", "claude"},
		MaxTextBytes: 4 << 20,
		Redact:       redact.Mask,

		MaxRequestsPerSecond: 1000, MaxStreams: 5000, MaxStreamsPerClient: 500,
	}
	if diff := cmp.Diff(want, load(t, config.Sources{Env: env(home)})); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestPrecedence(t *testing.T) {
	file := write(t, "relay.toml", "port = 1001\nhost = \"file\"\n")
	envs := env(t.TempDir(), "CLAUDE_CODEX_PORT=1002", "CLAUDE_CODEX_HOST=")
	flags := map[string]string{"port": "1003"}
	tests := []struct {
		name string
		s    config.Sources
		want string
	}{
		{"file over default", config.Sources{Path: file, Env: env("/home/u")}, "file:1001"},
		{"environment over file, and an empty variable is unset", config.Sources{Path: file, Env: envs}, "file:1002"},
		{"flag over environment", config.Sources{Path: file, Env: envs, Flags: flags}, "file:1003"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := load(t, tt.s).Addr(); got != tt.want {
				t.Errorf("Addr: got %s, want %s", got, tt.want)
			}
		})
	}
}

// The example of the original's documentation, with its every key.
func TestOriginalConfigJSON(t *testing.T) {
	path := write(t, "config.json", `{
  "host": "0.0.0.0",
  "port": "8011",
  "log_path": "log/claude_codex.log",
  "log_max_mb": 5,
  "log_backup_count": 3.0,
  "channel_log_path": "/var/log/channel_messages.log",
  "channel_log_max_bytes": 2097152,
  "channel_log_backup_count": 0,
  "channels": "a, b,,c ",
  "allowed_hosts": ["192.168.2.3", " box:8010 ", ""]
}`)
	home := t.TempDir()
	got := load(t, config.Sources{Path: path, Env: env(home, "XDG_STATE_HOME="+home), Flags: map[string]string{"data": filepath.Join(home, "d")}})
	want := config.Config{
		Path: path, Host: "0.0.0.0", Port: 8011, Data: filepath.Join(home, "d"),
		Log:          config.LogFile{Path: filepath.Join(home, "d", "log", "claude_codex.log"), MaxMB: 5, Backups: 3},
		ChannelLog:   config.LogFile{Path: "/var/log/channel_messages.log", MaxMB: 2, Backups: 0},
		Channels:     []string{"a", "b", "c"},
		AllowedHosts: []string{"192.168.2.3", "box:8010"},
		MaxTextBytes: 4 << 20,
		Redact:       redact.Mask,

		MaxRequestsPerSecond: 1000, MaxStreams: 5000, MaxStreamsPerClient: 500,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config.json (-want +got):\n%s", diff)
	}
}

// Each name of the original's environment, the legacy ones too.
func TestEnvironment(t *testing.T) {
	home := t.TempDir()
	abs := filepath.Join(home, "x")
	got := load(t, config.Sources{Env: env(home,
		"CLAUDE_CODEX_HOST=::1", "CLAUDE_CODEX_PORT=7777", "CLAUDE_CODEX_LOG_PATH="+abs,
		"CLAUDE_CODEX_LOG_MAX_BYTES=1048577", "CLAUDE_CODEX_LOG_BACKUP_COUNT=1",
		"CLAUDE_CODEX_CHANNEL_LOG_PATH=~/y", "CLAUDE_CODEX_CHANNEL_LOG_MAX_BYTES=1", "CLAUDE_CODEX_CHANNEL_LOG_MAX_MB=7",
		"CLAUDE_CODEX_CHANNEL_LOG_BACKUP_COUNT=2", "CLAUDE_CODEX_CHANNELS=one,two", "CLAUDE_CODEX_ALLOWED_HOSTS=h",
		"CLAUDE_CODEX_DATA=~/data", "CLAUDE_CODEX_ALLOWED_ORIGINS=http://h:1", "CLAUDE_CODEX_MAX_TEXT_BYTES=10",
		"CLAUDE_CODEX_RETENTION_DAYS=30", "CLAUDE_CODEX_RETENTION_MESSAGES=9", "CLAUDE_CODEX_REDACT=reject",
		"CLAUDE_CODEX_TLS_CERT=~/cert.pem", "CLAUDE_CODEX_TLS_KEY="+abs, "CLAUDE_CODEX_INSECURE=1", "CLAUDE_CODEX_PPROF=true",
		"CLAUDE_CODEX_MAX_REQUESTS_PER_SECOND=0", "CLAUDE_CODEX_MAX_STREAMS=8", "CLAUDE_CODEX_MAX_STREAMS_PER_CLIENT=3")})
	want := config.Config{
		Host: "::1", Port: 7777, Data: filepath.Join(home, "data"),
		Log:            config.LogFile{Path: abs, MaxMB: 2, Backups: 1},
		ChannelLog:     config.LogFile{Path: filepath.Join(home, "y"), MaxMB: 7, Backups: 2},
		Channels:       []string{"one", "two"},
		AllowedHosts:   []string{"h"},
		AllowedOrigins: []string{"http://h:1"},
		MaxTextBytes:   10, Redact: redact.Reject, RetentionDays: 30, RetentionMessages: 9,
		TLSCert: filepath.Join(home, "cert.pem"), TLSKey: abs, Insecure: true, Pprof: true,
		MaxStreams: 8, MaxStreamsPerClient: 3,
		Warnings: []string{
			"CLAUDE_CODEX_LOG_MAX_BYTES: log files are cut at full megabytes, 1048577 bytes are rounded up to 2 MB",
			"CLAUDE_CODEX_CHANNEL_LOG_MAX_BYTES: log files are cut at full megabytes, 1 bytes are rounded up to 1 MB",
			"the environment has both channel_log_max_mb and channel_log_max_bytes; channel_log_max_mb is used",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if got.Addr() != "[::1]:7777" {
		t.Errorf("Addr: got %s, want [::1]:7777", got.Addr())
	}
}

func TestPathsAreRelativeToTheirSource(t *testing.T) {
	file := write(t, "relay.toml", "data = \"d\"\nlog_path = \"a.log\"\ntls_cert = \"c.pem\"\n")
	dir := filepath.Dir(file)
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	c := load(t, config.Sources{Path: file, Env: env("/home/u"), Flags: map[string]string{"channel_log_path": "b.log", "tls_key": "k.pem"}})
	if c.TLSCert != filepath.Join(dir, "d", "c.pem") || c.TLSKey != filepath.Join(wd, "k.pem") {
		t.Errorf("paths: got certificate %q key %q", c.TLSCert, c.TLSKey)
	}
	if c.Data != filepath.Join(dir, "d") || c.Log.Path != filepath.Join(dir, "d", "a.log") || c.ChannelLog.Path != filepath.Join(wd, "b.log") {
		t.Errorf("paths: got data %q log %q archive %q", c.Data, c.Log.Path, c.ChannelLog.Path)
	}
}

func TestUsersOwnFile(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the folder has another name elsewhere")
	}
	home := t.TempDir()
	dir := filepath.Join(home, ".config", "autoreview")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "relay.toml"), []byte("port = 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := load(t, config.Sources{Env: env(home)}); c.Port != 1 || c.Path != filepath.Join(dir, "relay.toml") {
		t.Errorf("Load: got port %d from %q, want 1 from the user's folder", c.Port, c.Path)
	}
	if c := load(t, config.Sources{Env: env(home, "XDG_CONFIG_HOME="+t.TempDir())}); c.Port != 8010 || c.Path != "" {
		t.Errorf("Load: got port %d from %q, want the default from nowhere", c.Port, c.Path)
	}
}

func FuzzFile(f *testing.F) {
	f.Add("relay.toml", "port = 1\nchannels = ['a']\n[x]\ny=1")
	f.Add("relay.toml", "a.b.c = {d=[1,2]}\n\"\" = 1979-05-27")
	f.Add("config.json", `{"port": 1e3, "channels": ["a", null], "host": {"x": []}}`)
	f.Add("config.json", "\ufeff{\"port\":1}{")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, name, content string) {
		path := filepath.Join(dir, "relay.toml")
		if strings.HasSuffix(name, "json") {
			path = filepath.Join(dir, "config.json")
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(config.Sources{Path: path, Env: env("/home/u")})
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if line == "" {
					t.Errorf("an empty problem: %q", err)
				}
			}
			return
		}
		if !filepath.IsAbs(c.Data) || !filepath.IsAbs(c.Log.Path) || c.Host == "" || c.Log.MaxMB < 1 {
			t.Errorf("Load accepted %q as %+v", content, c)
		}
	})
}
