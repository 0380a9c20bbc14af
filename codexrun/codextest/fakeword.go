package codextest

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// turnFailures are the messages of turn.failed, as the real one words them.
var turnFailures = map[string]string{
	"auth":         "unexpected status 401 Unauthorized: Incorrect API key provided: stub., url: http://127.0.0.1:9/v1/responses",
	"rate_limited": "exceeded retry limit, last status: 429 Too Many Requests",
	"quota":        "Quota exceeded. Check your plan and billing details.",
	"context_full": "Codex ran out of room in the model's context window. Start a new thread or clear earlier history before retrying.",
	"model_error":  "We\u2019re currently experiencing high demand, which may cause temporary errors.",
	"network":      "stream disconnected before completion: error sending request for url (http://127.0.0.1:9/v1/responses)",
}

// earlyFailures are the standard error of a process that ends before its first
// event.
var earlyFailures = map[string]string{
	"mcp_down":            "Error: required MCP servers failed to initialize: autoreview_relay: connection refused",
	"bad_config":          "Error loading config.toml: unknown configuration field `mcp`",
	"bad_session":         "Error: thread/resume: thread/resume failed: no rollout found for thread id 0 (code -32600)",
	"busy":                "Error: thread/resume: thread already has an active writer (code -32600)",
	"sandbox_unavailable": "Error: codex-linux-sandbox was required but not provided",
	"input_too_large":     "Error: Input exceeds the maximum length of 1048576 characters",
}

// do does one word of a plan; ended says that the process is to exit.
func (f *fake) do(name, arg string) (code int, ended bool) {
	switch name {
	case "answer":
		return f.answer(orDefault(os.Getenv(FakeAnswer), approval)), true
	case "bad":
		return f.answer("This looks good to me, but it is not JSON."), true
	case "fail":
		return f.fail(arg), true
	case "exit":
		return number(arg), true
	case "crash":
		fmt.Fprintln(f.errOut, "thread 'main' panicked at src/main.rs:1:1:\nfake panic")
		return 101, true
	case "kill":
		suicide()
	case "linger":
		f.answer(orDefault(os.Getenv(FakeAnswer), approval))
		hang()
	case "hang", "silent":
		hang()
	}
	f.show(name, arg)
	return 0, false
}

// show does the words after which the plan goes on.
func (f *fake) show(name, arg string) {
	switch name {
	case "slow":
		d, _ := time.ParseDuration(arg) // no duration is no wait
		time.Sleep(d)
	case "events":
		for range number(arg) {
			f.item("reasoning", map[string]any{"text": "thinking"})
		}
	case "command":
		f.item("command_execution", map[string]any{"command": arg, "aggregated_output": "", "exit_code": 0, "status": "completed"})
	case "running":
		f.running(spaced(arg))
	case "printed":
		f.item("command_execution", map[string]any{"command": f.begun, "aggregated_output": spaced(arg) + "\n", "exit_code": 1, "status": "failed"})
	case "await":
		f.await(arg)
	case "big":
		f.item("command_execution", map[string]any{"command": "cat big", "aggregated_output": strings.Repeat("x", number(arg)), "exit_code": 0, "status": "completed"})
	case "post":
		f.post(spaced(orDefault(arg, "Reviewed.")))
	case "stubborn":
		signal.Ignore(os.Interrupt, syscall.SIGTERM)
	case "children":
		f.child(false)
		f.child(true)
	}
}

func (f *fake) fail(class string) int {
	message, ok := turnFailures[class]
	switch {
	case class == "usage_limit":
		at := time.Now().Add(time.Hour).Format("3:04 PM")
		message = "You\u2019ve hit your usage limit. Upgrade to Pro (https://chatgpt.com/explore/pro) or try again at " + at + "."
	case !ok:
		message = "unknown failure " + class
	}
	f.event(map[string]any{"type": "error", "message": message})
	f.event(map[string]any{"type": "turn.failed", "error": map[string]any{"message": message}})
	return 1
}

// child starts one that must be killed to end.
func (f *fake) child(ownSession bool) {
	exe, err := os.Executable()
	if err != nil {
		exe = os.Args[0]
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), fakeChild+"=1")
	if ownSession {
		newSession(cmd)
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(f.errOut, "starting a child:", err)
	}
}

func number(s string) int {
	n, _ := strconv.Atoi(s) // no number is none
	return n
}

// running shows a command that has begun.
func (f *fake) running(command string) {
	f.begun = command
	f.event(map[string]any{"type": "item.started", "item": map[string]any{
		"id": "item_0", "type": "command_execution", "command": command, "aggregated_output": "", "exit_code": nil, "status": "in_progress",
	}})
}

// await waits for a file; who puts it there is another process.
func (f *fake) await(name string) {
	for f.dir != "" {
		if _, err := os.Stat(filepath.Join(f.dir, name)); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func spaced(arg string) string { return strings.ReplaceAll(arg, "_", " ") }
