package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"autoreview/relay"
)

// answer is a response whose body has been read to its end.
type answer struct {
	status int
	log    string // HeaderLog; "" from anything that is not our relay
	body   []byte
}

type pageJSON struct {
	Messages []relay.Message `json:"messages"`
	LatestID int64           `json:"latest_id"`
	OldestID int64           `json:"oldest_id"`
	Head     int64           `json:"head_id"`
}

type postedJSON struct {
	Posted    int64          `json:"posted"`
	Message   *relay.Message `json:"message"`
	Duplicate bool           `json:"duplicate"`
}

type channelsJSON struct {
	Channels []string        `json:"channels"`
	Details  []relay.Channel `json:"details"`
	Head     int64           `json:"head_id"`
	log      string
}

// errTooBig says that a response was cut at Options.MaxResponse.
var errTooBig = errors.New("the answer is larger than the client accepts")

// read asks for one page. It reports whether the original server answered.
func (c *Client) read(ctx context.Context, q relay.Query, wait time.Duration) (relay.Page, bool, error) {
	q.Limit = clampLimit(q.Limit)
	for {
		p, original, err := c.readOnce(ctx, q, wait)
		if q.Limit == 1 || !errors.Is(err, errTooBig) {
			return p, original, err
		}
		q.Limit = max(q.Limit/8, 1)
	}
}

func (c *Client) readOnce(ctx context.Context, q relay.Query, wait time.Duration) (relay.Page, bool, error) {
	if c.seemsOriginal.Load() {
		p, original, err := c.readOriginal(ctx, q)
		if err != nil || original {
			return p, true, err
		}
		c.seemsOriginal.Store(false)
	}
	r, err := c.get(ctx, "/api/messages", params(q, wait), wait)
	if err != nil {
		return relay.Page{}, false, err
	}
	var a pageJSON
	if err := c.decode(r, &a); err != nil {
		return relay.Page{}, false, err
	}
	if r.log != "" {
		info := relay.Info{LogID: r.log, Head: a.Head}
		return relay.Page{Messages: a.Messages, LatestID: a.LatestID, OldestID: a.OldestID, Info: info}, false, nil
	}
	if a.Messages == nil {
		return relay.Page{}, false, c.notRelay()
	}
	p, original, err := c.readOriginal(ctx, q)
	if err == nil && !original {
		// Our relay took the original's place between the two requests.
		return c.readOnce(ctx, q, wait)
	}
	c.seemsOriginal.Store(original)
	return p, original, err
}

func params(q relay.Query, wait time.Duration) url.Values {
	v := url.Values{"target": q.Targets, "limit": {strconv.Itoa(q.Limit)}}
	if len(q.Senders) > 0 {
		v["sender"] = q.Senders
	}
	if q.Key != "" {
		v.Set("key", q.Key)
	}
	if !q.Newest {
		v.Set("since_id", strconv.FormatInt(q.Since, 10))
	}
	if q.Before > 0 {
		v.Set("before_id", strconv.FormatInt(q.Before, 10))
	}
	if wait > 0 {
		v.Set("wait", strconv.FormatFloat(wait.Seconds(), 'f', 3, 64))
	}
	return v
}

func (c *Client) post(ctx context.Context, d relay.Draft) (relay.Posted, error) {
	body, err := json.Marshal(d)
	if err != nil {
		return relay.Posted{}, invalid("meta", "meta must be a JSON object: %v", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.opts.BaseURL+"/api/messages", bytes.NewReader(body))
	if err != nil {
		return relay.Posted{}, fmt.Errorf("addressing the relay: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if d.Source != "" {
		req.Header.Set(HeaderSource, d.Source)
	}
	r, err := c.do(req, 0)
	if err != nil {
		return relay.Posted{}, err
	}
	var a postedJSON
	if err := c.decode(r, &a); err != nil {
		return relay.Posted{}, err
	}
	if a.Posted == 0 {
		return relay.Posted{}, c.notRelay()
	}
	return relay.Posted{ID: a.Posted, Message: a.Message, Duplicate: a.Duplicate}, nil
}

func (c *Client) channels(ctx context.Context) (channelsJSON, error) {
	r, err := c.get(ctx, "/api/channels", url.Values{"details": {"1"}}, 0)
	if err != nil {
		return channelsJSON{}, err
	}
	a := channelsJSON{log: r.log}
	if err := c.decode(r, &a); err != nil {
		return channelsJSON{}, err
	}
	if a.Channels == nil {
		return channelsJSON{}, c.notRelay()
	}
	return a, nil
}

func (c *Client) get(ctx context.Context, path string, v url.Values, wait time.Duration) (answer, error) {
	u := c.opts.BaseURL + path
	if len(v) > 0 {
		u += "?" + v.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return answer{}, fmt.Errorf("addressing the relay: %w", err)
	}
	return c.do(req, wait)
}

// do sends one request and reads its answer to the end, so that the connection
// can be used again. wait is what the request asks the relay to wait.
func (c *Client) do(req *http.Request, wait time.Duration) (answer, error) {
	parent := req.Context()
	ctx, cancel := context.WithTimeoutCause(parent, wait+c.opts.Timeout, errSilent)
	defer cancel()
	req.Header.Set("User-Agent", c.opts.UserAgent)
	if c.opts.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.opts.Token)
	}
	resp, err := c.http.Do(req.WithContext(ctx))
	if err != nil {
		return answer{}, c.transport(parent, ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.opts.MaxResponse+1))
	if err != nil {
		return answer{}, c.transport(parent, ctx, err)
	}
	if int64(len(body)) > c.opts.MaxResponse {
		return answer{}, c.transport(parent, ctx, errTooBig)
	}
	return answer{status: resp.StatusCode, log: resp.Header.Get(HeaderLog), body: body}, nil
}

var errSilent = errors.New("the relay did not answer in time")

// transport words a failure to get an answer. When it was the caller's context
// that ended, the error is its cause alone.
func (c *Client) transport(parent, ctx context.Context, err error) error {
	if parent.Err() != nil {
		return context.Cause(parent)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the address is said below, without the query
	}
	return &UnreachableError{BaseURL: c.opts.BaseURL, Err: err}
}

// decode turns an answer into v, or into the error that it reports.
func (c *Client) decode(r answer, v any) error {
	if err := c.refusal(r); err != nil {
		return err
	}
	if err := json.Unmarshal(r.body, v); err != nil {
		return c.notRelay()
	}
	return nil
}

func clampLimit(n int) int {
	if n == 0 {
		return relay.DefaultLimit
	}
	return min(max(n, 1), relay.MaxLimit)
}

func check(q relay.Query) error {
	switch {
	case len(q.Targets) == 0 || slices.Contains(q.Targets, ""):
		// A relay takes an empty channel for its default one.
		return invalid("target", "target is required")
	case q.Newest && q.Since != 0:
		return invalid("since_id", "since_id and before_id cannot be used together")
	case q.Since < 0 || q.Before < 0:
		return invalid("since_id", "a cursor must not be negative")
	}
	return nil
}
