package codextest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"
)

// jobHeader carries, as base64url of JSON, where the answer belongs.
const jobHeader = "X-Relay-Job"

var (
	serverURL    = regexp.MustCompile(`\burl="([^"]+)"`)
	serverToken  = regexp.MustCompile(`\bbearer_token_env_var="([^"]+)"`)
	serverHeader = regexp.MustCompile(`\benv_http_headers={([^}]*)}`)
	headerPair   = regexp.MustCompile(`"?([\w-]+)"?="([^"]+)"`)
)

// post calls post_message of the MCP server in the run's settings and shows
// the call as an event.
func (f *fake) post(text string) {
	item := map[string]any{"server": "autoreview_relay", "tool": "post_message", "status": "completed", "error": nil}
	if err := f.callPost(text); err != nil {
		item["status"], item["error"] = "failed", map[string]any{"message": err.Error()}
	}
	f.item("mcp_tool_call", item)
}

func (f *fake) callPost(text string) error {
	server := ""
	for _, c := range f.args.config {
		if strings.HasPrefix(c, "mcp_servers") {
			server = c
		}
	}
	url := serverURL.FindStringSubmatch(server)
	if url == nil {
		return errors.New("no MCP server was given")
	}
	header := serverHeaders(server)
	var job struct{ Target, Sender string }
	raw, err := base64.RawURLEncoding.DecodeString(header.Get(jobHeader))
	if err == nil {
		err = json.Unmarshal(raw, &job)
	}
	if err != nil {
		return fmt.Errorf("reading the job header: %w", err)
	}
	return callTool(url[1], header, map[string]any{"name": "post_message", "arguments": map[string]any{
		"target": job.Target, "sender": job.Sender, "text": text,
	}})
}

func serverHeaders(server string) http.Header {
	h := make(http.Header)
	if m := serverToken.FindStringSubmatch(server); m != nil {
		h.Set("Authorization", "Bearer "+os.Getenv(m[1]))
	}
	if m := serverHeader.FindStringSubmatch(server); m != nil {
		for _, pair := range headerPair.FindAllStringSubmatch(m[1], -1) {
			h.Set(pair[1], os.Getenv(pair[2]))
		}
	}
	return h
}

// callTool makes one call of a stateless server, without a session.
func callTool(url string, header http.Header, params any) error {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	return toolError(resp.StatusCode, answer)
}

// toolError reads an answer that is JSON or one SSE event.
func toolError(status int, answer []byte) error {
	for line := range bytes.Lines(answer) {
		if data, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			answer = data
		}
	}
	var v struct {
		Error  *struct{ Message string }
		Result *struct {
			IsError bool
			Content []struct{ Text string }
		}
	}
	if err := json.Unmarshal(answer, &v); err != nil || status != http.StatusOK {
		return fmt.Errorf("the MCP server answered %d: %.200s", status, answer)
	}
	switch {
	case v.Error != nil:
		return errors.New(v.Error.Message)
	case v.Result != nil && v.Result.IsError:
		return fmt.Errorf("%v", v.Result.Content)
	}
	return nil
}
