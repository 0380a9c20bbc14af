package supervisor

import (
	"log/slog"

	"autoreview/codexrun"
)

// showProgress logs what Codex is doing. It is for somebody who watches:
// commands and warnings may quote the packet, so it stays below Info.
func showProgress(log *slog.Logger, e codexrun.Event) {
	item, ok := e.Item()
	switch {
	case !ok && e.Type == "error":
		log.Debug("codex reports an error", "event", string(e.Raw))
	case !ok:
		log.Debug("codex event", "type", e.Type)
	case item.Type == "command_execution" && e.Type == "item.started":
		log.Debug("codex runs a command", "command", item.Command)
	case item.Type == "mcp_tool_call" && e.Type == "item.started":
		log.Debug("codex calls a tool", "server", item.Server, "tool", item.Tool)
	case item.Type == "mcp_tool_call" && item.Error.Message != "":
		log.Debug("codex was refused a tool", "server", item.Server, "tool", item.Tool, "err", item.Error.Message)
	case item.Type == "error":
		log.Debug("codex warns", "message", item.Message)
	case e.Type == "item.completed":
		log.Debug("codex completed a step", "type", item.Type, "status", item.Status)
	}
}
