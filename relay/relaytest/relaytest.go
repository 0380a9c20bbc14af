// Package relaytest runs a real relay for a test: a real SQLite file in a
// temporary folder, a real listener on a loopback port, and all doors.
//
//	r := relaytest.Start(t)
//	p, err := r.Client().Post(t.Context(), relay.Draft{...})
//	r.Restart() // same address, same messages
//
// The relay's log files leave one goroutine each behind; a test that looks for
// leaked goroutines ignores the function LeakedFunction.
package relaytest

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"

	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/relay/config"
	"autoreview/relay/server"
	"autoreview/relay/token"
)

// LeakedFunction is for goleak.IgnoreTopFunction.
const LeakedFunction = "gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"

// Relay is a running relay, or one that has been stopped. It belongs to one
// test and its methods to that test's goroutine, except for URL and Client.
type Relay struct {
	// URL is its address, the same after every start.
	URL string
	// Config is what the next start uses.
	Config config.Config

	t      testing.TB
	client *client.Client
	server *server.Server
	cancel context.CancelFunc
	done   chan error // the result of Serve
}

// Start starts a relay with the default configuration, but without a bound on
// the rate of requests, after the given changes to it. It stops it when the test
// ends.
func Start(t testing.TB, changes ...func(*config.Config)) *Relay {
	t.Helper()
	none := func(string) (string, bool) { return "", false }
	c, err := config.Load(config.Sources{Env: none, Flags: map[string]string{"data": t.TempDir(), "port": "0"}})
	if err != nil {
		t.Fatal(err)
	}
	c.MaxRequestsPerSecond = 0
	for _, change := range changes {
		change(&c)
	}
	r := &Relay{Config: c, t: t}
	r.Start()
	r.client = client.New(client.Options{BaseURL: r.URL})
	t.Cleanup(func() {
		r.Stop()
		r.client.Close()
	})
	return r
}

// Client returns a client of the relay. It works again after a restart.
func (r *Relay) Client() *client.Client { return r.client }

// NewToken makes a token and returns its secret. The first one turns tokens on;
// Client then has one of its own that may do everything. Call it before Client is
// in use.
func (r *Relay) NewToken(t token.Token) (secret string) {
	r.t.Helper()
	tokens := token.Open(filepath.Join(r.Config.Data, token.File))
	mint := func(t token.Token) string {
		secret, err := tokens.New(t)
		if err != nil {
			r.t.Fatalf("making a token: %v", err)
		}
		return secret
	}
	if _, on, _ := tokens.List(); !on {
		r.client.Close()
		r.client = client.New(client.Options{BaseURL: r.URL, Token: mint(token.Token{Name: "the test itself"})})
	}
	return mint(t)
}

// Log is the log of the running relay, without a door.
func (r *Relay) Log() *relay.Log { return r.server.Log() }

// Start starts a stopped relay on the same port, with the same data.
func (r *Relay) Start() {
	r.t.Helper()
	s, err := server.Open(context.Background(), server.Options{Config: r.Config, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		r.t.Fatalf("starting a relay: %v", err)
	}
	r.server = s
	if r.URL == "" {
		r.URL = s.URL()
		r.Config.Port = s.Addr().(*net.TCPAddr).Port
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.done = cancel, make(chan error, 1)
	go func() { r.done <- s.Serve(ctx) }()
}

// Stop stops the relay as SIGTERM does. A stopped relay stays stopped.
func (r *Relay) Stop() {
	r.t.Helper()
	if r.server == nil {
		return
	}
	r.cancel()
	r.wait()
}

// Kill cuts every connection and stops without an orderly end, as far as that
// is possible within one process.
func (r *Relay) Kill() {
	r.t.Helper()
	if err := r.server.Close(); err != nil {
		r.t.Errorf("killing the relay: %v", err)
	}
	r.cancel()
	r.wait()
}

// Restart is Stop and Start.
func (r *Relay) Restart() {
	r.t.Helper()
	r.Stop()
	r.Start()
}

func (r *Relay) wait() {
	r.t.Helper()
	if err := <-r.done; err != nil {
		r.t.Errorf("stopping the relay: %v", err)
	}
	r.server = nil
}

// Post posts a message as a door would and returns it.
func (r *Relay) Post(target, sender, text string) relay.Message {
	r.t.Helper()
	p, err := r.client.Post(context.Background(), relay.Draft{Target: target, Sender: sender, Text: text})
	if err != nil {
		r.t.Fatalf("posting to %s: %v", target, err)
	}
	return *p.Message
}
