package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"autoreview/codexrun/codextest"
	"autoreview/relay"
	"autoreview/relay/client"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"autoreview": main, "codex": codextest.FakeMain})
}

// A stop that comes while it still starts is a stop like any other, also for a
// service manager that looks at the exit code.
func TestStopWhileStarting(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	dir := t.TempDir()
	path := filepath.Join(dir, "autoreview.toml")
	text := fmt.Sprintf("state_dir = %q\n[[watch]]\nchannel = \"proj-x\"\n", filepath.Join(dir, "state"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out, talk strings.Builder
	if code := run(ctx, []string{"run", "--config", path}, &out, &talk); code != 0 || strings.Contains(talk.String(), "error") {
		t.Errorf("got exit code %d and %q, want 0 and no error", code, talk.String())
	}
}

// The scripts are the manual: each shows one thing that a user does, with a fake
// codex. URL is an address of this machine that nothing listens at.
//
//	start NAME DIR ARG...  run autoreview in DIR, with what it says in NAME.log
//	crash NAME             end it by SIGKILL
//	stop NAME              end it by an interrupt, and want it to exit with 0
//	await FILE TEXT        wait until a file has the text
//	packet CHANNEL         post a packet, as soon as there is a relay
//	reviews CHANNEL N      wait until there are N reviews, and want no more
//	until DIR TEXT         wait until "autoreview status" in DIR prints the text
//
// The fake codex does what the file do in $FAKE_CODEX_DIR says, see
// codextest.FakeDo.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("TZ", "UTC")
			// With -race each command would wait a second for late reports.
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			for _, name := range []string{"BASE_URL", "TARGET", "WATCH_SENDER", "LASTFILE", "INTERVAL", "SESSION_ID", "XDG_STATE_HOME", "XDG_CONFIG_HOME"} {
				e.Setenv(name, "")
			}
			e.Setenv("FAKE_CODEX_DIR", "")
			e.Values["running"] = make(running)
			e.Setenv("URL", freeAddress())
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": start, "crash": crash, "stop": stop, "await": await, "packet": packet, "reviews": reviews, "until": until,
		},
	})
}

// The ports of scripts lie below those that an operating system gives out by
// itself. One of the latter may be somebody else's again, another script's or
// another test's, before the autoreview under test opens it.
const lowestPort, highestPort = 20_000, 32_000

var nextPort atomic.Int64 // counts the ports that freeAddress has looked at

// freeAddress is where nothing listened a moment ago. No two calls return the
// same, and those of another process begin elsewhere.
func freeAddress() string {
	const ports = highestPort - lowestPort
	for range ports {
		port := lowestPort + (int64(os.Getpid())*97+nextPort.Add(1))%ports
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.FormatInt(port, 10)))
		if err != nil {
			continue
		}
		l.Close()
		return "http://" + l.Addr().String()
	}
	panic("there is no free port")
}

// What two scripts, or a script and any other program, are given is never the
// same.
func TestFreeAddress(t *testing.T) {
	seen := make(map[string]bool)
	for range 50 {
		address := freeAddress()
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if port, err := strconv.Atoi(u.Port()); err != nil || port < lowestPort || port >= highestPort || seen[address] {
			t.Errorf("freeAddress: got %s (before: %v), want a new one with a port from %d to %d", address, seen[address], lowestPort, highestPort)
		}
		seen[address] = true
	}
}

type running map[string]*exec.Cmd // :: name → process

func start(ts *testscript.TestScript, _ bool, args []string) {
	log, err := os.Create(ts.MkAbs(args[0] + ".log"))
	ts.Check(err)
	defer log.Close()
	cmd := exec.Command(lookPath(ts, "autoreview"), args[2:]...)
	cmd.Dir = ts.MkAbs(args[1])
	cmd.Stderr = log
	cmd.Env = append(os.Environ(), "BASE_URL=", "TARGET=", "LASTFILE=", "XDG_STATE_HOME=", "XDG_CONFIG_HOME=")
	for _, name := range []string{"HOME", "PATH", "FAKE_CODEX_DIR"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	ts.Check(cmd.Start())
	ts.Value("running").(running)[args[0]] = cmd
	ts.Defer(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

func lookPath(ts *testscript.TestScript, name string) string {
	for dir := range strings.SplitSeq(ts.Getenv("PATH"), string(filepath.ListSeparator)) {
		p := filepath.Join(dir, name)
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
			return p
		}
	}
	ts.Fatalf("%s is not in PATH", name)
	return ""
}

func crash(ts *testscript.TestScript, _ bool, args []string) {
	cmd := ts.Value("running").(running)[args[0]]
	ts.Check(cmd.Process.Kill())
	_ = cmd.Wait()
}

func stop(ts *testscript.TestScript, _ bool, args []string) {
	cmd := ts.Value("running").(running)[args[0]]
	ts.Check(cmd.Process.Signal(os.Interrupt))
	if err := cmd.Wait(); err != nil {
		ts.Fatalf("%s at an interrupt: got %v, want exit 0", args[0], err)
	}
}

func await(ts *testscript.TestScript, _ bool, args []string) {
	last := ""
	for range 3000 {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		if last = string(b); err == nil && strings.Contains(last, args[1]) {
			return
		}
		time.Sleep(10 * time.Millisecond) // another process writes it
	}
	ts.Fatalf("%s: got %q, want it to have %q", args[0], last, args[1])
}

func packet(ts *testscript.TestScript, _ bool, args []string) {
	c := client.New(client.Options{BaseURL: ts.Getenv("URL")})
	defer c.Close()
	var err error
	for range 3000 {
		_, err = c.Post(context.Background(), relay.Draft{Target: args[0], Sender: "claude", Text: "please review"})
		if _, away := errors.AsType[*client.UnreachableError](err); !away {
			break
		}
		time.Sleep(10 * time.Millisecond) // another process opens it
	}
	ts.Check(err)
}

func reviews(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	c := client.New(client.Options{BaseURL: ts.Getenv("URL")})
	defer c.Close()
	got := ""
	for range 3000 {
		p, err := c.Read(context.Background(), relay.Query{Targets: []string{args[0]}, Senders: []string{"codex"}, Newest: true})
		if got = fmt.Sprint(len(p.Messages), " reviews, ", err); err == nil && len(p.Messages) == want {
			return
		}
		if len(p.Messages) > want {
			break
		}
		time.Sleep(10 * time.Millisecond) // another process posts them
	}
	ts.Fatalf("%s: got %s; want %d", args[0], got, want)
}

func until(ts *testscript.TestScript, _ bool, args []string) {
	last := ""
	for range 1000 {
		cmd := exec.Command(lookPath(ts, "autoreview"), "status")
		cmd.Dir = ts.MkAbs(args[0])
		cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"), "TZ=UTC", "BASE_URL=", "TARGET=", "XDG_STATE_HOME=", "XDG_CONFIG_HOME=")
		out, err := cmd.Output()
		if last = string(out); err == nil && strings.Contains(last, args[1]) {
			return
		}
		time.Sleep(10 * time.Millisecond) // another process brings it about
	}
	ts.Fatalf("autoreview status: got\n%swant it to have %q", last, args[1])
}
