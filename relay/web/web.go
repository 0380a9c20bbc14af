// Package web is the page of the relay: one embedded HTML file with its scripts
// and styles, and the two endpoints that only the page needs.
//
//	GET /                     the page
//	GET /assets/{hash}/{file} its files, cached for ever; /assets/{file} is
//	                          the same, revalidated
//	GET /ui/messages          messages of a channel as safe HTML
//	GET /ui/text/{id}         the text of a message as it was posted
//
// Markdown is rendered and sanitised here, never in the browser, and nothing is
// loaded from anywhere else. Everything else the page does, it does over the
// REST API and the stream that any client gets.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"autoreview/relay"
)

// csp lets the page run its own files and talk to its own origin, and nothing
// more. Even a hole in the sanitiser would find no script to run: there are no
// inline scripts or styles, and strings become HTML in one named place.
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types relay"

// Reader is what the page reads messages with. relay.Log and relay/client.Client
// are Readers.
type Reader interface {
	Read(ctx context.Context, q relay.Query) (relay.Page, error)
}

var _ Reader = (*relay.Log)(nil)

// Options are the settings of the page.
type Options struct {
	// Log is where messages are read; it is required.
	Log Reader
	// Version is shown in the footer; "" shows none.
	Version string
	// Logger gets what fails inside; nil is silent.
	Logger *slog.Logger
}

type server struct {
	log    Reader
	logger *slog.Logger
	html   *htmlCache
}

// New returns the handler of "/", "/assets/" and "/ui/". It is safe for
// concurrent use and holds a bounded cache of rendered messages.
func New(o Options) http.Handler {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &server{log: o.Log, logger: o.Logger, html: newHTMLCache()}
	files := loadAssets(o.Version)

	mux := http.NewServeMux()
	get(mux, "/{$}", files.page)
	get(mux, "/assets/{path...}", files.serve)
	get(mux, "/ui/messages", s.messages)
	get(mux, "/ui/text/{id}", s.text)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, "", "there is nothing at this address")
	})
	return secured(mux)
}

// get routes GET and HEAD to h and answers any other method in JSON.
func get(mux *http.ServeMux, pattern string, h http.HandlerFunc) {
	mux.HandleFunc("GET "+pattern, h)
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", "GET, HEAD")
		writeError(w, http.StatusMethodNotAllowed, "", r.Method+" is not allowed here")
	})
}

func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", csp)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// fail answers an error of a verb: its text when it was written for the client,
// and "internal error" otherwise.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var e *relay.Error
	switch {
	case !errors.As(err, &e):
		if r.Context().Err() == nil {
			s.logger.Error("reading messages for the page", "path", r.URL.Path, "err", err)
		}
		writeError(w, http.StatusInternalServerError, "", "internal error")
	case e.Code == relay.CodeUnavailable:
		writeError(w, http.StatusServiceUnavailable, e.Field, e.Text)
	case e.Code == relay.CodeUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="relay"`)
		writeError(w, http.StatusUnauthorized, e.Field, e.Text)
	case e.Code == relay.CodeForbidden:
		writeError(w, http.StatusForbidden, e.Field, e.Text)
	default:
		writeError(w, http.StatusBadRequest, e.Field, e.Text)
	}
}

func writeError(w http.ResponseWriter, status int, field, text string) {
	writeJSON(w, status, struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
		Field string `json:"field,omitempty"`
	}{Error: text, Field: field})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	// Escaping would make each angle bracket of a message's HTML six bytes long,
	// and helps only where JSON is put into a script.
	enc.SetEscapeHTML(false)
	// Its only error is of a reader who has gone.
	_ = enc.Encode(v)
}
