package mcptools

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"autoreview/relay"
)

// call is one call of a tool.
type call struct {
	args   *arguments
	header http.Header // of the HTTP request; nil over stdio
	// warning goes into the answer; "" when there is nothing to warn of.
	warning string

	server *server.MCPServer
	token  mcp.ProgressToken // nil when the client asked for no progress
}

func newCall(s *server.MCPServer, tool mcp.Tool, r mcp.CallToolRequest) (call, error) {
	args, err := parseArguments(r.Params.RawArguments)
	if err != nil {
		return call{}, err
	}
	known := slices.Sorted(maps.Keys(tool.InputSchema.Properties))
	c := call{args: &args, header: r.Header, server: s, warning: args.unknown(tool.Name, known)}
	if r.Params.Meta != nil {
		c.token = r.Params.Meta.ProgressToken
	}
	return c, nil
}

// progress tells the client how much of the time has passed, if it asked. It
// must not be sent right before the answer: the transport may then drop it. A
// client that takes none misses only the progress, so errors are not reported.
func (c call) progress(ctx context.Context, passed, total time.Duration, what string) {
	if c.token == nil {
		return
	}
	_ = c.server.SendNotificationToClient(ctx, "notifications/progress", map[string]any{
		"progressToken": c.token,
		"progress":      math.Floor(passed.Seconds()),
		"total":         math.Ceil(total.Seconds()),
		"message":       what,
	})
}

// success has the answer as text and as structured content, the same JSON.
func success(answer any) (*mcp.CallToolResult, error) {
	text, err := encode(answer)
	if err != nil {
		return nil, fmt.Errorf("encoding the answer: %w", err)
	}
	return mcp.NewToolResultStructured(json.RawMessage(text), string(text)), nil
}

// encode leaves <, > and & as they are: a diff is full of them, and the model
// reads this text.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// failure is the one place where errors meet the client.
func (t *tools) failure(ctx context.Context, tool string, err error) (*mcp.CallToolResult, error) {
	if e, ok := errors.AsType[*relay.Error](err); ok {
		return mcp.NewToolResultError(e.Text), nil
	}
	if ctx.Err() != nil {
		return nil, err // nobody is there to read it
	}
	t.Logger.Error("tool call failed", "tool", tool, "err", err)
	if t.local {
		return mcp.NewToolResultError(err.Error()), nil
	}
	return mcp.NewToolResultError("internal error"), nil
}
