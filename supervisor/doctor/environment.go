package doctor

import (
	"context"
	"net/http"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"autoreview/codexrun"
	"autoreview/relay/client"
	"autoreview/supervisor/config"
	"autoreview/supervisor/repository"
)

// Environment is what an examination looks at. Dir and Getenv are required.
type Environment struct {
	// Dir is the folder that the user stands in, absolute.
	Dir string
	// ConfigPath is the configuration to examine; "" looks for the default one
	// in the working directory.
	ConfigPath string
	// Getenv looks up an environment variable. What other programs are started
	// with is this process's environment all the same.
	Getenv func(string) string
	// Version is this program's.
	Version string
	// RelayData is the data folder that a relay hosted on this machine uses, ""
	// when it is not known.
	RelayData string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Timeout bounds an examination; 0 means 8 s.
	Timeout time.Duration
	// Repair, if not nil, puts right what setting up the repository puts right,
	// and says what it did.
	Repair func() (string, error)
}

// snapshot is an environment with what several checks need of it, each found
// out once, when it is first asked for.
type snapshot struct {
	Environment
	ctx context.Context // of the whole examination; bounds what is shared

	cfg      config.Config
	warnings []config.Warning
	cfgErr   error

	codex     func() (codexrun.Binary, error)
	userCodex func() (codexConfig, error)
	ourCodex  func() (codexConfig, error) // the repository's .codex/config.toml
	servers   func() ([]codexServer, error)
	relay     func() relayAnswer
	mcp       func() (handshake, error)
	whoami    func() identity
	claude    func() (claudeState, error)
	setUp     func() (string, error) // Environment.Repair, once
}

func look(ctx context.Context, e Environment) *snapshot {
	s := &snapshot{Environment: e, ctx: ctx}
	s.cfg, s.warnings, s.cfgErr = config.Load(e.ConfigPath, e.Getenv)
	s.codex = sync.OnceValues(s.findCodex)
	s.userCodex = sync.OnceValues(func() (codexConfig, error) {
		return readCodexConfig(filepath.Join(s.codexHome(), "config.toml"))
	})
	s.ourCodex = sync.OnceValues(func() (codexConfig, error) {
		return readCodexConfig(filepath.Join(s.root(), ".codex", "config.toml"))
	})
	s.servers = sync.OnceValues(s.listServers)
	s.relay = sync.OnceValue(s.askRelay)
	s.mcp = sync.OnceValues(s.shakeHands)
	s.whoami = sync.OnceValue(s.askWhoami)
	s.claude = sync.OnceValues(s.readClaude)
	if e.Repair != nil {
		s.setUp = sync.OnceValues(e.Repair)
	}
	return s
}

// configured says whether there is a configuration to go by.
func (s *snapshot) configured() bool { return s.cfgErr == nil }

// codexBin is the codex of the configuration; without one, the usual.
func (s *snapshot) codexBin() string {
	if s.configured() {
		return s.cfg.CodexBin
	}
	return config.DefaultCodexBin
}

func (s *snapshot) codexHome() string {
	if dir := s.Getenv("CODEX_HOME"); dir != "" {
		return dir
	}
	return filepath.Join(s.home(), ".codex")
}

func (s *snapshot) home() string {
	if dir := s.Getenv("HOME"); dir != "" || runtime.GOOS != "windows" {
		return dir
	}
	return s.Getenv("USERPROFILE")
}

// workdirs are the folders that Codex works in, each once.
func (s *snapshot) workdirs() []string {
	var dirs []string
	for _, w := range s.cfg.Watches {
		dirs = appendNew(dirs, w.Workdir)
	}
	if len(dirs) == 0 {
		dirs = []string{s.Dir}
	}
	return dirs
}

// root is the folder with the settings of the agents and the editor: the root
// of the repository of the first watch.
func (s *snapshot) root() string {
	dir := s.workdirs()[0]
	if root := repository.Root(dir); root != "" {
		return root
	}
	return dir
}

// token is the relay's bearer token, "" for none.
func (s *snapshot) token() string {
	if s.cfg.TokenEnv == "" {
		return ""
	}
	return s.Getenv(s.cfg.TokenEnv)
}

// client is a client of the configured relay that does not wait long.
func (s *snapshot) client(token string) *client.Client {
	return client.New(client.Options{
		BaseURL: s.cfg.Relay, Token: token, Timeout: askTime, UserAgent: "autoreview-doctor/" + s.Version,
		HTTP: &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}},
	})
}
