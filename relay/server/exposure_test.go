package server_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"autoreview/relay/config"
	"autoreview/relay/server"
	"autoreview/relay/token"
)

// start opens a relay and stops it again, and returns what it said and what its
// address was.
func start(t *testing.T, c config.Config) (said, url string, err error) {
	t.Helper()
	var out bytes.Buffer
	s, err := server.Open(t.Context(), server.Options{Config: c, Logger: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		return out.String(), "", err
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Serve(ctx); err != nil {
		t.Error(err)
	}
	return out.String(), s.URL(), nil
}

func mint(t *testing.T, c config.Config, tok token.Token) string {
	t.Helper()
	secret, err := token.Open(filepath.Join(c.Data, token.File)).New(tok)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// A relay never opens up to others by an oversight: it takes a token, or to be
// told to.
func TestListeningBeyondThisMachine(t *testing.T) {
	const loud, unencrypted = `level=WARN msg="LISTENING BEYOND THIS MACHINE WITHOUT TOKENS`, `level=WARN msg="tokens and messages travel unencrypted`
	tests := []struct {
		name, host         string
		tokens, insecure   bool
		refused            bool
		said, notSaid, url string
	}{
		{"loopback", "127.0.0.1", false, false, false, "", "WARN", "http://127.0.0.1:"},
		{"loopback by name", "localhost", false, false, false, "", "WARN", "http://localhost:"},
		{"another address of this machine alone", "127.0.0.2", false, false, false, "", "WARN", "http://127.0.0.2:"},
		{"everywhere", "0.0.0.0", false, false, true, "", "", ""},
		{"everywhere in IPv6", "::", false, false, true, "", "", ""},
		{"a name", "relay.example", false, false, true, "", "", ""},
		{"everywhere, told to", "0.0.0.0", false, true, false, loud, unencrypted, "http://127.0.0.1:"},
		{"everywhere with tokens", "0.0.0.0", true, false, false, unencrypted, loud, "http://127.0.0.1:"},
		{"everywhere with tokens, told to do without", "0.0.0.0", true, true, false, unencrypted, loud, "http://127.0.0.1:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := testConfig(t)
			c.Host, c.Insecure = tt.host, tt.insecure
			if tt.tokens {
				mint(t, c, token.Token{Name: "claude"})
			}
			said, url, err := start(t, c)
			if exposed, ok := errors.AsType[*server.ExposedError](err); ok != tt.refused || err != nil && !ok {
				t.Fatalf("Open: got %v, want an *ExposedError %v", err, tt.refused)
			} else if ok && (!strings.Contains(err.Error(), c.Addr()) || !strings.Contains(exposed.Hint(), "relay token new") || !strings.Contains(exposed.Hint(), "--insecure")) {
				t.Errorf("got %q, hint %q", err, exposed.Hint())
			}
			if !strings.Contains(said, tt.said) || tt.notSaid != "" && strings.Contains(said, tt.notSaid) {
				t.Errorf("said:\n%s\nwant %q and not %q", said, tt.said, tt.notSaid)
			}
			if !strings.HasPrefix(url, tt.url) {
				t.Errorf("URL: got %s, want %s...", url, tt.url)
			}
		})
	}
}
