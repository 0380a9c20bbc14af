package guard

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// gate decides about requests. What it knows of clients is all in memory and
// bounded.
type gate struct {
	policy
	tokens   Tokens
	failures *rate // requests without a valid token
	requests *rate
	perSec   int
	open     places
}

func newGate(o Options) *gate {
	return &gate{
		policy:   newPolicy(o),
		tokens:   o.Tokens,
		failures: newRate(1, deniedEvery, deniedBurst),
		requests: newRate(o.MaxRequestsPerSecond, time.Second, 2*o.MaxRequestsPerSecond),
		perSec:   o.MaxRequestsPerSecond,
		open:     places{perClient: o.MaxStreamsPerClient, all: o.MaxStreams},
	}
}

// admit lets a request in or refuses it. What is let in has its access in its
// context and its whole body in memory; leave must be called at its end.
func (g *gate) admit(w http.ResponseWriter, r *http.Request) (_ *http.Request, leave func(), no *refusal) {
	if no := g.judgeSource(r); no != nil {
		return r, nil, no
	}
	r, client, no := g.identify(r)
	if no != nil {
		return r, nil, no
	}
	if no := g.limited(r, client); no != nil {
		return r, nil, no
	}
	if no := g.judgeContent(r); no != nil {
		return r, nil, no
	}
	leave = func() {}
	if long(r) {
		if leave, no = g.open.take(client); no != nil {
			return r, nil, no
		}
	}
	if r, no = g.whole(w, r); no != nil {
		leave()
		return r, nil, no
	}
	return r, leave, nil
}

// limited bounds how often a client asks. The probe is left out: who watches
// the relay must hear from it most of all when it is busy.
func (g *gate) limited(r *http.Request, client string) *refusal {
	if r.URL.Path == "/healthz" {
		return nil
	}
	wait, first := g.requests.take(client, time.Now())
	if wait <= 0 {
		return nil
	}
	return &refusal{status: http.StatusTooManyRequests, text: fmt.Sprintf("too many requests: at most %d in a second for one client", g.perSec), retry: wait, quiet: !first}
}

func tooManyOpen(most int, of string) *refusal {
	return &refusal{status: http.StatusTooManyRequests, text: fmt.Sprintf("too many open streams and waits: at most %d %s", most, of), retry: 5 * time.Second}
}

// retryAfter is a time as the header has it, in full seconds.
func retryAfter(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}
