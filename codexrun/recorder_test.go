//go:build unix

package codexrun_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/codexrun/codextest"
)

// recordEnv names the versions to record, separated by commas, or "all". They
// are looked for where .ci/compat and `make tools` put them:
//
//	CODEXTEST_RECORD=0.169.0 go test -run TestRecordStreams -timeout 20m ./codexrun
const recordEnv = "CODEXTEST_RECORD"

// TestRecordStreams writes testdata/recorded by the real binaries. It records
// nothing unless it is asked to: the streams are looked through before they are
// committed.
func TestRecordStreams(t *testing.T) {
	want := os.Getenv(recordEnv)
	if want == "" {
		t.Skip("records only when " + recordEnv + " names the versions")
	}
	for _, version := range recordedVersions {
		if want != "all" && !slices.Contains(strings.Split(want, ","), version) {
			continue
		}
		t.Run(version, func(t *testing.T) {
			bin := binaryOf(t, version)
			dir := filepath.Join("testdata", "recorded", version)
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				t.Run(r.name, func(t *testing.T) {
					t.Parallel()
					record(t, bin, r).write(t, filepath.Join(dir, r.name))
				})
			}
		})
	}
}

func binaryOf(t *testing.T, version string) codexrun.Binary {
	t.Helper()
	dir := filepath.Join("..", ".tools", "codex-"+version)
	if version == codextest.PinnedVersion() {
		dir = filepath.Join("..", ".tools")
	}
	bin, err := codexrun.Find(t.Context(), filepath.Join(dir, "node_modules", "@openai", "codex", "bin", "codex.js"))
	if err != nil || bin.Version != version {
		t.Fatalf("codex %s: got %+v, %v; .ci/compat installs it", version, bin, err)
	}
	return bin
}

// holding is the prompt of the run that keeps a thread busy.
const holding = "hold the thread"

// record brings the real binary to the end that a row is about.
func record(t *testing.T, bin codexrun.Binary, r row) recording {
	run := newRunOf(t, bin, func(req codextest.Request) []codextest.Step {
		if req.Prompt() == holding {
			return []codextest.Step{codextest.Hang()}
		}
		return r.steps[min(req.N, len(r.steps))-1](req)
	})
	run.spec.Env = append(run.spec.Env, "TZ=UTC", "RUST_BACKTRACE=0")
	run.adjust(t, r)
	if r.resume {
		first := run.run(t)
		run.spec.Resume = first.ThreadID
	}
	if r.during == second {
		run.hold(t)
	}
	if r.down {
		run.model.Close()
	}
	args, err := codexrun.Args(run.spec)
	if err != nil {
		t.Fatal(err)
	}
	if r.argv != nil {
		args = r.argv(args)
	}
	d := &driven{t: t, run: run, row: r}
	d.drive(args)
	return d.recording()
}

// adjust makes the spec and the user's configuration what the row wants.
func (r *realRun) adjust(t *testing.T, row row) {
	path := filepath.Join(r.home, "config.toml")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if row.retries {
		data = regexp.MustCompile(`(?m)^\w+_max_retries.*\n`).ReplaceAll(data, nil)
	}
	writeFile(t, path, string(data)+row.config+"\n")
	if row.tools {
		r.spec.MCP = &codexrun.MCPServer{Name: "autoreview_relay", URL: newToolServer(t).url, Tools: []string{"post_message"}}
	}
	if row.change != nil {
		row.change(&r.spec)
	}
	if len(r.spec.Schema) > 0 {
		writeFile(t, filepath.Join(r.spec.RunDir, "schema.json"), string(r.spec.Schema))
	}
	if row.name == "no_git" {
		if err := os.RemoveAll(filepath.Join(r.spec.Dir, ".git")); err != nil {
			t.Fatal(err)
		}
	}
}

// hold keeps the thread to resume busy until the test ends.
func (r *realRun) hold(t *testing.T) {
	spec := r.spec
	spec.Prompt, spec.RunDir = holding, t.TempDir()
	before := len(r.model.Requests())
	done := make(chan struct{})
	go func() {
		defer close(done)
		codexrun.Run(t.Context(), spec, codexrun.Observer{})
	}()
	t.Cleanup(func() { <-done })
	until(t, "the thread is busy", func() bool { return len(r.model.Requests()) > before })
}

// until polls the real process, whose progress nothing else tells.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// driven is one process of the real binary, started without package codexrun's
// own care, so that what is recorded is Codex's alone.
type driven struct {
	t      *testing.T
	run    *realRun
	row    row
	cmd    *exec.Cmd
	silent bool

	mu             sync.Mutex
	stdout, stderr bytes.Buffer // guarded by mu
}

func (d *driven) drive(args []string) {
	d.cmd = exec.Command(d.run.spec.Binary.Path, args...)
	d.cmd.Dir, d.cmd.Env = d.run.spec.Dir, append(os.Environ(), d.run.spec.Env...)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	prompt := d.row.prompt
	switch prompt {
	case "":
		prompt = d.run.spec.Prompt
	case "-":
		prompt = ""
	}
	d.cmd.Stdin = strings.NewReader(prompt)
	d.cmd.Stderr = &locked{&d.mu, &d.stderr}
	pipe, err := d.cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	asked := len(d.run.model.Requests())
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_ = codexrun.ReadLines(pipe, 64<<20, func(line []byte) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.stdout.Write(append(line, '\n'))
			if d.row.during == deafness {
				_ = pipe.Close() // whoever read it is gone
			}
		})
	}()
	d.disturb(asked, read)
	<-read
	_ = d.cmd.Wait() // how it ended is in its state
	_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
}

// disturb does to the process what the row says. It returns when the process
// will end.
func (d *driven) disturb(asked int, ended <-chan struct{}) {
	patience := time.Minute
	switch d.row.during {
	case interrupted, terminated, killed:
		until(d.t, "the model is asked", func() bool { return len(d.run.model.Requests()) > asked })
		sig := map[during]syscall.Signal{interrupted: syscall.SIGINT, terminated: syscall.SIGTERM, killed: syscall.SIGKILL}
		_ = syscall.Kill(-d.cmd.Process.Pid, sig[d.row.during])
		return
	case silence:
		if patience = 4 * time.Second; d.row.retries {
			patience = 30 * time.Second
		}
	}
	select {
	case <-ended:
	case <-time.After(patience):
		d.silent = d.row.during == silence
		if !d.silent {
			d.t.Errorf("it does not end by itself")
		}
		_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGINT)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
		}
	}
}

type locked struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (d *driven) recording() recording {
	d.mu.Lock()
	defer d.mu.Unlock()
	rec := recording{End: end{Silent: d.silent}, stdout: d.scrub(d.stdout.String()), stderr: d.scrub(d.stderr.String())}
	rec.End.Exit = d.cmd.ProcessState.ExitCode()
	if ws, ok := d.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		rec.End.Signal = map[syscall.Signal]string{syscall.SIGTERM: "SIGTERM", syscall.SIGKILL: "SIGKILL", syscall.SIGINT: "SIGINT"}[ws.Signal()]
	}
	const most = 3000
	if over := len(rec.stderr) - most; over > 0 {
		rec.stderr = rec.stderr[over:]
	}
	if d.row.opens > 0 {
		rec.End.Recorded, rec.End.Opens = begun.UTC().Truncate(time.Second), begun.Add(d.row.opens).UTC().Truncate(time.Second)
	}
	return rec
}

var varying = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), threadID},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:1"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "2026-11-23T12:00:00Z"},
	{regexp.MustCompile("\x1b\\[[0-9;]*m"), ""},
	{regexp.MustCompile(`thread '([^']*)' \(\d+\)`), "thread '$1' (1)"},
	{regexp.MustCompile(`x{1000,}`), "xxx"},
}

// scrub takes out what is another in each recording.
func (d *driven) scrub(text string) string {
	for _, path := range []struct{ is, as string }{{d.run.spec.Dir, "/repo"}, {d.run.spec.RunDir, "/run"}, {d.run.home, "/codex"}} {
		text = strings.ReplaceAll(text, path.is, path.as)
	}
	for _, v := range varying {
		text = v.pattern.ReplaceAllString(text, v.with)
	}
	return text
}

func (r recording) write(t *testing.T, path string) {
	t.Helper()
	facts, err := json.Marshal(r.End)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path+".json", string(facts)+"\n")
	for ext, text := range map[string]string{".jsonl": r.stdout, ".stderr": r.stderr} {
		if text != "" {
			writeFile(t, path+ext, text)
		}
	}
	fmt.Fprintf(os.Stderr, "%s: %s\n", path, facts)
}
