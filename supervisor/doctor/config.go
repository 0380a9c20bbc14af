package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"autoreview/supervisor/config"
	"autoreview/templates"
)

// checkConfig reports every problem and warning of autoreview.toml and of the
// prompt templates that it names.
func checkConfig(_ context.Context, s *snapshot) Result {
	if s.cfgErr != nil {
		fix := "correct the lines above; docs/configuration-autoreview.md has every key"
		var bad *config.Error
		if errors.As(s.cfgErr, &bad) && bad.Hint != "" {
			fix = bad.Hint
		}
		return fail("the configuration cannot be used", s.cfgErr.Error(), fix)
	}
	if err := s.templates(); err != nil {
		return fail("a prompt template cannot be used", err.Error(), "correct it, or leave `template` out")
	}
	seen := describe(s.cfg)
	if len(s.warnings) == 0 {
		return ok("%s", seen)
	}
	lines := make([]string, len(s.warnings))
	for i, w := range s.warnings {
		lines[i] = w.String()
	}
	return warn(seen, strings.Join(lines, "\n"), "change these lines, or live with it")
}

// templates tries each prompt template with made-up packets.
func (s *snapshot) templates() error {
	var errs []error
	for _, w := range s.cfg.Watches {
		name := templates.NameReview
		if w.Deliver == config.DeliverMCP {
			name = templates.NameReviewMCP
		}
		if w.Template != "" {
			if err := templates.Check(name, w.Template); err != nil {
				errs = append(errs, fmt.Errorf("watch %q: %w", w.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

func describe(c config.Config) string {
	name := "the environment"
	if c.Path != "" {
		name = filepath.Base(c.Path)
	}
	parts := make([]string, len(c.Watches))
	for i, w := range c.Watches {
		parts[i] = fmt.Sprintf("%s for %s", w.Channel, strings.Join(w.Senders, ", "))
	}
	return name + ": watches " + strings.Join(parts, "; ")
}

// checkGit asks git about each folder that is reviewed. Codex also works in one
// that is no repository, with less to go by.
func checkGit(ctx context.Context, s *snapshot) Result {
	path, err := exec.LookPath("git")
	if err != nil {
		return warn("git is not found", "a reviewer without it sees the files and not the change", "install git")
	}
	var parts []Result
	for _, dir := range s.workdirs() {
		cmd := exec.CommandContext(ctx, path, "-C", dir, "rev-parse", "--show-toplevel")
		cmd.Env = withoutGit(os.Environ())
		cmd.WaitDelay = time.Second
		if _, err := cmd.Output(); err != nil {
			parts = append(parts, judgeGit(dir, err))
		}
	}
	return worst("a git repository: "+strings.Join(s.workdirs(), ", "), parts...)
}

// withoutGit leaves out the variables by which git tells its hooks, and those
// tell us, which repository to work on: ours is the one in the folder.
func withoutGit(env []string) []string {
	return slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "GIT_") })
}

func judgeGit(dir string, err error) Result {
	cause := err.Error()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		cause, _, _ = strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n")
	}
	if strings.Contains(cause, "dubious ownership") {
		return warn(dir+" belongs to another user", cause+"; the reviewer's git refuses it", fmt.Sprintf("git config --global --add safe.directory %q", dir))
	}
	return warn(dir+" is not a git repository", cause+"; the reviewer sees the files and not the change", fmt.Sprintf("git init %q, or set `workdir`", dir))
}
