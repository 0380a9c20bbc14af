package codextest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"autoreview/codexrun"
)

// RealEnv names the environment variable with the path of another Codex than
// the pinned one, to run the same tests on other versions.
const RealEnv = "CODEXTEST_CODEX"

// Real is the real Codex CLI, from the folder .tools beside go.mod. Without it
// the test is skipped with a line that says what to do, or fails when the
// environment variable CI is true.
func Real(t testing.TB) codexrun.Binary {
	t.Helper()
	path := os.Getenv(RealEnv)
	if path == "" {
		path = filepath.Join(moduleRoot(t), ".tools", "node_modules", "@openai", "codex", "bin", "codex.js")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	bin, err := codexrun.Find(ctx, path)
	if err != nil {
		missing(t, fmt.Sprintf("no real Codex CLI: %v (`make tools` installs %s)", err, PinnedVersion()))
	}
	return bin
}

func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	fmt.Fprintf(os.Stderr, "SKIPPED %s: %s\n", t.Name(), why)
	t.Skip(why)
}

func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("finding the module: %v", err)
	}
	for d := dir; d != filepath.Dir(d); d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d
		}
	}
	t.Fatalf("finding the module: no go.mod at or above %s", dir)
	return ""
}
