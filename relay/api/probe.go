package api

import (
	"errors"
	"net/http"

	"autoreview/relay"
)

// healthz says that the process answers, nothing more.
func (s *server) healthz(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	send(w, http.StatusOK, []byte("ok"))
	return nil
}

// readyz says whether a message posted now could be stored.
func (s *server) readyz(w http.ResponseWriter, r *http.Request) error {
	if s.opts.Stop.Err() != nil {
		return &relay.Error{Code: relay.CodeUnavailable, Text: errStopping.Error()}
	}
	err := s.log.Check(r.Context())
	if err == nil {
		return answer(w, http.StatusOK, map[string]bool{"ok": true})
	}
	if _, ok := errors.AsType[*relay.Error](err); !ok {
		s.slog.Error("log not writable", "err", err)
		err = errors.New("the log cannot be written to")
	}
	return &relay.Error{Code: relay.CodeUnavailable, Text: err.Error()}
}
