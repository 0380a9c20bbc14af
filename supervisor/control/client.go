package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"

	"autoreview/supervisor"
	"autoreview/supervisor/record"
)

// Client asks things of the supervisor of a state folder. It is safe for
// concurrent use.
type Client struct {
	http  http.Client
	token string
}

// Dial finds the supervisor of a state folder. The error is ErrNotRunning when
// nobody listens there.
func Dial(ctx context.Context, dir string) (*Client, error) {
	network, p, err := find(dir)
	if err != nil {
		return nil, err
	}
	dial := func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, network, p.Addr) }
	conn, err := dial(ctx)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, errRefusedWindows) {
		return nil, ErrNotRunning // it died and left the file
	}
	if err != nil {
		return nil, fmt.Errorf("reaching the supervisor: %w", err)
	}
	_ = conn.Close()
	c := &Client{token: p.Token}
	c.http.Transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}
	return c, nil
}

// errRefusedWindows is WSAECONNREFUSED.
const errRefusedWindows = syscall.Errno(10061)

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status is supervisor.View.Status of the one that runs.
func (c *Client) Status(ctx context.Context, ended int) (st supervisor.Status, err error) {
	return st, c.call(ctx, http.MethodGet, "/v1/status?ended="+strconv.Itoa(ended), &st)
}

// Runs is supervisor.View.Runs.
func (c *Client) Runs(ctx context.Context, limit int) (runs []supervisor.RunStatus, err error) {
	return runs, c.call(ctx, http.MethodGet, "/v1/runs?limit="+strconv.Itoa(limit), &runs)
}

// Latest is supervisor.View.Latest.
func (c *Client) Latest(ctx context.Context) (id int64, ok bool, err error) {
	var v latest
	err = c.call(ctx, http.MethodGet, "/v1/jobs/latest", &v)
	return v.Job, v.Job != 0, err
}

// Job is supervisor.View.Job.
func (c *Client) Job(ctx context.Context, id int64) (j supervisor.JobDetail, err error) {
	return j, c.call(ctx, http.MethodGet, fmt.Sprintf("/v1/jobs/%d", id), &j)
}

// Retry is supervisor.Supervisor.Retry.
func (c *Client) Retry(ctx context.Context, id int64) (j supervisor.JobStatus, err error) {
	return j, c.call(ctx, http.MethodPost, fmt.Sprintf("/v1/jobs/%d/retry", id), &j)
}

// Cancel is supervisor.Supervisor.Cancel.
func (c *Client) Cancel(ctx context.Context, id int64) (j supervisor.JobStatus, err error) {
	return j, c.call(ctx, http.MethodPost, fmt.Sprintf("/v1/jobs/%d/cancel", id), &j)
}

// Pause is supervisor.Supervisor.Pause.
func (c *Client) Pause(ctx context.Context, watch string) error {
	return c.call(ctx, http.MethodPost, "/v1/watches/"+url.PathEscape(watch)+"/pause", nil)
}

// Resume is supervisor.Supervisor.Resume.
func (c *Client) Resume(ctx context.Context, watch string) error {
	return c.call(ctx, http.MethodPost, "/v1/watches/"+url.PathEscape(watch)+"/resume", nil)
}

// Follow is supervisor.View.Follow.
func (c *Client) Follow(ctx context.Context, id int64, wait bool, each func(record.Line) error) error {
	path := fmt.Sprintf("/v1/jobs/%d/lines", id)
	if wait {
		path += "?wait=1"
	}
	resp, err := c.do(ctx, http.MethodGet, path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for {
		raw, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(raw) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("following job %d: %w", id, err)
		}
		var l struct {
			record.Line
			Error string `json:"error"`
		}
		if err := json.Unmarshal(raw, &l); err != nil {
			return fmt.Errorf("following job %d: %w", id, err)
		}
		if l.Error != "" {
			return errors.New(l.Error)
		}
		if err := each(l.Line); err != nil {
			return err
		}
	}
}

// call makes a request and decodes its answer into v, which may be nil.
func (c *Client) call(ctx context.Context, method, path string, v any) error {
	resp, err := c.do(ctx, method, path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if v == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		return fmt.Errorf("reading the supervisor's answer: %w", err)
	}
	return nil
}

func (c *Client) do(ctx context.Context, method, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://autoreview"+path, nil)
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the supervisor: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var p problem
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil || p.Error == "" {
		return nil, fmt.Errorf("asking the supervisor: it answered %s; it may be of another version", resp.Status)
	}
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusConflict:
		return nil, &supervisor.Refusal{Unknown: resp.StatusCode == http.StatusNotFound, Text: p.Error, Hint: p.Hint}
	}
	return nil, errors.New(p.Error)
}
