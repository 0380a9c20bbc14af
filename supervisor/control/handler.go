package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"

	"autoreview/supervisor"
	"autoreview/supervisor/record"
)

const (
	// askTime bounds a request that waits for a run to end.
	askTime = time.Minute
	// lineTime is how long a reader may take for a line.
	lineTime = 30 * time.Second
)

// problem is the answer to what cannot be done.
type problem struct {
	OK    bool   `json:"ok"`
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	st, err := s.o.Supervisor.View().Status(r.Context(), number(r, "ended"))
	st.PID, st.Version, st.Started = os.Getpid(), s.o.Version, s.started
	s.answer(w, st, err)
}

func (s *Server) runs(w http.ResponseWriter, r *http.Request) {
	runs, err := s.o.Supervisor.View().Runs(r.Context(), number(r, "limit"))
	s.answer(w, runs, err)
}

// latest is the answer of /v1/jobs/latest; Job is 0 when there is none.
type latest struct {
	Job int64 `json:"job"`
}

func (s *Server) latest(w http.ResponseWriter, r *http.Request) {
	id, _, err := s.o.Supervisor.View().Latest(r.Context())
	s.answer(w, latest{id}, err)
}

func (s *Server) job(w http.ResponseWriter, r *http.Request) {
	j, err := s.o.Supervisor.View().Job(r.Context(), jobID(r))
	s.answer(w, j, err)
}

// ask handles what is asked of a job.
func (s *Server) ask(do func(context.Context, int64) (supervisor.JobStatus, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), askTime)
		defer cancel()
		j, err := do(ctx, jobID(r))
		s.answer(w, j, err)
	}
}

// tell handles what is asked of a watch.
func (s *Server) tell(do func(context.Context, string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.answer(w, struct {
			OK bool `json:"ok"`
		}{true}, do(r.Context(), r.PathValue("watch")))
	}
}

// lines streams the steps of a job, a JSON object a line. An error after the
// first is the last line, with the field error.
func (s *Server) lines(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.streams, cancel)()
	out, enc := http.NewResponseController(w), json.NewEncoder(w)
	begun := false
	err := s.o.Supervisor.View().Follow(ctx, jobID(r), r.FormValue("wait") == "1", func(l record.Line) error {
		if !begun {
			w.Header().Set("Content-Type", "application/x-ndjson")
			begun = true
		}
		_ = out.SetWriteDeadline(time.Now().Add(lineTime))
		if err := enc.Encode(l); err != nil {
			return err
		}
		return out.Flush()
	})
	switch {
	case err == nil || r.Context().Err() != nil:
	case s.streams.Err() != nil:
		_ = enc.Encode(problem{Error: "the supervisor has been stopped"})
	case begun:
		_ = enc.Encode(problem{Error: err.Error()})
	default:
		s.answer(w, nil, err)
	}
}

// answer sends v, or says why it cannot be had. Who asks is the user, so every
// error is told in full.
func (s *Server) answer(w http.ResponseWriter, v any, err error) {
	w.Header().Set("Content-Type", "application/json")
	var refused *supervisor.Refusal
	switch {
	case errors.As(err, &refused) && refused.Unknown:
		w.WriteHeader(http.StatusNotFound)
	case errors.As(err, &refused):
		w.WriteHeader(http.StatusConflict)
	case err != nil:
		s.o.Logger.Error("control request failed", "err", err)
		w.WriteHeader(http.StatusInternalServerError)
	}
	if err != nil {
		p := problem{Error: err.Error()}
		if refused != nil {
			p.Hint = refused.Hint
		}
		v = p
	}
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

// jobID is 0, the id of no job, for what is no number.
func jobID(r *http.Request) int64 {
	id, _ := strconv.ParseInt(r.PathValue("job"), 10, 64)
	return id
}

// number is 0 for what is no number.
func number(r *http.Request, name string) int {
	n, _ := strconv.Atoi(r.FormValue(name))
	return n
}
