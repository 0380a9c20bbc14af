package mcptools

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/server"
)

// New returns the handler of the MCP endpoint: stateless streamable HTTP.
// There is no listening stream, as the server never speaks first: a GET is
// answered 405.
func New(o Options) http.Handler {
	o = o.filled()
	return handle(newServer(o, false), o)
}

// handle serves s over HTTP; o is filled.
func handle(s *server.MCPServer, o Options) http.Handler {
	h := server.NewStreamableHTTPServer(s,
		server.WithStateLess(true),
		server.WithDisableStreaming(true),
		// The guard in front of this handler knows which hosts are allowed.
		server.WithDisableLocalhostProtection(true),
		server.WithHTTPContextFunc(apart(s)),
		server.WithStreamableHTTPLogger(o.Logger))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodDelete:
			h.ServeHTTP(w, r) // some clients end a session even if they have none
		case http.MethodPost:
			if buffer(w, r, o.maxRequestBytes()) {
				h.ServeHTTP(flushing(w), r)
			}
		default:
			w.Header().Set("Allow", "POST, DELETE")
			refuse(w, http.StatusMethodNotAllowed, "this endpoint takes POST only: there is no listening stream")
		}
	})
}

// buffer reads the body of r, which mcp-go would do without a limit. It answers
// and returns false when there is no body to go on with.
func buffer(w http.ResponseWriter, r *http.Request, most int) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(most)))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the request is larger than %d bytes", tooLarge.Limit))
		return false
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "the request ended early")
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return true
}

func refuse(w http.ResponseWriter, status int, text string) {
	body, _ := encode(map[string]any{"ok": false, "error": text})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// apart keeps the requests of a stateless server apart. All of them have the
// session id "", and mcp-go finds what notifications/cancelled names by session
// and request id: one client's cancellation of its request 7 would end another
// client's. With an id for each request it ends none; a client that wants to
// end a call closes its connection.
func apart(s *server.MCPServer) server.HTTPContextFunc {
	var requests atomic.Int64
	return func(ctx context.Context, _ *http.Request) context.Context {
		id := "request-" + strconv.FormatInt(requests.Add(1), 10)
		return s.WithContext(ctx, session{server.ClientSessionFromContext(ctx), id})
	}
}

type session struct {
	server.ClientSession
	id string
}

func (s session) SessionID() string { return s.id }

// writeTime bounds how long a client may take to accept what is written.
const writeTime = 30 * time.Second

// flushing makes w an http.Flusher. mcp-go looks for that interface itself and
// streams nothing through a wrapper which only has Unwrap. Each write has a
// deadline of its own: a wait may go on for longer than any one of them.
func flushing(w http.ResponseWriter) http.ResponseWriter {
	return flusher{w, http.NewResponseController(w)}
}

type flusher struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Write implements http.ResponseWriter.
func (f flusher) Write(p []byte) (int, error) {
	f.extend()
	return f.ResponseWriter.Write(p)
}

// Flush implements http.Flusher.
func (f flusher) Flush() {
	f.extend()
	_ = f.control.Flush()
}

// extend moves the deadline on. Not every writer knows deadlines.
func (f flusher) extend() { _ = f.control.SetWriteDeadline(time.Now().Add(writeTime)) }

// Unwrap serves http.ResponseController.
func (f flusher) Unwrap() http.ResponseWriter { return f.ResponseWriter }
