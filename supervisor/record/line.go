package record

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Kind says what a Line is about.
type Kind string

// The closed set of kinds.
const (
	Note      Kind = "note"      // of the supervisor: a run began, a job ended
	Thread    Kind = "thread"    // the thread's id
	Command   Kind = "command"   // Codex runs a command
	Output    Kind = "output"    // what the command printed, and how it ended
	Tool      Kind = "tool"      // Codex calls an MCP tool, or was refused it
	Files     Kind = "files"     // Codex changed files
	Reasoning Kind = "reasoning" // the model's summary of its thoughts
	Message   Kind = "message"   // the model's words
	Warning   Kind = "warning"   // Codex goes on all the same
	Error     Kind = "error"     // Codex tries again or gives up
	Turn      Kind = "turn"      // the turn's end
)

// Line is one step of a run, for a person. Text may have several lines, and
// holds whatever Codex printed: it is not safe for a terminal as it is.
type Line struct {
	Run int64 `json:"run,omitempty"`
	// Time is when Codex told of it; zero when that is not known.
	Time time.Time `json:"time,omitzero"`
	Kind Kind      `json:"kind"`
	Text string    `json:"text"`
}

// event is what is shown of Codex's events.
type event struct {
	Type     string `json:"type"`
	ThreadID string `json:"thread_id"`
	Message  string `json:"message"`
	Item     item   `json:"item"`
	Error    struct {
		Message string `json:"message"`
	} `json:"error"`
	Usage struct {
		Input  int64 `json:"input_tokens"`
		Cached int64 `json:"cached_input_tokens"`
		Output int64 `json:"output_tokens"`
	} `json:"usage"`
}

type item struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Message  string `json:"message"`
	Command  string `json:"command"`
	Output   string `json:"aggregated_output"`
	ExitCode *int   `json:"exit_code"`
	Server   string `json:"server"`
	Tool     string `json:"tool"`
	Error    struct {
		Message string `json:"message"`
	} `json:"error"`
	Changes []struct {
		Path string `json:"path"`
		Kind string `json:"kind"`
	} `json:"changes"`
}

// Render shows one event. ok is false for what is not worth a line, and for what
// is no event.
func Render(raw []byte) (l Line, ok bool) {
	var e event
	// Fields of another shape stay empty; a newer Codex may have them.
	if err := json.Unmarshal(raw, &e); err != nil && e.Type == "" {
		return Line{}, false
	}
	switch e.Type {
	case "thread.started":
		return Line{Kind: Thread, Text: "thread " + e.ThreadID}, true
	case "turn.completed":
		return Line{Kind: Turn, Text: fmt.Sprintf("turn completed; the thread has used %d tokens in (%d cached), %d out", e.Usage.Input, e.Usage.Cached, e.Usage.Output)}, true
	case "turn.failed":
		return Line{Kind: Turn, Text: "turn failed: " + e.Error.Message}, true
	case "error":
		return Line{Kind: Error, Text: e.Message}, true
	case "item.started":
		return e.Item.begun()
	case "item.completed":
		return e.Item.done()
	}
	return Line{}, false
}

// begun shows what takes a while and so is worth a line of its own.
func (i item) begun() (Line, bool) {
	switch i.Type {
	case "command_execution":
		return Line{Kind: Command, Text: i.Command}, true
	case "mcp_tool_call":
		return Line{Kind: Tool, Text: i.Server + "." + i.Tool}, true
	}
	return Line{}, false
}

func (i item) done() (Line, bool) {
	switch i.Type {
	case "agent_message":
		return Line{Kind: Message, Text: i.Text}, true
	case "reasoning":
		return Line{Kind: Reasoning, Text: i.Text}, true
	case "error":
		return Line{Kind: Warning, Text: i.Message}, true
	case "command_execution":
		return Line{Kind: Output, Text: i.ended()}, true
	case "file_change":
		return Line{Kind: Files, Text: i.changes()}, true
	case "mcp_tool_call":
		if i.Error.Message != "" {
			return Line{Kind: Tool, Text: i.Server + "." + i.Tool + " failed: " + i.Error.Message}, true
		}
		return Line{}, false
	}
	return Line{}, false
}

// ended names the command again: it may have begun long before.
func (i item) ended() string {
	code := "no exit code"
	if i.ExitCode != nil {
		code = fmt.Sprintf("exit code %d", *i.ExitCode)
	}
	out := strings.TrimRight(i.Output, "\n")
	if out == "" {
		return code + " of " + i.Command
	}
	return code + " of " + i.Command + "\n" + out
}

func (i item) changes() string {
	lines := make([]string, 0, len(i.Changes))
	for _, c := range i.Changes {
		lines = append(lines, c.Kind+" "+c.Path)
	}
	return strings.Join(lines, "\n")
}
