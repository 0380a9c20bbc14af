package codextest

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"autoreview/codexrun"
)

// The environment variables that tell the fake codex what to do.
const (
	// FakeDo is what to do, run by run: plans separated by "|", the last of
	// which also holds for every later run. A plan is words separated by
	// spaces, done in order once the prompt is read:
	//
	//	answer        say FakeAnswer and complete the turn (also the end of
	//	              every plan that does not end otherwise)
	//	linger        answer and then do not exit
	//	bad           the same with an answer that is not JSON
	//	slow:DURATION wait
	//	events:N      send N events
	//	command:NAME  show a command as run
	//	running:NAME  show a command as begun ("_" is a space)
	//	printed:TEXT  show it as ended, with this output and exit code 1
	//	await:FILE    wait until there is such a file in FakeDir
	//	big:BYTES     send one event of this size
	//	post:WORDS    post a message by the MCP server it was given, in the
	//	              channel that the job header names ("_" is a space)
	//	children      start one child in the process group and one in its own
	//	              session; both ignore SIGINT and SIGTERM
	//	stubborn      ignore SIGINT and SIGTERM from now on
	//	silent        hang; as the first word, before any event
	//	hang          hang
	//	wrongthread   as the first word: begin another thread than asked for
	//	fail:CLASS    fail as codexrun.Class names it; bad_session also as
	//	              fail:busy, a thread that another process has
	//	crash         end like a panic, with exit code 101
	//	kill          end by SIGKILL
	//	exit:CODE     end without another word
	FakeDo = "FAKE_CODEX_DO"
	// FakeDir is an existing folder: in it, runs/NNN holds argv.json and stdin
	// of each run, threads the threads that can be resumed, and a file named
	// do, when it exists, stands for FakeDo. Without it, there is only one run
	// and every thread is known.
	FakeDir = "FAKE_CODEX_DIR"
	// FakeAnswer is the last message; a verdict that approves by default.
	FakeAnswer = "FAKE_CODEX_ANSWER"
	// FakeVersion is what --version says; PinnedVersion by default.
	FakeVersion = "FAKE_CODEX_VERSION"

	fakeChild = "FAKE_CODEX_CHILD"
)

// approval is the default FakeAnswer.
const approval = `{"verdict":"approve","summary":"No problems found.","findings":[],"tests":[],"questions":[]}`

// fakeLife bounds every hang, so that nothing lives on after a test that was
// killed itself.
const fakeLife = 10 * time.Minute

// MainIfFake is for the first line of a TestMain: it does not return when this
// process was started by the name Fake gives the test binary.
func MainIfFake() {
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	if name == "codex" || os.Getenv(fakeChild) != "" {
		FakeMain()
	}
}

// Fake makes the running test binary start as a fake codex and returns how. The
// package's TestMain must call MainIfFake.
func Fake(t testing.TB) codexrun.Binary {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatalf("finding the test binary: %v", err)
	}
	path := filepath.Join(t.TempDir(), "codex")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if err := os.Symlink(exe, path); err != nil {
		t.Fatalf("linking the test binary: %v", err)
	}
	return codexrun.Binary{Path: path, Version: PinnedVersion()}
}

// FakeMain is the whole program: it behaves as the environment says and exits.
func FakeMain() {
	if os.Getenv(fakeChild) != "" {
		signal.Ignore(os.Interrupt, syscall.SIGTERM)
		hang()
	}
	f := &fake{dir: os.Getenv(FakeDir), out: os.Stdout, errOut: os.Stderr}
	os.Exit(f.main(os.Args[1:], os.Stdin))
}

// fake is one life of the fake codex.
type fake struct {
	dir         string
	out, errOut io.Writer

	args   fakeArgs
	begun  string // the command of running:
	plan   []string
	thread string
	items  int
}

func (f *fake) main(argv []string, stdin io.Reader) int {
	if len(argv) == 1 && argv[0] == "--version" {
		fmt.Fprintln(f.out, "codex-cli", orDefault(os.Getenv(FakeVersion), PinnedVersion()))
		return 0
	}
	var err error
	if f.args, err = parseFakeArgs(argv); err != nil {
		fmt.Fprintf(f.errOut, "error: %v\n", err)
		return 2
	}
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	go func() {
		<-interrupts
		os.Exit(1) // as the real one does, without another event
	}()
	run := f.newRun(argv)
	fmt.Fprintln(f.errOut, "Reading prompt from stdin...")
	prompt, err := io.ReadAll(stdin)
	if err != nil || len(prompt) == 0 {
		return f.dies("Error: No prompt provided via stdin.")
	}
	f.keep(run, "stdin", prompt)
	return f.play()
}

// newRun numbers the run, records its argv and finds its plan.
func (f *fake) newRun(argv []string) (dir string) {
	n := 1
	if f.dir != "" {
		n = f.lastRun() + 1
	}
	for ; f.dir != ""; n++ {
		dir = f.runDir(n)
		if os.MkdirAll(filepath.Dir(dir), 0o700) != nil || os.Mkdir(dir, 0o700) == nil {
			break
		}
	}
	raw, _ := json.Marshal(argv) // strings always have a JSON form
	f.keep(dir, "argv.json", raw)
	do := os.Getenv(FakeDo)
	if data, err := os.ReadFile(filepath.Join(f.dir, "do")); err == nil && f.dir != "" {
		do = string(data)
	}
	plans := strings.Split(do, "|")
	f.plan = strings.Fields(plans[min(n, len(plans))-1])
	return dir
}

func (f *fake) runDir(n int) string { return filepath.Join(f.dir, "runs", fmt.Sprintf("%03d", n)) }

// lastRun is the number of the latest run, found without a look at each of what
// may be many thousands: they have no gap.
func (f *fake) lastRun() int {
	there := func(n int) bool {
		_, err := os.Stat(f.runDir(n))
		return err == nil
	}
	limit := 1
	for there(limit) {
		limit *= 2
	}
	return sort.Search(limit, func(i int) bool { return !there(i + 1) })
}

// keep writes a record; whoever looks for it sees when it is missing.
func (f *fake) keep(dir, name string, data []byte) {
	if dir != "" {
		_ = os.WriteFile(filepath.Join(dir, name), data, 0o600)
	}
}

// play does the plan and returns the exit code.
func (f *fake) play() int {
	first := ""
	if len(f.plan) > 0 {
		first = f.plan[0]
	}
	if class, ok := strings.CutPrefix(first, "fail:"); ok && earlyFailures[class] != "" {
		return f.dies(earlyFailures[class])
	}
	if first == "silent" {
		hang()
	}
	if !f.begin(first == "wrongthread") {
		return 1
	}
	for _, word := range f.plan {
		name, arg, _ := strings.Cut(word, ":")
		if code, ended := f.do(name, arg); ended {
			return code
		}
	}
	return f.answer(orDefault(os.Getenv(FakeAnswer), approval))
}

// begin starts or finds the thread and the turn.
func (f *fake) begin(wrong bool) bool {
	f.thread = newThreadID()
	from := f.args.resume
	if from == "" {
		from = f.args.fork
	}
	if from != "" && !f.known(from) {
		f.dies("Error: thread/resume: thread/resume failed: no rollout found for thread id " + from + " (code -32600)")
		return false
	}
	if f.args.resume != "" && !wrong {
		f.thread = f.args.resume
	}
	f.event(map[string]any{"type": "thread.started", "thread_id": f.thread})
	f.remember(0)
	f.event(map[string]any{"type": "turn.started"})
	return true
}

func (f *fake) event(e map[string]any) {
	line, _ := json.Marshal(e) // only plain values get here
	fmt.Fprintf(f.out, "%s\n", line)
}

func (f *fake) item(kind string, fields map[string]any) {
	f.items++
	fields["id"], fields["type"] = fmt.Sprintf("item_%d", f.items), kind
	f.event(map[string]any{"type": "item.completed", "item": fields})
}

func (f *fake) answer(text string) int {
	f.item("agent_message", map[string]any{"text": text})
	turns := f.remember(1)
	f.event(map[string]any{"type": "turn.completed", "usage": map[string]any{
		"input_tokens": 100 * turns, "cached_input_tokens": 10 * turns, "cache_write_input_tokens": 0,
		"output_tokens": 20 * turns, "reasoning_output_tokens": 5 * turns,
	}})
	return 0
}

func (f *fake) dies(line string) int {
	fmt.Fprintln(f.errOut, line)
	return 1
}

func hang() { time.Sleep(fakeLife) }

func orDefault(s, other string) string {
	if s != "" {
		return s
	}
	return other
}
