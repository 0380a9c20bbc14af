package guard

import (
	"errors"
	"net/http"
	"path"
	"strings"
	"time"

	"autoreview/relay"
)

// Tokens says who may ask. It is safe for concurrent use.
type Tokens interface {
	// Access returns what the bearer of a secret may do, or nil when no tokens
	// are needed. secret is "" when the request has none. A *relay.Error says
	// why somebody is not let in; with any other error nobody is.
	Access(secret string) (*relay.Access, error)
}

// Requests without a valid token are answered 401, so many at once and then
// one in so long, and 429 past that. A valid token is never refused for what
// others did at the same address, which for local agents is all of them: of 256
// random bits nobody guesses one, and the bound only keeps the log readable.
const (
	deniedBurst = 30
	deniedEvery = 2 * time.Second
)

// needsToken leaves out the probe, and the page with its files: one must be
// able to load it to log in. They show nothing of the log.
func needsToken(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return true
	}
	p := r.URL.Path
	file := strings.HasPrefix(p, "/assets/") && path.Clean(p) == p
	return p != "/" && p != "/healthz" && !file
}

// identify finds out who asks. It returns the request with its access, and by
// what the client is told apart.
func (g *gate) identify(r *http.Request) (_ *http.Request, client string, no *refusal) {
	if g.tokens == nil || !needsToken(r) {
		return r, address(r), nil
	}
	access, err := g.tokens.Access(bearer(r.Header))
	if err != nil {
		return r, "", g.denied(r, err)
	}
	if access == nil {
		return r, address(r), nil
	}
	return r.WithContext(relay.WithAccess(r.Context(), *access)), "token " + access.Name, nil
}

// bearer is the secret of a request, "" when there is none or it is not clear
// which one it is.
func bearer(h http.Header) string {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return ""
	}
	scheme, secret, _ := strings.Cut(strings.TrimSpace(values[0]), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(secret)
}

func (g *gate) denied(r *http.Request, err error) *refusal {
	e, ok := errors.AsType[*relay.Error](err)
	if !ok {
		return &refusal{status: http.StatusServiceUnavailable, text: "the relay cannot read its tokens, its own log says more", retry: time.Second, cause: err}
	}
	if wait, first := g.failures.take(address(r), time.Now()); wait > 0 {
		return &refusal{status: http.StatusTooManyRequests, text: "too many requests without a valid token", retry: wait, quiet: !first}
	}
	return &refusal{status: http.StatusUnauthorized, text: e.Text, challenge: true}
}
