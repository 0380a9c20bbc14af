package api

import (
	"net/http"

	"autoreview/relay"
)

// whoamiBody is the answer to GET /api/whoami. An empty list is no restriction;
// without a token the name is empty.
type whoamiBody struct {
	Name     string   `json:"name"`
	Senders  []string `json:"senders"`
	Channels []string `json:"channels"`
	ReadOnly bool     `json:"read_only"`
}

func (s *server) whoami(w http.ResponseWriter, r *http.Request) error {
	a, _ := relay.AccessFrom(r.Context())
	return answer(w, http.StatusOK, whoamiBody{
		Name: a.Name, ReadOnly: a.ReadOnly,
		Senders: append([]string{}, a.Senders...), Channels: append([]string{}, a.Channels...),
	})
}
