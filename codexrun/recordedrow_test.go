package codexrun_test

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"autoreview/codexrun"
	"autoreview/codexrun/codextest"
)

// recordedVersions are the versions whose streams are in testdata/recorded.
var recordedVersions = []string{"0.120.0", "0.128.0", "0.145.0", "0.155.0", "0.163.0", "0.169.0"}

// row is one way for a run to end: how to bring the real binary to it, and the
// class that it has.
type row struct {
	name  string
	class codexrun.Class
	// old is the class of versions up to 0.145, where it differs: they hand on
	// less of what the service said.
	old codexrun.Class

	// What the recorder does. steps are the answers to the model's requests, in
	// their order; the last one is given to every later request.
	steps   []answerTo
	retries bool   // Codex retries as often as it does by itself
	config  string // added to the user's configuration
	change  func(*codexrun.Spec)
	argv    func([]string) []string
	prompt  string
	tools   bool          // the run has the relay
	resume  bool          // it goes on in a thread that exists
	down    bool          // the model is closed first
	opens   time.Duration // after which, from begun, the service says that its limit is over
	during  during
}

// during is what happens to a run that would not end by itself.
type during string

const (
	byItself    during = ""
	interrupted during = "SIGINT"
	terminated  during = "SIGTERM"
	killed      during = "SIGKILL"
	silence     during = "silence" // ended as by the idle timeout
	deafness    during = "deafness"
	second      during = "second" // another run of the same thread
)

type answerTo func(codextest.Request) []codextest.Step

func say(steps ...codextest.Step) answerTo {
	return func(codextest.Request) []codextest.Step { return steps }
}

func fail(status int, code, message string) []answerTo {
	return []answerTo{say(codextest.Fail(status, code, message))}
}

func failStream(code, message string) []answerTo {
	return []answerTo{say(codextest.FailStream(code, message))}
}

func post(r codextest.Request) []codextest.Step {
	return []codextest.Step{codextest.CallMCP(r, "autoreview_relay", "post_message", map[string]any{"text": "a review"})}
}

// begun is when the recorder began.
var begun = time.Now()

// exhausted is a usage limit that is over so long after begun.
func exhausted(after time.Duration) []answerTo {
	return []answerTo{say(codextest.UsageLimit(begun.Add(after)))}
}

// quoted is a review that quotes every failure there is.
const quoted = "You've hit your usage limit. Upgrade to Pro or try again at 1:14 AM. You\u2019ve hit your usage limit. " +
	"unexpected status 401 Unauthorized. exceeded retry limit, last status: 429 Too Many Requests. Quota exceeded. insufficient_quota " +
	"rate limit exceeded: Please try again in 11.5s. Codex ran out of room in the model's context window. context_length_exceeded " +
	"To use Codex with your ChatGPT plan, upgrade to Plus. stream disconnected before completion: connection failed. " +
	"Reconnecting... 1/5 idle timeout waiting for SSE. no rollout found for thread id. required MCP servers failed to initialize. " +
	"user cancelled MCP tool call. MCP tool call requires approval, but approval policy is never. Error loading config.toml. " +
	"Input exceeds the maximum length of 1048576 characters. codex-linux-sandbox was required but not provided. turn.failed"

const (
	soon, hours, days = 1500 * time.Millisecond, 90 * time.Minute, 75 * time.Hour

	// tooMany is what the service says when it names the limit.
	tooMany = "Rate limit reached for gpt-5 in organization org-x on tokens per min (TPM): Limit 30000, Used 29000, Requested 9000. Please try again in 1.5s."
)

var done = []answerTo{say(codextest.Say("done"))}

func hangs() []answerTo { return []answerTo{say(codextest.Hang())} }

func with(args ...string) func([]string) []string {
	return func(argv []string) []string { return append(append([]string{argv[0]}, args...), argv[1:]...) }
}

// following changes the argument after another.
func following(flag, value string) func([]string) []string {
	return func(argv []string) []string {
		argv = slices.Clone(argv)
		argv[slices.Index(argv, flag)+1] = value
		return argv
	}
}

func without(arg string) func([]string) []string {
	return func(argv []string) (out []string) {
		for _, a := range argv {
			if a != arg {
				out = append(out, a)
			}
		}
		return out
	}
}

func replaced(old, with string) func([]string) []string {
	return func(argv []string) (out []string) {
		for _, a := range argv {
			out = append(out, strings.ReplaceAll(a, old, with))
		}
		return out
	}
}

var rows = []row{
	{name: "success", class: codexrun.Completed, steps: done},
	{name: "quotes_every_failure", class: codexrun.Completed, steps: []answerTo{say(codextest.Think(quoted), codextest.Say(quoted))}},
	{name: "command_quotes_every_failure", class: codexrun.Completed, steps: []answerTo{
		func(r codextest.Request) []codextest.Step {
			return []codextest.Step{codextest.Shell(r, "echo \""+strings.ReplaceAll(quoted, "'", "")+"\"; exit 3")}
		}, say(codextest.Say("done"))}},
	{name: "post_allowed", class: codexrun.Completed, tools: true, steps: []answerTo{post, say(codextest.Say("posted"))}},
	{name: "post_denied", class: codexrun.MCPDenied, tools: true, steps: []answerTo{post, say(codextest.Say("I could not post"))},
		argv: replaced(`"approve"`, `"prompt"`)},

	{name: "401", class: codexrun.Auth, steps: fail(http.StatusUnauthorized, "invalid_api_key", "Incorrect API key provided.")},
	{name: "401_retried", class: codexrun.Auth, retries: true, steps: fail(http.StatusUnauthorized, "invalid_api_key", "Incorrect API key provided.")},
	{name: "429_rate_limit", class: codexrun.RateLimited, steps: fail(http.StatusTooManyRequests, "rate_limit_exceeded", "slow down")},
	{name: "429_rate_limit_retried", class: codexrun.RateLimited, retries: true, steps: fail(http.StatusTooManyRequests, "rate_limit_exceeded", "slow down")},
	{name: "429_usage_limit", class: codexrun.UsageLimit, opens: hours, steps: exhausted(hours)},
	{name: "429_usage_limit_days", class: codexrun.UsageLimit, opens: days, steps: exhausted(days)},
	{name: "429_usage_limit_retried", class: codexrun.UsageLimit, retries: true, opens: hours, steps: exhausted(hours)},
	{name: "429_quota", class: codexrun.Quota, old: codexrun.RateLimited, steps: fail(http.StatusTooManyRequests, "insufficient_quota", "no credit")},
	{name: "429_quota_retried", class: codexrun.Quota, old: codexrun.RateLimited, retries: true, steps: fail(http.StatusTooManyRequests, "insufficient_quota", "no credit")},
	{name: "500", class: codexrun.ModelError, steps: fail(http.StatusInternalServerError, "server_error", "oh no")},
	{name: "500_retried", class: codexrun.ModelError, retries: true, steps: fail(http.StatusInternalServerError, "server_error", "oh no")},
	{name: "404", class: codexrun.ModelError, steps: fail(http.StatusNotFound, "model_not_found", "The model does not exist.")},
	{name: "400", class: codexrun.ModelError, steps: fail(http.StatusBadRequest, "invalid_request_error", quoted)},
	{name: "sse_rate_limit", class: codexrun.RateLimited, old: codexrun.Network, steps: failStream("rate_limit_exceeded", "slow down")},
	{name: "sse_rate_limit_retried", class: codexrun.RateLimited, old: codexrun.Network, retries: true, steps: failStream("rate_limit_exceeded", "slow down")},
	{name: "sse_rate_limit_named", class: codexrun.RateLimited, opens: soon, steps: failStream("rate_limit_exceeded", tooMany)},
	{name: "sse_rate_limit_named_retried", class: codexrun.RateLimited, opens: soon, retries: true, steps: failStream("rate_limit_exceeded", tooMany)},
	{name: "sse_context_full", class: codexrun.ContextFull, steps: failStream("context_length_exceeded", "too long")},
	{name: "sse_quota", class: codexrun.Quota, steps: failStream("insufficient_quota", "no credit")},
	{name: "sse_usage_not_included", class: codexrun.Quota, steps: failStream("usage_not_included", "not in your plan")},
	{name: "sse_server_overloaded", class: codexrun.ModelError, steps: failStream("server_is_overloaded", "try again later")},
	{name: "stream_cut_once", class: codexrun.Completed, retries: true, steps: []answerTo{say(codextest.Cut()), say(codextest.Say("done"))}},
	{name: "stream_cut_always", class: codexrun.Network, steps: []answerTo{say(codextest.Cut())}},
	{name: "refused", class: codexrun.Network, down: true, retries: true, steps: done, during: silence},
	{name: "hang_in_stream", class: codexrun.Network, steps: []answerTo{say(codextest.HangAfter())}, config: "stream_idle_timeout_ms = 1000"},
	{name: "hang_before_headers", class: codexrun.TimeoutSilent, steps: hangs(), during: silence},
	{name: "missing_key", class: codexrun.Auth, steps: done, config: `env_key = "NO_SUCH_KEY"`},

	{name: "bad_config_value", class: codexrun.BadConfig, steps: done, argv: with("-c", `approval_policy="perhaps"`)},
	{name: "bad_config_file", class: codexrun.BadConfig, steps: done, config: "this is no TOML"},
	{name: "unknown_provider", class: codexrun.BadConfig, steps: done, argv: with("-c", `model_provider="nobody"`)},
	{name: "bad_schema", class: codexrun.BadConfig, steps: done, change: func(s *codexrun.Spec) { s.Schema = []byte("{") }},
	{name: "no_schema_file", class: codexrun.BadConfig, steps: done, argv: with("--output-schema", "/no/such/schema.json")},
	{name: "bad_dir", class: codexrun.BadConfig, steps: done, argv: following("-C", "/no/such/dir")},
	{name: "no_git", class: codexrun.BadConfig, steps: done, argv: without("--skip-git-repo-check")},
	{name: "no_home", class: codexrun.BadConfig, steps: done, change: func(s *codexrun.Spec) { s.Env = append(s.Env, "CODEX_HOME=/no/such/home") }},
	{name: "no_prompt", class: codexrun.BadConfig, steps: done, prompt: "-"},
	{name: "bad_flag", class: codexrun.BadConfig, steps: done, argv: with("--full-autopilot")},
	{name: "bad_enum", class: codexrun.BadConfig, steps: done, argv: replaced("read-only", "see-only")},
	{name: "unknown_thread", class: codexrun.BadSession, steps: done, change: func(s *codexrun.Spec) { s.Resume = threadID }},
	{name: "busy_thread", class: codexrun.BadSession, old: codexrun.Completed, resume: true, steps: done, during: second},
	{name: "mcp_down", class: codexrun.MCPDown, steps: done, change: func(s *codexrun.Spec) {
		s.MCP = &codexrun.MCPServer{Name: "autoreview_relay", URL: "http://127.0.0.1:9/mcp", StartupTimeout: 2 * time.Second}
	}},
	{name: "input_too_large", class: codexrun.InputTooLarge, steps: done, prompt: strings.Repeat("x", codexrun.MaxPrompt+1)},

	{name: "sigint", class: codexrun.Killed, steps: hangs(), during: interrupted},
	{name: "sigterm", class: codexrun.Killed, steps: hangs(), during: terminated},
	{name: "sigkill", class: codexrun.Killed, steps: hangs(), during: killed},
	{name: "stdout_closed", class: codexrun.Crashed, steps: []answerTo{say(codextest.Wait(time.Second), codextest.Say("done"))}, during: deafness},
}
