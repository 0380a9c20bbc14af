package scripted

import (
	"fmt"
	"os"
	"path/filepath"
)

// WriteHome makes dir a scratch CODEX_HOME whose only model provider is m, and
// returns the environment to add to a run: CODEX_HOME, HOME and proxies that
// are closed, so that nothing but the loopback interface can be reached.
func WriteHome(dir string, m *Model) ([]string, error) {
	home := filepath.Join(dir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, fmt.Errorf("making a scratch home: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte(homeConfig(m)), 0o600); err != nil {
		return nil, fmt.Errorf("writing the codex configuration: %w", err)
	}
	return append(closedProxies(), "CODEX_HOME="+dir, "HOME="+home), nil
}

// homeConfig retries once and quickly, so that tests of failures do not wait.
func homeConfig(m *Model) string {
	return fmt.Sprintf(`model = "scripted-model"
model_provider = "scripted"

[analytics]
enabled = false

[model_providers.scripted]
name = "scripted"
base_url = %q
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
`, m.URL)
}

func closedProxies() []string {
	const closed = "http://127.0.0.1:9"
	var env []string
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"} {
		env = append(env, name+"="+closed)
	}
	return append(env, "NO_PROXY=127.0.0.1,localhost", "no_proxy=127.0.0.1,localhost")
}
