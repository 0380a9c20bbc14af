package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"autoreview/codexrun"
	"autoreview/codexrun/codextest"
	"autoreview/relay/client"
)

// wrapper is where `make demo` has npm put the pinned Codex CLI.
const wrapper = ".tools/node_modules/@openai/codex/bin/codex.js"

// chooseCodex returns the real Codex CLI and the environment that has it talk
// to the scripted model and to nothing else; without npm, the fake one.
func chooseCodex(ctx context.Context, dir string, model *codextest.Model) (path string, env []string, err error) {
	home := filepath.Join(dir, "codex-home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return "", nil, err
	}
	if env, err = codextest.WriteHome(home, model); err != nil {
		return "", nil, err
	}
	if wrapper, err := filepath.Abs(wrapper); err == nil {
		if bin, err := codexrun.Find(ctx, wrapper); err == nil {
			fmt.Fprintf(os.Stderr, "demo: the real Codex CLI %s, with a scripted model on 127.0.0.1: no account, no network\n", bin.Version)
			return wrapper, env, nil
		}
	}
	fmt.Fprintln(os.Stderr, "demo: THIS IS NOT THE REAL CODEX: npm could not install it, so a fake one answers in its place")
	path = filepath.Join(dir, "codex")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "./codexrun/codextest/fakecodex")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return "", nil, fmt.Errorf("building the fake codex: %w", err)
	}
	return path, append(env, fakeAnswer()...), nil
}

// startPrograms starts the relay and, when it answers, the supervisor.
func startPrograms(ctx context.Context, dir, repo, codex, url string, port int, env []string) (stop func(), err error) {
	// A program is ended by its stop, in order, and not by ctx.
	life := context.WithoutCancel(ctx)
	stopRelay, err := start(life, nil, "relay", "serve", "--port", strconv.Itoa(port), "--data", filepath.Join(dir, "relay"))
	if err != nil {
		return nil, err
	}
	if err := awaitRelay(ctx, url); err != nil {
		stopRelay()
		return nil, err
	}
	config := filepath.Join(dir, "autoreview.toml")
	if err := os.WriteFile(config, []byte(supervisorConfig(url, filepath.Join(dir, "state"), codex, repo)), 0o600); err != nil {
		stopRelay()
		return nil, err
	}
	stopSupervisor, err := start(life, env, "autoreview", "run", "--config", config, "--verbose")
	if err != nil {
		stopRelay()
		return nil, err
	}
	return func() {
		stopSupervisor()
		stopRelay()
	}, nil
}

func supervisorConfig(url, state, codex, repo string) string {
	return fmt.Sprintf(`relay = %q
state_dir = %q
codex_bin = %q

[[watch]]
channel = %q
senders = ["claude"]
workdir = %q
`, url, state, codex, channel, repo)
}

func awaitRelay(ctx context.Context, url string) error {
	c := client.New(client.Options{BaseURL: url, Timeout: time.Second})
	defer c.Close()
	var last error
	for range 100 {
		if last = c.Check(ctx); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return errors.Join(errors.New("the relay did not start"), last)
}

// fakeAnswer has the fake codex give the same review after a while.
func fakeAnswer() []string {
	return []string{
		codextest.FakeAnswer + "=" + answer(),
		codextest.FakeDo + "=slow:1s command:git_diff slow:1s answer",
	}
}
