package codexrun_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.Local)

// TestClassOfRecordedStreams holds the class of every recorded stream of the
// real binary, with the exit code it had.
func TestClassOfRecordedStreams(t *testing.T) {
	tests := []struct {
		file  string
		end   codexrun.Ended
		class codexrun.Class
	}{
		{"auth_401", codexrun.Ended{Exit: 1}, codexrun.Auth},
		{"bad_request_400", codexrun.Ended{Exit: 1}, codexrun.ModelError},
		{"conn_refused", codexrun.Ended{Exit: 1, Wall: true}, codexrun.Network},
		{"conn_refused", codexrun.Ended{Exit: 1, Silent: true}, codexrun.Network},
		{"error_500", codexrun.Ended{Exit: 1}, codexrun.ModelError},
		{"error_500_recover", codexrun.Ended{}, codexrun.Completed},
		{"file_change", codexrun.Ended{}, codexrun.Completed},
		{"hang_idle3s", codexrun.Ended{Exit: 1}, codexrun.Network},
		{"interrupted_SIGINT", codexrun.Ended{Exit: 1}, codexrun.Killed},
		{"interrupted_SIGINT", codexrun.Ended{Exit: -1, Signal: "SIGTERM"}, codexrun.Killed},
		{"interrupted_SIGINT", codexrun.Ended{Exit: -1, Signal: "SIGKILL"}, codexrun.Killed},
		{"interrupted_SIGINT", codexrun.Ended{Exit: 1, Wall: true}, codexrun.TimeoutWall},
		{"interrupted_SIGINT", codexrun.Ended{Exit: 1, Silent: true}, codexrun.TimeoutSilent},
		{"interrupted_SIGINT", codexrun.Ended{Exit: 101}, codexrun.Crashed},
		{"interrupted_SIGINT", codexrun.Ended{Exit: 0}, codexrun.Crashed},
		{"mcp_tool_denied", codexrun.Ended{}, codexrun.Completed},
		{"mcp_tool_ok", codexrun.Ended{}, codexrun.Completed},
		{"model_error_404", codexrun.Ended{Exit: 1}, codexrun.ModelError},
		{"old-0.120.0-shell", codexrun.Ended{}, codexrun.Completed},
		{"old-0.98.0-shell", codexrun.Ended{}, codexrun.Completed},
		{"output_schema", codexrun.Ended{}, codexrun.Completed},
		{"quota_429", codexrun.Ended{Exit: 1}, codexrun.Quota},
		{"rate_limit_429", codexrun.Ended{Exit: 1}, codexrun.RateLimited},
		{"rate_limit_429_recover", codexrun.Ended{}, codexrun.Completed},
		{"reasoning", codexrun.Ended{}, codexrun.Completed},
		{"resume", codexrun.Ended{}, codexrun.Completed},
		{"review_findings", codexrun.Ended{}, codexrun.Completed},
		{"shell_command", codexrun.Ended{}, codexrun.Completed},
		{"sse_ctx", codexrun.Ended{Exit: 1}, codexrun.ContextFull},
		{"sse_invalid_prompt", codexrun.Ended{Exit: 1}, codexrun.ModelError},
		{"sse_quota", codexrun.Ended{Exit: 1}, codexrun.Quota},
		{"sse_ratelimit", codexrun.Ended{Exit: 1}, codexrun.RateLimited},
		{"sse_usage", codexrun.Ended{Exit: 1}, codexrun.Quota},
		{"stream_cut_recover", codexrun.Ended{}, codexrun.Completed},
		{"success", codexrun.Ended{}, codexrun.Completed},
		{"success", codexrun.Ended{Exit: 101}, codexrun.Crashed},
		{"usage_limit_429", codexrun.Ended{Exit: 1}, codexrun.UsageLimit},
	}
	seen := map[string]bool{}
	for _, tt := range tests {
		seen[tt.file] = true
		t.Run(fmt.Sprintf("%s/%+v", tt.file, tt.end), func(t *testing.T) {
			got, text, _, _ := codexrun.ClassifyStream(recorded(t, tt.file), tt.end, noon)
			if got != tt.class {
				t.Errorf("class: got %s (%s), want %s", got, text, tt.class)
			}
			if (text == "") != (got == codexrun.Completed) {
				t.Errorf("text of %s: got %q", got, text)
			}
		})
	}
	files, err := filepath.Glob("testdata/events/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("recorded streams: got %d, %v", len(files), err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".jsonl"); !seen[name] {
			t.Errorf("no row for the recorded stream %s", name)
		}
	}
}

func recorded(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "events", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestClassOfProcessesWithoutEvents holds the class of runs that end before
// their first event, by exit code and standard error.
func TestClassOfProcessesWithoutEvents(t *testing.T) {
	const thread = `{"type":"thread.started","thread_id":"01a205c0-a69e-7163-ad62-3e537adf6728"}` + "\n"
	tests := []struct {
		name, stream, stderr string
		exit                 int
		class                codexrun.Class
	}{
		{"unknown thread", "", "Error: thread/resume: thread/resume failed: no rollout found for thread id 0 (code -32600)", 1, codexrun.BadSession},
		{"busy thread", "", "Error: thread/resume: thread 0 already has an active writer (code -32600)", 1, codexrun.BadSession},
		{"MCP down", "", "Reading prompt from stdin...\nError: required MCP servers failed to initialize: relay: connection refused", 1, codexrun.MCPDown},
		{"input too large", thread, "Error: Input exceeds the maximum length of 1048576 characters", 1, codexrun.InputTooLarge},
		{"bad config key", "", "Error loading config.toml: unknown configuration field `mcp`", 1, codexrun.BadConfig},
		{"bad config value", "", "Error: unknown variant `bogus`, expected one of `auto`, `prompt`", 1, codexrun.BadConfig},
		{"no home", "", `Error: CODEX_HOME points to "/x", but that path does not exist`, 1, codexrun.BadConfig},
		{"old wire api", "", "Error: `wire_api = \"chat\"` is no longer supported", 1, codexrun.BadConfig},
		{"stdio and url", "", "Error: url is not supported for stdio in mcp_servers.relay", 1, codexrun.BadConfig},
		{"not trusted", "", "Not inside a trusted directory and --skip-git-repo-check was not specified.", 1, codexrun.BadConfig},
		{"no prompt", "", "No prompt provided via stdin.", 1, codexrun.BadConfig},
		{"unknown provider", "", "Error: modelProviderNotConfigured", 1, codexrun.BadConfig},
		{"bad flag", "", "error: unexpected argument '--full-auto' found", 2, codexrun.BadConfig},
		{"no sandbox", "", "Error: codex-linux-sandbox was required but not provided", 1, codexrun.SandboxUnavailable},
		{"panic", thread, "failed printing to stdout: Broken pipe", 101, codexrun.Crashed},
		{"nothing said", "", "", 1, codexrun.Crashed},
		{"nothing done", "", "", 0, codexrun.Crashed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, text, _, _ := codexrun.ClassifyStream([]byte(tt.stream), codexrun.Ended{Exit: tt.exit, Stderr: tt.stderr}, noon)
			if got != tt.class {
				t.Errorf("class: got %s (%s), want %s", got, text, tt.class)
			}
			if text == "" {
				t.Errorf("text: got none, want a line for a person")
			}
		})
	}
}

// TestFailureMessages holds the class of the messages of turn.failed that are
// not in a recorded stream.
func TestFailureMessages(t *testing.T) {
	tests := []struct {
		message string
		class   codexrun.Class
	}{
		{"You've hit your usage limit. Try again later.", codexrun.UsageLimit},
		{"You\u2019ve hit your usage limit for gpt-5. Switch to another model now, or try again at 3:00 PM.", codexrun.UsageLimit},
		{"Your workspace is out of credits. Add credits to continue.", codexrun.Quota},
		{"You hit your spend cap set in your workspace. Increase your spend cap to continue.", codexrun.Quota},
		{"Missing environment variable: `STUB_KEY`.", codexrun.Auth},
		{"unexpected status 403 Forbidden: no, url: http://x", codexrun.Auth},
		{"unexpected status 404 Not Found: no, url: http://x", codexrun.ModelError},
		{`{"error":{"code":"context_length_exceeded","message":"too long"}}`, codexrun.ContextFull},
		{`{"error":{"code":null,"type":"insufficient_quota"}}`, codexrun.Quota},
		{`{"error":{"code":"invalid_request_error","message":"status 401 rate limit exceeded quota exceeded"}}`, codexrun.ModelError},
		{"stream disconnected before completion: error sending request for url (http://x)", codexrun.Network},
		{"", codexrun.ModelError},
	}
	for _, tt := range tests {
		stream := fmt.Sprintf(`{"type":"turn.failed","error":{"message":%q}}`, tt.message)
		got, text, _, _ := codexrun.ClassifyStream([]byte(stream), codexrun.Ended{Exit: 1}, noon)
		if got != tt.class {
			t.Errorf("class of %q: got %s (%s), want %s", tt.message, got, text, tt.class)
		}
	}
}

// TestWordsInItemsNeverDecide: a review that talks about failures is a review.
func TestWordsInItemsNeverDecide(t *testing.T) {
	words := "You've hit your usage limit. 401 Unauthorized. no rollout found. rate limit exceeded. try again at 1:14 AM"
	item := `{"type":"item.completed","item":{"id":"item_1","type":"%s","text":%q,"message":%q,"aggregated_output":%q}}` + "\n"
	var stream strings.Builder
	for _, kind := range []string{"agent_message", "error", "command_execution", "reasoning", "unheard_of"} {
		fmt.Fprintf(&stream, item, kind, words, words, words)
	}
	completed := stream.String() + `{"type":"turn.completed","usage":{}}`
	got, text, retryAt, final := codexrun.ClassifyStream([]byte(completed), codexrun.Ended{Stderr: words}, noon)
	if got != codexrun.Completed || text != "" || !retryAt.IsZero() {
		t.Errorf("completed turn: got %s, %q, %v, want completed", got, text, retryAt)
	}
	if final != words {
		t.Errorf("final message: got %q, want %q", final, words)
	}
	cut := `{"type":"turn.started"}` + "\n" + stream.String()
	if got, text, _, _ := codexrun.ClassifyStream([]byte(cut), codexrun.Ended{Exit: 101}, noon); got != codexrun.Crashed {
		t.Errorf("crash after the same items: got %s (%s), want crashed", got, text)
	}
}

// TestUsageLimitTellsWhen: the recorded stream names 1:14 AM, which is the next
// one.
func TestUsageLimitTellsWhen(t *testing.T) {
	_, _, got, _ := codexrun.ClassifyStream(recorded(t, "usage_limit_429"), codexrun.Ended{Exit: 1}, noon)
	if want := time.Date(2026, 11, 24, 1, 14, 0, 0, time.Local); !got.Equal(want) {
		t.Errorf("retry at: got %v, want %v", got, want)
	}
}

// TestErrorLine: what a person is told of a process that ended without an event.
func TestErrorLine(t *testing.T) {
	const warning = "WARNING: proceeding, even though we could not update PATH\n"
	tests := []struct{ stderr, want string }{
		{"", ""},
		{warning + "Reading prompt from stdin...\n", ""},
		{warning + "No prompt provided via stdin.\n", "No prompt provided via stdin."},
		{"2026 ERROR log\nError: thread/start failed\nat main.rs\n", "Error: thread/start failed"},
		{"error: unexpected argument '--x' found\n\nUsage: codex exec\n", "error: unexpected argument '--x' found"},
		{warning + "Error loading config.toml:\n/codex/config.toml:13:6: key with no value\n   |\n", "Error loading config.toml: /codex/config.toml:13:6: key with no value"},
		{"Error loading config.toml:\n", "Error loading config.toml:"},
		{"\nthread 'main' (1) panicked at stdio.rs:1165:9:\nfailed printing to stdout: Broken pipe\nnote: run with `RUST_BACKTRACE=1` to display a backtrace\n", "failed printing to stdout: Broken pipe"},
	}
	for _, tt := range tests {
		if got := codexrun.ErrorLine(tt.stderr); got != tt.want {
			t.Errorf("errorLine(%q): got %q, want %q", tt.stderr, got, tt.want)
		}
	}
}
