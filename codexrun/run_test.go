package codexrun_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/codexrun/codextest"

	"github.com/google/go-cmp/cmp"
)

// fakeRun is a run of the fake codex that keeps its records in dir.
type fakeRun struct {
	dir  string
	spec codexrun.Spec
}

func newFakeRun(t testing.TB, do string) *fakeRun {
	t.Helper()
	dir := t.TempDir()
	return &fakeRun{dir: dir, spec: codexrun.Spec{
		Binary: codextest.Fake(t), Dir: t.TempDir(), RunDir: t.TempDir(), Prompt: "review this",
		Env:     []string{codextest.FakeDir + "=" + dir, codextest.FakeDo + "=" + do},
		Timeout: 30 * time.Second, Grace: time.Second,
	}}
}

func (f *fakeRun) record(t *testing.T, run int, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(f.dir, "runs", "00"+strconv.Itoa(run), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (f *fakeRun) runs(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(f.dir, "runs"))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestRunTakesTheAnswer(t *testing.T) {
	f := newFakeRun(t, "events:3 command:ls answer")
	f.spec.Env = append(f.spec.Env, codextest.FakeAnswer+"=the answer")
	var calls []string
	res := codexrun.Run(t.Context(), f.spec, codexrun.Observer{
		Started: func(p codexrun.Process) error {
			if p.PID == 0 || p.StartTime == "" || p.RunID == "" {
				t.Errorf("process: got %+v, want all of it", p)
			}
			if _, err := os.Stat(filepath.Join(f.dir, "runs", "001", "stdin")); err == nil {
				t.Error("the prompt was there before the process was recorded")
			}
			calls = append(calls, "started")
			return nil
		},
		Thread: func(id string) error { calls = append(calls, "thread"); return nil },
		Event:  func(e codexrun.Event) { calls = append(calls, e.Type) },
	})
	if res.Class != codexrun.Completed || res.Text != "" || res.Final != "the answer" || res.ExitCode != 0 {
		t.Errorf("result: got %+v", res)
	}
	want := codexrun.Usage{InputTokens: 100, CachedInputTokens: 10, OutputTokens: 20, ReasoningTokens: 5}
	if res.ThreadUsage != want || res.ThreadID == "" || res.Took <= 0 {
		t.Errorf("result: got usage %+v, thread %q, took %v", res.ThreadUsage, res.ThreadID, res.Took)
	}
	item := "item.completed"
	if diff := cmp.Diff([]string{"started", "thread", "thread.started", "turn.started", item, item, item, item, item, "turn.completed"}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if got := f.record(t, 1, "stdin"); got != "review this" {
		t.Errorf("stdin: got %q", got)
	}
	transcript, err := os.ReadFile(filepath.Join(f.spec.RunDir, "events.jsonl"))
	if err != nil || strings.Count(string(transcript), "\n") != 8 {
		t.Errorf("transcript: got %q, %v, want 8 lines", transcript, err)
	}
	times, err := os.ReadFile(filepath.Join(f.spec.RunDir, "times.txt"))
	if err != nil || strings.Count(string(times), "\n") != 8 {
		t.Errorf("times: got %q, %v, want one for each line of the transcript", times, err)
	}
}

// TestRunsFilesArePrivate: they hold what was reviewed.
func TestRunsFilesArePrivate(t *testing.T) {
	f := newFakeRun(t, "answer")
	f.spec.Schema = []byte(`{"type":"object"}`)
	codexrun.Run(t.Context(), f.spec, codexrun.Observer{})
	for _, name := range []string{"events.jsonl", "times.txt", "stderr.txt", "schema.json"} {
		info, err := os.Stat(filepath.Join(f.spec.RunDir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if got := info.Mode().Perm(); got != 0o600 || info.Size() == 0 {
			t.Errorf("%s: got mode %v, size %d, want 0600 and some", name, got, info.Size())
		}
	}
}

func TestRunClasses(t *testing.T) {
	tests := []struct {
		do    string
		class codexrun.Class
		exit  int
	}{
		{"fail:auth", codexrun.Auth, 1},
		{"fail:rate_limited", codexrun.RateLimited, 1},
		{"fail:usage_limit", codexrun.UsageLimit, 1},
		{"fail:quota", codexrun.Quota, 1},
		{"fail:context_full", codexrun.ContextFull, 1},
		{"fail:model_error", codexrun.ModelError, 1},
		{"fail:network", codexrun.Network, 1},
		{"fail:mcp_down", codexrun.MCPDown, 1},
		{"fail:bad_config", codexrun.BadConfig, 1},
		{"fail:busy", codexrun.BadSession, 1},
		{"fail:sandbox_unavailable", codexrun.SandboxUnavailable, 1},
		{"fail:input_too_large", codexrun.InputTooLarge, 1},
		{"events:2 crash", codexrun.Crashed, 101},
		{"exit:7", codexrun.Crashed, 7},
		{"exit:0", codexrun.Crashed, 0},
		{"kill", codexrun.Killed, -1},
		{"bad", codexrun.Completed, 0},
	}
	for _, tt := range tests {
		t.Run(tt.do, func(t *testing.T) {
			res := codexrun.Run(t.Context(), newFakeRun(t, tt.do).spec, codexrun.Observer{})
			if res.Class != tt.class || res.ExitCode != tt.exit {
				t.Errorf("result: got %s (%s), exit %d, want %s, %d", res.Class, res.Text, res.ExitCode, tt.class, tt.exit)
			}
			if res.Class == codexrun.UsageLimit && time.Until(res.RetryAt) < 58*time.Minute {
				t.Errorf("retry at: got %v, want in about an hour", res.RetryAt)
			}
		})
	}
}

func TestRunRefusesWithoutAProcess(t *testing.T) {
	tests := []struct {
		name   string
		change func(*codexrun.Spec)
		class  codexrun.Class
	}{
		{"no binary", func(s *codexrun.Spec) { s.Binary.Path = "" }, codexrun.NoCodex},
		{"binary is gone", func(s *codexrun.Spec) { s.Binary.Path = "/no/such/codex" }, codexrun.NoCodex},
		{"binary is a folder", func(s *codexrun.Spec) { s.Binary.Path = s.RunDir }, codexrun.NoCodex},
		{"old version", func(s *codexrun.Spec) { s.Binary.Version = "0.110.0" }, codexrun.NoCodex},
		{"no workdir", func(s *codexrun.Spec) { s.Dir = "/no/such/dir" }, codexrun.BadConfig},
		{"no prompt", func(s *codexrun.Spec) { s.Prompt = "" }, codexrun.BadConfig},
		{"bad spec", func(s *codexrun.Spec) { s.Resume = "name" }, codexrun.BadConfig},
		{"large prompt", func(s *codexrun.Spec) { s.Prompt = strings.Repeat("ü", codexrun.MaxPrompt+1) }, codexrun.InputTooLarge},
		{"no run folder", func(s *codexrun.Spec) { s.RunDir = "/no/such/dir" }, codexrun.Crashed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeRun(t, "answer")
			tt.change(&f.spec)
			res := codexrun.Run(t.Context(), f.spec, codexrun.Observer{
				Started: func(codexrun.Process) error { t.Error("a process was started"); return nil },
			})
			if res.Class != tt.class || res.Text == "" {
				t.Errorf("result: got %s, %q, want %s and why", res.Class, res.Text, tt.class)
			}
		})
	}
}

// TestStubbornRunsEnd: a run that withstands SIGINT and SIGTERM is ended by
// SIGKILL, and nothing it started is left, in its group or out of it.
func TestStubbornRunsEnd(t *testing.T) {
	tests := []struct {
		name, do string
		change   func(*codexrun.Spec)
		class    codexrun.Class
		signal   string
	}{
		{"silence", "children stubborn hang", func(s *codexrun.Spec) { s.IdleTimeout = 300 * time.Millisecond }, codexrun.TimeoutSilent, "SIGKILL"},
		{"wall", "children stubborn hang", func(s *codexrun.Spec) { s.Timeout = 500 * time.Millisecond }, codexrun.TimeoutWall, "SIGKILL"},
		{"before any event", "silent", func(s *codexrun.Spec) { s.IdleTimeout = 300 * time.Millisecond }, codexrun.TimeoutSilent, ""},
		{"after the answer", "children stubborn linger", func(*codexrun.Spec) {}, codexrun.Completed, "SIGKILL"},
		{"crash with children", "children crash", func(*codexrun.Spec) {}, codexrun.Crashed, ""},
		{"answer with children", "children answer", func(*codexrun.Spec) {}, codexrun.Completed, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeRun(t, tt.do)
			f.spec.Grace = 100 * time.Millisecond
			tt.change(&f.spec)
			var p codexrun.Process
			res := codexrun.Run(t.Context(), f.spec, codexrun.Observer{Started: func(started codexrun.Process) error {
				p = started
				return nil
			}})
			if res.Class != tt.class || res.Signal != tt.signal {
				t.Errorf("result: got %s (%s), signal %q, want %s, %q", res.Class, res.Text, res.Signal, tt.class, tt.signal)
			}
			if codexrun.Alive(p) || groupExists(p.PGID) {
				t.Errorf("something of the run is left: %+v, strays %v", p, codexrun.Strays(p.RunID))
			}
		})
	}
}

func TestContextEndsARun(t *testing.T) {
	f := newFakeRun(t, "hang")
	cause := errors.New("the supervisor stops")
	ctx, cancel := context.WithCancelCause(t.Context())
	res := codexrun.Run(ctx, f.spec, codexrun.Observer{Event: func(e codexrun.Event) {
		if e.Type == "turn.started" {
			cancel(cause)
		}
	}})
	if res.Class != codexrun.Killed || res.Text != cause.Error() || res.ThreadID == "" {
		t.Errorf("result: got %+v, want killed, %v", res, cause)
	}
	res = codexrun.Run(ctx, f.spec, codexrun.Observer{})
	if res.Class != codexrun.Killed || res.Text != cause.Error() || f.runs(t) != 1 {
		t.Errorf("result after the end: got %+v after %d runs, want killed without one", res, f.runs(t))
	}
}

// TestObserversCanRefuse: what could not be remembered does not run.
func TestObserversCanRefuse(t *testing.T) {
	full := errors.New("disk full")
	f := newFakeRun(t, "answer")
	res := codexrun.Run(t.Context(), f.spec, codexrun.Observer{Started: func(codexrun.Process) error { return full }})
	if res.Class != codexrun.Killed || res.Text != "disk full" {
		t.Errorf("Started refuses: got %s, %q, want killed, disk full", res.Class, res.Text)
	}
	if _, err := os.Stat(filepath.Join(f.dir, "runs", "001", "stdin")); err == nil {
		t.Error("Started refuses: the process got a prompt")
	}
	f = newFakeRun(t, "hang")
	res = codexrun.Run(t.Context(), f.spec, codexrun.Observer{Thread: func(string) error { return full }})
	if res.Class != codexrun.Killed || res.Text != "disk full" {
		t.Errorf("Thread refuses: got %s, %q, want killed, disk full", res.Class, res.Text)
	}
}

func TestThreadsGoOn(t *testing.T) {
	f := newFakeRun(t, "answer")
	first := codexrun.Run(t.Context(), f.spec, codexrun.Observer{})
	f.spec.Resume = first.ThreadID
	second := codexrun.Run(t.Context(), f.spec, codexrun.Observer{})
	if second.Class != codexrun.Completed || second.ThreadID != first.ThreadID || second.Replaced {
		t.Errorf("resume: got %+v, want the thread %s", second, first.ThreadID)
	}
	if second.ThreadUsage.InputTokens != 200 {
		t.Errorf("usage of the thread: got %d input tokens, want 200", second.ThreadUsage.InputTokens)
	}
	f.spec.Resume, f.spec.Fork = "", first.ThreadID
	third := codexrun.Run(t.Context(), f.spec, codexrun.Observer{})
	if third.Class != codexrun.Completed || third.ThreadID == first.ThreadID || third.Replaced {
		t.Errorf("fork: got %+v, want a thread of its own", third)
	}
}

// TestUnknownThreadsAreReplaced: the run goes on in a fresh thread, once, and
// says so.
func TestUnknownThreadsAreReplaced(t *testing.T) {
	for name, resume := range map[string]func(*codexrun.Spec){
		"resume": func(s *codexrun.Spec) { s.Resume = threadID },
		"fork":   func(s *codexrun.Spec) { s.Fork = threadID },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeRun(t, "answer")
			resume(&f.spec)
			var threads []string
			res := codexrun.Run(t.Context(), f.spec, codexrun.Observer{
				Thread: func(id string) error { threads = append(threads, id); return nil },
			})
			if res.Class != codexrun.Completed || !res.Replaced || res.ThreadID == threadID {
				t.Errorf("result: got %+v, want completed in another thread", res)
			}
			if len(threads) != 1 || threads[0] != res.ThreadID {
				t.Errorf("threads: got %v, want only %s", threads, res.ThreadID)
			}
			var argv []string
			if err := json.Unmarshal([]byte(f.record(t, 2, "argv.json")), &argv); err != nil || slices.Contains(argv, name) {
				t.Errorf("second command line: got %q, %v, want none with %s", argv, err, name)
			}
		})
	}
}

func TestAnotherThreadIsEndedAtOnce(t *testing.T) {
	f := newFakeRun(t, "answer|wrongthread stubborn hang|answer")
	first := codexrun.Run(t.Context(), f.spec, codexrun.Observer{})
	f.spec.Resume = first.ThreadID
	res := codexrun.Run(t.Context(), f.spec, codexrun.Observer{})
	if res.Class != codexrun.Completed || !res.Replaced || f.runs(t) != 3 {
		t.Errorf("result: got %+v after %d runs, want completed and replaced after 3", res, f.runs(t))
	}
}

func TestBusyThreadsAreNotReplaced(t *testing.T) {
	f := newFakeRun(t, "answer|fail:busy")
	first := codexrun.Run(t.Context(), f.spec, codexrun.Observer{})
	f.spec.Resume = first.ThreadID
	res := codexrun.Run(t.Context(), f.spec, codexrun.Observer{})
	if res.Class != codexrun.BadSession || res.Replaced || f.runs(t) != 2 {
		t.Errorf("result: got %+v after %d runs, want bad_session after 2", res, f.runs(t))
	}
}

// TestARunInsideARunIsItsOwn: autoreview may itself be run by a command of the
// model; its runs must not take the outer run's id, by which they would end it.
func TestARunInsideARunIsItsOwn(t *testing.T) {
	t.Setenv(codexrun.RunIDEnv, "outer")
	codexrun.Run(t.Context(), newFakeRun(t, "answer").spec, codexrun.Observer{Started: func(p codexrun.Process) error {
		if p.RunID == "" || p.RunID == "outer" {
			t.Errorf("run id: got %q, want one of its own", p.RunID)
		}
		return nil
	}})
}

func TestLargeInputAndOutput(t *testing.T) {
	f := newFakeRun(t, "big:3000000 answer")
	f.spec.Prompt = strings.Repeat("0123456789", 90_000)
	res := codexrun.Run(t.Context(), f.spec, codexrun.Observer{})
	if res.Class != codexrun.Completed {
		t.Errorf("result: got %+v, want completed", res)
	}
	if got := f.record(t, 1, "stdin"); got != f.spec.Prompt {
		t.Errorf("stdin: got %d bytes, want the %d of the prompt", len(got), len(f.spec.Prompt))
	}
}

func TestAnAbsurdLineIsACrash(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 70 MB")
	}
	res := codexrun.Run(t.Context(), newFakeRun(t, "big:70000000 answer").spec, codexrun.Observer{})
	if res.Class != codexrun.Crashed || !strings.Contains(res.Text, "64 MiB") {
		t.Errorf("result: got %s, %q, want crashed with the limit", res.Class, res.Text)
	}
}

// TestEnvironment: a run gets what it is given and not what it must not have.
func TestEnvironment(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("MY_SECRET", "s3cret")
	t.Setenv("MY_OTHER", "other")
	path := program(t, filepath.Join(dir, "codex"), "cat >/dev/null; env >"+dir+"/env; pwd >"+dir+"/pwd")
	work := realTemp(t)
	codexrun.Run(t.Context(), codexrun.Spec{
		Binary: codexrun.Binary{Path: path, Version: newest}, Dir: work, Prompt: "x",
		Env: []string{"ADDED=1", codexrun.RunIDEnv + "=run-7"}, Unset: []string{"MY_SECRET"},
	}, codexrun.Observer{})
	data, err := os.ReadFile(filepath.Join(dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	env := "\n" + string(data)
	for _, want := range []string{"\nADDED=1\n", "\nMY_OTHER=other\n", "\nAUTOREVIEW_RUN_ID=run-7\n", "\nPWD=" + work + "\n"} {
		if !strings.Contains(env, want) {
			t.Errorf("environment: no %q in\n%s", want, env)
		}
	}
	if strings.Contains(env, "MY_SECRET") {
		t.Errorf("environment: MY_SECRET is in it")
	}
}

func TestEnvNamesAreThoseOfTheRun(t *testing.T) {
	t.Setenv("A_SECRET", "x")
	t.Setenv("B_KEPT", "x")
	names := codexrun.EnvNames(codexrun.Spec{Env: []string{"C_ADDED=y=z"}, Unset: []string{"A_SECRET"}})
	for name, want := range map[string]bool{"A_SECRET": false, "B_KEPT": true, "C_ADDED": true, codexrun.RunIDEnv: true, "y": false} {
		if got := slices.Contains(names, name); got != want {
			t.Errorf("%s among %q: got %v, want %v", name, names, got, want)
		}
	}
}
