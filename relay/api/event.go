package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// reconnectMillis is how long a browser waits before it connects again. Its own
// default of several seconds is long for a relay on the same machine.
const reconnectMillis = 1000

// stopGrace is how long a client has to take what was sent before a stop.
const stopGrace = 250 * time.Millisecond

// keptBuffer is the largest buffer that an idle stream holds on to.
const keptBuffer = 64 << 10

var errClientGone = errors.New("the stream's client is gone")

// eventWriter writes server-sent events. Each write has a deadline of its own,
// so that a client that stopped reading is dropped and one that reads slowly is
// not. It belongs to one goroutine.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	buf     bytes.Buffer
}

func newEventWriter(w http.ResponseWriter, timeout time.Duration) *eventWriter {
	e := &eventWriter{w: w, control: http.NewResponseController(w), timeout: timeout}
	fmt.Fprintf(&e.buf, "retry: %d\n", reconnectMillis)
	return e
}

// send writes one event with v as its JSON data.
func (e *eventWriter) send(ctx context.Context, name string, id int64, v any) error {
	data, err := encode(v)
	if err != nil {
		return err
	}
	appendEvent(&e.buf, name, id, data)
	return e.write(ctx)
}

func (e *eventWriter) heartbeat(ctx context.Context) error {
	e.buf.WriteString(": heartbeat\n\n")
	return e.write(ctx)
}

func (e *eventWriter) write(ctx context.Context) error {
	// Not every writer knows deadlines, and the event is sent all the same.
	_ = e.control.SetWriteDeadline(time.Now().Add(e.timeout))
	// Asked only now: had ctx ended before, hurry's deadline would be lost. It
	// is also where a long replay, which never blocks in Wait, is stopped.
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if _, err := e.buf.WriteTo(e.w); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	if e.buf.Cap() > keptBuffer {
		e.buf = bytes.Buffer{}
	}
	return nil
}

// flush sends what net/http still holds back.
func (e *eventWriter) flush() error {
	if err := e.control.Flush(); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return nil
}

// hurry shortens the deadline of a write that is stuck when ctx ends, so that a
// client that does not read cannot hold up a stop. The caller calls the
// function it returns.
func (e *eventWriter) hurry(ctx context.Context) func() bool {
	return context.AfterFunc(ctx, func() {
		_ = e.control.SetWriteDeadline(time.Now().Add(stopGrace))
	})
}

// appendEvent writes one event. Data of several lines, whatever ends them,
// becomes several data fields: no data can end its event or begin another.
func appendEvent(buf *bytes.Buffer, name string, id int64, data []byte) {
	buf.WriteString("event: " + name + "\nid: " + strconv.FormatInt(id, 10) + "\n")
	if bytes.IndexByte(data, '\r') >= 0 {
		data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
		data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	}
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		buf.WriteString("data: ")
		buf.Write(line)
		buf.WriteByte('\n')
	}
	buf.WriteByte('\n')
}
