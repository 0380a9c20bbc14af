// Package mcptools is the door of the relay for models: the tools post_message,
// fetch_messages, wait_for_messages and list_channels of the Model Context
// Protocol, over streamable HTTP (New) and over stdio (ServeStdio).
//
// The HTTP door keeps no state between requests: there is no session id, so a
// restart of the relay is invisible to its clients. It asks nothing of Host and
// Origin; relay/guard stands in front of it.
//
// The tools add one rule to the verbs of relay.Log: calls of a request with a
// job header are made the answer of that job, see HeaderJob.
package mcptools

import (
	"context"
	"log/slog"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"autoreview/relay"
)

// ServerName is the name the server gives itself, the original server's.
const ServerName = "claude-codex-relay"

// Source is the source of drafts that come through these tools.
const Source = "mcp"

// Log is what the tools are a door to: a relay.Log, or a relay/client.Client.
type Log interface {
	Post(ctx context.Context, d relay.Draft) (relay.Posted, error)
	Read(ctx context.Context, q relay.Query) (relay.Page, error)
	Wait(ctx context.Context, q relay.Query, d time.Duration) (relay.Page, error)
	Channels(ctx context.Context) ([]relay.Channel, error)
	Info(ctx context.Context) (relay.Info, error)
}

var _ Log = (*relay.Log)(nil)

// Options are the settings of the tools. Only Log is required.
type Options struct {
	// Log is read and posted to.
	Log Log
	// Channels are listed even when they have no message yet.
	Channels []string
	// Limits are those of the Log. They bound the size of a request here.
	Limits relay.Limits
	// Stop ends every wait, as a time-out would, when it ends; other calls are
	// not affected. nil means never.
	Stop context.Context
	// Logger takes what goes wrong here; nil is silent.
	Logger *slog.Logger
	// Version is told to clients; "" means "dev".
	Version string
	// Fetched, if not nil, is called after each fetch_messages and each
	// wait_for_messages that was answered. limit is the one that was applied.
	// It must not block.
	Fetched func(target string, since int64, limit, returned int, latest int64)
}

func (o Options) filled() Options {
	if o.Stop == nil {
		o.Stop = context.Background()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.Limits.TextBytes <= 0 {
		o.Limits.TextBytes = relay.DefaultTextBytes
	}
	return o
}

// maxRequestBytes bounds one request: JSON needs at most six bytes for one of
// the text, and the rest of a request is small.
func (o Options) maxRequestBytes() int { return 6*o.Limits.TextBytes + 1<<20 }

// tools are the handlers. local says that the client is the user's own and may
// see every error in full.
type tools struct {
	Options
	local bool
}

// newServer offers the tools; o is filled.
func newServer(o Options, local bool) *server.MCPServer {
	s := server.NewMCPServer(ServerName, o.Version,
		server.WithTitle("Relay"),
		server.WithInstructions(instructions),
		server.WithToolCapabilities(false))
	t := &tools{Options: o, local: local}
	t.offer(s, postTool(), t.post)
	t.offer(s, fetchTool(), t.fetch)
	t.offer(s, waitTool(), t.wait)
	t.offer(s, channelsTool(), t.channels)
	return s
}

// handler answers one call. Its result is encoded as JSON; an *relay.Error is
// told to the model and any other error is internal.
type handler func(ctx context.Context, c call) (any, error)

func (t *tools) offer(s *server.MCPServer, tool mcp.Tool, h handler) {
	s.AddTool(tool, func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		c, err := newCall(s, tool, r)
		if err != nil {
			return t.failure(ctx, tool.Name, err)
		}
		answer, err := h(ctx, c)
		if err != nil {
			return t.failure(ctx, tool.Name, err)
		}
		return success(answer)
	})
}
