package mcptools

import (
	"net/http"

	"github.com/mark3labs/mcp-go/server"
)

// The numbers that tests hold the tools to.
const (
	DefaultFetch   = defaultFetch
	MaxResultBytes = maxResultBytes
	InlineChars    = inlineChars
	Instructions   = instructions
)

// NewWith is New with more tools beside ours.
func NewWith(o Options, add func(*server.MCPServer)) http.Handler {
	o = o.filled()
	s := newServer(o, false)
	add(s)
	return handle(s, o)
}
