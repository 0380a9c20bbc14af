package codexrun_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/codexrun/codextest"
)

// realRun is a run of the real Codex CLI against a scripted model.
type realRun struct {
	model *codextest.Model
	home  string
	spec  codexrun.Spec
}

// newRealRun makes a run in a scratch repository.
func newRealRun(t *testing.T, script codextest.Script) *realRun {
	t.Helper()
	if testing.Short() {
		t.Skip("runs the real Codex CLI")
	}
	return newRunOf(t, codextest.Real(t), script)
}

func newRunOf(t *testing.T, bin codexrun.Binary, script codextest.Script) *realRun {
	t.Helper()
	model := codextest.Serve(t, script)
	home, env := codextest.Home(t, model)
	dir := scratch(t)
	git(t, dir, "init", "-q")
	return &realRun{model: model, home: home, spec: codexrun.Spec{
		Binary: bin, Dir: dir, RunDir: t.TempDir(), Prompt: "please review", Env: env,
		Timeout: time.Minute, Grace: time.Second,
	}}
}

// scratch is a folder outside of /tmp, which the sandbox lets commands write to.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "codexrun-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (r *realRun) configure(t *testing.T, text string) {
	t.Helper()
	path := filepath.Join(r.home, "config.toml")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, string(data)+"\n"+text)
}

func (r *realRun) run(t *testing.T) codexrun.Result {
	t.Helper()
	return codexrun.Run(t.Context(), r.spec, codexrun.Observer{})
}

func (r *realRun) wantClass(t *testing.T, res codexrun.Result, want codexrun.Class) {
	t.Helper()
	if res.Class != want {
		t.Fatalf("class: got %s (%s), want %s\nstderr: %s", res.Class, res.Text, want, res.Stderr)
	}
}

func TestRealReview(t *testing.T) {
	t.Parallel()
	r := newRealRun(t, codextest.Always(`{"verdict":"approve"}`))
	r.spec.Schema = []byte(`{"type":"object","properties":{"verdict":{"type":"string"}},"required":["verdict"],"additionalProperties":false}`)
	res := r.run(t)
	r.wantClass(t, res, codexrun.Completed)
	if res.Final != `{"verdict":"approve"}` || res.ThreadID == "" || res.Replaced {
		t.Errorf("result: got %+v", res)
	}
	want := codexrun.Usage{InputTokens: 100, CachedInputTokens: 10, OutputTokens: 20, ReasoningTokens: 5}
	if r.spec.Binary.Version < "0.128" {
		want.ReasoningTokens = 0 // it does not tell
	}
	if res.ThreadUsage != want {
		t.Errorf("usage: got %+v, want %+v", res.ThreadUsage, want)
	}
	req := r.model.Requests()[0]
	if req.Prompt() != "please review" || !bytes.Contains(req.Schema(), []byte(`"verdict"`)) || req.ThreadID() != res.ThreadID {
		t.Errorf("request: got prompt %q, schema %s, thread %s", req.Prompt(), req.Schema(), req.ThreadID())
	}
}

func TestRealThreads(t *testing.T) {
	t.Parallel()
	r := newRealRun(t, func(req codextest.Request) []codextest.Step {
		return []codextest.Step{codextest.Say(fmt.Sprintf("answer %d", len(req.Texts("assistant"))+1))}
	})
	first := r.run(t)
	r.wantClass(t, first, codexrun.Completed)

	r.spec.Resume, r.spec.Prompt = first.ThreadID, "and again"
	second := r.run(t)
	r.wantClass(t, second, codexrun.Completed)
	if second.ThreadID != first.ThreadID || second.Replaced || second.Final != "answer 2" {
		t.Errorf("resume: got %+v, want answer 2 in thread %s", second, first.ThreadID)
	}
	if second.ThreadUsage.InputTokens != 200 {
		t.Errorf("usage of the thread: got %d input tokens, want 200", second.ThreadUsage.InputTokens)
	}
	requests := r.model.Requests()
	if last := requests[len(requests)-1]; !last.Contains("please review") || last.Prompt() != "and again" {
		t.Errorf("request of the resume: got prompt %q, users %q", last.Prompt(), last.Texts("user"))
	}

	if r.canFork(t) {
		r.spec.Resume, r.spec.Fork = "", first.ThreadID
		fork := r.run(t)
		r.wantClass(t, fork, codexrun.Completed)
		if fork.ThreadID == first.ThreadID || fork.Replaced || fork.Final != "answer 3" {
			t.Errorf("fork: got %+v, want answer 3 in another thread than %s", fork, first.ThreadID)
		}
	}

	threads, err := codexrun.Threads(r.home)
	if err != nil || len(threads) == 0 {
		t.Fatalf("Threads: got %v, %v", threads, err)
	}
	if oldest := threads[len(threads)-1]; oldest.ID != first.ThreadID || oldest.Prompt != "please review" || oldest.Dir != r.spec.Dir {
		t.Errorf("oldest thread: got %+v, want %s, please review, %s", oldest, first.ThreadID, r.spec.Dir)
	}
}

func TestRealUnknownThreadIsReplaced(t *testing.T) {
	t.Parallel()
	r := newRealRun(t, codextest.Always("fresh"))
	r.spec.Resume = threadID
	res := r.run(t)
	r.wantClass(t, res, codexrun.Completed)
	if !res.Replaced || res.ThreadID == threadID || res.ThreadID == "" || res.Final != "fresh" {
		t.Errorf("result: got %+v, want fresh in another thread", res)
	}
	if n := len(r.model.Requests()); n != 1 {
		t.Errorf("requests to the model: got %d, want 1", n)
	}
	if r.canFork(t) {
		r.spec.Resume, r.spec.Fork = "", threadID
		if res = r.run(t); res.Class != codexrun.Completed || !res.Replaced {
			t.Errorf("fork of an unknown thread: got %+v, want replaced", res)
		}
	}
}

func TestRealBusyThread(t *testing.T) {
	t.Parallel()
	r := newRealRun(t, codextest.Always("first"))
	if r.old() {
		t.Skipf("codex %s lets two processes write one thread", r.spec.Binary.Version)
	}
	first := r.run(t)
	r.wantClass(t, first, codexrun.Completed)
	r.spec.Resume = first.ThreadID
	r.model.SetScript(func(codextest.Request) []codextest.Step { return []codextest.Step{codextest.Hang()} })
	ctx, cancel := context.WithCancel(t.Context())
	begun, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		codexrun.Run(ctx, r.spec, codexrun.Observer{Event: func(e codexrun.Event) {
			if e.Type == "turn.started" {
				close(begun)
			}
		}})
	}()
	<-begun
	other := r.spec
	other.RunDir = t.TempDir()
	res := codexrun.Run(t.Context(), other, codexrun.Observer{})
	cancel()
	<-done
	if res.Class != codexrun.BadSession || res.Replaced {
		t.Errorf("second run of a busy thread: got %+v, want bad_session", res)
	}
}

// TestRealStopEndsEveryCommand: in each mode the commands that the model
// started, also those that ignore signals or left for a session of their own,
// are gone when the run is.
func TestRealStopEndsEveryCommand(t *testing.T) {
	for _, mode := range []codexrun.Sandbox{codexrun.ReadOnly, codexrun.DangerFullAccess, codexrun.Bypass} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS != "linux" {
				t.Skip("strays are found on Linux only")
			}
			const command = `trap '' INT TERM HUP; (setsid sleep 397 >/dev/null 2>&1 &) ; sleep 397`
			r := newRealRun(t, func(req codextest.Request) []codextest.Step {
				return []codextest.Step{codextest.Shell(req, command)}
			})
			r.spec.Sandbox = mode
			cause := errors.New("stop")
			ctx, cancel := context.WithCancelCause(t.Context())
			var p codexrun.Process
			res := codexrun.Run(ctx, r.spec, codexrun.Observer{
				Started: func(started codexrun.Process) error { p = started; return nil },
				Event: func(e codexrun.Event) {
					if item, ok := e.Item(); ok && item.Type == "command_execution" {
						// The command is said to be there before it is.
						go func() { cancel(waitForStrays(p, cause)) }()
					}
				},
			})
			r.wantClass(t, res, codexrun.Killed)
			if res.Text != "stop" {
				t.Errorf("text: got %q, want stop", res.Text)
			}
			if left := codexrun.Strays(p.RunID); len(left) > 0 || groupExists(p.PGID) {
				t.Errorf("left over: strays %v, group %v", left, groupExists(p.PGID))
			}
		})
	}
}

// waitForStrays returns cause when the run has several processes, or an error
// when that does not come to pass.
func waitForStrays(p codexrun.Process, cause error) error {
	for range 500 {
		if len(codexrun.Strays(p.RunID)) >= 3 {
			return cause
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("the command did not start")
}

// TestRealSandboxes: what each mode lets the model's commands write to.
func TestRealSandboxes(t *testing.T) {
	tests := []struct {
		mode            codexrun.Sandbox
		inside, outside bool
	}{
		{"", false, false},
		{codexrun.ReadOnly, false, false},
		{codexrun.WorkspaceWrite, true, false},
		{codexrun.DangerFullAccess, true, true},
		{codexrun.Bypass, true, true},
	}
	for _, tt := range tests {
		t.Run("mode "+string(tt.mode), func(t *testing.T) {
			t.Parallel()
			outside := scratch(t)
			r := newRealRun(t, func(req codextest.Request) []codextest.Step {
				if len(req.ToolOutputs()) == 0 {
					return []codextest.Step{codextest.Shell(req, "touch inside; touch "+outside+"/outside; true")}
				}
				return []codextest.Step{codextest.Say("done")}
			})
			// A trusted repository would be writable without -s.
			r.configure(t, fmt.Sprintf("[projects.%q]\ntrust_level = \"trusted\"\n", r.spec.Dir))
			r.spec.Sandbox = tt.mode
			r.wantClass(t, r.run(t), codexrun.Completed)
			if got := exists(filepath.Join(r.spec.Dir, "inside")); got != tt.inside {
				t.Errorf("written inside: got %v, want %v", got, tt.inside)
			}
			if got := exists(filepath.Join(outside, "outside")); got != tt.outside {
				t.Errorf("written outside: got %v, want %v", got, tt.outside)
			}
		})
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestRealNetwork: the switch decides whether the model's commands reach even
// the loopback interface.
func TestRealNetwork(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("needs curl")
	}
	for _, on := range []bool{false, true} {
		t.Run(fmt.Sprint(on), func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			reached := make(chan struct{}, 1)
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				reached <- struct{}{}
				fmt.Fprint(conn, "HTTP/1.0 200 OK\r\n\r\npong")
			}()
			r := newRealRun(t, func(req codextest.Request) []codextest.Step {
				if outputs := req.ToolOutputs(); len(outputs) > 0 {
					return []codextest.Step{codextest.Say(outputs[0])}
				}
				return []codextest.Step{codextest.Shell(req, "curl -s -m 5 http://"+l.Addr().String())}
			})
			r.spec.Sandbox, r.spec.Network = codexrun.WorkspaceWrite, on
			res := r.run(t)
			r.wantClass(t, res, codexrun.Completed)
			if got := strings.Contains(res.Final, "pong") && len(reached) == 1; got != on {
				t.Errorf("network %v: got an answer: %v (%q)", on, got, res.Final)
			}
		})
	}
}

// TestRealIgnoresAHostileRepository: whatever the user trusts, the
// configuration in the repository changes nothing, from its root, a
// subdirectory, a worktree or through a link. With UseProjectConfig it does,
// which shows that it would.
func TestRealIgnoresAHostileRepository(t *testing.T) {
	t.Parallel()
	r := newRealRun(t, codextest.Always("done"))
	repo := r.spec.Dir
	writeFile(t, filepath.Join(repo, ".codex", "config.toml"), "model = \"hostile\"\nsandbox_mode = \"danger-full-access\"\n")
	writeFile(t, filepath.Join(repo, "sub", ".codex", "config.toml"), "model = \"hostile\"\n")
	git(t, repo, "add", "-A")
	git(t, repo, "commit", "-q", "-m", "hostile")
	base := scratch(t)
	tree, link := filepath.Join(base, "tree"), filepath.Join(base, "link")
	git(t, repo, "worktree", "add", "-q", tree)
	if err := os.Symlink(repo, link); err != nil {
		t.Fatal(err)
	}
	r.configure(t, fmt.Sprintf("[projects.%q]\ntrust_level = \"trusted\"\n[projects.%q]\ntrust_level = \"trusted\"\n", repo, filepath.Join(repo, "sub")))
	for _, dir := range []string{repo, filepath.Join(repo, "sub"), tree, filepath.Join(tree, "sub"), link} {
		r.spec.Dir = dir
		r.wantClass(t, r.run(t), codexrun.Completed)
		if got := lastModel(r.model); got != "scripted-model" {
			t.Errorf("model in %s: got %q, want the user's", dir, got)
		}
	}
	r.spec.UseProjectConfig = true
	r.wantClass(t, r.run(t), codexrun.Completed)
	if got := lastModel(r.model); got != "hostile" {
		t.Errorf("model with the project's configuration: got %q, want hostile", got)
	}
}

func lastModel(m *codextest.Model) string {
	requests := m.Requests()
	return requests[len(requests)-1].Model()
}

func TestRealLargePrompt(t *testing.T) {
	t.Parallel()
	r := newRealRun(t, codextest.Always("read it"))
	r.spec.Prompt = strings.Repeat("0123456789", 90_000)
	res := r.run(t)
	r.wantClass(t, res, codexrun.Completed)
	if got := r.model.Requests()[0].Prompt(); got != r.spec.Prompt {
		t.Errorf("prompt: got %d bytes, want %d", len(got), len(r.spec.Prompt))
	}
}

// TestRealInputLimit: MaxPrompt is the real binary's limit, in characters.
func TestRealInputLimit(t *testing.T) {
	t.Parallel()
	r := newRealRun(t, codextest.Always("too much"))
	args, err := codexrun.Args(r.spec)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), r.spec.Binary.Path, args...)
	cmd.Env = append(os.Environ(), r.spec.Env...)
	cmd.Stdin = strings.NewReader(strings.Repeat("ü", codexrun.MaxPrompt+1))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // its exit code is looked at
	class, text, _, _ := codexrun.ClassifyStream(stdout.Bytes(), codexrun.Ended{Exit: cmd.ProcessState.ExitCode(), Stderr: stderr.String()}, noon)
	if class != codexrun.InputTooLarge {
		t.Errorf("one character over the limit: got %s (%s), want input_too_large\n%s", class, text, stderr.String())
	}
	r.spec.Prompt = strings.Repeat("ü", codexrun.MaxPrompt)
	r.wantClass(t, r.run(t), codexrun.Completed)
}

// TestRealBadConfig: Codex's own refusals are told from a failing model.
func TestRealBadConfig(t *testing.T) {
	t.Parallel()
	r := newRealRun(t, codextest.Always("no"))
	for name, change := range map[string]func(*codexrun.Spec){
		"unknown provider": func(s *codexrun.Spec) { s.Config = map[string]any{"model_provider": "nobody"} },
		"unknown flag":     func(s *codexrun.Spec) { s.ExtraArgs = []string{"--full-autopilot"} },
		"bad value":        func(s *codexrun.Spec) { s.Config = map[string]any{"approval_policy": "perhaps"} },
		"bad schema":       func(s *codexrun.Spec) { s.Schema = []byte(`{`) },
	} {
		spec := r.spec
		change(&spec)
		if res := codexrun.Run(t.Context(), spec, codexrun.Observer{}); res.Class != codexrun.BadConfig {
			t.Errorf("%s: got %s (%s), exit %d, want bad_config\n%s", name, res.Class, res.Text, res.ExitCode, res.Stderr)
		}
	}
}
