package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/pflag"

	"autoreview/cmd/internal/program"
	"autoreview/relay"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"relay": main})
}

// A stop that comes while it still starts is a stop like any other.
func TestStopWhileStarting(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out, talk strings.Builder
	if code := run(ctx, []string{"serve", "--port", "0", "--data", t.TempDir()}, strings.NewReader(""), &out, &talk); code != 0 || strings.Contains(talk.String(), "error") {
		t.Errorf("got exit code %d and %q, want 0 and no error", code, talk.String())
	}
}

// The scripts are the manual: each shows one thing that a user does.
//
//	start [FLAG...]   run `relay serve` on data/; sets BASE_URL, keeps the port,
//	                  leaves its ready line in the file ready
//	shutdown          end it by SIGTERM, and want it to exit with 0
//	original          run a stand-in for the original server; sets BASE_URL
//	await FILE TEXT   wait until a file has the text
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			// The user's own settings must not reach the scripts.
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("TZ", "UTC")
			e.Setenv("PORT", "0")
			// With -race each command would wait a second for late reports.
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			for _, name := range []string{"BASE_URL", "TARGET", "WATCH_SENDER", "LASTFILE", "INTERVAL", "RELAY_TOKEN"} {
				e.Setenv(name, "")
			}
			e.Values["serving"] = &serving{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": start, "shutdown": shutdown, "original": original, "await": await,
		},
	})
}

// serving is the relay that a script has started.
type serving struct {
	cmd    *exec.Cmd
	stderr strings.Builder
}

var ready = regexp.MustCompile(`page (http://\S*:(\d+))/ `)

func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("use exec relay serve to see it fail")
	}
	bin := ""
	for dir := range strings.SplitSeq(ts.Getenv("PATH"), string(filepath.ListSeparator)) {
		if p := filepath.Join(dir, "relay"); bin == "" && isFile(p) {
			bin = p
		}
	}
	s := ts.Value("serving").(*serving)
	s.cmd = exec.Command(bin, append([]string{"serve", "--port", ts.Getenv("PORT"), "--data", "data"}, args...)...)
	s.cmd.Dir = ts.MkAbs(".")
	s.cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"))
	s.cmd.Stderr = &s.stderr
	out, err := s.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(s.cmd.Start())
	ts.Defer(func() {
		if s.cmd != nil {
			s.cmd.Process.Kill()
			s.cmd.Wait()
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	m := ready.FindStringSubmatch(line)
	if m == nil {
		ts.Fatalf("relay serve: got %q, %v and %q on stderr, want its ready line", line, err, s.stderr.String())
	}
	ts.Check(os.WriteFile(ts.MkAbs("ready"), []byte(line), 0o600))
	ts.Setenv("BASE_URL", m[1])
	ts.Setenv("PORT", m[2])
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func shutdown(ts *testscript.TestScript, _ bool, _ []string) {
	s := ts.Value("serving").(*serving)
	ts.Check(s.cmd.Process.Signal(syscall.SIGTERM))
	if err := s.cmd.Wait(); err != nil {
		ts.Fatalf("relay serve at SIGTERM: got %v and %q on stderr, want exit 0", err, s.stderr.String())
	}
	s.cmd = nil
}

// original answers as the Python server does, as far as the commands need it.
func original(ts *testscript.TestScript, _ bool, _ []string) {
	var mu sync.Mutex
	messages := []relay.Message{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/messages", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		json.NewEncoder(w).Encode(map[string]any{"target": "proj-x", "messages": messages})
	})
	mux.HandleFunc("POST /api/messages", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		m := relay.Message{ID: int64(len(messages) + 1), TS: 1}
		json.NewDecoder(r.Body).Decode(&m)
		messages = append(messages, m)
		w.WriteHeader(http.StatusCreated)
		json.NewEncoder(w).Encode(map[string]any{"ok": true, "posted": m.ID, "message": m})
	})
	mux.HandleFunc("GET /api/channels", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"channels": ["claude", "proj-x"]}`)
	})
	srv := httptest.NewServer(mux)
	ts.Defer(srv.Close)
	ts.Setenv("BASE_URL", srv.URL)
}

func await(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: await FILE TEXT")
	}
	path, last := ts.MkAbs(args[0]), ""
	for range 3000 {
		b, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(b), args[1]) {
			return
		}
		last = string(b)
		time.Sleep(10 * time.Millisecond) // another process writes it
	}
	ts.Fatalf("%s: got %q, want it to have %q", args[0], last, args[1])
}

// A flag that the help does not name is one that nobody finds.
func TestHelpNamesEveryFlag(t *testing.T) {
	root := newRoot()
	all := slices.Clone(root.Commands())
	for _, cmd := range root.Commands() {
		all = append(all, cmd.Commands()...)
	}
	for _, cmd := range all {
		t.Run(cmd.Name(), func(t *testing.T) {
			cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
				if f.Name != "help" && !strings.Contains(cmd.Long, "--"+f.Name+" ") {
					t.Errorf("help of %s: --%s is not in it", cmd.Name(), f.Name)
				}
			})
			if cmd.Name() != "completion" && !strings.Contains(cmd.Long, "Example") {
				t.Errorf("help of %s: it has no example", cmd.Name())
			}
			for line := range strings.Lines(cmd.Long) {
				if len(line) > 82 {
					t.Errorf("help of %s: %q is wider than 80", cmd.Name(), line)
				}
			}
			top := cmd.Parent() == root && cmd.Name() != "completion"
			if top && !strings.Contains(rootHelp, cmd.Name()) {
				t.Errorf("relay --help does not name %s", cmd.Name())
			}
		})
	}
}

func TestReportPrintsEachLineAndTheHint(t *testing.T) {
	var b strings.Builder
	program.Report(&b, "relay", fmt.Errorf("wrapped: %w", hintError{errors.New("one\ntwo"), "do this"}))
	if want := "relay: error: wrapped: one\nrelay: error: two\nrelay: hint: do this\n"; b.String() != want {
		t.Errorf("report: got %q, want %q", b.String(), want)
	}
}

func TestNoTerminalCodesPassThrough(t *testing.T) {
	if got, want := harmless("a\x1b[31m\tb\r\n\x07"), "a\ufffd[31m\tb\ufffd\n\ufffd"; got != want {
		t.Errorf("harmless: got %q, want %q", got, want)
	}
}

func TestPauseEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	pause(ctx, time.Hour)
}
