// Package api is the relay's REST and SSE door: everything below /api/, the
// probes /healthz and /readyz, the reference at /docs and /openapi.json, and
// the JSON answers to whatever else is asked for. docs/api.md is its manual.
//
// A handler decodes the request, calls one verb of the log and encodes the
// answer; the rules are the log's. Every answer carries the log's id in the
// header X-Relay-Log. The guard package stands before it and bounds how long a
// body may take to arrive. Every error is {"ok":false,"error":"..."}: the text
// of an *relay.Error as it is, "internal error" for any other, which is logged.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"autoreview/relay"
)

// HeaderLog carries the log's id on every answer.
const HeaderLog = "X-Relay-Log"

// HeaderSource is how a client that is not the page names itself on a POST, for
// the activity log: 1 to 32 characters of a-z, 0-9, ".", "_" and "-".
const HeaderSource = "X-Relay-Source"

// MaxWait is the longest that one request may wait for a message.
const MaxWait = 55 * time.Second

// Log is what the door opens on: a *relay.Log, or a relay elsewhere by way of
// the client package.
type Log interface {
	Post(ctx context.Context, d relay.Draft) (relay.Posted, error)
	Read(ctx context.Context, q relay.Query) (relay.Page, error)
	Wait(ctx context.Context, q relay.Query, d time.Duration) (relay.Page, error)
	Channels(ctx context.Context) ([]relay.Channel, error)
	Info(ctx context.Context) (relay.Info, error)
	Check(ctx context.Context) error
}

// Options are the settings of a door.
type Options struct {
	// Log is required.
	Log Log
	// Channels are the configured channels; they are listed also before their
	// first message.
	Channels []string
	// MaxTextBytes is the log's limit on a text; 0 means
	// relay.DefaultTextBytes. It bounds the body of a POST, see MaxBodyBytes.
	MaxTextBytes int
	// Stop ends all streams and waits when it is done: a stream closes, a wait
	// answers what it would at its time-out. Posts are not affected. nil means
	// never.
	Stop context.Context
	// Heartbeat is how long a stream stays silent before it sends a comment;
	// 0 means 15 s.
	Heartbeat time.Duration
	// EventTimeout bounds how long the client of a stream may take to accept
	// one event before it is dropped; 0 means 30 s.
	EventTimeout time.Duration
	// Logger gets what clients must not see; nil is silent.
	Logger *slog.Logger
	// Version is the program's, shown at /docs; "" shows none.
	Version string
}

// MaxBodyBytes is the largest body of a POST for a given limit on the text (0
// means relay.DefaultTextBytes). JSON may need six bytes for one of the text,
// as in "\u001b"; a text within its limit is taken however it was encoded.
func MaxBodyBytes(maxTextBytes int) int64 {
	if maxTextBytes <= 0 {
		maxTextBytes = relay.DefaultTextBytes
	}
	const slack = 64 << 10 // the names, the key, white space, unknown fields
	return 6*(int64(maxTextBytes)+relay.MaxMetaBytes) + slack
}

// server is the door. Its fields are set once; it is safe for concurrent use.
type server struct {
	log     Log
	opts    Options
	slog    *slog.Logger
	maxBody int64
	docs    page
	mux     *http.ServeMux
	logID   atomic.Pointer[string]
}

// New returns the door.
func New(o Options) http.Handler {
	if o.Stop == nil {
		o.Stop = context.Background()
	}
	o.Heartbeat = orDefault(o.Heartbeat, 15*time.Second)
	o.EventTimeout = orDefault(o.EventTimeout, 30*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &server{log: o.Log, opts: o, slog: o.Logger, maxBody: MaxBodyBytes(o.MaxTextBytes), docs: newDocs(o.Version)}
	s.mux = s.routes()
	return s
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

// routes lists everything that is served. A pattern without a method catches
// the methods that the ones above it do not; GET includes HEAD.
func (s *server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /api/messages", s.door(s.messages))
	mux.Handle("POST /api/messages", s.door(s.post))
	mux.Handle("/api/messages", s.door(wrongMethod("GET, HEAD, POST")))
	mux.Handle("GET /api/channels", s.door(s.channels))
	mux.Handle("/api/channels", s.door(wrongMethod("GET, HEAD")))
	mux.Handle("GET /api/stream", s.door(s.stream))
	mux.Handle("/api/stream", s.door(wrongMethod("GET, HEAD")))
	mux.Handle("GET /api/whoami", s.door(s.whoami))
	mux.Handle("/api/whoami", s.door(wrongMethod("GET, HEAD")))
	mux.Handle("GET /healthz", s.door(s.healthz))
	mux.Handle("/healthz", s.door(wrongMethod("GET, HEAD")))
	mux.Handle("GET /readyz", s.door(s.readyz))
	mux.Handle("/readyz", s.door(wrongMethod("GET, HEAD")))
	mux.Handle("GET /docs", s.door(s.docs.serve))
	mux.Handle("/docs", s.door(wrongMethod("GET, HEAD")))
	mux.Handle("GET /openapi.json", s.door(serveOpenAPI))
	mux.Handle("/openapi.json", s.door(wrongMethod("GET, HEAD")))
	mux.Handle("/", s.door(nothingHere))
	return mux
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if id := s.knownLogID(r.Context()); id != "" {
		w.Header().Set(HeaderLog, id)
	}
	// The mux would answer such a path with a redirect in HTML.
	if p := r.URL.Path; !strings.HasPrefix(p, "/") || path.Clean(p) != p {
		s.door(nothingHere).ServeHTTP(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// knownLogID returns the log's id. It never changes, so it is asked for once.
func (s *server) knownLogID(ctx context.Context) string {
	if id := s.logID.Load(); id != nil {
		return *id
	}
	info, err := s.log.Info(ctx)
	if err != nil {
		s.slog.Warn("log id not available", "err", err)
		return ""
	}
	s.logID.Store(&info.LogID)
	return info.LogID
}

// untilStop returns a context that also ends, with errStopping as its cause,
// when the door is told to stop. The caller calls the function it returns.
func (s *server) untilStop(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	unhook := context.AfterFunc(s.opts.Stop, func() { cancel(errStopping) })
	return ctx, func() {
		unhook()
		cancel(nil)
	}
}
