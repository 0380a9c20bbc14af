package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"autoreview/relay"
)

// errStopping is why a wait or a stream ended early.
var errStopping = errors.New("the relay is stopping")

// answerTimeout bounds how long a client may take to accept an answer that is
// no stream.
const answerTimeout = 2 * time.Minute

// refusal is an error of HTTP itself. What the log refuses is an *relay.Error.
type refusal struct {
	status int
	text   string
}

func (e *refusal) Error() string { return e.text }

func invalid(field, format string, args ...any) error {
	return &relay.Error{Code: relay.CodeInvalid, Field: field, Text: fmt.Sprintf(format, args...)}
}

// errorBody is the answer to everything that went wrong.
type errorBody struct {
	OK    bool   `json:"ok"`
	Error string `json:"error"`
	Field string `json:"field,omitempty"`
}

// door turns a handler that may fail into an http.Handler. A handler that has
// begun its answer returns nil.
func (s *server) door(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// fail is the one place where an error becomes an answer.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if e, ok := errors.AsType[*relay.Error](err); ok {
		status := statusOf(e.Code)
		switch status {
		case http.StatusServiceUnavailable:
			w.Header().Set("Retry-After", "1")
		case http.StatusUnauthorized:
			w.Header().Set("WWW-Authenticate", `Bearer realm="relay"`)
		}
		_ = answer(w, status, errorBody{Error: e.Text, Field: e.Field})
		return
	}
	if e, ok := errors.AsType[*refusal](err); ok {
		_ = answer(w, e.status, errorBody{Error: e.text})
		return
	}
	if r.Context().Err() != nil {
		s.slog.Debug("request abandoned", "method", r.Method, "path", r.URL.Path, "err", err)
		_ = answer(w, http.StatusServiceUnavailable, errorBody{Error: "the request ended before its answer"})
		return
	}
	s.slog.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	_ = answer(w, http.StatusInternalServerError, errorBody{Error: "internal error"})
}

func statusOf(c relay.Code) int {
	switch c {
	case relay.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case relay.CodeUnavailable:
		return http.StatusServiceUnavailable
	case relay.CodeUnauthorized:
		return http.StatusUnauthorized
	case relay.CodeForbidden:
		return http.StatusForbidden
	default:
		return http.StatusBadRequest
	}
}

// answer writes v as JSON. It fails only when v cannot be encoded, and then
// nothing has been written; a client that is gone is nobody's error.
func answer(w http.ResponseWriter, status int, v any) error {
	body, err := encode(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	send(w, status, append(body, '\n'))
	return nil
}

// encode returns v as one line of JSON. Unlike json.Marshal it leaves <, > and &
// as they are, which diffs are full of.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding the answer: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func send(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	// Not every writer knows deadlines, and the body is sent all the same.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func nothingHere(_ http.ResponseWriter, r *http.Request) error {
	return &refusal{http.StatusNotFound, fmt.Sprintf("there is nothing at %s, see /docs", r.URL.Path)}
}

func wrongMethod(allowed string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Allow", allowed)
		return &refusal{http.StatusMethodNotAllowed, fmt.Sprintf("method %s is not allowed here, only %s", r.Method, allowed)}
	}
}
