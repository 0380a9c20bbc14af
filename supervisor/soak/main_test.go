//go:build linux

package soak_test

import (
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"autoreview/relay/relaytest"
)

// When everything is stopped no goroutine is left.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction(relaytest.LeakedFunction))
}

// times is how often a leak test does what might leak: so often as usual, unless
// it is told otherwise.
func times(t *testing.T, usual int) int {
	t.Helper()
	if v := os.Getenv("SOAK_RUNS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			t.Fatalf("SOAK_RUNS: got %q, want a number", v)
		}
		return n
	}
	if testing.Short() {
		return min(usual, 50)
	}
	return usual
}
