// Package codexrun runs one `codex exec` process to its end and says how it
// ended. It knows Codex's command line, its JSONL events, its ways to fail and
// how to end its process group; it knows nothing of relays, packets or reviews.
package codexrun

import (
	"time"
)

// Sandbox is what the model's shell commands may do.
type Sandbox string

// The sandbox modes of Codex, and Bypass for
// --dangerously-bypass-approvals-and-sandbox.
const (
	ReadOnly         Sandbox = "read-only"
	WorkspaceWrite   Sandbox = "workspace-write"
	DangerFullAccess Sandbox = "danger-full-access"
	Bypass           Sandbox = "bypass"
)

// Spec is everything that decides one run.
type Spec struct {
	// Binary is the codex to start, from Find.
	Binary Binary
	// Dir is the working directory, absolute.
	Dir string
	// Sandbox is always passed on, except for Bypass; "" means ReadOnly.
	Sandbox Sandbox
	// Network lets the commands of a WorkspaceWrite run reach the network.
	Network bool
	// UseProjectConfig leaves it to the user's trust settings whether the
	// repository's own .codex/config.toml is loaded. Otherwise this run marks
	// the repository as untrusted and it is not.
	UseProjectConfig bool

	// Resume is a thread id to continue, Fork one to branch off; at most one
	// is set. Neither starts a fresh thread.
	Resume, Fork string

	Model, Profile string
	// Plugins lets Codex load its plugins, which costs start-up time and
	// network traffic.
	Plugins bool
	// Config are further settings, passed as -c key=<TOML value>. Keys are
	// dotted paths; nested tables are passed as inline tables.
	Config map[string]any
	// ExtraArgs are passed verbatim before the subcommand.
	ExtraArgs []string

	// MCP, if not nil, gives the run an MCP server.
	MCP *MCPServer
	// Schema, if not empty, is the JSON schema of the final answer.
	Schema []byte
	// Prompt is written to stdin once the process has been recorded. FreshPrompt,
	// if not "", takes its place when the run goes on in a fresh thread
	// (Result.Replaced).
	Prompt, FreshPrompt string

	// Env is added to the environment of this process, as KEY=value. It may
	// hold AUTOREVIEW_RUN_ID; a run without one gets a random one.
	Env []string
	// Unset names environment variables of this process that the run must not
	// have, such as secrets of the caller's. Env is added after it.
	Unset []string
	// RunDir is an existing private folder for this run's files: schema.json,
	// the transcript (events.jsonl, appended to), when each of its lines came
	// (times.txt, Unix milliseconds) and the tail of standard error
	// (stderr.txt). "" keeps no files.
	RunDir string

	// Timeout bounds the whole run, IdleTimeout the time without an event
	// (Codex's notices that it retries do not count); 0 is no bound. Grace is
	// how long each step of the end ladder (SIGINT, SIGTERM, SIGKILL, each to
	// the whole group) may take, and a third of what a process may take to exit
	// once its turn is over; 0 means 3 s.
	Timeout, IdleTimeout, Grace time.Duration
}

// MCPServer is a streamable HTTP MCP server that a run is given by -c. It is
// required (the run fails when it does not answer), and all its tools are
// approved. The values of its variables come from the run's environment.
type MCPServer struct {
	Name string // table name below mcp_servers
	URL  string
	// TokenEnv is the name of the environment variable that holds the bearer
	// token, "" for none. It is hidden from the model's shell.
	TokenEnv string
	// HeaderEnv maps header names to the environment variables that hold their
	// values, so that none shows in a process list. They are hidden as well.
	HeaderEnv map[string]string
	// Tools are the names that get an approval mode of their own, for versions
	// that do not know a default one.
	Tools []string
	// Must names the tool that the run is there to call: a run that completed
	// and was not allowed to call it is MCPDenied. "" is none.
	Must string
	// StartupTimeout and ToolTimeout are passed in whole seconds; 0 means
	// 15 s and 120 s.
	StartupTimeout, ToolTimeout time.Duration
}

// Observer is told how a run goes. Each func may be nil. They are called from
// one goroutine, in order; an error from Started or Thread ends the run.
type Observer struct {
	// Started is called when the process exists and before it is given its
	// prompt: what must be remembered to end it later is remembered first. It
	// is called again when the run goes on in a fresh thread (Result.Replaced),
	// which is a second process after the first has ended.
	Started func(Process) error
	// Thread is called at thread.started with Codex's thread id. It is not
	// called for a thread that is not the one to resume.
	Thread func(id string) error
	// Event is called for each event.
	Event func(Event)
}

// Process identifies a running process group beyond pid reuse.
type Process struct {
	PID int `json:"pid"`
	// PGID is the process group, 0 where there are none (Windows).
	PGID int `json:"pgid"`
	// StartTime is the kernel's start time of PID in an opaque, comparable
	// form, "" where it cannot be had.
	StartTime string `json:"start_time"`
	// RunID is the value of the AUTOREVIEW_RUN_ID environment variable.
	RunID string `json:"run_id"`
}

// Usage counts tokens. Codex counts over the whole thread: what one run used is
// the difference to the count before it.
type Usage struct {
	InputTokens       int64 `json:"input_tokens"`
	CachedInputTokens int64 `json:"cached_input_tokens"`
	OutputTokens      int64 `json:"output_tokens"`
	ReasoningTokens   int64 `json:"reasoning_output_tokens"`
}

// Class says how a run ended. It is decided by event types and the exit code
// first and by the text of turn.failed and error events last, never by what an
// item says; MCPDenied alone is read from items, from the state that Codex gives
// its own tool calls.
type Class string

// The closed set of classes. BadVerdict is the caller's word, who alone knows
// what an answer has to look like.
const (
	Completed          Class = "completed"           // turn.completed and exit 0
	Auth               Class = "auth"                // not logged in, or the key was refused
	RateLimited        Class = "rate_limited"        // too many requests, after Codex's own retries
	UsageLimit         Class = "usage_limit"         // the plan's window is used up, see Result.RetryAt
	Quota              Class = "quota"               // no credit, or the plan has no Codex
	ContextFull        Class = "context_full"        // the thread no longer fits the model
	ModelError         Class = "model_error"         // the model service refused or failed
	Network            Class = "network"             // the model service could not be reached
	MCPDown            Class = "mcp_down"            // a required MCP server did not start
	MCPDenied          Class = "mcp_denied"          // completed, but Codex did not let it call MCPServer.Must
	BadConfig          Class = "bad_config"          // Codex refused its configuration or arguments
	BadSession         Class = "bad_session"         // the thread to resume is unknown, broken or busy
	NoCodex            Class = "no_codex"            // the binary is missing or cannot be run
	SandboxUnavailable Class = "sandbox_unavailable" // the sandbox cannot be set up on this host
	TimeoutWall        Class = "timeout_wall"        // Spec.Timeout passed
	TimeoutSilent      Class = "timeout_silent"      // Spec.IdleTimeout passed
	InputTooLarge      Class = "input_too_large"     // the prompt is over Codex's limit
	Killed             Class = "killed"              // ended by a signal that was not ours, or by ctx
	BadVerdict         Class = "bad_verdict"         // completed, but its answer is not what was asked for
	Crashed            Class = "crashed"             // anything else that is not a completed turn
)

// Classes returns the closed set, Completed first.
func Classes() []Class {
	return []Class{
		Completed, Auth, RateLimited, UsageLimit, Quota, ContextFull, ModelError, Network, MCPDown, MCPDenied, BadConfig, BadSession,
		NoCodex, SandboxUnavailable, TimeoutWall, TimeoutSilent, InputTooLarge, Killed, BadVerdict, Crashed,
	}
}

// Finished says whether the turn came to its end and Result.Final is its answer,
// whatever there is to say of it.
func (c Class) Finished() bool { return c == Completed || c == MCPDenied || c == BadVerdict }

// Result is how a run ended. Its fields are set as far as the run got.
type Result struct {
	Class Class
	// Text is one line for a person: what went wrong, "" for Completed.
	Text string
	// RetryAt is when Codex said that a retry makes sense; zero if it did not.
	RetryAt time.Time
	// ThreadID is Codex's id of the thread that ran, "" if none started.
	ThreadID string
	// Replaced says that Spec.Resume or Spec.Fork named a thread that Codex
	// does not have and the run went on in a fresh one.
	Replaced bool
	// Final is the last agent message before the turn completed.
	Final string
	// ThreadUsage is Codex's count for the whole thread so far.
	ThreadUsage Usage
	ExitCode    int
	Signal      string // "" when it was not ended by one
	// Stderr is the end of the standard error output, bounded.
	Stderr  string
	Started time.Time
	Took    time.Duration
}
