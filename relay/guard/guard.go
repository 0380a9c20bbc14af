// Package guard stands before every route of the relay and keeps out what a
// web page of another origin can send: requests for a name that is not ours
// (DNS rebinding), requests that carry a foreign Origin or come from another
// site, and POSTs that a browser may send without asking first. It also bounds
// every request body and sets the security headers that hold for all answers.
//
// With tokens on it lets nobody in without one, but for the probe and the page
// to log in on, and puts what the token's bearer may do into the request's
// context, where the log asks for it. It bounds how often each client asks and
// how many streams and waits it holds.
//
// Refusals are JSON, {"ok":false,"error":"..."}, in this order: 421 for the
// Host, 403 for the Origin, 401 for the token, 429 for the rate, 415 for the
// content type, 413 for the size, 429 for the open requests, 408 for a body that
// does not arrive. The guard runs before the door behind it, which gets the body
// whole, so its statuses win.
package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// DefaultMaxBodyBytes bounds a request body unless Options say otherwise. A
// message of the default size limit fits however its JSON is escaped.
const DefaultMaxBodyBytes = 32 << 20

// Options are the settings of a guard. The zero Options admit loopback names
// only.
type Options struct {
	// AllowedHosts are names in the Host header that are accepted besides
	// 127.0.0.1, localhost and [::1]: "name" or "name:*" for any port and
	// none, "name:port" for one. IPv6 literals may be written with or without
	// brackets. Call Check to find entries that are none of these; New leaves
	// them out.
	AllowedHosts []string
	// AllowedOrigins are accepted in the Origin header besides the request's
	// own scheme://host:port, such as "https://relay.example" for a proxy that
	// ends TLS. They are not given CORS headers: a page of another origin
	// still cannot read the answers.
	AllowedOrigins []string
	// MaxBodyBytes bounds a request body; 0 means DefaultMaxBodyBytes.
	MaxBodyBytes int64
	// BodyTimeout bounds how long a body may take to arrive; 0 means 30 s.
	BodyTimeout time.Duration
	// AnswerTimeout bounds how long a client may take to accept an answer; 0
	// means 2 min. A door that answers for longer moves the deadline on with
	// each write.
	AnswerTimeout time.Duration
	// PageRoutes are the paths that a link on another site may lead to; nil
	// means "/" and "/docs".
	PageRoutes []string
	// Tokens says who may ask; nil lets everybody.
	Tokens Tokens
	// MaxRequestsPerSecond bounds how often one client may ask, over some time;
	// twice as many may come at once. A client is a token, or else an address. 0
	// is no bound.
	MaxRequestsPerSecond int
	// MaxStreamsPerClient and MaxStreams bound the streams, waits and calls of tools
	// that are open at once, of one client and in all; 0 is no bound.
	MaxStreamsPerClient, MaxStreams int
	// Logger gets one line per refusal; nil is silent.
	Logger *slog.Logger
}

// Check reports every entry of AllowedHosts and AllowedOrigins that could never
// match. The error is for the person who wrote the configuration.
func (o Options) Check() error {
	var errs []error
	for _, h := range o.AllowedHosts {
		if _, err := parseHostRule(h); err != nil {
			errs = append(errs, fmt.Errorf("allowed_hosts: %w", err))
		}
	}
	for _, origin := range o.AllowedOrigins {
		if _, ok := normalOrigin(origin); !ok {
			errs = append(errs, fmt.Errorf("allowed_origins: %q is not of the form scheme://host or scheme://host:port", origin))
		}
	}
	return errors.Join(errs...)
}

// New returns the middleware. All handlers that it wraps share its limits. It is
// safe for concurrent use.
func New(o Options) func(http.Handler) http.Handler {
	g := newGate(o)
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			setSecurityHeaders(w.Header())
			// Not every writer knows deadlines, and the answer is given anyway.
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(g.answerTime))
			r, leave, no := g.admit(w, r)
			if no != nil {
				no.log(log, r)
				no.answer(w, r)
				return
			}
			defer leave()
			next.ServeHTTP(w, r)
		})
	}
}

// setSecurityHeaders sets what holds for every answer. A page that has a
// Content-Security-Policy of its own replaces this one; X-Frame-Options still
// keeps it out of frames then.
func setSecurityHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}

// refusal is the answer to a request that does not get through.
type refusal struct {
	status int
	text   string
	// retry, if not 0, is when it may be tried again.
	retry time.Duration
	// challenge says that a token would help.
	challenge bool
	// quiet keeps it out of the log, where the same stands already.
	quiet bool
	// cause is what the client must not see.
	cause error
}

func (no *refusal) answer(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	if no.retry > 0 {
		h.Set("Retry-After", retryAfter(no.retry))
	}
	if no.challenge {
		h.Set("WWW-Authenticate", `Bearer realm="relay"`)
	}
	if r.ContentLength != 0 {
		// net/http would wait for the rest of the body, and for ever.
		h.Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Second))
	}
	w.WriteHeader(no.status)
	// The client may be gone; nobody is left to tell.
	_ = json.NewEncoder(w).Encode(struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}{Error: no.text})
}

func (no *refusal) log(log *slog.Logger, r *http.Request) {
	if no.cause != nil {
		log.Error("request refused", "reason", no.text, "status", no.status, "path", r.URL.Path, "err", no.cause)
		return
	}
	if no.quiet {
		return
	}
	log.Warn("request refused", "reason", no.text, "status", no.status, "method", r.Method, "path", r.URL.Path,
		"host", r.Host, "origin", r.Header.Get("Origin"), "site", r.Header.Get("Sec-Fetch-Site"), "remote", r.RemoteAddr)
}
