package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"syscall"
)

// checkPort says who has the relay's port on this machine, which tells a relay
// from a program that is in its way.
func checkPort(ctx context.Context, s *snapshot) Result {
	if !s.configured() || !isLocal(s.cfg.Relay) {
		return nothing
	}
	a := s.relay()
	host, port := hostPort(s.cfg.Relay)
	free := portFree(ctx, host, port)
	who := portOwner(port)
	switch {
	case a.there() && who == "":
		return ok("port %d is the relay's", port)
	case a.there():
		return ok("port %d is the relay's: %s", port, who)
	case free:
		return ok("port %d is free for a relay", port)
	case who == "":
		who = "another program"
	}
	return fail(fmt.Sprintf("port %d is taken by %s", port, who), "a relay cannot listen there: "+a.err.Error(),
		fmt.Sprintf("end that program, or use another port: relay = \"http://127.0.0.1:%d\" in the configuration", port+1))
}

func hostPort(base string) (host string, port int) {
	u, err := url.Parse(base)
	if err != nil {
		return "127.0.0.1", 80
	}
	port, err = strconv.Atoi(u.Port())
	if err != nil {
		port = 80
	}
	return u.Hostname(), port
}

// portFree says whether nobody listens. It knocks and does not listen itself,
// which could get into the way of a relay that starts just now.
func portFree(ctx context.Context, host string, port int) bool {
	conn, err := (&net.Dialer{Timeout: askTime}).DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, errRefusedWindows)
	}
	_ = conn.Close()
	return false
}

// errRefusedWindows is WSAECONNREFUSED.
const errRefusedWindows = syscall.Errno(10061)
