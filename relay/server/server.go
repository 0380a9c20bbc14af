// Package server puts a relay together and runs it: the data folder with its
// lock and store, the logs, the doors behind the guard, and a listener. Open
// does everything that can fail, Serve runs until it is told to stop.
//
//	s, err := server.Open(ctx, server.Options{Config: c})
//	...
//	err = s.Serve(ctx) // until ctx ends, then stops in order
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"autoreview/relay"
	"autoreview/relay/config"
	"autoreview/relay/token"
)

// stopTime bounds how long requests may take to end after the stop. Streams and
// waits end at once and a post takes the time of a commit; what is left then
// is clients that are slow to send, and they are cut off.
const stopTime = 700 * time.Millisecond

// Options are the settings of a Server.
type Options struct {
	// Config is the relay's configuration, from config.Load.
	Config config.Config
	// Logger gets what an operator wants to know; nil is silent.
	Logger *slog.Logger
	// Version is the program's, told to clients; "" means "dev".
	Version string
}

// Server is a relay that listens. Make one with Open, then Serve or Close it.
type Server struct {
	config   config.Config
	logger   *slog.Logger
	data     *Data
	journal  *journal
	log      *relay.Log
	info     relay.Info
	tokens   *token.Store
	meter    *meter
	listener net.Listener
	http     *http.Server
	// stored counts messages for the retention; grown tells it that there are many
	// new ones and holds at most one token.
	stored atomic.Int64
	grown  chan struct{}
	// stop ends streams and waits, and the retention.
	stop    context.CancelFunc
	stopped context.Context
	closing sync.Once
	closed  error
}

// Open locks the data folder, opens the store and the logs, and listens. From
// then on connections are accepted; they are answered once Serve runs. The
// error is a *LockedError or a *PortError when another program is in the way, and
// an *ExposedError when everybody would be let in from elsewhere.
func Open(ctx context.Context, o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	s := &Server{config: o.Config, logger: o.Logger, grown: make(chan struct{}, 1)}
	s.stopped, s.stop = context.WithCancel(context.Background())
	if err := s.open(ctx, o); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

func (s *Server) open(ctx context.Context, o Options) (err error) {
	c := o.Config
	// The lock comes before the port: of the two things that a second relay
	// finds taken it is the one that knows who has it.
	if s.data, err = OpenData(ctx, c.Data, o.Logger); err != nil {
		return err
	}
	if s.tokens, err = openTokens(c); err != nil {
		return err
	}
	if s.listener, err = listen(ctx, c.Addr()); err != nil {
		return err
	}
	if s.info, err = s.data.Store.Info(ctx); err != nil {
		return fmt.Errorf("reading the log's id: %w", err)
	}
	if s.journal, err = openJournal(c, o.Logger); err != nil {
		return err
	}
	s.meter = newMeter(o.Version)
	s.log = relay.New(timed{s.data.Store, s.meter}, relay.Options{
		Limits: relay.Limits{TextBytes: c.MaxTextBytes},
		Posted: s.posted,
		Redact: redactor(c.Redact),
	})
	s.meter.waits(s.log)
	handler, err := s.handler(o)
	if err != nil {
		return err
	}
	s.http = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	if c.TLSCert != "" {
		certificate, err := openCertificate(c.TLSCert, c.TLSKey, o.Logger)
		if err != nil {
			return err
		}
		s.listener = tls.NewListener(s.listener, certificate.tlsConfig())
	}
	s.data.setOwner(s.URL())
	return nil
}

// URL is the address of the page, without a trailing slash. For a relay that
// listens on all addresses it is the loopback one.
func (s *Server) URL() string {
	scheme := "http://"
	if s.config.TLSCert != "" {
		scheme = "https://"
	}
	return scheme + addressOf(s.config.Host, s.listener)
}

// Addr is the address it listens on, with the real port.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Log is the log itself, for readers in the same process.
func (s *Server) Log() *relay.Log { return s.log }

// Info is the identity of the log and its head at the start.
func (s *Server) Info() relay.Info { return s.info }

// Serve answers requests until ctx ends, then stops in order: streams and waits
// end at once, requests in flight are answered, the store is closed. A post is
// answered or refused, never left half-done. It returns nil after such a stop
// and may be called once.
func (s *Server) Serve(ctx context.Context) error {
	s.sayExposure()
	s.journal.events.Info("relay_started", "url", s.URL(), "log_id", s.info.LogID, "head_id", s.info.Head)
	var retention sync.WaitGroup
	retention.Go(func() { s.retain(s.stopped) })
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	var err error
	select {
	case err = <-failed:
		if errors.Is(err, http.ErrServerClosed) { // by Close
			err = nil
		} else {
			err = fmt.Errorf("serving: %w", err)
		}
	case <-ctx.Done():
		s.drain()
		<-failed
	}
	s.stop()
	retention.Wait()
	s.journal.events.Info("relay_stopped")
	return errors.Join(err, s.Close())
}

// drain ends the streams first, as Shutdown would wait for them, and then gives
// the requests in flight their time.
func (s *Server) drain() {
	s.stop()
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		s.logger.Warn("cutting off slow requests", "err", err)
		_ = s.http.Close()
	}
}

// Close stops at once: connections are cut, posts in flight are committed or
// refused but may go unanswered, and the store is closed. A Serve that runs
// returns. After Serve has returned it does nothing.
func (s *Server) Close() error {
	s.closing.Do(func() { s.closed = s.release() })
	return s.closed
}

// release gives back what open has taken, in the reverse order.
func (s *Server) release() error {
	s.stop()
	var errs []error
	if s.http != nil {
		errs = append(errs, s.http.Close())
	}
	if s.listener != nil {
		if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if s.data != nil {
		errs = append(errs, s.data.Close())
	}
	if s.journal != nil {
		errs = append(errs, s.journal.close())
	}
	return errors.Join(errs...)
}
