// Package client has the verbs of relay.Log over HTTP: a Client reads, waits
// and posts at a relay that runs elsewhere, so that a reader or a door does not
// see whether its log is in this process.
//
// It also speaks to the original Python server, which has no cursors, no
// long-polls and no idempotency keys; see OriginalLog. Which of the two answers
// is seen in every response anew, so either may take the other's place while a
// Client is in use.
//
// Nothing is retried here. A failure is one of three: an *relay.Error when the
// relay refused the request, with a *StatusError around it that has the HTTP
// status; a *StatusError alone for any other status; or an *UnreachableError. A
// context that ends comes back as its cause.
package client

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"autoreview/relay"
)

// DefaultBaseURL is where a relay listens unless it is told otherwise.
const DefaultBaseURL = "http://127.0.0.1:8010"

// HeaderLog carries the log's id on every response of a relay. The original
// server does not send it.
const HeaderLog = "X-Relay-Log"

// HeaderSource carries Draft.Source on a POST, for the relay's activity log: 1
// to 32 characters of a-z, 0-9, ".", "_" and "-".
const HeaderSource = "X-Relay-Source"

// MaxPoll is the longest a relay lets one request wait.
const MaxPoll = 55 * time.Second

// Options are the settings of a Client.
type Options struct {
	// BaseURL is the relay's address; "" means DefaultBaseURL.
	BaseURL string
	// Token, if not empty, is sent as a bearer token.
	Token string
	// HTTP, if not nil, is used instead of a client of its own. Its Timeout
	// must be 0 or above MaxPoll, or waits are cut short. Redirects are never
	// followed: a POST would turn into a GET.
	HTTP *http.Client
	// UserAgent is sent with every request; "" means "relay-client".
	UserAgent string
	// Source names this program in the relay's activity log for drafts that
	// have no Source of their own; "" leaves the name to the relay.
	Source string
	// PollInterval is how often Wait asks the original server for news; 0
	// means 20 s. A relay is never polled.
	PollInterval time.Duration
	// Timeout bounds every request, over and above the time it asks the relay
	// to wait; 0 means 30 s.
	Timeout time.Duration
	// MaxResponse bounds the size of one response in bytes; 0 means 64 MiB. A
	// page that is larger is fetched in smaller steps.
	MaxResponse int64
}

// Client is a relay seen from elsewhere. Make one with New; it is safe for
// concurrent use and owns no goroutine.
type Client struct {
	opts Options
	http *http.Client
	// seemsOriginal saves the original's readers one request. It is only ever
	// a guess: what a response is taken for depends on that response alone.
	seemsOriginal atomic.Bool
}

// New returns a Client. It does not connect.
func New(opts Options) *Client {
	opts.BaseURL = strings.TrimRight(opts.BaseURL, "/")
	if opts.BaseURL == "" {
		opts.BaseURL = DefaultBaseURL
	}
	if opts.UserAgent == "" {
		opts.UserAgent = "relay-client"
	}
	if opts.PollInterval <= 0 {
		opts.PollInterval = 20 * time.Second
	}
	if opts.Timeout <= 0 {
		opts.Timeout = 30 * time.Second
	}
	if opts.MaxResponse <= 0 {
		opts.MaxResponse = 64 << 20
	}
	hc := http.Client{Transport: newTransport()}
	if opts.HTTP != nil {
		hc = *opts.HTTP
	}
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{opts: opts, http: &hc}
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     30 * time.Second,
	}
}

// BaseURL returns the address of the relay, without a trailing slash.
func (c *Client) BaseURL() string { return c.opts.BaseURL }

// Close drops the idle connections. The Client may still be used.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Post is relay.Log.Post. A transport error leaves open whether the draft was
// stored; a draft with a Key can be posted again without harm. At the original
// server a repeated draft is recognized by its sender and exact text among the
// channel's newest 500 messages, at best.
func (c *Client) Post(ctx context.Context, d relay.Draft) (relay.Posted, error) {
	if d.Source == "" {
		d.Source = c.opts.Source
	}
	if d.Key != "" {
		original, earlier, err := c.findPosted(ctx, d)
		if err != nil {
			return relay.Posted{}, err
		}
		if earlier != nil {
			return relay.Posted{ID: earlier.ID, Message: earlier, Duplicate: true}, nil
		}
		if original {
			d = relay.Draft{Target: d.Target, Sender: d.Sender, Text: d.Text, Source: d.Source}
		}
	}
	return c.post(ctx, d)
}

// Read is relay.Log.Read. q needs at least one channel: over HTTP there is no
// reading of all channels at once.
func (c *Client) Read(ctx context.Context, q relay.Query) (relay.Page, error) {
	if err := check(q); err != nil {
		return relay.Page{}, err
	}
	p, _, err := c.read(ctx, q, 0)
	return p, err
}

// Wait is relay.Log.Wait: a long-poll, repeated until d has passed. The
// original server is asked every Options.PollInterval instead. When the log turns
// out to be another one than q.Since is of, or its ids went back, Wait returns
// the empty page at once.
func (c *Client) Wait(ctx context.Context, q relay.Query, d time.Duration) (relay.Page, error) {
	if err := check(q); err != nil {
		return relay.Page{}, err
	}
	if q.Newest {
		return relay.Page{}, invalid("before_id", "only messages after a cursor can be waited for")
	}
	end := time.Now().Add(d)
	logID, interrupted := "", false
	for {
		asked, wait := time.Now(), min(time.Until(end), MaxPoll)
		if interrupted {
			wait = 0 // who answers now must first be seen
		}
		p, original, err := c.read(ctx, q, wait)
		if err != nil || len(p.Messages) > 0 || time.Until(end) <= 0 {
			return p, err
		}
		if p.Head < q.Since || logID != "" && p.LogID != logID {
			return p, nil
		}
		logID, q.Since = p.LogID, p.LatestID
		if interrupted {
			interrupted = false
			continue
		}
		interrupted = !original && time.Since(asked) < wait-min(wait/2, time.Second)
		if err := c.pause(ctx, original, interrupted, end); err != nil {
			return relay.Page{}, err
		}
	}
}

// pause comes between two polls. A relay that answered an empty page early is
// stopping, or something between us and it cuts requests short; asking again at
// once would only keep both busy.
func (c *Client) pause(ctx context.Context, original, interrupted bool, end time.Time) error {
	var d time.Duration
	switch {
	case original:
		d = c.opts.PollInterval
	case interrupted:
		d = 250 * time.Millisecond
	}
	t := time.NewTimer(min(d, max(time.Until(end), 0)))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Channels is relay.Log.Channels. It has the relay's configured channels too,
// and of the original server only the names.
func (c *Client) Channels(ctx context.Context) ([]relay.Channel, error) {
	a, err := c.channels(ctx)
	if err != nil {
		return nil, err
	}
	if a.Details != nil {
		return a.Details, nil
	}
	out := make([]relay.Channel, len(a.Channels))
	for i, name := range a.Channels {
		out[i].Name = name
	}
	return out, nil
}

// Info is relay.Log.Info. For the original server it is OriginalLog and the
// highest id that any channel has now.
func (c *Client) Info(ctx context.Context) (relay.Info, error) {
	a, err := c.channels(ctx)
	if err != nil {
		return relay.Info{}, err
	}
	if a.log != "" {
		return relay.Info{LogID: a.log, Head: a.Head}, nil
	}
	return c.originalInfo(ctx, a.Channels)
}

// Check is relay.Log.Check. Of the original server it only proves that it
// answers.
func (c *Client) Check(ctx context.Context) error {
	r, err := c.get(ctx, "/readyz", nil, 0)
	if err != nil {
		return err
	}
	if r.log == "" && r.status == http.StatusNotFound {
		if r, err = c.get(ctx, "/healthz", nil, 0); err != nil {
			return err
		}
	}
	return c.refusal(r)
}
