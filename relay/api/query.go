package api

import (
	"errors"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"autoreview/relay"
)

// defaultTarget is the channel of a reader that names none, as in the original.
const defaultTarget = "proj-x"

// maxNames bounds how often a filter may be repeated in one request.
const maxNames = 100

// pageRequest is a decoded GET /api/messages. query.Targets is never empty.
type pageRequest struct {
	query relay.Query
	wait  time.Duration
}

func parsePage(rawQuery string) (pageRequest, error) {
	p := parseParams(rawQuery)
	if p.v.Get("target") == "" && len(p.v["target"]) < 2 {
		p.v.Set("target", defaultTarget)
	}
	req := pageRequest{
		query: relay.Query{
			Targets: p.names("target"),
			Senders: p.names("sender"),
			Key:     p.name("key"),
			Since:   p.cursor("since_id", 0),
			Before:  p.cursor("before_id", 1),
			Newest:  !p.has("since_id"),
			Limit:   p.limit(),
		},
		wait: p.wait(),
	}
	if p.has("since_id") && p.has("before_id") {
		p.refuse("since_id", "since_id and before_id cannot be used together")
	}
	if p.has("wait") && !p.has("since_id") {
		p.refuse("wait", "wait needs since_id: only messages after a cursor can be waited for")
	}
	return req, p.err
}

// streamRequest is a decoded GET /api/stream.
type streamRequest struct {
	query relay.Query
	// resume says that query.Since is the client's; otherwise the stream
	// starts at the head of the log.
	resume bool
}

// parseStream gives Last-Event-ID precedence: a browser repeats the address it
// was given first when it reconnects, and only the header knows where it was.
func parseStream(rawQuery, lastEventID string) (streamRequest, error) {
	p := parseParams(rawQuery)
	req := streamRequest{query: relay.Query{
		Targets: p.names("target"),
		Senders: p.names("sender"),
		Since:   p.cursor("since_id", 0),
		Limit:   streamPage,
	}}
	req.resume = p.has("since_id")
	if lastEventID != "" {
		req.query.Since = p.integer("Last-Event-ID", lastEventID, 0)
		req.resume = true
	}
	return req, p.err
}

// params are the parameters of a query string. err is what was wrong with the
// first bad one. Unknown parameters are ignored, as in the original.
type params struct {
	v   url.Values
	err error
}

func parseParams(rawQuery string) *params {
	v, err := url.ParseQuery(rawQuery)
	p := &params{v: v}
	if err != nil {
		p.refuse("", "the query string cannot be read: %v", err)
	}
	return p
}

func (p *params) has(name string) bool { return p.v.Has(name) }

func (p *params) refuse(field, format string, args ...any) {
	if p.err == nil {
		p.err = invalid(field, format, args...)
	}
}

// names reads a filter that may be repeated.
func (p *params) names(name string) []string {
	values := p.v[name]
	if len(values) > maxNames {
		p.refuse(name, "%s may be given at most %d times", name, maxNames)
	}
	for _, s := range values {
		p.checkName(name, s)
	}
	return values
}

func (p *params) name(name string) string {
	if !p.has(name) {
		return ""
	}
	s := p.v.Get(name)
	p.checkName(name, s)
	return s
}

// checkName refuses the empty value too: it matches no message, and who sent it
// meant something else.
func (p *params) checkName(name, s string) {
	if s == "" || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		p.refuse(name, "%s must be text in UTF-8 without control characters and not empty", name)
	}
}

func (p *params) cursor(name string, least int64) int64 {
	if !p.has(name) {
		return 0
	}
	return p.integer(name, p.v.Get(name), least)
}

func (p *params) integer(name, s string, least int64) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < least {
		p.refuse(name, "%s must be an integer of at least %d, not %q", name, least, clip(s))
		return 0
	}
	return n
}

// limit clamps like the original, also numbers that no machine word holds.
func (p *params) limit() int {
	if !p.has("limit") {
		return relay.DefaultLimit
	}
	s := p.v.Get("limit")
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		p.refuse("limit", "limit must be an integer, not %q", clip(s))
	}
	return int(min(max(n, 1), relay.MaxLimit))
}

// wait clamps as limit does.
func (p *params) wait() time.Duration {
	if !p.has("wait") {
		return 0
	}
	s := p.v.Get("wait")
	n, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || math.IsNaN(n) {
		p.refuse("wait", "wait must be a number of seconds, not %q", clip(s))
		return 0
	}
	return time.Duration(min(max(n, 0), MaxWait.Seconds()) * float64(time.Second))
}

// clip keeps an error text readable whatever it quotes.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
