package codexrun_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/codexrun/codextest"
)

// toolServer is as much of a stateless MCP server as Codex needs: one tool with
// no annotations, so that it runs only when it is approved.
type toolServer struct {
	url string

	mu sync.Mutex
	// guarded by mu
	calls []http.Header // of each tools/call
}

func newToolServer(t *testing.T) *toolServer {
	t.Helper()
	s := &toolServer{}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	s.url = server.URL + "/mcp"
	return s
}

func (s *toolServer) serve(w http.ResponseWriter, r *http.Request) {
	var req struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
	}
	if r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || req.ID == nil {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	results := map[string]string{
		"initialize": `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"t","version":"1"}}`,
		"tools/list": `{"tools":[{"name":"post_message","description":"posts","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}}]}`,
		"tools/call": `{"content":[{"type":"text","text":"posted 7"}]}`,
	}
	if req.Method == "tools/call" {
		s.mu.Lock()
		s.calls = append(s.calls, r.Header.Clone())
		s.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":` + string(req.ID) + `,"result":` + results[req.Method] + `}`))
}

// TestRealToolCall: a tool call runs without a person, carries the token and
// the header, and the model's shell sees neither, not even once the shell
// snapshot is there; what the user hides from it stays hidden too.
func TestRealToolCall(t *testing.T) {
	t.Parallel()
	server := newToolServer(t)
	r := newRealRun(t, func(req codextest.Request) []codextest.Step {
		switch outputs := req.ToolOutputs(); len(outputs) {
		case 0:
			return []codextest.Step{codextest.CallMCP(req, "autoreview_relay", "post_message", map[string]any{"text": "hi"})}
		case 1:
			return []codextest.Step{codextest.Shell(req, `sleep 3.5; env; echo "seen:$SHOWN"`)}
		default:
			return []codextest.Step{codextest.Say(strings.Join(outputs, "\n"))}
		}
	})
	r.configure(t, "[shell_environment_policy]\nexclude = [\"USERS_OWN\"]\n")
	r.spec.Env = append(r.spec.Env, "RELAY_TOKEN=tok-123", "JOB_HEADER=job-456", "USERS_OWN=own-789", "SHOWN=yes")
	r.spec.MCP = &codexrun.MCPServer{
		Name: "autoreview_relay", URL: server.url, TokenEnv: "RELAY_TOKEN",
		HeaderEnv: map[string]string{"X-Relay-Job": "JOB_HEADER"}, Tools: []string{"post_message"},
	}
	res := r.run(t)
	r.wantClass(t, res, codexrun.Completed)
	if !strings.Contains(res.Final, "posted 7") || !strings.Contains(res.Final, "seen:yes") {
		t.Errorf("outputs: got %q, want posted 7 and seen:yes", res.Final)
	}
	for _, secret := range []string{"tok-123", "job-456", "own-789"} {
		if strings.Contains(res.Final, secret) {
			t.Errorf("the model's shell sees %s", secret)
		}
	}
	server.mu.Lock()
	defer server.mu.Unlock()
	if len(server.calls) != 1 {
		t.Fatalf("calls: got %d, want 1", len(server.calls))
	}
	if got := server.calls[0].Get("Authorization"); got != "Bearer tok-123" {
		t.Errorf("Authorization: got %q", got)
	}
	if got := server.calls[0].Get("X-Relay-Job"); got != "job-456" {
		t.Errorf("X-Relay-Job: got %q", got)
	}
}

func TestRealToolServerIsDown(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	r := newRealRun(t, codextest.Always("never"))
	r.spec.MCP = &codexrun.MCPServer{Name: "autoreview_relay", URL: server.URL + "/mcp", StartupTimeout: 2 * time.Second}
	res := r.run(t)
	r.wantClass(t, res, codexrun.MCPDown)
	if len(r.model.Requests()) > 0 {
		t.Error("the model was asked without the server")
	}
}
