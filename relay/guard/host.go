package guard

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// authority is a host and a port as they stand in a Host header. The host is in
// lower case and an IPv6 literal has its shortest form without brackets. The
// port is "" when none was given.
type authority struct{ host, port string }

// parseAuthority reads "name", "name:port", "[v6]" or "[v6]:port".
func parseAuthority(s string) (authority, bool) {
	if rest, ok := strings.CutPrefix(s, "["); ok {
		literal, after, closed := strings.Cut(rest, "]")
		addr, err := netip.ParseAddr(literal)
		if !closed || err != nil || !addr.Is6() {
			return authority{}, false
		}
		port, ok := parsePort(after)
		return authority{addr.String(), port}, ok
	}
	host := s
	var after string
	if i := strings.IndexByte(s, ':'); i >= 0 {
		host, after = s[:i], s[i:]
	}
	port, ok := parsePort(after)
	return authority{strings.ToLower(host), port}, ok && validName(host)
}

// parsePort reads what follows a host: nothing, ":" or ":port".
func parsePort(s string) (string, bool) {
	if s == "" || s == ":" {
		return "", true
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(s, ":"), 10, 16)
	if s[0] != ':' || err != nil || n == 0 {
		return "", false
	}
	return strconv.FormatUint(n, 10), true
}

func validName(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return s != ""
}

// hostRule accepts one host, on every port and on none when port is "".
type hostRule struct{ host, port string }

func loopback() []hostRule {
	return []hostRule{{host: "127.0.0.1"}, {host: "localhost"}, {host: "::1"}}
}

// parseHostRule reads an entry of Options.AllowedHosts.
func parseHostRule(entry string) (hostRule, error) {
	s := strings.TrimSuffix(strings.TrimSpace(entry), ":*")
	if addr, err := netip.ParseAddr(s); err == nil && addr.Is6() {
		return hostRule{host: addr.String()}, nil
	}
	a, ok := parseAuthority(s)
	if !ok {
		return hostRule{}, fmt.Errorf("%q is not of the form host, host:* or host:port", entry)
	}
	return hostRule(a), nil
}

// matches reports whether the rule accepts a. Clients leave out the port that
// their scheme implies, so a rule for 80 or 443 also accepts no port.
func (r hostRule) matches(a authority) bool {
	if r.host != a.host {
		return false
	}
	return r.port == "" || r.port == a.port || a.port == "" && (r.port == "80" || r.port == "443")
}
