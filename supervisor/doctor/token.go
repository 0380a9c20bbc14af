package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// identity is what the relay says about who asks.
type identity struct {
	asked      bool
	needsToken bool     // it lets in nobody without one
	refused    int      // the status that our token got; 0 when it was let in
	known      bool     // the rest was told
	Name       string   `json:"name"`
	Senders    []string `json:"senders"`
	Channels   []string `json:"channels"`
	ReadOnly   bool     `json:"read_only"`
}

// askWhoami asks with our token and without one.
func (s *snapshot) askWhoami() identity {
	if !s.relay().there() {
		return identity{}
	}
	bare, err := s.get(s.ctx, "/api/channels", "")
	if err != nil {
		return identity{}
	}
	id := identity{asked: true, needsToken: denied(bare.StatusCode)}
	if s.token() == "" {
		return id
	}
	ctx, cancel := context.WithTimeout(s.ctx, askTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.cfg.Relay+"/api/whoami", nil)
	if err != nil {
		return id
	}
	req.Header.Set("Authorization", "Bearer "+s.token())
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return id
	}
	defer resp.Body.Close()
	if denied(resp.StatusCode) {
		id.refused = resp.StatusCode
		return id
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	id.known = err == nil && resp.StatusCode == http.StatusOK && json.Unmarshal(body, &id) == nil
	return id
}

func denied(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusTooManyRequests
}

// checkToken says whether the relay needs a token, and whether ours may do what
// the watches do.
func checkToken(_ context.Context, s *snapshot) Result {
	id := s.whoami()
	name := s.cfg.TokenEnv
	const make = "relay token new --name autoreview, export its secret in a variable where autoreview is started, and name the variable with token_env"
	switch {
	case !id.asked:
		return nothing
	case !id.needsToken && name == "":
		return ok("the relay needs no token")
	case !id.needsToken:
		return ok("the relay needs no token; token_env is %s all the same", name)
	case name == "":
		return fail("the relay needs a token and there is none", "token_env is not set", make)
	case s.token() == "":
		return fail("the relay needs a token and there is none", fmt.Sprintf("token_env is %s, and that variable is not set here", name),
			"export "+name+"=... where autoreview is started")
	case id.refused == http.StatusTooManyRequests:
		return warn("the relay takes no more tries now", "there were too many requests without a valid token", "wait a minute and try again")
	case id.refused != 0:
		return fail("the relay refuses the token in "+name, fmt.Sprintf("it answers %d: revoked, expired or another relay's", id.refused), make)
	case !id.known:
		return ok("the relay takes the token in %s", name)
	}
	return s.judgeToken(id)
}

// judgeToken says what of the watches' work a token does not allow.
func (s *snapshot) judgeToken(id identity) Result {
	var parts []Result
	const fix = "make one that may: relay token new --senders … --channels …"
	if id.ReadOnly {
		parts = append(parts, fail(fmt.Sprintf("the token %q is read-only", id.Name), "no review could be posted with it", fix))
	}
	for _, w := range s.cfg.Watches {
		if len(id.Senders) > 0 && !slices.Contains(id.Senders, w.ReplyAs) {
			parts = append(parts, fail(fmt.Sprintf("the token %q may not post as %s", id.Name, w.ReplyAs), "the reviews are posted under that name", fix))
		}
		if len(id.Channels) > 0 && !slices.Contains(id.Channels, w.Channel) {
			parts = append(parts, fail(fmt.Sprintf("the token %q has no access to the channel %s", id.Name, w.Channel), "a watch is on it", fix))
		}
	}
	return worst(fmt.Sprintf("the relay takes the token in %s, it is %q", s.cfg.TokenEnv, id.Name), parts...)
}
