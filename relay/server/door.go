package server

import (
	"fmt"
	"net/http"
	"path"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"autoreview/relay"
	"autoreview/relay/api"
	"autoreview/relay/guard"
	"autoreview/relay/mcptools"
	"autoreview/relay/web"
)

// handler is everything that is served: the three doors behind the guard. Every
// answer names the log, the guard's refusals too.
func (s *Server) handler(o Options) (http.Handler, error) {
	c := o.Config
	limits := guard.Options{
		AllowedHosts:   c.AllowedHosts,
		AllowedOrigins: c.AllowedOrigins,
		MaxBodyBytes:   api.MaxBodyBytes(c.MaxTextBytes),
		Logger:         o.Logger,
		Tokens:         s.tokens,

		MaxRequestsPerSecond: c.MaxRequestsPerSecond,
		MaxStreams:           c.MaxStreams,
		MaxStreamsPerClient:  c.MaxStreamsPerClient,
	}
	if err := limits.Check(); err != nil {
		return nil, fmt.Errorf("setting up the guard: %w", err)
	}
	mcp := mcptools.New(mcptools.Options{
		Log: s.log, Channels: c.Channels, Limits: relay.Limits{TextBytes: c.MaxTextBytes},
		Stop: s.stopped, Logger: o.Logger, Version: o.Version, Fetched: s.journal.fetched,
	})
	page := web.New(web.Options{Log: s.log, Version: o.Version, Logger: o.Logger})
	rest := api.New(api.Options{
		Log: s.log, Channels: c.Channels, MaxTextBytes: c.MaxTextBytes,
		Stop: s.stopped, Logger: o.Logger, Version: o.Version,
	})
	mux := http.NewServeMux()
	mux.Handle("/mcp", mcp)
	mux.Handle("/{$}", page)
	mux.Handle("/assets/", page)
	mux.Handle("/ui/", page)
	mux.Handle("/api/stream", promhttp.InstrumentHandlerInFlight(s.meter.streams, rest))
	mux.Handle("/", rest)
	s.measures(mux)
	return s.named(guard.New(limits)(exact(mux, rest))), nil
}

// exact leaves paths that are not in their shortest form to rest, which says that
// there is nothing. The mux would redirect, and a client would post again to
// where it is led.
func exact(mux, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := r.URL.Path
		if short := path.Clean("/" + p); p != short && p != short+"/" {
			rest.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// named sets the log's id on every answer, by which clients tell this relay
// from the original server.
func (s *Server) named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(api.HeaderLog, s.info.LogID)
		next.ServeHTTP(w, r)
	})
}
