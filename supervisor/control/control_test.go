package control_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/relay/store/memory"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
	"autoreview/supervisor/control"
	"autoreview/supervisor/record"
	"autoreview/supervisor/state/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const approval = `{"verdict":"approve","summary":"All good.","findings":[],"tests":[],"questions":[]}`

// gated is a Codex without a process that answers when it is let go.
type gated struct{ letGo chan struct{} }

func (gated) Find(context.Context, string) (codexrun.Binary, error) {
	return codexrun.Binary{Path: "codex", Version: "0.169.0"}, nil
}

func (gated) Kill(codexrun.Process) error { return nil }

func (g gated) Run(ctx context.Context, spec codexrun.Spec, obs codexrun.Observer) codexrun.Result {
	if err := errors.Join(obs.Started(codexrun.Process{PID: 1}), obs.Thread("thread-1")); err != nil {
		return codexrun.Result{Class: codexrun.Killed, Text: err.Error()}
	}
	event := `{"type":"item.started","item":{"type":"command_execution","command":"go test ./..."}}`
	if err := os.WriteFile(filepath.Join(spec.RunDir, "events.jsonl"), []byte(event+"\n"), 0o600); err != nil {
		return codexrun.Result{Class: codexrun.Crashed, Text: err.Error()}
	}
	obs.Event(codexrun.Event{Type: "item.started", Raw: []byte(event)})
	select {
	case <-g.letGo:
		return codexrun.Result{Class: codexrun.Completed, Final: approval, Took: time.Second, ThreadUsage: codexrun.Usage{InputTokens: 100, OutputTokens: 20}}
	case <-ctx.Done():
		return codexrun.Result{Class: codexrun.Killed, Text: context.Cause(ctx).Error()}
	}
}

// world is a supervisor with its control open.
type world struct {
	t      *testing.T
	dir    string
	log    *relay.Log
	codex  gated
	server *control.Server
}

// open starts a supervisor on a state folder.
func open(t *testing.T, dir string, change func(*control.Options)) *world {
	t.Helper()
	w := &world{t: t, dir: dir, log: relay.New(memory.New(nil), relay.Options{}), codex: gated{make(chan struct{})}}
	st, err := sqlite.Open(t.Context(), filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	metrics := control.NewMetrics("1.2.3")
	s, err := supervisor.New(supervisor.Options{
		Config: config.Config{Relay: "http://127.0.0.1:1", StateDir: dir, CodexBin: "codex", Workers: 1, Watches: []config.Watch{{
			Name: "main", Channel: "proj-x", Senders: []string{"claude"}, ReplyAs: "codex", Workdir: dir, Sandbox: "read-only",
			Session: config.Session{Mode: config.SessionFresh}, Deliver: config.DeliverSupervisor, Start: config.Start{Mode: config.StartUnanswered},
			Timeout: time.Hour, IdleTimeout: time.Hour,
		}}},
		Relay: w.log, State: st, Codex: w.codex, Meter: metrics,
	})
	if err != nil {
		t.Fatal(err)
	}
	o := control.Options{Dir: dir, Supervisor: s, Version: "1.2.3", Metrics: metrics}
	if change != nil {
		change(&o)
	}
	if w.server, err = control.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		if err := w.server.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		cancel()
		if err := errors.Join(<-done, st.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) dial() *control.Client {
	w.t.Helper()
	c, err := control.Dial(w.t.Context(), w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

func (w *world) packet(text string) {
	w.t.Helper()
	if _, err := w.log.Post(w.t.Context(), relay.Draft{Target: "proj-x", Sender: "claude", Text: text}); err != nil {
		w.t.Fatal(err)
	}
}

// until reads the first job's status until ok says that it is as wanted.
func (w *world) until(c *control.Client, ok func(supervisor.JobStatus) bool) supervisor.JobStatus {
	w.t.Helper()
	var last supervisor.Status
	for range 2000 {
		st, err := c.Status(w.t.Context(), 10)
		if err != nil {
			w.t.Fatal(err)
		}
		if last = st; len(st.Jobs) > 0 && ok(st.Jobs[0]) {
			return st.Jobs[0]
		}
		time.Sleep(5 * time.Millisecond) // another goroutine brings it about
	}
	w.t.Fatalf("the job never came so far: %+v", last.Jobs)
	panic("not reached")
}

func shortDir(t *testing.T) string {
	t.Helper()
	// The path of a test's own folder may be too long for a socket.
	dir, err := os.MkdirTemp("", "ctl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Everything that the commands ask works, by the socket and by the port.
func TestCommands(t *testing.T) {
	for _, way := range []string{"socket", "port"} {
		t.Run(way, func(t *testing.T) {
			dir := shortDir(t)
			if way == "port" {
				dir = filepath.Join(dir, strings.Repeat("long", 30))
			}
			w := open(t, dir, nil)
			c := w.dial()
			w.packet("please review")
			j := w.until(c, func(j supervisor.JobStatus) bool { return j.Phase == supervisor.PhaseCommand })
			if j.State != supervisor.JobRunning || j.Doing != "go test ./..." || j.Run != 1 || j.LastEvent.IsZero() {
				t.Errorf("running job: got %+v", j)
			}
			st, err := c.Status(t.Context(), 0)
			if err != nil || !st.Running || st.PID != os.Getpid() || st.Version != "1.2.3" || st.Started.IsZero() || st.Watches[0].State != supervisor.WatchWatching || st.Watches[0].Running != 1 {
				t.Errorf("status: got %+v, %v", st, err)
			}
			if id, ok, err := c.Latest(t.Context()); id != 1 || !ok || err != nil {
				t.Errorf("Latest: got %d, %v, %v, want job 1", id, ok, err)
			}
			var refused *supervisor.Refusal
			if _, err := c.Retry(t.Context(), 1); !errors.As(err, &refused) || refused.Unknown || !strings.Contains(refused.Hint, "autoreview cancel 1") {
				t.Errorf("Retry of a running job: got %#v, want a refusal that says what to do", err)
			}
			if _, err := c.Job(t.Context(), 9); !errors.As(err, &refused) || !refused.Unknown {
				t.Errorf("Job 9: got %v, want it to be unknown", err)
			}
			if err := c.Pause(t.Context(), "a/b"); !errors.As(err, &refused) || !refused.Unknown || refused.Text != `there is no watch "a/b"` {
				t.Errorf("Pause of another watch: got %v, want it to be unknown", err)
			}
			if err := errors.Join(c.Pause(t.Context(), "main"), c.Resume(t.Context(), "main")); err != nil {
				t.Errorf("Pause, Resume: %v", err)
			}
			if _, err := c.Cancel(t.Context(), 1); err != nil {
				t.Errorf("Cancel: %v", err)
			}
			w.until(c, func(j supervisor.JobStatus) bool { return j.State == supervisor.JobFailed && j.AnswerID != 0 })
			if j, err := c.Retry(t.Context(), 1); err != nil || j.ID != 2 {
				t.Errorf("Retry: got %+v, %v, want job 2", j, err)
			}
			close(w.codex.letGo)
			w.until(c, func(j supervisor.JobStatus) bool { return j.State == supervisor.JobDone })
			if d, err := c.Job(t.Context(), 2); err != nil || d.Verdict != "approve" || len(d.Packets) != 1 || d.Packets[0].Text != "please review" || d.Answer == nil || len(d.Runs) != 1 {
				t.Errorf("Job: got %+v, %v", d, err)
			}
			if runs, err := c.Runs(t.Context(), 1); err != nil || len(runs) != 1 || runs[0].Run != 2 || runs[0].Watch != "main" || runs[0].Tokens != 120 {
				t.Errorf("Runs: got %+v, %v, want the newest", runs, err)
			}
		})
	}
}

// Who follows is told of each step as it happens, and of the end.
func TestFollow(t *testing.T) {
	w := open(t, shortDir(t), nil)
	c := w.dial()
	w.packet("please review")
	w.until(c, func(j supervisor.JobStatus) bool { return j.Phase == supervisor.PhaseCommand })
	var got []string
	var once sync.Once
	err := c.Follow(t.Context(), 1, true, func(l record.Line) error {
		got = append(got, fmt.Sprintf("%s %s", l.Kind, l.Text))
		if l.Kind == record.Command {
			once.Do(func() { close(w.codex.letGo) }) // it goes on while we listen
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{"note run 1: attempt 1, codex 0.169.0\ncommand go test ./...\nnote run 1 ended: completed\n", "note job 1: done: approve, #2"} {
		if !strings.Contains(all, want) {
			t.Errorf("lines: got\n%s\nwant\n%s", all, want)
		}
	}
	enough := errors.New("enough")
	if err := c.Follow(t.Context(), 1, false, func(record.Line) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("Follow: got %v, want what each returned", err)
	}
}

// A stop ends those who follow, and tells them.
func TestCloseEndsFollowers(t *testing.T) {
	w := open(t, shortDir(t), nil)
	c := w.dial()
	w.packet("please review")
	w.until(c, func(j supervisor.JobStatus) bool { return j.Phase == supervisor.PhaseCommand })
	err := c.Follow(t.Context(), 1, true, func(l record.Line) error {
		if l.Kind == record.Command {
			go w.server.Close()
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "the supervisor has been stopped") {
		t.Errorf("Follow: got %v, want it to say that the supervisor was stopped", err)
	}
}

func TestOnlyTheUserMayOpenTheSocket(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no socket on Windows")
	}
	w := open(t, shortDir(t), nil)
	info, err := os.Stat(filepath.Join(w.dir, "control.sock"))
	if err != nil || info.Mode().Perm() != 0o600 || info.Mode()&os.ModeSocket == 0 {
		t.Errorf("socket: got %v, %v, want a socket of mode 0600", info.Mode(), err)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "control.json")); err == nil {
		t.Error("there is a port as well")
	}
}

// Where there can be no socket, the port lets in only who has the token.
func TestThePortWantsItsToken(t *testing.T) {
	w := open(t, filepath.Join(shortDir(t), strings.Repeat("long", 30)), nil)
	path := filepath.Join(w.dir, "control.json")
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Fatalf("control.json: got %v, %v, want mode 0600", info.Mode(), err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var at struct{ Addr, Token string }
	if err := json.Unmarshal(b, &at); err != nil || len(at.Token) < 20 {
		t.Fatalf("control.json: got %s, %v", b, err)
	}
	for token, want := range map[string]int{"": http.StatusUnauthorized, "Bearer wrong": http.StatusUnauthorized, "Bearer " + at.Token: http.StatusOK} {
		if got, _ := get(t, "http://"+at.Addr+"/v1/status", "Authorization", token); got != want {
			t.Errorf("with %q: got %d, want %d", token, got, want)
		}
	}
}

func get(t *testing.T, url, header, value string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if header == "Host" {
		req.Host = value
	} else {
		req.Header.Set(header, value)
	}
	req.Close = true
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// What a supervisor that was killed has left is not taken for one that runs, and
// does not stand in the way of the next.
func TestWhatADeadOneHasLeft(t *testing.T) {
	dir := shortDir(t)
	if _, err := control.Dial(t.Context(), dir); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("Dial of an empty folder: got %v, want ErrNotRunning", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	place := fmt.Sprintf(`{"addr":%q,"token":"t"}`, l.Addr())
	if err := errors.Join(l.Close(), os.WriteFile(filepath.Join(dir, "control.json"), []byte(place), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Dial(t.Context(), dir); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("Dial of a port that nobody listens at: got %v, want ErrNotRunning", err)
	}
	if runtime.GOOS != "windows" {
		if err := os.Remove(filepath.Join(dir, "control.json")); err != nil {
			t.Fatal(err)
		}
		dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "control.sock")})
		if err != nil {
			t.Fatal(err)
		}
		dead.SetUnlinkOnClose(false)
		if err := dead.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := control.Dial(t.Context(), dir); !errors.Is(err, control.ErrNotRunning) {
			t.Errorf("Dial of a socket that nobody listens at: got %v, want ErrNotRunning", err)
		}
	}
	w := open(t, dir, nil)
	if _, err := w.dial().Status(t.Context(), 0); err != nil {
		t.Errorf("Status: %v", err)
	}
	if err := w.server.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := control.Dial(t.Context(), dir); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("Dial after Close: got %v, want ErrNotRunning", err)
	}
}

func TestMetrics(t *testing.T) {
	w := open(t, shortDir(t), func(o *control.Options) { o.MetricsAddr = freeAddr(t) })
	addr := metricsAddr
	c := w.dial()
	w.packet("please review")
	w.until(c, func(j supervisor.JobStatus) bool { return j.Phase == supervisor.PhaseCommand })
	_, running := get(t, "http://"+addr+"/metrics", "Accept", "text/plain")
	close(w.codex.letGo)
	w.until(c, func(j supervisor.JobStatus) bool { return j.State == supervisor.JobDone })
	_, done := get(t, "http://"+addr+"/metrics", "Accept", "text/plain")
	for _, tt := range []struct{ in, line string }{
		{running, `autoreview_jobs{state="running",watch="main"} 1`},
		{running, `autoreview_handoff_seconds_count{watch="main"} 1`},
		{running, `autoreview_watch_up{watch="main"} 1`},
		{done, `autoreview_jobs{state="running",watch="main"} 0`},
		{done, `autoreview_jobs{state="done",watch="main"} 1`},
		{done, `autoreview_runs_total{class="completed",watch="main"} 1`},
		{done, `autoreview_run_seconds_sum{watch="main"} 1`},
		{done, `autoreview_tokens_total{kind="input",watch="main"} 100`},
		{done, `autoreview_tokens_total{kind="output",watch="main"} 20`},
		{done, `autoreview_watch_paused{watch="main"} 0`},
		{done, `autoreview_watch_parked{watch="main"} 0`},
		{done, `autoreview_build_info{version="1.2.3"} 1`},
	} {
		if !hasLine(tt.in, tt.line) {
			t.Errorf("metrics lack %q", tt.line)
		}
	}
	if status, _ := get(t, "http://"+addr+"/metrics", "Host", "evil.example"); status != http.StatusMisdirectedRequest {
		t.Errorf("by another name: got %d, want it refused", status)
	}
	if status, _ := get(t, "http://"+addr+"/v1/status", "Accept", "*/*"); status != http.StatusNotFound {
		t.Errorf("control by the metrics' address: got %d, want 404", status)
	}
	if status, _ := get(t, "http://"+addr+"/debug/pprof/", "Accept", "*/*"); status != http.StatusNotFound {
		t.Errorf("profiles that nobody asked for: got %d, want 404", status)
	}
}

func TestProfiles(t *testing.T) {
	open(t, shortDir(t), func(o *control.Options) { o.MetricsAddr, o.Profile = freeAddr(t), true })
	if status, body := get(t, "http://"+metricsAddr+"/debug/pprof/", "Accept", "*/*"); status != http.StatusOK || !strings.Contains(body, "goroutine") {
		t.Errorf("profiles: got %d %q", status, body)
	}
}

// A port that is taken is said at the start, and nothing is left open.
func TestMetricsAddrInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := shortDir(t)
	_, err = control.Open(t.Context(), control.Options{Dir: dir, MetricsAddr: l.Addr().String(), Supervisor: new(supervisor.Supervisor)})
	if err == nil || !strings.Contains(err.Error(), "metrics_addr") {
		t.Errorf("Open: got %v, want it to name metrics_addr", err)
	}
	if _, err := control.Dial(t.Context(), dir); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("Dial: got %v, want ErrNotRunning", err)
	}
}

// metricsAddr is what freeAddr found last.
var metricsAddr string

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	metricsAddr = l.Addr().String()
	return metricsAddr
}

func hasLine(text, want string) bool {
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		if s.Text() == want {
			return true
		}
	}
	return false
}
