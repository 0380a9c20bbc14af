package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"autoreview/codexrun"
)

func (s *snapshot) findCodex() (codexrun.Binary, error) {
	name := s.codexBin()
	return codexrun.Find(s.ctx, name)
}

// capabilities are what differs between versions of Codex and shows to a user.
var capabilities = []struct {
	name  string
	minor int // of the first version 0.x that has it
}{
	{"approves one tool by its own key", 120},
	{"approves all tools by default_tools_approval_mode", 128},
	{"can ignore the user's configuration", 128},
	{"has --strict-config", 136},
	{"has profiles as files of their own", 136},
	{"can fork a thread", 150},
	{"says which configuration keys it ignores", 163},
	{"says that it ignores an untrusted repository's configuration", 169},
}

// checkCodex finds the Codex CLI and its version.
func checkCodex(_ context.Context, s *snapshot) Result {
	bin, err := s.codex()
	if err != nil {
		return noCodex(err)
	}
	r := ok("%s, version %s", bin.Path, bin.Version)
	r.Facts = make(map[string]string)
	for _, c := range capabilities {
		r.Facts[c.name] = yesNo(bin.AtLeast(0, c.minor))
	}
	newest := codexrun.Binary{Version: codexrun.NewestVersion}
	switch {
	case !bin.Supported():
		r.Status = Warn
		r.Cause = fmt.Sprintf("versions before %s start a new thread without a word when the one to resume is unknown, or hang on a tool call that nobody can approve", codexrun.MinVersion)
		r.Fix = "npm install -g @openai/codex@latest"
	case newer(bin, newest):
		r.Status = Warn
		r.Cause = fmt.Sprintf("it is newer than %s, the newest that this autoreview was tried with", codexrun.NewestVersion)
		r.Fix = "see whether `autoreview doctor --prove` gets a review; if not, npm install -g @openai/codex@" + codexrun.NewestVersion
	}
	return r
}

func noCodex(err error) Result {
	var find *codexrun.FindError
	if errors.As(err, &find) {
		return fail("not found", find.Text, find.Hint)
	}
	return fail("not found", err.Error(), "run it by hand: codex --version")
}

// newer compares major and minor; a build from source is not newer.
func newer(a, b codexrun.Binary) bool {
	var major, minor int
	if _, err := fmt.Sscanf(b.Version, "%d.%d.", &major, &minor); err != nil || strings.HasPrefix(a.Version, "0.0.0") {
		return false
	}
	return a.AtLeast(major, minor+1)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// checkCodexHome looks at the folder where Codex keeps its configuration,
// login and threads. Codex makes the usual one by itself, and refuses to start
// when one that it is told does not exist.
func checkCodexHome(_ context.Context, s *snapshot) Result {
	dir := s.codexHome()
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist) && s.Getenv("CODEX_HOME") == "":
		return ok("%s is not there yet; Codex makes it", dir)
	case errors.Is(err, os.ErrNotExist):
		r := fail(dir+" does not exist", "CODEX_HOME names it, and Codex does not start without it", fmt.Sprintf("mkdir -m 700 %q, or unset CODEX_HOME", dir))
		r.repair = makeFolder(dir)
		return r
	case err != nil:
		return fail(dir+" cannot be used", err.Error(), "make it a folder of your own")
	case !info.IsDir():
		return fail(dir+" is a file", "Codex keeps its configuration and threads in a folder", "unset CODEX_HOME, or name a folder with it")
	}
	for _, sub := range []string{dir, filepath.Join(dir, "sessions")} {
		if err := writable(sub); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fail(sub+" cannot be written to", err.Error()+"; Codex records each thread there", fmt.Sprintf("sudo chown -R \"$USER\" %q", dir))
		}
	}
	return ok("%s", dir)
}

// checkLogin says whether Codex has something to log in to its model with, as
// far as that can be known without asking the model.
func checkLogin(ctx context.Context, s *snapshot) Result {
	bin, err := s.codex()
	if err != nil {
		return nothing
	}
	c, err := s.userCodex()
	if err != nil {
		return nothing
	}
	if r, known := s.providerLogin(c); known {
		return r
	}
	if s.Getenv("CODEX_API_KEY") != "" {
		return ok("an API key in CODEX_API_KEY; whether it is good shows at the first review")
	}
	stdout, stderr, err := askCodex(ctx, bin, s.Dir, nil, "login", "status")
	if err == nil {
		return ok("%s; whether it is still good shows at the first review", loginWords(append(stdout, stderr...)))
	}
	if ctx.Err() != nil {
		return fail("codex login status does not answer", context.Cause(ctx).Error(), "run it by hand")
	}
	cause := "every review would wait until you log in"
	fix := "codex login"
	if s.Getenv("OPENAI_API_KEY") != "" {
		cause += "; OPENAI_API_KEY is set, and Codex does not use it by itself"
		fix = "printenv OPENAI_API_KEY | codex login --with-api-key"
	}
	if name := s.choosesProvider(); name != "" {
		return warn("not logged in", fmt.Sprintf("the watch %q chooses its model provider by itself, and whether that one needs a login is not known; otherwise %s", name, cause), fix)
	}
	return fail("not logged in", cause, fix)
}

// choosesProvider is a watch that may not use the provider of the user's
// configuration, "" for none.
func (s *snapshot) choosesProvider() string {
	about := func(arg string) bool { return arg == "--oss" || strings.Contains(arg, "model_provider") }
	for _, w := range s.cfg.Watches {
		if w.Profile != "" || slices.ContainsFunc(w.ExtraArgs, about) || slices.ContainsFunc(slices.Collect(maps.Keys(w.CodexConfig)), about) {
			return w.Name
		}
	}
	return ""
}

// providerLogin judges a model provider of the user's own; known is false for
// OpenAI's.
func (s *snapshot) providerLogin(c codexConfig) (r Result, known bool) {
	name := c.text("model_provider")
	table := c.table("model_providers", name)
	if name == "" || name == "openai" || table["requires_openai_auth"] == true {
		return nothing, false
	}
	key, _ := table["env_key"].(string)
	switch {
	case key == "":
		return ok("the model provider %q needs no login", name), true
	case s.Getenv(key) == "":
		return fail(fmt.Sprintf("the model provider %q has no key", name),
			fmt.Sprintf("its env_key is %s, and that variable is not set here", key),
			"export "+key+"=... where autoreview is started"), true
	}
	return ok("the model provider %q with the key in %s", name, key), true
}

// loginWords is the first line of `codex login status` that is no warning; a
// key is shown masked in it, and not even that is repeated.
func loginWords(out []byte) string {
	for line := range bytes.Lines(out) {
		text := strings.TrimSpace(string(line))
		switch {
		case strings.HasPrefix(text, "Logged in using ChatGPT"):
			return "logged in using ChatGPT"
		case strings.Contains(text, "API key"):
			return "logged in with an API key"
		}
	}
	return "logged in"
}

// askCodex runs a command of the CLI that only looks. env is added to the
// environment. The error holds the line that tells why.
func askCodex(ctx context.Context, bin codexrun.Binary, dir string, env []string, args ...string) (stdout, stderr []byte, err error) {
	cmd := exec.CommandContext(ctx, bin.Path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = time.Second
	var outs, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &outs, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		return nil, nil, errors.New(reason(errs.Bytes(), err))
	}
	return outs.Bytes(), errs.Bytes(), nil
}

// reason is what the error output says, without the warnings, headings and
// stack frames around it.
func reason(stderr []byte, err error) string {
	for line := range bytes.Lines(stderr) {
		text := strings.TrimSpace(string(line))
		_, after, numbered := strings.Cut(text, "0: ")
		switch {
		case text == "", strings.HasPrefix(text, "WARNING"), strings.HasPrefix(text, "Caused by"),
			strings.HasSuffix(text, "failed to load configuration"), // up to 0.145
			strings.HasSuffix(text, "failed to load bootstrap configuration"),
			strings.HasPrefix(text, "thread 'main'"):
			continue
		case numbered && strings.HasPrefix(text, "0: "):
			return after
		}
		return strings.TrimPrefix(text, "Error: ")
	}
	return err.Error()
}

func makeFolder(dir string) func() (string, error) {
	return func() (string, error) {
		return "made " + dir, os.MkdirAll(dir, 0o700)
	}
}
