package doctor

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"strings"

	"autoreview/codexrun"
)

const sandboxWord = "autoreview-sandbox-works"

// checkSandbox runs echo in Codex's own sandbox. Where that cannot be set up, a
// review still comes, by a Codex that cannot run a single command: it has seen
// the packet and not the code.
func checkSandbox(ctx context.Context, s *snapshot) Result {
	bin, err := s.codex()
	if err != nil || runtime.GOOS == "windows" {
		return nothing
	}
	if !s.sandboxed() {
		return ok("not used: no watch has sandbox = \"read-only\" or \"workspace-write\"")
	}
	args, err := sandboxArgs(ctx, bin)
	if err != nil {
		return warn("cannot be tried with this version of Codex", err.Error(), "see what `autoreview doctor --prove` says")
	}
	out, _, err := askCodex(ctx, bin, s.root(), nil, append(args, "echo", sandboxWord)...)
	switch {
	case err == nil && bytes.Contains(out, []byte(sandboxWord)):
		return ok("commands run in Codex's sandbox")
	case err == nil:
		return fail("Codex's sandbox does not run a command", "echo said nothing in it", sandboxFix())
	}
	return fail("Codex's sandbox does not run a command", err.Error()+"; a review would come from a Codex that cannot read the code", sandboxFix())
}

// sandboxArgs are what comes before the command: newer versions know by
// themselves which sandbox this system has.
func sandboxArgs(ctx context.Context, bin codexrun.Binary) ([]string, error) {
	help, _, err := askCodex(ctx, bin, "", nil, "sandbox", "--help")
	if err != nil {
		return nil, err
	}
	system := map[string]string{"linux": "linux", "darwin": "macos"}[runtime.GOOS]
	for line := range bytes.Lines(help) {
		if fields := strings.Fields(string(line)); len(fields) > 0 && fields[0] == system {
			return []string{"sandbox", system, "--"}, nil
		}
	}
	return []string{"sandbox", "--"}, nil
}

func sandboxFix() string {
	if inContainer() {
		return "this looks like a container: let it make user namespaces (docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined, or --privileged), or, where the container itself is the wall, set sandbox = \"danger-full-access\" for the watch"
	}
	return "let users make namespaces (on Ubuntu: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0; elsewhere: sudo sysctl user.max_user_namespaces=15000), or install bubblewrap"
}

// inContainer guesses.
func inContainer() bool {
	for _, path := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	cgroup, err := os.ReadFile("/proc/1/cgroup")
	if err != nil {
		return false
	}
	for _, word := range []string{"docker", "kubepods", "containerd", "lxc", "libpod"} {
		if bytes.Contains(cgroup, []byte(word)) {
			return true
		}
	}
	return os.Getenv("container") != ""
}
