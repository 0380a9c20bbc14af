package supervisor

import (
	"context"
	"os/exec"
	"strings"
	"time"
)

// repoFacts is what Git says of a working directory; empty where it says
// nothing.
type repoFacts struct {
	commit string // full hash of HEAD
	branch string
}

// gitTimeout bounds each call: a review does not wait for a slow file system.
const gitTimeout = 5 * time.Second

func readRepo(ctx context.Context, dir string) repoFacts {
	return repoFacts{
		commit: git(ctx, dir, "rev-parse", "--verify", "--quiet", "HEAD"),
		branch: git(ctx, dir, "symbolic-ref", "--short", "--quiet", "HEAD"),
	}
}

func git(ctx context.Context, dir string, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return "" // not a repository, or no commit yet
	}
	return strings.TrimSpace(string(out))
}

// short is the form of a commit that people read.
func short(commit string) string { return commit[:min(len(commit), 12)] }
