//go:build unix

package supervisor_test

import (
	"os"
	"testing"

	"autoreview/codexrun/codextest"
)

// The test binary is started again as a fake codex and as a supervisor that
// dies at a given point.
func TestMain(m *testing.M) {
	codextest.MainIfFake()
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	os.Exit(m.Run())
}
