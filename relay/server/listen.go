package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"autoreview/relay/client"
)

// PortError says that the address to listen on is taken.
type PortError struct {
	Addr string
	// Who is what answers there, in words.
	Who string
	// Relay says that it is a relay, or the original server.
	Relay bool
}

// Error names the address and what answers there.
func (e *PortError) Error() string {
	return fmt.Sprintf("the address %s is in use by %s", e.Addr, e.Who)
}

// Hint says what the user can do.
func (e *PortError) Hint() string {
	if e.Relay {
		return "use that one, stop it first, or listen on another port with --port"
	}
	return "listen on another port with --port"
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err == nil {
		return l, nil
	}
	if !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, errAddrInUseWindows) {
		return nil, fmt.Errorf("listening: %w", err)
	}
	return nil, whoListens(ctx, addr)
}

// errAddrInUseWindows is WSAEADDRINUSE.
const errAddrInUseWindows = syscall.Errno(10048)

func whoListens(ctx context.Context, addr string) error {
	e := &PortError{Addr: addr, Who: "another program that is not a relay"}
	c := client.New(client.Options{BaseURL: "http://" + dialable(addr), Timeout: 2 * time.Second})
	defer c.Close()
	info, err := c.Info(ctx)
	switch {
	case err == nil && info.LogID == client.OriginalLog:
		e.Who, e.Relay = "the original Python server", true
	case err == nil:
		e.Who, e.Relay = fmt.Sprintf("a relay that is already running (log %s)", info.LogID), true
	case refusedByGuard(err):
		e.Who, e.Relay = "a relay that is already running", true
	}
	return e
}

// refusedByGuard reports whether a relay answered, if only to say no.
func refusedByGuard(err error) bool {
	s, ok := errors.AsType[*client.StatusError](err)
	return ok && s.Err != nil && s.Status != http.StatusNotFound
}

// dialable turns an address to listen on into one to connect to.
func dialable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	switch ip := net.ParseIP(host); {
	case host == "" || ip != nil && ip.IsUnspecified() && ip.To4() != nil:
		host = "127.0.0.1"
	case ip != nil && ip.IsUnspecified():
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}

// addressOf is where a listener can be reached from this machine.
func addressOf(host string, l net.Listener) string {
	port := l.Addr().(*net.TCPAddr).Port
	return dialable(net.JoinHostPort(host, strconv.Itoa(port)))
}

// loopback reports whether only this machine can reach the host.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
