package web

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"autoreview/relay"
)

// pageLimit is how many messages /ui/messages answers with at most. It is lower
// than the API's limit because the answer is parsed while a person waits.
const pageLimit = 100

// message is a message as the page shows it: the wire form of the API with html
// in the place of text, which may be megabytes.
type message struct {
	relay.Message
	// Text hides the one of relay.Message.
	Text      any    `json:"text,omitempty"`
	HTML      string `json:"html"`
	TextBytes int    `json:"text_bytes"`
	// Truncated says that html has only the beginning of the text.
	Truncated bool `json:"truncated,omitempty"`
}

type messagePage struct {
	Target   string    `json:"target"`
	Messages []message `json:"messages"`
	LatestID int64     `json:"latest_id"`
	OldestID int64     `json:"oldest_id"`
	relay.Info
}

// messages answers GET /ui/messages. target, limit, since_id and before_id mean
// what they mean in GET /api/messages, but target is required and limit is at
// most pageLimit.
func (s *server) messages(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p, err := s.log.Read(r.Context(), q)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	out := messagePage{Target: q.Targets[0], LatestID: p.LatestID, OldestID: p.OldestID, Info: p.Info}
	out.Messages = make([]message, 0, len(p.Messages))
	for _, m := range p.Messages {
		html, err := s.html.render(r.Context(), messageKey{p.LogID, m.ID}, m.Text)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		out.Messages = append(out.Messages, message{
			Message: m, HTML: html.HTML, Truncated: html.Truncated, TextBytes: len(m.Text),
		})
	}
	w.Header().Set("X-Relay-Log", p.LogID)
	writeJSON(w, http.StatusOK, out)
}

func parseQuery(v url.Values) (relay.Query, error) {
	q := relay.Query{Targets: v["target"], Limit: pageLimit, Newest: !v.Has("since_id")}
	if len(q.Targets) != 1 || q.Targets[0] == "" {
		return q, badQuery("target", "target is required")
	}
	var limit int64
	for name, to := range map[string]*int64{"since_id": &q.Since, "before_id": &q.Before, "limit": &limit} {
		if !v.Has(name) {
			continue
		}
		n, err := strconv.ParseInt(v.Get(name), 10, 64)
		if err != nil || n < 0 {
			return q, badQuery(name, fmt.Sprintf("%s must be a whole number, not %q", name, v.Get(name)))
		}
		*to = n
	}
	if v.Has("since_id") && v.Has("before_id") {
		return q, badQuery("since_id", "since_id and before_id cannot be used together")
	}
	if v.Has("limit") {
		q.Limit = int(min(max(limit, 1), pageLimit))
	}
	return q, nil
}

func badQuery(field, text string) error {
	return &relay.Error{Code: relay.CodeInvalid, Field: field, Text: text}
}

// text answers GET /ui/text/{id}: all of a message's text, never as HTML.
func (s *server) text(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		s.fail(w, r, badQuery("id", fmt.Sprintf("id must be a whole number, not %q", r.PathValue("id"))))
		return
	}
	p, err := s.log.Read(r.Context(), relay.Query{Since: id - 1, Limit: 1})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if len(p.Messages) == 0 || p.Messages[0].ID != id {
		writeError(w, http.StatusNotFound, "id", fmt.Sprintf("there is no message %d", id))
		return
	}
	w.Header().Set("X-Relay-Log", p.LogID)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, p.Messages[0].Text)
}
