package api

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"autoreview/relay"
)

// channelsBody is the answer to GET /api/channels.
type channelsBody struct {
	Channels []string `json:"channels"`
}

// detailsBody is the answer to GET /api/channels?details=1.
type detailsBody struct {
	channelsBody
	Details []relay.Channel `json:"details"`
	relay.Info
}

func (s *server) channels(w http.ResponseWriter, r *http.Request) error {
	details, err := parseDetails(r.URL.RawQuery)
	if err != nil {
		return err
	}
	observed, err := s.log.Channels(r.Context())
	if err != nil {
		return err
	}
	all := union(relay.Readable(r.Context(), s.opts.Channels), observed)
	body := channelsBody{names(all)}
	if !details {
		return answer(w, http.StatusOK, body)
	}
	info, err := s.log.Info(r.Context())
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, detailsBody{body, all, info})
}

func parseDetails(rawQuery string) (bool, error) {
	p := parseParams(rawQuery)
	if !p.has("details") {
		return false, p.err
	}
	details, err := strconv.ParseBool(p.v.Get("details"))
	if err != nil {
		p.refuse("details", "details must be 1 or 0, not %q", clip(p.v.Get("details")))
	}
	return details, p.err
}

// union lists the observed channels and the configured ones that have had no
// message, by name and each once.
func union(configured []string, observed []relay.Channel) []relay.Channel {
	all := slices.Clone(observed)
	for _, name := range configured {
		if name = strings.TrimSpace(name); name != "" {
			all = append(all, relay.Channel{Name: name})
		}
	}
	// Stable: of two with one name the observed one comes first and stays.
	slices.SortStableFunc(all, func(a, b relay.Channel) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b relay.Channel) bool { return a.Name == b.Name })
}

func names(list []relay.Channel) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = c.Name
	}
	return out
}
