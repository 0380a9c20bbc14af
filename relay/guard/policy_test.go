package guard

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestHostAllowed(t *testing.T) {
	allowed := []string{"10.0.0.5", "box:8010", "proxy:443", "Relay.Example:*", "fe80::1", "[fe80::2]:9000", "2001:db8:0:0::7:*"}
	tests := []struct {
		host string
		want bool
	}{
		{"127.0.0.1", true}, {"127.0.0.1:8010", true}, {"localhost", true}, {"LocalHost:1", true}, {"[::1]", true}, {"[::1]:8010", true},
		{"[0:0:0:0:0:0:0:1]:8010", true}, {"localhost:", true},
		{"10.0.0.5", true}, {"10.0.0.5:80", true}, {"10.0.0.5:8010", true},
		{"box:8010", true}, {"box", false}, {"box:8011", false},
		{"proxy", true}, {"proxy:443", true}, {"proxy:80", false},
		{"relay.example", true}, {"RELAY.example:7", true},
		{"[fe80::1]", true}, {"[FE80::1]:5", true}, {"[fe80::2]:9000", true}, {"[fe80::2]", false}, {"[2001:db8::7]:8010", true},
		{"", false}, {":8010", false}, {"evil.example", false}, {"127.0.0.1.evil.example", false}, {"localhost.evil.example:8010", false},
		{"evil.example:8010", false}, {"evil@localhost", false}, {"localhost@evil", false}, {"localhost:8010:8010", false}, {"::1", false}, {"::1:8010", false},
		{"[::1", false}, {"[::1]x", false}, {"[127.0.0.1]", false}, {"[localhost]", false}, {"localhost:0", false}, {"localhost:65536", false},
		{"localhost:+80", false}, {"localhost:8o", false}, {"127.0.0.2", false}, {"127.1", false}, {"0.0.0.0", false}, {"localhost.", false},
		{"local host", false}, {"localhost/", false}, {"localhost#", false}, {"[::ffff:127.0.0.1]", false},
	}
	p := newPolicy(Options{AllowedHosts: allowed})
	for _, tt := range tests {
		if got := p.hostAllowed(tt.host); got != tt.want {
			t.Errorf("hostAllowed(%q): got %v, want %v", tt.host, got, tt.want)
		}
	}
	for _, host := range []string{"10.0.0.5", "box:8010", "[fe80::1]"} {
		if newPolicy(Options{}).hostAllowed(host) {
			t.Errorf("hostAllowed(%q) with no allowed hosts: got true", host)
		}
	}
}

// head is the part of a request that the origin rules look at.
type head struct {
	method, path, host string
	tls                bool
	origin             []string
	site, mode, dest   string
}

func (h head) request() *http.Request {
	if h.method == "" {
		h.method = http.MethodGet
	}
	if h.path == "" {
		h.path = "/api/messages"
	}
	r := httptest.NewRequest(h.method, h.path, nil)
	r.Host = h.host
	if r.Host == "" {
		r.Host = "127.0.0.1:8010"
	}
	if h.tls {
		r.TLS = &tls.ConnectionState{}
	}
	for _, o := range h.origin {
		r.Header.Add("Origin", o)
	}
	for name, v := range map[string]string{"Sec-Fetch-Site": h.site, "Sec-Fetch-Mode": h.mode, "Sec-Fetch-Dest": h.dest} {
		if v != "" {
			r.Header.Set(name, v)
		}
	}
	return r
}

func TestOriginAllowed(t *testing.T) {
	origin := func(s ...string) []string { return s }
	tests := []struct {
		name string
		head head
		want bool
	}{
		{"a program sends nothing", head{}, true},
		{"a program posts", head{method: "POST"}, true},
		{"own origin", head{origin: origin("http://127.0.0.1:8010")}, true},
		{"own origin in capitals", head{origin: origin("HTTP://127.0.0.1:8010")}, true},
		{"own origin, implied port", head{host: "localhost", origin: origin("http://localhost:80")}, true},
		{"own origin, implied port in Host", head{host: "localhost:80", origin: origin("http://localhost")}, true},
		{"own origin, IPv6", head{host: "[::1]:8010", origin: origin("http://[::1]:8010")}, true},
		{"own origin over TLS", head{tls: true, host: "localhost", origin: origin("https://localhost")}, true},
		{"own origin, other site header", head{origin: origin("http://127.0.0.1:8010"), site: "cross-site"}, true},
		{"allowed origin", head{origin: origin("https://relay.example"), site: "cross-site"}, true},
		{"allowed origin of another scheme", head{origin: origin("vscode-webview://abc")}, true},
		{"foreign origin", head{origin: origin("https://evil.example")}, false},
		{"foreign origin that fits the Host", head{host: "localhost:8010", origin: origin("http://localhost:3000")}, false},
		{"another name of ours", head{host: "127.0.0.1:8010", origin: origin("http://localhost:8010")}, false},
		{"another scheme", head{origin: origin("https://127.0.0.1:8010")}, false},
		{"http when served over TLS", head{tls: true, host: "localhost", origin: origin("http://localhost")}, false},
		{"no port", head{origin: origin("http://127.0.0.1")}, false},
		{"null", head{origin: origin("null"), site: "same-origin"}, false},
		{"empty", head{origin: origin("")}, false},
		{"two origins", head{origin: origin("http://127.0.0.1:8010", "http://127.0.0.1:8010")}, false},
		{"origin with a path", head{origin: origin("http://127.0.0.1:8010/")}, false},
		{"origin with a user", head{origin: origin("http://x@127.0.0.1:8010")}, false},
		{"own page reads", head{site: "same-origin"}, true},
		{"the user typed the address", head{site: "none"}, true},
		{"another site reads", head{site: "cross-site"}, false},
		{"another port of this host reads", head{site: "same-site"}, false},
		{"a value of the future", head{site: "neighbour"}, false},
		{"a link to the page", head{path: "/", site: "cross-site", mode: "navigate", dest: "document"}, true},
		{"a link to the docs", head{path: "/docs", site: "same-site", mode: "navigate", dest: "document"}, true},
		{"a link to the messages", head{site: "cross-site", mode: "navigate", dest: "document"}, false},
		{"a frame of the page", head{path: "/", site: "cross-site", mode: "navigate", dest: "iframe"}, false},
		{"a fetch of the page", head{path: "/", site: "cross-site", mode: "cors", dest: "empty"}, false},
		{"a form posted to the page", head{path: "/", method: "POST", site: "cross-site", mode: "navigate", dest: "document"}, false},
	}
	p := newPolicy(Options{AllowedOrigins: []string{"https://Relay.Example:443", "vscode-webview://abc", "null"}})
	for _, tt := range tests {
		if got := p.originAllowed(tt.head.request()); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestContentTypeAllowed(t *testing.T) {
	tests := []struct {
		method string
		types  []string
		length int64
		want   bool
	}{
		{"POST", []string{"application/json"}, 2, true},
		{"POST", []string{"application/json; charset=utf-8"}, 2, true},
		{"POST", []string{"APPLICATION/JSON"}, -1, true},
		{"POST", nil, 0, true},
		{"POST", nil, 2, false},
		{"POST", nil, -1, false},
		{"POST", []string{"text/plain"}, 0, false},
		{"POST", []string{"text/plain"}, 2, false},
		{"POST", []string{"application/x-www-form-urlencoded"}, 2, false},
		{"POST", []string{"multipart/form-data; boundary=x"}, 2, false},
		{"POST", []string{"text/plain; application/json"}, 2, false},
		{"POST", []string{"text/plain, application/json"}, 2, false},
		{"POST", []string{"application/json", "text/plain"}, 2, false},
		{"POST", []string{"application/json-seq"}, 2, false},
		{"POST", []string{""}, 2, false},
		{"GET", []string{"text/plain"}, 0, true},
		{"DELETE", nil, 2, true},
	}
	for _, tt := range tests {
		r := &http.Request{Method: tt.method, Header: http.Header{"Content-Type": tt.types}, ContentLength: tt.length}
		if tt.types == nil {
			r.Header.Del("Content-Type")
		}
		if got := contentTypeAllowed(r); got != tt.want {
			t.Errorf("%s %q of %d bytes: got %v, want %v", tt.method, tt.types, tt.length, got, tt.want)
		}
	}
}

func FuzzParseAuthority(f *testing.F) {
	for _, s := range []string{"localhost:8010", "[::1]:8010", "::1", "a:b", "[", "]:", "10.0.0.5:*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := parseAuthority(s)
		if !ok {
			return
		}
		rule, err := parseHostRule(s)
		if err != nil || !rule.matches(a) {
			t.Errorf("%q is a Host but not an entry that matches it: %+v, %+v, %v", s, a, rule, err)
		}
	})
}
