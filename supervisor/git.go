package supervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// gitSettings keep Git to itself: no hooks, no daemons, no other repositories.
var gitSettings = []string{
	"-c", "core.hooksPath=" + os.DevNull, "-c", "core.fsmonitor=false", "-c", "core.splitIndex=false",
	"-c", "submodule.recurse=false", "-c", "advice.detachedHead=false", "-c", "advice.addEmbeddedRepo=false",
	"-c", "gc.auto=0", "-c", "maintenance.auto=false",
}

// gitElsewhere are the variables that point Git at another repository than the
// one it is started in. A supervisor that a hook has started has them.
var gitElsewhere = []string{
	"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_NAMESPACE",
	"GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
}

// git runs Git in a folder and returns what it says, without the line end.
func git(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append(append([]string{"-C", dir}, gitSettings...), args...)...)
	cmd.Env = append(gitEnv(os.Environ()), env...)
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		exit.Stderr = stderr.Bytes() // for a caller that has to know it in full
	}
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, sentence(stderr.String()))
	}
	return strings.TrimRight(string(out), "\n"), nil
}

// gitEnv is the environment without what would point Git elsewhere: this process
// may have been started by a hook.
func gitEnv(base []string) []string {
	env := make([]string, 0, len(base)+3)
	for _, kv := range base {
		if name, _, _ := strings.Cut(kv, "="); !strings.HasPrefix(name, "GIT_") || strings.HasPrefix(name, "GIT_CONFIG_") || name == "GIT_EXEC_PATH" {
			env = append(env, kv)
		}
	}
	return append(env, "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
}
