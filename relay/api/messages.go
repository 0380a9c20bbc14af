package api

import (
	"context"
	"errors"
	"net/http"

	"autoreview/relay"
)

// pageBody is the answer to GET /api/messages.
type pageBody struct {
	Target   string          `json:"target"`
	Messages []relay.Message `json:"messages"`
	LatestID int64           `json:"latest_id"`
	OldestID int64           `json:"oldest_id"`
	HeadID   int64           `json:"head_id"`
}

// postedBody is the answer to POST /api/messages.
type postedBody struct {
	OK        bool           `json:"ok"`
	Posted    int64          `json:"posted"`
	Message   *relay.Message `json:"message"`
	Duplicate bool           `json:"duplicate,omitempty"`
}

func (s *server) messages(w http.ResponseWriter, r *http.Request) error {
	req, err := parsePage(r.URL.RawQuery)
	if err != nil {
		return err
	}
	p, err := s.read(r.Context(), req)
	if err != nil {
		return err
	}
	messages := p.Messages
	if messages == nil {
		messages = []relay.Message{} // a list on the wire, also when it is empty
	}
	return answer(w, http.StatusOK, pageBody{req.query.Targets[0], messages, p.LatestID, p.OldestID, p.Head})
}

func (s *server) read(ctx context.Context, req pageRequest) (relay.Page, error) {
	if req.wait == 0 {
		return s.log.Read(ctx, req.query)
	}
	until, done := s.untilStop(ctx)
	defer done()
	p, err := s.log.Wait(until, req.query, req.wait)
	if errors.Is(err, errStopping) {
		return s.log.Read(ctx, req.query)
	}
	return p, err
}

func (s *server) post(w http.ResponseWriter, r *http.Request) error {
	d, err := s.draft(w, r)
	if err != nil {
		return err
	}
	p, err := s.log.Post(r.Context(), d)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if p.Duplicate {
		status = http.StatusOK
	}
	return answer(w, status, postedBody{OK: true, Posted: p.ID, Message: p.Message, Duplicate: p.Duplicate})
}
