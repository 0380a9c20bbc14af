// Package config reads autoreview.toml and the bash loop's environment, checks
// all of it, and reports every problem at once with its place.
package config

import "time"

// Config is the effective configuration: every default is filled in, every
// path is absolute.
type Config struct {
	// Path is the file it was read from, absolute; "" when it came from the
	// environment alone.
	Path string
	// Relay is the base URL of the relay, without a trailing slash.
	Relay string
	// TokenEnv names the environment variable with the relay's bearer token.
	TokenEnv string
	// StateDir is the private folder for this configuration's database, lock
	// and run records.
	StateDir string
	// CodexBin is a path or a name to look up in PATH.
	CodexBin string
	// Workers is how many reviews may run at once, over all watches.
	Workers int
	// Grace is how long running reviews may go on when the supervisor is told to
	// stop.
	Grace time.Duration
	// Limits are over all watches; each watch has its own besides.
	Limits    Limits
	Watches   []Watch
	Schedules []Schedule
	// LastFile is the bash loop's LASTFILE, "" when it is not used.
	LastFile string
	// PollInterval is how often the original server is asked for news. A relay
	// is never polled.
	PollInterval time.Duration
	// RunsKeepDays and RunsKeepMB bound the folders of runs by age and by size;
	// 0 is no bound.
	RunsKeepDays, RunsKeepMB int
	// MetricsAddr is a loopback address to serve metrics on besides the control
	// socket, "" for none.
	MetricsAddr string
}

// Watch is one rule: whose messages in which channel are reviewed, where and
// how.
type Watch struct {
	Name    string
	Channel string
	Senders []string
	// ReplyAs is the sender of the reviews.
	ReplyAs string
	// Workdir is where Codex runs, absolute.
	Workdir string
	// Sandbox is read-only, workspace-write, danger-full-access or bypass.
	Sandbox       string
	NetworkAccess bool
	Session       Session
	// UseProjectConfig is project_config = "use".
	UseProjectConfig bool
	// Deliver is how the review gets to the channel.
	Deliver     Deliver
	Model       string
	Profile     string
	Plugins     bool
	CodexConfig map[string]any // the table `config`
	ExtraArgs   []string
	// Template is the path of a prompt template, "" for the built-in one.
	Template    string
	Timeout     time.Duration
	IdleTimeout time.Duration
	Coalesce    time.Duration
	Start       Start
	// Isolate lets each review run in a throw-away worktree of its own.
	Isolate bool
	Limits  Limits
	// Retry changes what is done about a class of failure, by its name.
	Retry map[string]RetryRule
}

// Deliver is how a review gets to the channel.
type Deliver string

// The two ways.
const (
	// DeliverSupervisor: Codex answers, the supervisor checks and posts.
	DeliverSupervisor Deliver = "supervisor"
	// DeliverMCP: Codex posts by itself through the relay's MCP server.
	DeliverMCP Deliver = "mcp"
)

// SessionMode says which Codex thread a review runs in.
type SessionMode string

// The four ways.
const (
	SessionFresh    SessionMode = "fresh"    // a new thread for each review
	SessionContinue SessionMode = "continue" // one thread for the watch
	SessionResume   SessionMode = "resume"   // continue, beginning with a given thread
	SessionFork     SessionMode = "fork"     // continue, beginning with a fork of a given thread
)

// Session is the key `session`. ID is set for SessionResume and SessionFork.
type Session struct {
	Mode SessionMode
	ID   string
}

// StartMode says where a watch begins in a log it has no cursor for.
type StartMode string

// The three ways.
const (
	// StartUnanswered begins after the last review by ReplyAs; where there is
	// none, with the newest packet.
	StartUnanswered StartMode = "unanswered"
	StartLatest     StartMode = "latest" // only what comes from now on
	StartID         StartMode = "id"     // after the given id
)

// Start is the key `start`. ID is set for StartID.
type Start struct {
	Mode StartMode
	ID   int64
}
