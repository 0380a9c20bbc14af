package api

import (
	"context"
	"errors"
	"net/http"

	"autoreview/relay"
)

// streamPage is how many messages a stream holds in memory at most.
const streamPage = 50

// helloBody is the data of a stream's first event.
type helloBody struct {
	relay.Info
	OldestID int64 `json:"oldest_id"`
}

// stream sends messages as they are committed. Replay and live are one loop
// over Wait from the stream's own cursor: a slow client is late and misses
// nothing, and nothing is buffered for it.
func (s *server) stream(w http.ResponseWriter, r *http.Request) error {
	req, err := parseStream(r.URL.RawQuery, r.Header.Get("Last-Event-ID"))
	if err != nil {
		return err
	}
	hello, err := s.start(r.Context(), &req)
	if err != nil {
		return err
	}
	setStreamHeaders(w.Header())
	if r.Method == http.MethodHead {
		return nil
	}
	ctx, done := s.untilStop(r.Context())
	defer done()
	events := newEventWriter(w, s.opts.EventTimeout)
	defer events.hurry(ctx)()
	s.ended(r, s.follow(ctx, events, req.query, hello))
	return nil
}

func setStreamHeaders(h http.Header) {
	h.Set("Content-Type", "text/event-stream")
	// Without these a proxy may keep the events to itself.
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no")
}

// start settles the cursor that the stream begins at. A cursor past the head
// was taken from another log: waiting for this one to reach it would be
// deafness, so the stream starts at now and hello says in which log.
func (s *server) start(ctx context.Context, req *streamRequest) (helloBody, error) {
	p, err := s.log.Read(ctx, relay.Query{Targets: req.query.Targets, Newest: true, Limit: 1})
	if err != nil {
		return helloBody{}, err
	}
	if !req.resume || req.query.Since > p.Head {
		req.query.Since = p.Head
	}
	return helloBody{p.Info, p.OldestID}, nil
}

// follow returns only with an error: the stream's context ended, its client is
// gone, or the log cannot be read.
func (s *server) follow(ctx context.Context, events *eventWriter, q relay.Query, hello helloBody) error {
	if err := events.send(ctx, "hello", q.Since, hello); err != nil {
		return err
	}
	for {
		if err := events.flush(); err != nil {
			return err
		}
		p, err := s.log.Wait(ctx, q, s.opts.Heartbeat)
		if err != nil {
			return err
		}
		if err := sendPage(ctx, events, p); err != nil {
			return err
		}
		q.Since = p.LatestID
	}
}

func sendPage(ctx context.Context, events *eventWriter, p relay.Page) error {
	if len(p.Messages) == 0 {
		return events.heartbeat(ctx)
	}
	for _, m := range p.Messages {
		if err := events.send(ctx, "message", m.ID, m); err != nil {
			return err
		}
	}
	return nil
}

// ended logs why a stream is over. There is no event for it: the client
// reconnects with its cursor whatever the reason was.
func (s *server) ended(r *http.Request, err error) {
	if r.Context().Err() != nil || errors.Is(err, errStopping) || errors.Is(err, errClientGone) {
		s.slog.Debug("stream ended", "remote", r.RemoteAddr, "err", err)
		return
	}
	if e, ok := errors.AsType[*relay.Error](err); ok {
		s.slog.Info("stream ended by the log", "remote", r.RemoteAddr, "err", e)
		return
	}
	s.slog.Error("stream failed", "remote", r.RemoteAddr, "err", err)
}
