package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/tailscale/hujson"

	"autoreview/codexrun/codextest"
	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/supervisor/verdict"
)

// repo is a git repository in a scratch folder, with a scratch home and the
// programs in PATH.
type repo struct {
	t               *testing.T
	dir, url, codex string
	env             []string
}

// newRepo makes a repository whose codex is the given program.
func newRepo(t *testing.T, codex string, env []string) *repo {
	t.Helper()
	dir, bin := t.TempDir(), t.TempDir()
	if err := os.Symlink(codex, filepath.Join(bin, "codex")); err != nil {
		t.Skip(err)
	}
	r := &repo{t: t, codex: codex, dir: filepath.Join(dir, "My Shop"), url: freeAddress()}
	if err := os.Mkdir(r.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	r.env = append(os.Environ(), "HOME="+dir, "XDG_STATE_HOME=", "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "BASE_URL=", "TARGET=", "GORACE=atexit_sleep_ms=0")
	r.env = append(r.env, env...)
	r.env = append(r.env, "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	r.run("git", "init", "--quiet")
	return r
}

func (r *repo) command(name string, args ...string) *exec.Cmd {
	path := r.codex
	if name != "codex" { // there is a fake one in this process's PATH
		var err error
		if path, err = exec.LookPath(name); err != nil {
			r.t.Fatal(err)
		}
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	return cmd
}

func (r *repo) run(name string, args ...string) string {
	r.t.Helper()
	out, err := r.command(name, args...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// task is the entry of .vscode/tasks.json, as VS Code reads it.
type task struct {
	Label, Type, Command string
	Args                 []string
	Options              struct{ Cwd string }
	IsBackground         bool
	ProblemMatcher       struct {
		Pattern struct {
			Regexp                      string
			File, Line, Column, Message int
		}
		Background struct{ BeginsPattern, EndsPattern string }
	}
	RunOptions struct{ RunOn string }
}

func (r *repo) task() task {
	r.t.Helper()
	src, err := os.ReadFile(filepath.Join(r.dir, ".vscode", "tasks.json"))
	if err == nil {
		src, err = hujson.Standardize(src)
	}
	var file struct{ Tasks []task }
	if err == nil {
		err = json.Unmarshal(src, &file)
	}
	if err != nil || len(file.Tasks) != 1 {
		r.t.Fatalf("tasks.json: got %d tasks and error %v, want 1", len(file.Tasks), err)
	}
	return file.Tasks[0]
}

// window is a task that VS Code has started: the lines of its terminal.
type window struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
}

// open starts exactly the command line of the task.
func (r *repo) open(k task) *window {
	r.t.Helper()
	cmd := r.command(k.Command, k.Args...)
	cmd.Dir = strings.ReplaceAll(k.Options.Cwd, "${workspaceFolder}", r.dir)
	read, write, err := os.Pipe()
	if err != nil {
		r.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	_ = write.Close()
	w := &window{t: r.t, cmd: cmd, lines: make(chan string, 1000)}
	go func() {
		defer close(w.lines)
		for s := bufio.NewScanner(read); s.Scan(); {
			w.lines <- s.Text()
		}
	}()
	r.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = read.Close()
	})
	return w
}

// await reads up to a line that matches and returns it.
func (w *window) await(pattern string) string {
	w.t.Helper()
	re, seen := regexp.MustCompile(pattern), ""
	for late := time.After(time.Minute); ; {
		select {
		case line, ok := <-w.lines:
			if !ok {
				w.t.Fatalf("the task ended after %q, want a line that matches %s", seen, pattern)
			}
			if re.MatchString(line) {
				return line
			}
			seen += line + "\n"
		case <-late:
			w.t.Fatalf("got %q, want a line that matches %s", seen, pattern)
		}
	}
}

// stop ends the task as VS Code does when its window is closed.
func (w *window) stop() {
	w.t.Helper()
	if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
		w.t.Fatal(err)
	}
	if err := w.cmd.Wait(); err != nil {
		w.t.Errorf("the task at an interrupt: got %v, want exit 0", err)
	}
}

const approval = `{"verdict":"approve","summary":"Fine.","findings":[],"tests":[],"questions":[]}`

// From nothing to a review: init, and then the very command line that VS Code
// runs, with the real Codex. A second window stands by and takes over; VS Code
// sees each of them as started.
func TestInitThenTheLoop(t *testing.T) {
	bin := codextest.Real(t)
	model := codextest.Serve(t, codextest.InTurn([]codextest.Step{codextest.Say(approval)}))
	_, env := codextest.Home(t, model)
	r := newRepo(t, bin.Path, env)
	r.run("autoreview", "init", "--yes", "--relay", r.url, "--trust")
	if got := r.run("codex", "mcp", "list", "--json"); !strings.Contains(got, r.url+"/mcp") {
		t.Errorf("codex mcp list: got %s, want the relay", got)
	}

	k := r.task()
	if k.Type != "process" || k.Command != "autoreview" || !k.IsBackground || k.RunOptions.RunOn != "folderOpen" {
		t.Fatalf("task: got %+v, want autoreview in the background at folderOpen", k)
	}
	ready := k.ProblemMatcher.Background.EndsPattern
	first := r.open(k)
	first.await(ready)
	second := r.open(k)
	if line := second.await(ready); !strings.Contains(line, "standing by") {
		t.Errorf("second window: got %q, want it to stand by", line)
	}
	r.wantReview("my-shop")

	first.stop()
	second.await(k.ProblemMatcher.Background.BeginsPattern)
	second.await(ready)
	r.wantReview("my-shop")
	second.stop()
	r.run("autoreview", "init", "--undo", "--yes")
	if out := r.run("git", "status", "--porcelain"); out != "" {
		t.Errorf("git status after undo: got %q, want nothing", out)
	}
}

// wantReview posts a packet, as the section of CLAUDE.md says, and waits for the
// review of it.
func (r *repo) wantReview(channel string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Minute)
	defer cancel()
	c := client.New(client.Options{BaseURL: r.url})
	defer c.Close()
	posted, err := post(ctx, c, channel)
	if err != nil {
		r.t.Fatal(err)
	}
	q := relay.Query{Targets: []string{channel}, Senders: []string{"codex"}, Since: posted}
	for {
		p, err := c.Wait(ctx, q, 30*time.Second)
		if err != nil {
			r.t.Fatalf("waiting for the review: %v", err)
		}
		for _, m := range p.Messages {
			if m.ReplyTo != posted || m.Kind != relay.KindReview || !strings.Contains(string(m.Meta), string(verdict.Approve)) {
				r.t.Errorf("got %+v, want the review of #%d", m, posted)
			}
			return
		}
	}
}

// post posts a packet as soon as there is a relay.
func post(ctx context.Context, c *client.Client, channel string) (int64, error) {
	for {
		p, err := c.Post(ctx, relay.Draft{Target: channel, Sender: "claude", Text: "Summary: a change\n\nTests: none"})
		if _, away := errors.AsType[*client.UnreachableError](err); !away {
			return p.ID, err
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("posting: %w", err)
		case <-time.After(20 * time.Millisecond): // another process opens it
		}
	}
}

// VS Code shows a mistake in the configuration at its place.
func TestTaskShowsMistakes(t *testing.T) {
	r := newRepo(t, "/bin/true", nil)
	r.run("autoreview", "init", "--yes")
	path := filepath.Join(r.dir, "autoreview.toml")
	src, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(string(src)+"colour = 1\nsession = \"abc123\"\n"), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	k := r.task()
	w := r.open(k)
	pattern := k.ProblemMatcher.Pattern
	re := regexp.MustCompile(pattern.Regexp)
	m := re.FindStringSubmatch(w.await(pattern.Regexp))
	if m[pattern.File] != "autoreview.toml" || m[pattern.Line] == "" || m[pattern.Column] == "" || !strings.Contains(m[pattern.Message], "session") && !strings.Contains(m[pattern.Message], "colour") {
		t.Errorf("problem: got %q, want file, line, column and text", m)
	}
}

// Under systemd the service is started when the supervisor is up, also when it
// stands by.
func TestServiceSaysThatItIsReady(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no systemd")
	}
	r := newRepo(t, "/bin/true", nil)
	r.run("autoreview", "init", "--yes", "--relay", r.url)
	addr := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: addr, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r.env = append(r.env, "NOTIFY_SOCKET="+addr)
	next := func() string {
		t.Helper()
		b := make([]byte, 4096)
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(b)
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatalf("waiting for a state: %v", err)
		}
		return string(b[:n])
	}
	first := r.open(r.task())
	if got := next(); !strings.HasPrefix(got, "READY=1\nSTATUS=watching my-shop") {
		t.Errorf("state: got %q, want READY=1", got)
	}
	second := r.open(r.task())
	if got, want := next(), "READY=1\nSTATUS=standing by"; got != want {
		t.Errorf("state of the second: got %q, want %q", got, want)
	}
	second.stop()
	first.stop()
	if got := next(); got != "STOPPING=1" {
		t.Errorf("state: got %q, want STOPPING=1", got)
	}
}

// The documentation names every flag, and no other.
func TestSetupIsDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "setup.md"))
	if err != nil {
		t.Fatal(err)
	}
	flags := newInit().Flags()
	flags.VisitAll(func(f *pflag.Flag) {
		if !strings.Contains(string(page), "--"+f.Name) {
			t.Errorf("--%s: want it in docs/setup.md", f.Name)
		}
	})
	for _, name := range regexp.MustCompile("`(?:autoreview init )?--([a-z-]+)").FindAllStringSubmatch(string(page), -1) {
		if flags.Lookup(name[1]) == nil {
			t.Errorf("docs/setup.md: init has no flag --%s", name[1])
		}
	}
}
