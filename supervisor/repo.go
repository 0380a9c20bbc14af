package supervisor

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"time"

	"autoreview/supervisor/repository"
)

// repoFacts is what Git says of a working directory; empty where it says
// nothing.
type repoFacts struct {
	commit string // full hash of HEAD
	branch string
}

// gitTimeout bounds the call: a review does not wait for a slow file system.
const gitTimeout = 5 * time.Second

// readRepo asks Git. The answer comes later, for starting a process takes about
// as long as everything else between a packet and the start of Codex.
func readRepo(ctx context.Context, dir string) <-chan repoFacts {
	facts := make(chan repoFacts, 1)
	if repository.Root(dir) == "" {
		facts <- repoFacts{}
		return facts
	}
	go func() {
		ctx, cancel := context.WithTimeout(ctx, gitTimeout)
		defer cancel()
		cmd := exec.CommandContext(ctx, "git", "-C", dir, "rev-parse", "HEAD", "--abbrev-ref", "HEAD")
		cmd.Env = gitEnv(os.Environ())
		cmd.WaitDelay = time.Second
		out, err := cmd.Output()
		if err != nil {
			facts <- repoFacts{} // not a repository, no commit yet, or no Git
			return
		}
		facts <- parseRepo(string(out))
	}()
	return facts
}

// parseRepo reads the hash of HEAD and, below it, the name of the branch.
func parseRepo(out string) repoFacts {
	commit, branch, _ := strings.Cut(strings.TrimSpace(out), "\n")
	if branch == "HEAD" {
		branch = "" // detached
	}
	return repoFacts{commit: commit, branch: branch}
}

// short is the form of a commit that people read.
func short(commit string) string { return commit[:min(len(commit), 12)] }
