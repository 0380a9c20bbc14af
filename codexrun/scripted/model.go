// Package scripted lets the real Codex CLI run without a model account: a Model
// is an endpoint on the loopback interface whose answers a Go func decides, and
// WriteHome makes a CODEX_HOME in which Codex knows no other. The tests, the
// demo and the proof of `autoreview doctor` use it; it knows nothing of tests.
package scripted

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Script answers one request of Codex with the steps to play, in order. It is
// called once per request and may be called from several goroutines.
type Script func(Request) []Step

// Model is a stand-in for the model service: an HTTP server on a loopback port
// that speaks as much of the Responses API as the Codex CLI needs. It is safe
// for concurrent use.
type Model struct {
	// URL is the base URL for a model provider's base_url.
	URL string

	server *http.Server
	done   chan struct{} // closed when the server has ended
	stop   chan struct{} // closed to end hanging answers

	mu sync.Mutex
	// guarded by mu
	script   Script
	requests []Request
	closed   bool
}

// NewModel starts a model that answers by script. The caller closes it.
func NewModel(script Script) (*Model, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the scripted model: %w", err)
	}
	m := &Model{
		URL:    "http://" + l.Addr().String() + "/v1",
		done:   make(chan struct{}),
		stop:   make(chan struct{}),
		script: script,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/responses", m.respond)
	m.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(m.done)
		_ = m.server.Serve(l) // always ErrServerClosed, by Close
	}()
	return m, nil
}

// Close ends the model and every answer that still hangs.
func (m *Model) Close() {
	m.mu.Lock()
	closed := m.closed
	m.closed = true
	m.mu.Unlock()
	if closed {
		return
	}
	close(m.stop)
	_ = m.server.Close()
	<-m.done
}

// SetScript replaces the script for requests from now on.
func (m *Model) SetScript(script Script) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.script = script
}

// Requests are the requests so far, in the order of their arrival.
func (m *Model) Requests() []Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Request(nil), m.requests...)
}

func (m *Model) respond(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	script, req := m.record(newRequest(r.Header, body))
	a := answer{w: w, id: fmt.Sprintf("resp_%d", req.N), stop: m.stop, gone: r.Context().Done()}
	for i, step := range script(req) {
		if !step.play(&a, fmt.Sprintf("%d_%d", req.N, i)) {
			return
		}
	}
	a.complete(Usage{})
}

func (m *Model) record(req Request) (Script, Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	req.N = len(m.requests) + 1
	m.requests = append(m.requests, req)
	return m.script, req
}

// Always is a script that says the same text to every request.
func Always(text string) Script {
	return func(Request) []Step { return []Step{Say(text)} }
}

// InTurn is a script that answers the n-th request of a turn of the
// conversation with the n-th list of steps, and every later one with the last.
// It counts the tool outputs since the last user message, so that it also
// holds for several runs at the same time.
func InTurn(turns ...[]Step) Script {
	return func(r Request) []Step {
		n := len(r.ToolOutputs())
		return turns[min(n, len(turns)-1)]
	}
}

// Contains says whether any text of the request holds s.
func (r Request) Contains(s string) bool { return strings.Contains(string(r.Body), s) }
