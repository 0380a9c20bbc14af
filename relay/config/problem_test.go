package config_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"autoreview/relay/config"
)

func TestProblems(t *testing.T) {
	const want65535 = "want a whole number from 0 to 65535, not "
	tests := []struct {
		name, file, content string
		want                []string // each is a line behind the path
	}{
		{"all at once", "relay.toml", "host = 1\n\nprot = 2\nport = \"8010\"\n[watch]\nx = 1\n", []string{
			`3: prot: unknown key, did you mean "port"?`,
			"5: [watch]: unknown key",
			`1: host: want a text, not 1`,
			`4: port: ` + want65535 + `"8010"`,
		}},
		{"ranges", "relay.toml", "port = 65536\nlog_max_mb = 0\nretention_days = -1\nmax_text_bytes = 1.5\nhost = ' '", []string{
			`5: host: want a text, not ""`,
			"1: port: " + want65535 + "65536",
			"4: max_text_bytes: want a whole number from 1 to 268435456, not 1.5",
			"3: retention_days: want a whole number from 0 to 36600, not -1",
			"2: log_max_mb: want a whole number from 1 to 1048576, not 0",
		}},
		{"lists", "relay.toml", "channels = ['a', 1]\nallowed_hosts = ['http://h']\nallowed_origins = 'h:1'", []string{
			"1: channels: want a list of texts, not one with 1 in it",
			`2: allowed_hosts: want hosts as host or host:port, not "http://h"`,
			`3: allowed_origins: want origins as scheme://host or scheme://host:port, not "h:1"`,
		}},
		{"channel names", "relay.toml", "channels = \"a\\u0007b\"", []string{
			`1: channels: want names of channels, not "a\ab": target must not contain control characters`,
		}},
		{"true and false", "relay.toml", "insecure = 'true'\nmax_streams = -1", []string{
			`1: insecure: want true or false, not "true"`,
			"2: max_streams: want a whole number from 0 to 2147483647, not -1",
		}},
		{"a mode of redact", "relay.toml", "redact = 'masked'", []string{
			`1: redact: want off, mask or reject, not "masked"`,
		}},
		{"half a certificate", "relay.toml", "tls_key = 'k.pem'", []string{
			"tls_cert: want tls_cert and tls_key together, or none of them",
		}},
		{"someone else's home", "relay.toml", "log_path = '~root/x'", []string{
			`1: log_path: want a path, not "~root/x": only your own ~/ can be expanded`,
		}},
		{"one file for two logs", "relay.toml", "log_path = '/x'\nchannel_log_path = '/x'", []string{
			`channel_log_path: want another file than log_path, not "/x" for both`,
		}},
		{"a key twice in TOML", "relay.toml", "port = 1\nport = 2", []string{"2: port: not valid TOML: "}},
		{"broken TOML", "relay.toml", "port = 1\nhost = \n", []string{"2: not valid TOML: "}},
		{"broken JSON", "config.json", "{\n \"port\": 1,\n}", []string{"3: not valid JSON: "}},
		{"cut JSON", "config.json", "{\n\"port\": 1", []string{"2: not valid JSON: it ends too early"}},
		{"empty JSON", "config.json", "", []string{"1: not valid JSON: it ends too early"}},
		{"JSON array", "config.json", "[]", []string{"1: want a JSON object"}},
		{"two JSON objects", "config.json", "{}\n{}", []string{"2: want one JSON object and nothing after it"}},
		{"a key twice in JSON", "config.json", "{\"port\":1,\n\"port\":2}", []string{`2: the key "port" is there twice`}},
		{"another program's config.json", "config.json", "{\n\"compilerOptions\": {},\n\"port\": null}", []string{
			"2: compilerOptions: unknown key",
			"3: port: " + want65535 + "null",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, tt.file, tt.content)
			_, err := config.Load(config.Sources{Path: path, Env: env("/home/u")})
			var ce *config.Error
			if !errors.As(err, &ce) {
				t.Fatalf("Load: got %v, want a *config.Error", err)
			}
			got := strings.Split(err.Error(), "\n")
			if len(got) != len(tt.want) {
				t.Fatalf("Load: got %d problems, want %d:\n%v", len(got), len(tt.want), err)
			}
			for i, line := range got {
				if rest := strings.TrimPrefix(line, path+":"); !strings.HasPrefix(rest, tt.want[i]) {
					t.Errorf("problem %d: got %q, want %q after the path", i, rest, tt.want[i])
				}
			}
		})
	}
}

func TestProblemsOfEnvironmentAndFlags(t *testing.T) {
	_, err := config.Load(config.Sources{
		Path:  filepath.Join(t.TempDir(), "none.toml"),
		Env:   env("/home/u", "CLAUDE_CODEX_PORT=abc", "CLAUDE_CODEX_LOG_MAX_BYTES=-5"),
		Flags: map[string]string{"max_text_bytes": "many"},
	})
	if err == nil {
		t.Fatal("Load: got nil, want problems")
	}
	for _, want := range []string{
		"none.toml: reading the file: ",
		`CLAUDE_CODEX_PORT: want a whole number from 0 to 65535, not "abc"`,
		`CLAUDE_CODEX_LOG_MAX_BYTES: want a whole number from 1 to 2147483647, not "-5"`,
		`--max-text-bytes: want a whole number from 1 to 268435456, not "many"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Load: got %q, want it to say %q", err, want)
		}
	}
}

func TestNoHome(t *testing.T) {
	none := func(string) (string, bool) { return "", false }
	if _, err := config.Load(config.Sources{Env: none}); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("Load: got %v, want an error that names --data", err)
	}
	c, err := config.Load(config.Sources{Env: none, Flags: map[string]string{"data": t.TempDir()}})
	if err != nil || c.Port != 8010 {
		t.Errorf("Load with --data: got %+v, %v, want the defaults", c, err)
	}
}
