package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"autoreview/relay/client"
	relayconfig "autoreview/relay/config"
	"autoreview/relay/server"
)

// probeTime is how long a relay has to answer before it counts as not there.
const probeTime = 2 * time.Second

// Two windows that are opened together both find no relay. The one that is
// second to the data folder waits openingTime for the first one's relay to answer,
// and looks every lookAgain.
const (
	openingTime = 10 * time.Second
	lookAgain   = 50 * time.Millisecond
)

// host keeps a relay answering at an address: it is content with any that does,
// and opens one in this process when there is none.
type host struct {
	url    string
	config relayconfig.Config
	log    *slog.Logger

	running chan struct{} // closed when the relay it opened has ended; nil for none
}

// hostRelay makes sure that a relay answers at base, now and each time that
// lost says otherwise. An address where no relay can be opened here (another
// machine's) is left alone. stop ends a relay that was opened here, in order.
func hostRelay(ctx context.Context, base string, f runFlags, lost <-chan struct{}, log *slog.Logger) (stop func(), err error) {
	flags, ok := listenFlags(base)
	if !ok {
		return func() {}, nil
	}
	if f.relayData != "" {
		flags["data"] = f.relayData
	}
	cfg, err := relayconfig.Load(relayconfig.Sources{Path: f.relayFile, Flags: flags})
	if err != nil {
		return nil, err
	}
	// The relay outlives the supervisor: what is being posted gets its answer.
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	h := &host{url: base, config: cfg, log: log}
	if err := h.ensure(ctx, serving); err != nil {
		cancel()
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.follow(ctx, serving, lost)
	}()
	return func() {
		<-done
		cancel()
		if h.running != nil {
			<-h.running
		}
	}, nil
}

// follow ensures a relay each time one was lost, until ctx ends.
func (h *host) follow(ctx, serving context.Context, lost <-chan struct{}) {
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-lost:
		}
		err := h.ensure(ctx, serving)
		switch {
		case err == nil:
			said = ""
		case ctx.Err() == nil && err.Error() != said:
			h.log.Warn("cannot host a relay, trying again", "err", err)
			said = err.Error()
		}
	}
}

// ensure opens a relay when none answers. The relay serves until serving ends.
func (h *host) ensure(ctx, serving context.Context) error {
	if h.running != nil {
		select {
		case <-h.running:
			h.running = nil
		default:
			return nil
		}
	}
	for end := time.Now().Add(openingTime); ; {
		if h.answers(ctx) {
			return nil
		}
		err := h.open(ctx, serving)
		switch {
		case err == nil || ctx.Err() != nil:
			return err
		case h.answers(ctx): // another one was faster
			return nil
		case !h.opening(err) || !time.Now().Before(end):
			return withHint(err)
		}
		if !sleep(ctx, lookAgain) {
			return context.Cause(ctx)
		}
	}
}

// opening reports whether err says that the data folder is in use by a relay
// that may answer at our address in a moment: it does not listen yet, or it
// listens there.
func (h *host) opening(err error) bool {
	locked, ok := errors.AsType[*server.LockedError](err)
	return ok && (locked.Owner.URL == "" || locked.Owner.URL == h.url)
}

// sleep waits for d and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// open opens a relay in this process.
func (h *host) open(ctx, serving context.Context) error {
	s, err := server.Open(ctx, server.Options{Config: h.config, Logger: h.log, Version: version()})
	if err != nil {
		return err
	}
	running := make(chan struct{})
	go func() {
		defer close(running)
		if err := s.Serve(serving); err != nil {
			h.log.Error("hosted relay ended", "err", err)
		}
	}()
	h.running = running
	h.log.Info("hosting a relay", "url", s.URL(), "data", h.config.Data, "tokens", s.TokensOn())
	return nil
}

func (h *host) answers(ctx context.Context) bool {
	c := client.New(client.Options{BaseURL: h.url, Timeout: probeTime})
	defer c.Close()
	_, err := c.Info(ctx)
	// One that refuses us is there all the same.
	return err == nil || client.Denied(err)
}

// withHint carries over what the relay's own errors know to do.
func withHint(err error) error {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return hintError{fmt.Errorf("hosting a relay: %w", err), h.Hint()}
	}
	return fmt.Errorf("hosting a relay: %w", err)
}

// listenFlags are the relay's host and port for an address of this machine; ok
// is false for any other.
func listenFlags(base string) (flags map[string]string, ok bool) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" {
		return nil, false
	}
	ip := net.ParseIP(u.Hostname())
	if u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, false
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	return map[string]string{"host": u.Hostname(), "port": port}, true
}
