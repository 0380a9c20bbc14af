//go:build linux

package soak_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"autoreview/relay/relaytest"
)

// abreast is how many clients a relay has at the same time in its leak test.
const abreast = 16

// Whatever becomes of a stream, a wait or a call of a tool, taken to its end or
// dropped at any moment, the relay keeps nothing of it.
func TestClientsLeaveNothing(t *testing.T) {
	n := times(t, 1000)
	r := pool{relaytest.Start(t)}
	c := &caller{t: t, url: r.URL}
	relax := func() {
		c.http.CloseIdleConnections()
		r.Client().Close()
	}
	t.Cleanup(relax)
	r.fillPool()
	for _, kind := range []struct {
		name string
		do   func(ctx context.Context, n int) error
	}{
		{"streams", c.stream},
		{"waits", c.wait},
		{"calls", c.call},
	} {
		t.Run(kind.name, func(t *testing.T) {
			c.repeat(t, 5*abreast, kind.do)
			before := atRest(t, relax)
			was := measure(t)
			began := time.Now()
			c.repeat(t, n, kind.do)
			took := time.Since(began)
			back(t, before, relax)
			is := measure(t)
			t.Logf("leak: %d %s in %s, %+v before and after; before %v; after %v", n, kind.name, took.Round(time.Millisecond), before, was, is)
			if grown, most := is.heap-was.heap, int64(heapSlack+heapPerRun*n); grown > most {
				t.Errorf("the heap has grown by %s, want at most %s", mib(grown), mib(most))
			}
			if waiting := r.Log().Waiting(); waiting != 0 {
				t.Errorf("%d readers are left waiting", waiting)
			}
		})
	}
}

// caller is the client of a relay. Each of its calls drops what it has begun at
// another moment, by its number.
type caller struct {
	t    *testing.T
	url  string
	http http.Client
}

func (c *caller) repeat(t *testing.T, n int, do func(context.Context, int) error) {
	t.Helper()
	numbers := make(chan int)
	var workers sync.WaitGroup
	for range abreast {
		workers.Go(func() {
			for i := range numbers {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				if err := do(ctx, i); err != nil {
					t.Errorf("number %d: %v", i, err)
				}
				cancel()
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	workers.Wait()
}

// get asks and returns the body to be read, which the caller closes.
func (c *caller) get(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, nil)
	if err != nil {
		return nil, err
	}
	return c.do(req)
}

func (c *caller) do(req *http.Request) (io.ReadCloser, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		return nil, fmt.Errorf("%s %s: got %d: %s", req.Method, req.URL, resp.StatusCode, text)
	}
	return resp.Body, nil
}

func (c *caller) send(ctx context.Context, path string, body any) (io.ReadCloser, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, strings.NewReader(string(raw)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	return c.do(req)
}

// drain reads an answer to its end.
func drain(body io.ReadCloser, err error) error {
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(io.Discard, body)
	return err
}

func (c *caller) post(ctx context.Context, channel string) error {
	return drain(c.send(ctx, "/api/messages", map[string]any{"target": channel, "sender": "soak", "text": "a message"}))
}

// dropped is nil for the error of a request that was dropped by its own caller.
func dropped(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil
	}
	return err
}

// soon drops a request after a moment that differs from number to number.
func soon(ctx context.Context, n int) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(time.Duration(n%23)*500*time.Microsecond, cancel)
	return ctx, func() { timer.Stop(); cancel() }
}

// stream opens one and drops it: as it is opened, at its hello, at a message, or
// in the middle of a replay.
func (c *caller) stream(ctx context.Context, n int) error {
	channel := fmt.Sprint("stream-", n%7)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if n%4 == 0 {
		var drop context.CancelFunc
		ctx, drop = soon(ctx, n)
		defer drop()
	}
	path := "/api/stream?target=" + channel
	if n%4 == 3 {
		path += "&since_id=0"
	}
	body, err := c.get(ctx, path)
	if err != nil {
		return dropped(ctx, err)
	}
	defer body.Close()
	lines := bufio.NewReader(body)
	if err := until(lines, "event: hello"); err != nil || n%4 < 2 {
		return dropped(ctx, err)
	}
	if err := c.post(ctx, channel); err != nil {
		return err
	}
	return until(lines, "event: message")
}

// until reads lines up to one that begins so.
func until(lines *bufio.Reader, begins string) error {
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("looking for %q: %w", begins, err)
		}
		if strings.HasPrefix(line, begins) {
			return nil
		}
	}
}

// wait waits for a message that comes, for one that does not, or not to the end.
func (c *caller) wait(ctx context.Context, n int) error {
	channel := fmt.Sprint("wait-", n)
	switch n % 3 {
	case 0:
		return drain(c.get(ctx, "/api/messages?since_id=0&wait=0.02&target="+channel))
	case 1:
		ctx, cancel := soon(ctx, n)
		defer cancel()
		return dropped(ctx, drain(c.get(ctx, "/api/messages?since_id=0&wait=50&target="+channel)))
	}
	answered := make(chan error, 1)
	go func() { answered <- drain(c.get(ctx, "/api/messages?since_id=0&wait=50&target="+channel)) }()
	return errors.Join(c.post(ctx, channel), <-answered)
}

// call calls a tool: each of them, one with a mistake, and waits that are
// dropped or whose message comes.
func (c *caller) call(ctx context.Context, n int) error {
	channel := fmt.Sprint("call-", n%11)
	post := tool{"post_message", map[string]any{"target": channel, "sender": "soak", "text": "by a tool"}}
	wait := tool{"wait_for_messages", map[string]any{"target": fmt.Sprint(channel, "-", n), "since_id": 0, "timeout_seconds": 50}}
	switch n % 6 {
	case 0:
		return c.tool(ctx, post)
	case 1:
		return c.tool(ctx, tool{"fetch_messages", map[string]any{"target": channel, "since_id": 0}})
	case 2:
		return c.tool(ctx, tool{"list_channels", map[string]any{}})
	case 3:
		return c.tool(ctx, tool{"post_message", map[string]any{"target": channel}})
	case 4:
		ctx, cancel := soon(ctx, n)
		defer cancel()
		return dropped(ctx, c.tool(ctx, wait))
	}
	answered := make(chan error, 1)
	go func() { answered <- c.tool(ctx, wait) }()
	post.Arguments["target"] = wait.Arguments["target"]
	return errors.Join(c.tool(ctx, post), <-answered)
}

// tool are the params of a tools/call.
type tool struct {
	Name      string         `json:"name"`
	Arguments map[string]any `json:"arguments"`
}

func (c *caller) tool(ctx context.Context, params tool) error {
	return drain(c.send(ctx, "/mcp", map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}))
}
