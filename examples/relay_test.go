package examples_test

import (
	"os"
	"regexp"
	"testing"

	relayconfig "autoreview/relay/config"
)

// The example and the documentation show every key there is.
func TestRelayTomlShowsEveryKey(t *testing.T) {
	example, err := os.ReadFile("relay.toml")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range relayconfig.Settings() {
		legacy := regexp.MustCompile(`log_max_bytes$`).MatchString(s.Key)
		if !legacy && !regexp.MustCompile("(?m)^(# )?"+s.Key+" = ").Match(example) {
			t.Errorf("key %q: want a line in examples/relay.toml", s.Key)
		}
		if !regexp.MustCompile("(?m)^\\| .*`" + s.Key + "`.* \\|").Match(docs) {
			t.Errorf("key %q: want a row in docs/configuration.md", s.Key)
		}
	}
}
