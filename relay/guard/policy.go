package guard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"
)

// policy is Options made ready for deciding. Its methods are pure but for
// whole.
type policy struct {
	hosts   []hostRule
	origins map[string]bool // :: normal origin → true
	pages   map[string]bool // :: path → true
	maxBody int64
	timeout time.Duration
	// answerTime is Options.AnswerTimeout.
	answerTime time.Duration
}

func newPolicy(o Options) policy {
	p := policy{
		hosts:   loopback(),
		origins: make(map[string]bool),
		pages:   make(map[string]bool),
		maxBody: o.MaxBodyBytes,
		timeout: o.BodyTimeout,

		answerTime: o.AnswerTimeout,
	}
	if p.maxBody <= 0 {
		p.maxBody = DefaultMaxBodyBytes
	}
	if p.timeout <= 0 {
		p.timeout = 30 * time.Second
	}
	if p.answerTime <= 0 {
		p.answerTime = 2 * time.Minute
	}
	for _, h := range o.AllowedHosts {
		if rule, err := parseHostRule(h); err == nil {
			p.hosts = append(p.hosts, rule)
		}
	}
	for _, s := range o.AllowedOrigins {
		if origin, ok := normalOrigin(s); ok {
			p.origins[origin] = true
		}
	}
	pages := o.PageRoutes
	if pages == nil {
		pages = []string{"/", "/docs"}
	}
	for _, path := range pages {
		p.pages[path] = true
	}
	return p
}

// judgeSource decides by where the request comes from; nil lets it through.
func (p policy) judgeSource(r *http.Request) *refusal {
	switch {
	case !p.hostAllowed(r.Host):
		return &refusal{status: http.StatusMisdirectedRequest, text: "Invalid Host header"}
	case !p.originAllowed(r):
		return &refusal{status: http.StatusForbidden, text: "Invalid Origin header"}
	}
	return nil
}

// judgeContent decides by what the request says of its body; nil lets it
// through.
func (p policy) judgeContent(r *http.Request) *refusal {
	switch {
	case !contentTypeAllowed(r):
		return &refusal{status: http.StatusUnsupportedMediaType, text: "Invalid Content-Type header: it must be application/json"}
	case r.ContentLength > p.maxBody:
		return p.tooLarge()
	}
	return nil
}

func (p policy) tooLarge() *refusal {
	return &refusal{status: http.StatusRequestEntityTooLarge, text: fmt.Sprintf("request body is larger than the limit of %d bytes", p.maxBody)}
}

func (p policy) hostAllowed(host string) bool {
	a, ok := parseAuthority(host)
	if !ok {
		return false
	}
	for _, rule := range p.hosts {
		if rule.matches(a) {
			return true
		}
	}
	return false
}

// originAllowed reports whether no page of another origin made the request.
// Programs that are no browsers send neither Origin nor Sec-Fetch-Site.
func (p policy) originAllowed(r *http.Request) bool {
	switch origins := r.Header.Values("Origin"); len(origins) {
	case 0:
		return sameSite(r.Header) || p.pages[r.URL.Path] && topLevelNavigation(r)
	case 1:
		origin, ok := normalOrigin(origins[0])
		return ok && (p.origins[origin] || origin == ownOrigin(r))
	default:
		return false
	}
}

// sameSite accepts also "none", a request the user made by hand. What a future
// browser may say besides the values of today is refused.
func sameSite(h http.Header) bool {
	for _, site := range h.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return false
		}
	}
	return true
}

// topLevelNavigation reports whether the answer becomes a page of its own, in a
// tab: the site that the link was on cannot read it.
func topLevelNavigation(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

func ownOrigin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	origin, _ := normalOrigin(scheme + "://" + r.Host)
	return origin
}

// normalOrigin returns scheme://host:port in lower case, without the port that
// the scheme implies. It refuses "null" and whatever else is not of this form.
func normalOrigin(s string) (string, bool) {
	scheme, rest, found := strings.Cut(strings.TrimSpace(s), "://")
	a, ok := parseAuthority(rest)
	if !found || !ok || !validName(scheme) {
		return "", false
	}
	scheme = strings.ToLower(scheme)
	if scheme == "http" && a.port == "80" || scheme == "https" && a.port == "443" {
		a.port = ""
	}
	if strings.Contains(a.host, ":") {
		a.host = "[" + a.host + "]"
	}
	if a.port != "" {
		a.port = ":" + a.port
	}
	return scheme + "://" + a.host + a.port, true
}

// contentTypeAllowed keeps out the POSTs that a browser sends without asking
// first. A POST that has neither a type nor a body passes: it can say nothing,
// and the door behind answers better what is wrong with it.
func contentTypeAllowed(r *http.Request) bool {
	types := r.Header.Values("Content-Type")
	if r.Method != http.MethodPost || len(types) == 0 && r.ContentLength == 0 {
		return true
	}
	if len(types) != 1 {
		return false
	}
	t, _, err := mime.ParseMediaType(types[0])
	return err == nil && t == "application/json"
}

// whole reads the body into memory and hands it on. A body that is too large or
// too slow is refused here, with one answer for every door, and no door ever
// sees the start of it.
func (p policy) whole(w http.ResponseWriter, r *http.Request) (*http.Request, *refusal) {
	if r.ContentLength == 0 {
		return r, nil
	}
	// net/http takes the deadline away again at the end of the body. Not every
	// writer knows deadlines; the bound on the size holds anyway.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(p.timeout))
	body, err := io.ReadAll(io.LimitReader(r.Body, p.maxBody+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return r, &refusal{status: http.StatusRequestTimeout, text: fmt.Sprintf("request body did not arrive within %v", p.timeout)}
	case err != nil:
		return r, &refusal{status: http.StatusBadRequest, text: "request body could not be read"}
	case int64(len(body)) > p.maxBody:
		return r, p.tooLarge()
	}
	read := new(http.Request)
	*read = *r
	read.Body = io.NopCloser(bytes.NewReader(body))
	read.ContentLength = int64(len(body))
	read.TransferEncoding = nil
	return read, nil
}
