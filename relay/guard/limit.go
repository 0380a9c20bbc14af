package guard

import (
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// mostClients bounds what is remembered of clients. Past it everything is
// forgotten: memory is worth more than a bound on someone who has that many
// addresses.
const mostClients = 100_000

// rate bounds how often each client may do something: burst times at once, and
// then once in every. It is safe for concurrent use.
type rate struct {
	every time.Duration
	burst int

	mu      sync.Mutex
	clients map[string]account // :: client → its account; guarded by mu
	sweepAt int                // size of clients at which it is cleaned; guarded by mu
}

// account is how far ahead a client is: it may be up to burst times every ahead
// of the clock. One whose paid has passed is as good as none.
type account struct {
	paid time.Time
	told bool // its refusal was logged
}

// newRate returns a rate of so many times in a unit; nil, which bounds nothing,
// when times is 0.
func newRate(times int, unit time.Duration, burst int) *rate {
	if times <= 0 {
		return nil
	}
	return &rate{every: unit / time.Duration(times), burst: burst, clients: make(map[string]account), sweepAt: 1024}
}

// take counts one time. wait is 0, or how long until there is another; first
// says that the client was not refused right before.
func (l *rate) take(client string, now time.Time) (wait time.Duration, first bool) {
	if l == nil {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweepLocked(now)
	a := l.clients[client]
	if a.paid.Before(now) {
		a.paid = now
	}
	wait = a.paid.Add(l.every).Sub(now) - time.Duration(l.burst)*l.every
	if wait > 0 {
		first, a.told = !a.told, true
		l.clients[client] = a
		return wait, first
	}
	l.clients[client] = account{paid: a.paid.Add(l.every)}
	return 0, false
}

// sweepLocked forgets who has nothing to be remembered for.
func (l *rate) sweepLocked(now time.Time) {
	if len(l.clients) < l.sweepAt {
		return
	}
	for client, a := range l.clients {
		if !a.paid.After(now) {
			delete(l.clients, client)
		}
	}
	if len(l.clients) >= mostClients {
		clear(l.clients)
	}
	l.sweepAt = max(1024, 2*len(l.clients))
}

// places bounds how many requests are open at once, for each client and in
// all; 0 bounds nothing. It is safe for concurrent use.
type places struct {
	perClient, all int

	mu    sync.Mutex
	taken map[string]int // :: client → its open requests; guarded by mu
	total int            // guarded by mu
}

// take opens a request. The refusal is nil when there was a place; leave gives
// that back.
func (p *places) take(client string) (leave func(), no *refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.perClient > 0 && p.taken[client] >= p.perClient:
		return nil, tooManyOpen(p.perClient, "for one client")
	case p.all > 0 && p.total >= p.all:
		return nil, tooManyOpen(p.all, "in all")
	}
	if p.taken == nil {
		p.taken = make(map[string]int)
	}
	p.taken[client]++
	p.total++
	return func() { p.leave(client) }, nil
}

func (p *places) leave(client string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total--
	if p.taken[client]--; p.taken[client] == 0 {
		delete(p.taken, client)
	}
}

// long reports whether a request may stay open for long: streams, waits, and
// the calls of tools, some of which wait.
func long(r *http.Request) bool {
	switch r.URL.Path {
	case "/api/stream":
		return true
	case "/mcp":
		return r.Method == http.MethodPost
	case "/api/messages":
		return r.URL.Query().Has("wait")
	}
	return false
}

// address is who asks, without a token. Of IPv6 the network counts: one
// machine has all the addresses in it.
func address(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return "address unknown"
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.Is6() && !ip.IsLoopback() {
		network, _ := ip.Prefix(64)
		return "address " + network.String()
	}
	return "address " + ip.String()
}
