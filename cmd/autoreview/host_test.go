package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"

	"autoreview/relay/client"
	"autoreview/relay/server"
)

// Of two windows that are opened together the second finds the data folder
// taken by a relay that does not answer yet. It waits, and when nothing comes of
// that relay it hosts one itself.
func TestHostWaitsForARelayThatIsOpening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "relay")
	opening, err := server.OpenData(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	looks := make(chan struct{})
	var seen atomic.Int64
	// It is no relay; it counts how often one is looked for.
	nobody := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if seen.Add(1) == 3 { // before this it found the folder taken
			close(looks)
		}
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusNotFound)
	}))
	go func() {
		<-looks
		nobody.Close()
		if err := opening.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	stop, err := hostRelay(ctx, nobody.URL, runFlags{relayData: dir}, nil, slog.New(slog.DiscardHandler))
	defer cancel()
	if err != nil {
		t.Fatalf("hostRelay: got %v, want it to wait for the folder", err)
	}
	c := client.New(client.Options{BaseURL: nobody.URL})
	defer c.Close()
	if err := c.Check(t.Context()); err != nil {
		t.Errorf("asking the hosted relay: %v", err)
	}
	cancel()
	stop()
}

// A folder that belongs to a relay at another address will not become free.
func TestHostDoesNotWaitForARelayElsewhere(t *testing.T) {
	h := &host{url: "http://127.0.0.1:8010"}
	tests := map[string]bool{"": true, "http://127.0.0.1:8010": true, "http://127.0.0.1:9000": false}
	for url, want := range tests {
		if got := h.opening(&server.LockedError{Dir: "d", Owner: server.Owner{PID: 1, URL: url}}); got != want {
			t.Errorf("a folder whose relay is at %q: got waits %t, want %t", url, got, want)
		}
	}
	if h.opening(&server.PortError{Addr: "127.0.0.1:8010"}) {
		t.Error("a port that another program has: got waits true, want false")
	}
}
