package scripted

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Step is one part of an answer of the model. Steps are made by the funcs of
// this package. An answer whose last step does not end it is completed with a
// usage of 100 input, 10 cached, 20 output and 5 reasoning tokens.
type Step struct {
	// play reports whether the answer goes on.
	play func(a *answer, id string) bool
}

// Usage is what an answer says it used.
type Usage struct {
	Input, Cached, Output, Reasoning int64
}

// answer is one HTTP response in the making.
type answer struct {
	w       http.ResponseWriter
	id      string
	stop    <-chan struct{}
	gone    <-chan struct{}
	started bool
}

func (a *answer) begin() {
	if a.started {
		return
	}
	a.started = true
	a.w.Header().Set("Content-Type", "text/event-stream")
	a.send("response.created", map[string]any{"response": map[string]any{"id": a.id}})
}

func (a *answer) send(event string, fields map[string]any) {
	fields["type"] = event
	data, err := json.Marshal(fields)
	if err != nil {
		data = []byte(`{}`) // only plain values get here
	}
	fmt.Fprintf(a.w, "event: %s\ndata: %s\n\n", event, data)
	_ = http.NewResponseController(a.w).Flush()
}

func (a *answer) item(fields map[string]any) {
	a.begin()
	a.send("response.output_item.done", map[string]any{"item": fields})
}

func (a *answer) complete(u Usage) {
	a.begin()
	if u == (Usage{}) {
		u = Usage{Input: 100, Cached: 10, Output: 20, Reasoning: 5}
	}
	a.send("response.completed", map[string]any{"response": map[string]any{
		"id": a.id,
		"usage": map[string]any{
			"input_tokens":          u.Input,
			"input_tokens_details":  map[string]any{"cached_tokens": u.Cached},
			"output_tokens":         u.Output,
			"output_tokens_details": map[string]any{"reasoning_tokens": u.Reasoning},
			"total_tokens":          u.Input + u.Output,
		},
	}})
}

// wait blocks until the client or the model is gone.
func (a *answer) wait() {
	select {
	case <-a.stop:
	case <-a.gone:
	}
}

func itemStep(fields func(id string) map[string]any) Step {
	return Step{func(a *answer, id string) bool {
		a.item(fields(id))
		return true
	}}
}

// Say is a message of the model.
func Say(text string) Step {
	return itemStep(func(id string) map[string]any {
		return map[string]any{
			"type": "message", "role": "assistant", "id": "msg_" + id,
			"content": []any{map[string]any{"type": "output_text", "text": text}},
		}
	})
}

// Think is a reasoning summary.
func Think(text string) Step {
	return itemStep(func(id string) map[string]any {
		return map[string]any{
			"type": "reasoning", "id": "rs_" + id,
			"summary": []any{map[string]any{"type": "summary_text", "text": text}},
		}
	})
}

// Call calls a tool. namespace is "" for Codex's own tools and "mcp__NAME" for
// those of an MCP server.
func Call(namespace, name string, args any) Step {
	return itemStep(func(id string) map[string]any {
		raw, err := json.Marshal(args)
		if err != nil {
			raw = []byte(err.Error()) // shows in the tool's refusal
		}
		item := map[string]any{
			"type": "function_call", "id": "fc_" + id, "call_id": "call_" + id,
			"name": name, "arguments": string(raw),
		}
		if namespace != "" {
			item["namespace"] = namespace
		}
		return item
	})
}

// CallMCP calls a tool of an MCP server in the form the version of Codex that
// sent the request takes: by namespace, which has underscores at its end in
// 0.128, or by one joined name.
func CallMCP(r Request, server, name string, args any) Step {
	space := "mcp__" + server
	switch {
	case r.HasTool(space + "__" + name):
		return Call("", space+"__"+name, args)
	case r.HasTool(space + "__/" + name):
		return Call(space+"__", name, args)
	}
	return Call(space, name, args)
}

// Shell runs a command by the shell tool that the request offers, and waits up
// to 30 s for its end.
func Shell(r Request, command string) Step {
	switch {
	case r.HasTool("exec_command"):
		return Call("", "exec_command", map[string]any{"cmd": command, "yield_time_ms": 30_000})
	case r.HasTool("shell_command"):
		return Call("", "shell_command", map[string]any{"command": command, "timeout_ms": 30_000})
	default:
		return Call("", "shell", map[string]any{"command": []string{"bash", "-lc", command}, "timeout_ms": 30_000})
	}
}

// Use ends the answer with this usage.
func Use(u Usage) Step {
	return Step{func(a *answer, _ string) bool {
		a.complete(u)
		return false
	}}
}

// Fail answers with an HTTP status and an error of the given code instead of a
// stream. It must be the only step.
func Fail(status int, code, message string) Step {
	body := map[string]any{"error": map[string]any{"type": code, "code": code, "message": message}}
	return failWith(status, body)
}

// UsageLimit answers that the plan's usage window is used up until a time.
func UsageLimit(resets time.Time) Step {
	return failWith(http.StatusTooManyRequests, map[string]any{"error": map[string]any{
		"type": "usage_limit_reached", "message": "The usage limit has been reached",
		"plan_type": "plus", "resets_at": resets.Unix(),
	}})
}

func failWith(status int, body any) Step {
	return Step{func(a *answer, _ string) bool {
		a.w.Header().Set("Content-Type", "application/json")
		a.w.WriteHeader(status)
		_ = json.NewEncoder(a.w).Encode(body) // the client may be gone
		return false
	}}
}

// FailStream begins a stream that ends with response.failed.
func FailStream(code, message string) Step {
	return Step{func(a *answer, _ string) bool {
		a.begin()
		a.send("response.failed", map[string]any{"response": map[string]any{
			"id": a.id, "error": map[string]any{"code": code, "message": message},
		}})
		return false
	}}
}

// Hang answers nothing, not even headers, until the client or the model is
// gone.
func Hang() Step {
	return Step{func(a *answer, _ string) bool {
		a.wait()
		return false
	}}
}

// HangAfter sends what came before and then nothing more.
func HangAfter() Step {
	return Step{func(a *answer, _ string) bool {
		a.begin()
		a.wait()
		return false
	}}
}

// Cut begins a stream and ends the connection before it is complete.
func Cut() Step {
	return Step{func(a *answer, _ string) bool {
		a.begin()
		return false
	}}
}

// Wait pauses the answer.
func Wait(d time.Duration) Step {
	return Step{func(a *answer, _ string) bool {
		a.begin()
		select {
		case <-time.After(d):
			return true
		case <-a.stop:
		case <-a.gone:
		}
		return false
	}}
}

// SayWords is Say with the text sent as deltas first, as the real service does,
// so that a person can watch it come.
func SayWords(text string, pause time.Duration) Step {
	return Step{func(a *answer, id string) bool {
		a.begin()
		for _, word := range strings.SplitAfter(text, " ") {
			a.send("response.output_text.delta", map[string]any{"item_id": "msg_" + id, "delta": word})
			if !Wait(pause).play(a, id) {
				return false
			}
		}
		return Say(text).play(a, id)
	}}
}
