package server_test

import (
	"net/http"
	"strings"
	"testing"
)

// callFetch calls the tool fetch_messages as a model does, with a limit that is
// above what is allowed.
func callFetch(t *testing.T, url string) {
	t.Helper()
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"fetch_messages",` +
		`"arguments":{"target":"proj-x","since_id":1,"limit":1000}}}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/mcp", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("fetch_messages: got status %d, want 200", resp.StatusCode)
	}
}
