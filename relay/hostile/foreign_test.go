package hostile_test

import (
	"strings"
	"testing"
)

// What a browser sends for a page that is not the relay's own, to every route
// and by every method that such a page can use.
func TestForeignPagesGetNothing(t *testing.T) {
	r := start(t)
	_, port, _ := strings.Cut(r.addr, ":")
	signs := []struct {
		name   string
		header []string
		status int
		says   string
	}{
		{"another origin", []string{"Origin", "https://evil.example"}, 403, "Invalid Origin"},
		{"origin null, as of a sandboxed frame or a file", []string{"Origin", "null"}, 403, "Invalid Origin"},
		{"an empty origin", []string{"Origin", ""}, 403, "Invalid Origin"},
		{"the same host, another port", []string{"Origin", "http://127.0.0.1:1"}, 403, "Invalid Origin"},
		{"the same host, the default port", []string{"Origin", "http://127.0.0.1"}, 403, "Invalid Origin"},
		{"the same host and port, another scheme", []string{"Origin", "https://‹relay›"}, 403, "Invalid Origin"},
		{"another name of the same host", []string{"Origin", "http://localhost:" + port}, 403, "Invalid Origin"},
		{"an origin that begins like ours", []string{"Origin", "http://‹relay›.evil.example"}, 403, "Invalid Origin"},
		{"an origin with our address as its user", []string{"Origin", "http://127.0.0.1:" + port + "@evil.example"}, 403, "Invalid Origin"},
		{"two origins, one of them ours", []string{"Origin", "http://‹relay›", "Origin", "https://evil.example"}, 403, "Invalid Origin"},
		{"an extension", []string{"Origin", "chrome-extension://aaaabbbbccccddddeeeeffffgggghhhh"}, 403, "Invalid Origin"},
		{"no origin, cross-site", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, 403, "Invalid Origin"},
		{"no origin, same-site, as of another port", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"}, 403, "Invalid Origin"},
		{"a frame of another site", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403, "Invalid Origin"},
		{"a site that nobody knows", []string{"Sec-Fetch-Site", "same-planet"}, 403, "Invalid Origin"},
		{"two sites", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"}, 403, "Invalid Origin"},
		{"another host", []string{"Host", "evil.example"}, 421, "Invalid Host"},
		{"a name that is rebound to us", []string{"Host", "evil.example:" + port, "Origin", "http://evil.example:" + port}, 421, "Invalid Host"},
		{"our address as the start of a name", []string{"Host", "127.0.0.1.evil.com:" + port}, 421, "Invalid Host"},
		{"our name as the start of a name", []string{"Host", "localhost.evil:" + port}, 421, "Invalid Host"},
		{"our address in a name of a service", []string{"Host", "127-0-0-1.nip.example:" + port}, 421, "Invalid Host"},
		{"our name with a dot at the end", []string{"Host", "localhost.:" + port}, 421, "Invalid Host"},
		{"our address with a dot at the end", []string{"Host", "127.0.0.1.:" + port}, 421, "Invalid Host"},
		{"our address in hexadecimal", []string{"Host", "0x7f000001:" + port}, 421, "Invalid Host"},
		{"our address as one number", []string{"Host", "2130706433:" + port}, 421, "Invalid Host"},
		{"our address, shortened", []string{"Host", "127.1:" + port}, 421, "Invalid Host"},
		{"our address, in octal", []string{"Host", "0177.0.0.1:" + port}, 421, "Invalid Host"},
		{"all addresses", []string{"Host", "0.0.0.0:" + port}, 421, "Invalid Host"},
		{"our address mapped into IPv6", []string{"Host", "[::ffff:127.0.0.1]:" + port}, 421, "Invalid Host"},
		{"another host behind our name", []string{"Host", "127.0.0.1:" + port + "/evil.example"}, 400, "malformed Host"},
		{"our name in other letters", []string{"Host", "ｌocalhost:" + port}, 400, "malformed Host"},
	}
	for _, sign := range signs {
		t.Run(sign.name, func(t *testing.T) {
			for _, path := range routes {
				for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
					body := ""
					header := sign.header
					if method == "POST" {
						body, header = draft, append([]string{"Content-Type", "text/plain"}, header...)
					}
					h := hit{send: request(method, path, body, header...), status: sign.status, says: sign.says}
					if method == "HEAD" {
						h.says = ""
					}
					if sign.status == 400 {
						h.form = ofHTTP
					}
					resp, got := r.do(t, h.send)
					if h.check(t, resp, got); t.Failed() {
						t.Fatalf("%s %s", method, path)
					}
				}
			}
			r.unharmed(t)
		})
	}
}

// The one thing that another site may do: lead a person to the page.
func TestOnlyLinksToThePageAreFollowed(t *testing.T) {
	r := start(t)
	link := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	for _, path := range routes {
		want := 403
		if path == "/" || path == "/docs" {
			want = 200
		}
		if resp, body := r.do(t, get(path, link...)); resp.StatusCode != want || strings.Contains(body, "a secret plan") {
			t.Errorf("a link to %s: got %d, want %d and no message", path, resp.StatusCode, want)
		}
		if resp, _ := r.do(t, post(path, "text/plain", draft, link...)); resp.StatusCode != 403 {
			t.Errorf("a form to %s: got %d, want 403", path, resp.StatusCode)
		}
	}
	r.unharmed(t)
}

// A page can send these without being asked for leave first, and an old browser
// sends no Origin with some of them.
func TestPostsThatNeedNoPreflight(t *testing.T) {
	r := start(t)
	const multipart = "--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nhi\r\n--b--\r\n"
	var hits []hit
	for _, path := range []string{"/api/messages", "/mcp"} {
		for name, send := range map[string]string{
			"text/plain":              post(path, "text/plain", draft),
			"text/plain with charset": post(path, "text/plain;charset=UTF-8", draft),
			"a form":                  post(path, "application/x-www-form-urlencoded", "target=proj-x&sender=claude&text=hi"),
			"a form that is JSON":     post(path, "application/x-www-form-urlencoded", draft),
			"multipart":               post(path, "multipart/form-data; boundary=b", multipart),
			"no type":                 request("POST", path, draft),
			"an empty type":           post(path, "", draft),
			"two types":               post(path, "application/json", draft, "Content-Type", "text/plain"),
			"a list of types":         post(path, "application/json, text/plain", draft),
			"JSON as a parameter":     post(path, "text/plain; application/json", draft),
			"a type like JSON":        post(path, "application/jsonp", draft),
			"text/json":               post(path, "text/json", draft),
			"a broken parameter":      post(path, `application/json; charset="`, draft),
			"octets":                  post(path, "application/octet-stream", draft),
			"a beacon":                post(path, "text/plain", draft, "Sec-Fetch-Mode", "no-cors"),
			"a report of a policy":    post(path, "application/csp-report", draft),
		} {
			hits = append(hits, hit{name: path + " as " + name, send: send, status: 415, says: "application/json"})
		}
	}
	r.run(t, hits)
}
