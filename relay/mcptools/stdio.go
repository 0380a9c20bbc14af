package mcptools

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// ServeStdio offers the tools to one client, a JSON-RPC message a line, until
// in ends, ctx or Options.Stop ends, or out cannot be written to. Calls that
// are running then are finished first, waits as if they had timed out. The
// error is nil unless in or out is broken or a line is too long. Errors of the
// Log are shown to the client in full, as it is the user's own.
//
// A read that is under way when ctx ends goes on in the background until in
// gives it something: there is no portable way to end it.
func ServeStdio(ctx context.Context, o Options, in io.Reader, out io.Writer) error {
	o = o.filled()
	stop, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(o.Stop, func() { cancel(nil) })()
	o.Stop = stop
	c := &stdioClient{
		server: newServer(o, true),
		out:    out,
		broken: cancel,
		news:   make(chan mcp.JSONRPCNotification, 100),
	}
	return c.serve(ctx, stop, cancel, requests(stop, in, o.maxRequestBytes()))
}

// stdioClient is the session of the only client. mcp-go's own stdio server is
// not used: it runs five calls at a time, so that five waits block every post,
// and it drops the calls that are running when the input ends.
type stdioClient struct {
	server *server.MCPServer
	news   chan mcp.JSONRPCNotification // to be written to out
	broken context.CancelCauseFunc      // called when out is

	mu  sync.Mutex
	out io.Writer // guarded by mu
}

func (c *stdioClient) SessionID() string                                   { return "stdio" }
func (c *stdioClient) Initialize()                                         {}
func (c *stdioClient) Initialized() bool                                   { return true }
func (c *stdioClient) NotificationChannel() chan<- mcp.JSONRPCNotification { return c.news }

func (c *stdioClient) serve(ctx, stop context.Context, cancel context.CancelCauseFunc, in <-chan line) error {
	var calls, news sync.WaitGroup
	news.Go(func() {
		for n := range c.news {
			c.write(n)
		}
	})
	// A call that has begun is finished, whatever ends the client meanwhile.
	err := c.read(c.server.WithContext(context.WithoutCancel(ctx), c), stop, in, &calls)
	cancel(nil)
	calls.Wait()
	close(c.news)
	news.Wait()
	return err
}

func (c *stdioClient) read(ctx, stop context.Context, in <-chan line, calls *sync.WaitGroup) error {
	for {
		select {
		case l, ok := <-in:
			switch {
			case !ok:
				return nil
			case l.err != nil:
				return fmt.Errorf("reading a request: %w", l.err)
			case isCall(l.text):
				calls.Go(func() { c.handle(ctx, l.text) })
			default:
				// A cancellation must not wait behind what it cancels, and must
				// not be overtaken either.
				c.handle(ctx, l.text)
			}
		case <-stop.Done():
			if cause := context.Cause(stop); errors.Is(cause, errOut) {
				return cause
			}
			return nil
		}
	}
}

func (c *stdioClient) handle(ctx context.Context, text []byte) {
	if answer := c.server.HandleMessage(ctx, text); answer != nil {
		c.write(answer)
	}
}

var errOut = errors.New("writing an answer")

func (c *stdioClient) write(v any) {
	text, err := json.Marshal(v)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, err = c.out.Write(append(text, '\n'))
	}
	if err != nil {
		c.broken(fmt.Errorf("%w: %w", errOut, err))
	}
}

// isCall reports whether a message may take long to answer.
func isCall(text []byte) bool {
	var m struct {
		Method string `json:"method"`
		ID     any    `json:"id"`
	}
	return json.Unmarshal(text, &m) == nil && m.ID != nil && m.Method == string(mcp.MethodToolsCall)
}

// line is a request, or the error that ended the input.
type line struct {
	text []byte
	err  error
}

// requests reads lines of at most that many bytes. The channel is closed at the
// end of in; nothing is sent any more once stop has ended.
func requests(stop context.Context, in io.Reader, most int) <-chan line {
	lines := make(chan line)
	go func() {
		defer close(lines)
		s := bufio.NewScanner(in)
		s.Buffer(nil, most)
		for s.Scan() {
			if text := bytes.TrimSpace(s.Bytes()); len(text) > 0 && !send(stop, lines, line{text: bytes.Clone(text)}) {
				return
			}
		}
		if s.Err() != nil {
			send(stop, lines, line{err: s.Err()})
		}
	}()
	return lines
}

func send(stop context.Context, to chan<- line, l line) bool {
	select {
	case to <- l:
		return true
	case <-stop.Done():
		return false
	}
}
