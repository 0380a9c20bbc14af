package codexrun

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Event is one line of `codex exec --json`. Types and fields that this package
// does not know are kept in Raw and are not an error.
type Event struct {
	Type string          // "thread.started", "item.completed", ...
	Raw  json.RawMessage // the whole line
}

// Item is what an item.started, item.updated or item.completed event is about:
// a message of the model, a command, a tool call. It is for showing progress;
// what it says never decides how a run ended.
type Item struct {
	ID   string `json:"id"`
	Type string `json:"type"` // "agent_message", "command_execution", "mcp_tool_call", ...
	// Text is set for agent_message and reasoning.
	Text string `json:"text"`
	// Command and ExitCode are set for command_execution; ExitCode once it
	// has ended.
	Command  string `json:"command"`
	ExitCode *int   `json:"exit_code"`
	// Server, Tool and Error are set for mcp_tool_call.
	Server string `json:"server"`
	Tool   string `json:"tool"`
	Error  struct {
		Message string `json:"message"`
	} `json:"error"`
	// Status is in_progress, completed or failed, for what takes time.
	Status string `json:"status"`
	// Message is set for the type error, which is a warning.
	Message string `json:"message"`
}

// Item is the event's item; false when it has none.
func (e Event) Item() (Item, bool) {
	var v struct {
		Item *Item `json:"item"`
	}
	if json.Unmarshal(e.Raw, &v) != nil || v.Item == nil {
		return Item{}, false
	}
	return *v.Item, true
}

// denials are what Codex itself writes into the error of an MCP call that it did
// not let through, lower case: under exec there is nobody to approve it. Up to
// 0.145 it says that the user cancelled the call, since 0.155 what it is.
var denials = []string{
	"user cancelled mcp tool call",
	"user rejected mcp tool call",
	"mcp tool call cancelled before approval",
	"mcp tool call requires approval",
	"mcp tool call blocked by app configuration",
}

// Denied says whether the item is a call of an MCP tool that Codex did not let
// through. What the server answers shows elsewhere: as the item's result, or
// behind words of Codex's own.
func (i Item) Denied() bool {
	if i.Type != "mcp_tool_call" || i.Status != "failed" {
		return false
	}
	return slices.ContainsFunc(denials, func(words string) bool { return hasPrefixFold(i.Error.Message, words) })
}

// parseEvent reads one line of standard output; false for a line that is not a
// JSON object with a type.
func parseEvent(line []byte) (Event, bool) {
	line = bytes.TrimSpace(line)
	var head struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(line, &head) != nil || head.Type == "" {
		return Event{}, false
	}
	return Event{Type: head.Type, Raw: line}, true
}

// record is what the events of a run come to.
type record struct {
	threadID  string
	turn      bool   // turn.started was seen
	completed bool   // turn.completed was seen
	final     string // the last agent message before it
	usage     Usage
	failed    string // message of turn.failed
	lastError string // message of the last error event that is not a retry
	// retrying is the message of a "Reconnecting..." notice when nothing has
	// come since.
	retrying string

	// server and must are the tool that the run is there to call. called says
	// that Codex let it; denied is why not, the last time.
	server, must string
	called       bool
	denied       string
}

// add takes in one event.
func (r *record) add(e Event) {
	var v struct {
		ThreadID string `json:"thread_id"`
		Message  string `json:"message"`
		Usage    Usage  `json:"usage"`
		Error    struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	// Fields of a type that is not expected stay empty; the others are read.
	_ = json.Unmarshal(e.Raw, &v)
	retrying := ""
	switch e.Type {
	case "thread.started":
		r.threadID = v.ThreadID
	case "turn.started":
		r.turn = true
	case "turn.completed":
		r.completed, r.usage = true, v.Usage
	case "turn.failed":
		r.failed = v.Error.Message
		if r.failed == "" {
			r.failed = "the turn failed without a message"
		}
	case "error":
		if isRetry(v.Message) {
			retrying = v.Message
		} else {
			r.lastError = v.Message
		}
	case "item.completed":
		if item, ok := e.Item(); ok {
			r.item(item)
		}
	}
	r.retrying = retrying
}

// item takes in an item that is complete.
func (r *record) item(i Item) {
	switch {
	case i.Type == "agent_message" && !r.completed:
		r.final = i.Text
	case i.Type != "mcp_tool_call" || r.must == "" || i.Server != r.server || i.Tool != r.must:
	case i.Denied():
		r.denied = i.Error.Message
	default:
		r.called = true
	}
}

// over says whether the turn has come to its end, good or bad.
func (r *record) over() bool { return r.completed || r.failed != "" }

// isRetry tells Codex's own retries, which are no failure and no progress.
func isRetry(message string) bool { return hasPrefixFold(message, "reconnecting...") }

// Retry is the message of an event by which Codex only says that it tries to
// reach its model again; false for every other event.
func (e Event) Retry() (message string, ok bool) {
	if e.Type != "error" {
		return "", false
	}
	var v struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(e.Raw, &v) != nil || !isRetry(v.Message) {
		return "", false
	}
	return v.Message, true
}
