package mcptools_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/relay/mcptools"
)

// Over stdio the tools stand before a relay that runs elsewhere.
var _ mcptools.Log = (*client.Client)(nil)

// desktop is a client that speaks stdio, such as Claude Desktop.
type desktop struct {
	t       *testing.T
	in      *io.PipeWriter
	out     *bufio.Scanner
	stopped chan error
}

func startDesktop(ctx context.Context, t *testing.T, o mcptools.Options) *desktop {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	d := &desktop{t: t, in: inW, out: bufio.NewScanner(outR), stopped: make(chan error, 1)}
	d.out.Buffer(nil, 64<<20)
	go func() {
		err := mcptools.ServeStdio(ctx, o, inR, outW)
		outW.Close()
		d.stopped <- err
	}()
	t.Cleanup(func() { inW.Close() })
	return d
}

func (d *desktop) send(format string, args ...any) {
	d.t.Helper()
	if _, err := fmt.Fprintf(d.in, format+"\n", args...); err != nil {
		d.t.Fatalf("sending: %v", err)
	}
}

func (d *desktop) call(id int, tool string, args object, token any) {
	d.t.Helper()
	params := object{"name": tool, "arguments": args}
	if token != nil {
		params["_meta"] = object{"progressToken": token}
	}
	d.send("%s", mustJSON(d.t, object{"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}))
}

// next returns the next message of the server.
func (d *desktop) next() message {
	d.t.Helper()
	var m message
	if !d.out.Scan() {
		d.t.Fatalf("the output ended: %v", d.out.Err())
	}
	if err := json.Unmarshal(d.out.Bytes(), &m); err != nil {
		d.t.Fatalf("got the line %q: %v", d.out.Bytes(), err)
	}
	return m
}

// A client over stdio sees what a client over HTTP does.
func TestStdioOffersTheSameTools(t *testing.T) {
	o := mcptools.Options{Log: newLog()}
	overHTTP := ask(t, listen(t, o), "tools/list", `{}`)
	d := startDesktop(t.Context(), t, o)
	d.send(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":%s}`, hello)
	if m := d.next(); m.ID != 0.0 || !bytes.Contains(m.Result, []byte("claude-codex-relay")) {
		t.Fatalf("initialize: got %+v", m)
	}
	d.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	d.send("")
	d.send(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	if diff := cmp.Diff(string(overHTTP), string(d.next().Result)); diff != "" {
		t.Errorf("tools/list over stdio (-http +stdio):\n%s", diff)
	}
	d.call(2, "post_message", object{"target": "proj-x", "sender": "claude", "text": "a\nb"}, nil)
	if m := d.next(); m.ID != 2.0 || !bytes.Contains(m.Result, []byte(`{"ok":true,"posted":1}`)) {
		t.Errorf("post_message: got %+v", m)
	}
	d.send(`{"jsonrpc":`)
	if m := d.next(); m.Error == nil {
		t.Errorf("broken line: got %+v, want an error", m)
	}
	d.in.Close()
	if err := <-d.stopped; err != nil {
		t.Errorf("ServeStdio: got %v, want nil at the end of the input", err)
	}
}

// Many waits must not keep a post from being answered.
func TestStdioWaitsDoNotBlockPosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog()
		d := startDesktop(t.Context(), t, mcptools.Options{Log: l})
		const waits = 20
		for i := range waits {
			d.call(i, "wait_for_messages", object{"target": "proj-x", "since_id": 0, "timeout_seconds": 600}, fmt.Sprint("tok", i))
			if m := d.next(); m.Method != "notifications/progress" {
				t.Fatalf("wait %d: got %+v, want progress", i, m)
			}
		}
		start := time.Now()
		d.call(99, "post_message", object{"target": "proj-x", "sender": "codex", "text": "done"}, nil)
		answered := make(map[any]bool)
		for range waits + 1 {
			answered[d.next().ID] = true
		}
		if len(answered) != waits+1 || time.Since(start) != 0 {
			t.Errorf("got %d answers in %v, want %d at once", len(answered), time.Since(start), waits+1)
		}
		d.in.Close()
		<-d.stopped
	})
}

// What was asked before the input ended is answered: printf ... | relay stdio.
func TestStdioAnswersWhatWasAskedBeforeTheEnd(t *testing.T) {
	l := newLog()
	var in strings.Builder
	for i := range 50 {
		in.WriteString(callBody("post_message", object{"target": "t", "sender": "s", "text": fmt.Sprint(i)}, nil) + "\n")
	}
	in.WriteString(callBody("wait_for_messages", object{"target": "nobody", "since_id": 0}, nil))
	var out bytes.Buffer
	if err := mcptools.ServeStdio(t.Context(), mcptools.Options{Log: l}, strings.NewReader(in.String()), &out); err != nil {
		t.Fatalf("ServeStdio: %v", err)
	}
	var results int
	for _, m := range readMessages(t, &out) {
		if m.Result != nil {
			results++
		}
	}
	if i, _ := l.Info(t.Context()); results != 51 || i.Head != 50 {
		t.Errorf("got %d answers and %d messages, want 51 and 50", results, i.Head)
	}
}

// A cancellation ends the call it names: here the client is known.
func TestStdioCancellationEndsItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := startDesktop(t.Context(), t, mcptools.Options{Log: newLog()})
		start := time.Now()
		d.call(3, "wait_for_messages", object{"target": "proj-x", "since_id": 0, "timeout_seconds": 600}, "tok")
		d.next() // progress: the call is running
		d.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}`)
		if m := d.next(); m.ID != 3.0 || m.Error == nil || time.Since(start) != 0 {
			t.Errorf("got %+v after %v, want an error for 3 at once", m, time.Since(start))
		}
		d.in.Close()
		<-d.stopped
	})
}

// Either stop ends the waits as a time-out would; a context also ends ServeStdio.
func TestStdioStops(t *testing.T) {
	for _, which := range []string{"context", "stop"} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancelCtx := context.WithCancel(t.Context())
			stop, cancelStop := context.WithCancel(t.Context())
			defer cancelCtx()
			defer cancelStop()
			d := startDesktop(ctx, t, mcptools.Options{Log: newLog(), Stop: stop})
			d.call(1, "wait_for_messages", object{"target": "proj-x", "since_id": 0, "timeout_seconds": 600}, "tok")
			d.next()
			map[string]context.CancelFunc{"context": cancelCtx, "stop": cancelStop}[which]()
			if m := d.next(); m.ID != 1.0 || !bytes.Contains(m.Result, []byte(`"messages":[]`)) {
				t.Errorf("%s: got %+v, want an empty answer", which, m)
			}
			if err := <-d.stopped; err != nil {
				t.Errorf("%s: ServeStdio: got %v, want nil", which, err)
			}
			d.in.Close()
		})
	}
}

type brokenWriter struct{}

var errPipe = errors.New("broken pipe")

func (brokenWriter) Write([]byte) (int, error) { return 0, errPipe }

func TestStdioEndsWhenItsOutputDoes(t *testing.T) {
	in, w := io.Pipe()
	defer w.Close()
	go io.WriteString(w, callBody("list_channels", object{}, nil)+"\n")
	err := mcptools.ServeStdio(t.Context(), mcptools.Options{Log: newLog()}, in, brokenWriter{})
	if !errors.Is(err, errPipe) {
		t.Errorf("ServeStdio: got %v, want %v", err, errPipe)
	}
}

func TestStdioRefusesAnEndlessLine(t *testing.T) {
	in := strings.NewReader(strings.Repeat("x", 2<<20))
	err := mcptools.ServeStdio(t.Context(), mcptools.Options{Log: newLog(), Limits: relay.Limits{TextBytes: 10}}, in, io.Discard)
	if !errors.Is(err, bufio.ErrTooLong) {
		t.Errorf("ServeStdio: got %v, want %v", err, bufio.ErrTooLong)
	}
}

// The user's own client may see what is wrong: a relay that is not running.
func TestStdioShowsErrorsInFull(t *testing.T) {
	var out bytes.Buffer
	in := strings.NewReader(callBody("list_channels", object{}, nil))
	if err := mcptools.ServeStdio(t.Context(), mcptools.Options{Log: failingLog{newLog()}}, in, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), errDisk.Error()) {
		t.Errorf("got %s, want %q", out.String(), errDisk)
	}
}
