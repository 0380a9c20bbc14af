package codexrun

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// probeTimeout bounds `codex --version`, which takes 20 ms natively and 200 ms
// through the npm wrapper on an idle machine.
const probeTimeout = 20 * time.Second

// FindError says why there is no codex to start.
type FindError struct {
	// Class is NoCodex.
	Class Class
	// Text says what is wrong, Hint what to do; each is one line.
	Text, Hint string
}

// Error is the text without the hint.
func (e *FindError) Error() string { return e.Text }

const installHint = "install the Codex CLI with `npm i -g @openai/codex`, or set codex_bin to where it is"

// Find looks up a codex by path, or by name in PATH, and asks it for its
// version. Where name leads to the npm package's wrapper script, the native
// binary behind it is what is returned: it starts faster and a signal reaches
// it without a detour. Versions are remembered by path, size and modification
// time, so that a second call costs no process. The error is a *FindError,
// unless ctx ended.
func Find(ctx context.Context, name string) (Binary, error) {
	if name == "" {
		name = "codex"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return Binary{}, noCodex(fmt.Sprintf("no codex at %q", name), err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return Binary{}, noCodex(fmt.Sprintf("no codex at %q", name), err)
	}
	if native := nativeBinary(path); native != "" {
		if version, err := probes.version(ctx, native); err == nil {
			return Binary{Path: native, Version: version}, nil
		}
		// The wrapper may still know better, for instance how to say that its
		// platform package is broken.
	}
	version, err := probes.version(ctx, path)
	if err != nil {
		if ctx.Err() != nil {
			return Binary{}, context.Cause(ctx)
		}
		return Binary{}, noCodex(fmt.Sprintf("%q does not run", path), err)
	}
	return Binary{Path: path, Version: version}, nil
}

func noCodex(what string, err error) *FindError {
	var exit *exec.Error
	if errors.As(err, &exit) {
		err = exit.Err // without the name, which is in what already
	}
	return &FindError{Class: NoCodex, Text: fmt.Sprintf("%s: %v", what, err), Hint: installHint}
}

// probes are shared by the process: several watches use one binary.
var probes probeCache

type probeCache struct {
	mu sync.Mutex
	// guarded by mu
	known map[string]probe // :: path → last answer
}

type probe struct {
	size    int64
	mtime   time.Time
	version string
}

func (c *probeCache) version(ctx context.Context, path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	p, ok := c.known[path]
	c.mu.Unlock()
	if ok && p.size == info.Size() && p.mtime.Equal(info.ModTime()) {
		return p.version, nil
	}
	version, err := askVersion(ctx, path)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = make(map[string]probe)
	}
	c.known[path] = probe{size: info.Size(), mtime: info.ModTime(), version: version}
	return version, nil
}

func askVersion(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, probeTimeout, errors.New("no answer to --version"))
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", fmt.Errorf("asking for its version: %w", err)
	}
	return versionIn(out)
}

// versionIn reads the last line of `codex --version`; warnings may come first.
func versionIn(out []byte) (string, error) {
	last := ""
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		if line := strings.TrimSpace(s.Text()); line != "" {
			last = line
		}
	}
	fields := strings.Fields(last)
	if len(fields) == 0 {
		return "", errors.New("asking for its version: no answer")
	}
	version := fields[len(fields)-1]
	if _, _, ok := parseVersion(version); !ok {
		return "", fmt.Errorf("asking for its version: %q is none", last)
	}
	return version, nil
}

// shimTarget finds the wrapper script in the little scripts that npm (on
// Windows) and pnpm put on PATH. Only a path relative to the shim counts: a
// script of the user's own is run as it is.
var shimTarget = regexp.MustCompile(`(?:\$basedir|%~dp0|%dp0%)[/\\]+((?:[^"'\s]*[/\\])?@openai[/\\]codex[/\\]bin[/\\]codex\.js)`)

// maxShim is more than any of those scripts has.
const maxShim = 16 << 10

// nativeBinary is the native binary behind the npm wrapper at path, "" when
// path is no npm wrapper or has none.
func nativeBinary(path string) string {
	script := wrapperScript(path)
	if script == "" {
		return ""
	}
	target, ok := currentTarget()
	if !ok {
		return ""
	}
	for _, file := range target.candidates(filepath.Dir(filepath.Dir(script))) {
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return file
		}
	}
	return ""
}

// wrapperScript is the real path of @openai/codex/bin/codex.js when path is a
// link or a shim to it.
func wrapperScript(path string) string {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	if isWrapper(real) {
		return real
	}
	// A native binary has 200 MB: its size is enough to tell.
	if info, err := os.Stat(real); err != nil || info.Size() > maxShim {
		return ""
	}
	script, err := os.ReadFile(real)
	if err != nil {
		return ""
	}
	m := shimTarget.FindSubmatch(script)
	if m == nil {
		return ""
	}
	rel := filepath.FromSlash(strings.ReplaceAll(string(m[1]), `\`, "/"))
	real, err = filepath.EvalSymlinks(filepath.Join(filepath.Dir(real), rel))
	if err != nil || !isWrapper(real) {
		return ""
	}
	return real
}

func isWrapper(path string) bool {
	return strings.HasSuffix(filepath.ToSlash(path), "@openai/codex/bin/codex.js")
}
