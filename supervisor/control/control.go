// Package control is the door through which the commands status, show, logs,
// retry, cancel, pause and resume reach a supervisor that runs. It serves HTTP
// with JSON on a socket in the state folder that only the user can open, and is
// a client of it.
//
//	s, err := control.Open(ctx, control.Options{Dir: stateDir, Supervisor: sup})
//	defer s.Close()
//
//	c, err := control.Dial(ctx, stateDir) // in another process
//	status, err := c.Status(ctx, 10)
//
// Where there can be no such socket (on Windows, or when its path would be too
// long) it listens on a loopback port, and a private file in the state folder
// says which and holds a random token that every request must bring.
package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"autoreview/relay/guard"
	"autoreview/supervisor"
)

// Options are what a Server works with. Dir and Supervisor are required.
type Options struct {
	// Dir is the state folder, which the caller has locked.
	Dir        string
	Supervisor *supervisor.Supervisor
	// Version is the program's.
	Version string
	// Metrics are served when they are not nil: on the socket and, when it is not
	// "", on the loopback address MetricsAddr.
	Metrics     *Metrics
	MetricsAddr string
	// Profile serves net/http/pprof as well.
	Profile bool
	// Logger is silent when nil.
	Logger *slog.Logger
}

// Server answers until Close.
type Server struct {
	o       Options
	started time.Time
	door    *door
	// streams ends what would go on for ever.
	streams context.Context
	end     context.CancelFunc
	servers []*http.Server
	serving sync.WaitGroup
}

// Open listens and answers from then on.
func Open(ctx context.Context, o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{o: o, started: time.Now()}
	s.streams, s.end = context.WithCancel(context.Background())
	var err error
	if s.door, err = openDoor(ctx, o.Dir); err != nil {
		s.end()
		return nil, fmt.Errorf("opening the control socket: %w", err)
	}
	if o.Metrics != nil {
		o.Metrics.watch(o.Supervisor)
	}
	s.serve(s.door.listener, s.door.admit(s.routes()))
	if o.MetricsAddr != "" {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", o.MetricsAddr)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listening on metrics_addr: %w", err), s.Close())
		}
		mux := http.NewServeMux()
		s.measures(mux)
		s.serve(l, guard.New(guard.Options{Logger: o.Logger})(mux))
		o.Logger.Info("serving metrics", "url", "http://"+l.Addr().String()+"/metrics")
	}
	return s, nil
}

func (s *Server) serve(l net.Listener, h http.Handler) {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(s.o.Logger.Handler(), slog.LevelDebug),
	}
	s.servers = append(s.servers, srv)
	s.serving.Go(func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.o.Logger.Error("control stopped", "err", err)
		}
	})
}

// stopTime bounds how long requests may take to end.
const stopTime = time.Second

// Close ends the streams, gives requests a moment, and takes the socket away.
func (s *Server) Close() error {
	s.end()
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	for _, srv := range s.servers {
		if srv.Shutdown(ctx) != nil {
			_ = srv.Close()
		}
	}
	s.serving.Wait()
	return s.door.close()
}

// routes lists everything that is served on the control socket.
func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("GET /v1/runs", s.runs)
	mux.HandleFunc("GET /v1/jobs/latest", s.latest)
	mux.HandleFunc("GET /v1/jobs/{job}", s.job)
	mux.HandleFunc("GET /v1/jobs/{job}/lines", s.lines)
	mux.HandleFunc("POST /v1/jobs/{job}/retry", s.ask(s.o.Supervisor.Retry))
	mux.HandleFunc("POST /v1/jobs/{job}/cancel", s.ask(s.o.Supervisor.Cancel))
	mux.HandleFunc("POST /v1/watches/{watch}/pause", s.tell(s.o.Supervisor.Pause))
	mux.HandleFunc("POST /v1/watches/{watch}/resume", s.tell(s.o.Supervisor.Resume))
	s.measures(mux)
	return mux
}

// measures are the routes for those who measure.
func (s *Server) measures(mux *http.ServeMux) {
	if s.o.Metrics != nil {
		mux.Handle("GET /metrics", s.o.Metrics.handler())
	}
	if s.o.Profile {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
}
