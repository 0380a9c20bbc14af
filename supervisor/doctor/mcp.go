package doctor

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// mcpClient speaks as much of MCP over stateless HTTP as it takes to meet a
// relay the way Claude Code and Codex do.
type mcpClient struct {
	url, token string
	id         int
}

// handshake is what the relay's MCP endpoint said of itself.
type handshake struct {
	name, version string
	tools         []mcpTool
}

type mcpTool struct {
	Name        string `json:"name"`
	Annotations struct {
		ReadOnly    bool  `json:"readOnlyHint"`
		Destructive *bool `json:"destructiveHint"`
		OpenWorld   *bool `json:"openWorldHint"`
	} `json:"annotations"`
}

// harmless is the rule by which Codex runs a tool without approval.
func (t mcpTool) harmless() bool {
	no := func(b *bool) bool { return b != nil && !*b }
	a := t.Annotations
	return a.ReadOnly || no(a.Destructive) && no(a.OpenWorld)
}

const mcpProtocol = "2025-06-18"

// mcpBytes bounds one answer: a page of messages with long texts.
const mcpBytes = 64 << 20

// hello is the handshake: initialize, initialized, tools/list.
func (c *mcpClient) hello(ctx context.Context) (handshake, error) {
	var who struct {
		ServerInfo struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"serverInfo"`
	}
	err := c.call(ctx, "initialize", map[string]any{
		"protocolVersion": mcpProtocol, "capabilities": map[string]any{},
		"clientInfo": map[string]any{"name": "autoreview-doctor", "version": "1"},
	}, &who)
	if err != nil {
		return handshake{}, fmt.Errorf("initialize: %w", err)
	}
	var list struct {
		Tools []mcpTool `json:"tools"`
	}
	if err := c.call(ctx, "tools/list", map[string]any{}, &list); err != nil {
		return handshake{}, fmt.Errorf("tools/list: %w", err)
	}
	return handshake{name: who.ServerInfo.Name, version: who.ServerInfo.Version, tools: list.Tools}, nil
}

// tool calls a tool and decodes its structured result into out.
func (c *mcpClient) tool(ctx context.Context, name string, args map[string]any, out any) error {
	var res struct {
		IsError bool `json:"isError"`
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
		Structured json.RawMessage `json:"structuredContent"`
	}
	params := map[string]any{"name": name, "arguments": args, "_meta": map[string]any{"progressToken": c.id + 1}}
	if err := c.call(ctx, "tools/call", params, &res); err != nil {
		return err
	}
	if res.IsError {
		if len(res.Content) > 0 {
			return errors.New(res.Content[0].Text)
		}
		return errors.New("the tool failed without a word")
	}
	return json.Unmarshal(res.Structured, out)
}

// call sends one request and decodes its result.
func (c *mcpClient) call(ctx context.Context, method string, params, out any) error {
	c.id++
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": c.id, "method": method, "params": params})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if method != "initialize" {
		req.Header.Set("Mcp-Protocol-Version", mcpProtocol)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", resp.Status)
	}
	return decodeResult(resp, c.id, out)
}

type rpcAnswer struct {
	ID     json.RawMessage `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// decodeResult finds the answer with an id: the body itself, or an event of it.
func decodeResult(resp *http.Response, id int, out any) error {
	body := io.LimitReader(resp.Body, mcpBytes)
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		var a rpcAnswer
		if err := json.NewDecoder(body).Decode(&a); err != nil {
			return errors.New("its answer is not JSON")
		}
		return a.decode(out)
	}
	lines := bufio.NewReader(body)
	for {
		line, err := lines.ReadBytes('\n')
		if data, is := bytes.CutPrefix(line, []byte("data:")); is {
			var a rpcAnswer
			if json.Unmarshal(data, &a) == nil && string(a.ID) == fmt.Sprint(id) {
				return a.decode(out)
			}
		}
		if err != nil {
			return fmt.Errorf("its stream ended without an answer: %w", err)
		}
	}
}

func (a rpcAnswer) decode(out any) error {
	if a.Error != nil {
		return errors.New(a.Error.Message)
	}
	return json.Unmarshal(a.Result, out)
}

func (s *snapshot) shakeHands() (handshake, error) {
	ctx, cancel := context.WithTimeout(s.ctx, askTime)
	defer cancel()
	return (&mcpClient{url: s.cfg.Relay + "/mcp", token: s.token()}).hello(ctx)
}

// annotated says whether the relay marks all its tools so that Codex runs them.
func (s *snapshot) annotated() bool {
	if !s.relay().there() {
		return false
	}
	h, err := s.mcp()
	return err == nil && len(h.tools) > 0 && !slices.ContainsFunc(h.tools, func(t mcpTool) bool { return !t.harmless() })
}

// checkMCP does the handshake that Claude Code and Codex do.
func checkMCP(_ context.Context, s *snapshot) Result {
	if !s.relay().up() {
		return nothing
	}
	h, err := s.mcp()
	if err != nil {
		return fail("the relay's MCP endpoint does not work", err.Error(), "see whether a proxy stands before the relay, and whether it is up to date")
	}
	var names, missing []string
	for _, t := range h.tools {
		names = append(names, t.Name)
	}
	for _, name := range relayTools {
		if !slices.Contains(names, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fail("the relay lacks tools: "+strings.Join(missing, ", "), "it is of another version, or of another kind", "update the relay")
	}
	return ok("%s %s, %d tools", h.name, h.version, len(names))
}

// checkVersion compares the relay's version with ours.
func checkVersion(_ context.Context, s *snapshot) Result {
	if !s.relay().up() {
		return nothing
	}
	h, err := s.mcp()
	if err != nil {
		return nothing
	}
	if h.version != s.Version {
		return warn("the relay is version "+h.version, "autoreview is "+s.Version+"; a relay that goes on running keeps its version when the programs are replaced", "restart the relay")
	}
	return ok("the relay is version %s, as autoreview", h.version)
}
