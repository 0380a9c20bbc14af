//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"autoreview/codexrun/codextest"
	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/relay/token"
)

// The canaries. Neither is of a form that is masked, but for the last one.
const (
	canaryPacket = "plover-in-the-packet"
	canaryAnswer = "plover-in-the-answer"
	canarySecret = "ghp_" + "x7Kq2Lm9Vt4Rz8Wc1Bn6Yp3Hs5Jd0Gf8Ea2Q" // made up
)

// keepsTexts are the files that are there to keep texts: the store and the
// archive of the relay, the jobs of the supervisor, what Codex said in a run,
// and the session files that a Codex keeps itself.
var keepsTexts = regexp.MustCompile(`/(relay\.db|state\.db)(-wal|-shm)?$|/channel_messages\.log$|/runs/\d+/(events[^/]*\.jsonl|stderr[^/]*|answer[^/]*)(\.\d+)?$|^fake/`)

// home is everything that one life of both programs writes: a relay that
// `autoreview up` hosts, with tokens on, and a watch for each way to deliver.
type home struct {
	t      *testing.T
	dir    string
	url    string
	secret string // the token of the supervisor
	log    bytes.Buffer
	client *client.Client
}

func newHome(t *testing.T) *home {
	t.Helper()
	h := &home{t: t, dir: t.TempDir(), url: freeAddress()}
	for _, dir := range []string{"bin", "fake", "repo"} {
		h.check(os.Mkdir(filepath.Join(h.dir, dir), 0o700))
	}
	exe, err := os.Executable()
	h.check(err)
	for _, name := range []string{"autoreview", "codex"} {
		h.check(os.Symlink(exe, filepath.Join(h.dir, "bin", name)))
	}
	tokens := token.Open(filepath.Join(h.dir, "data", token.File))
	h.secret, err = tokens.New(token.Token{Name: "supervisor"})
	h.check(err)
	mine, err := tokens.New(token.Token{Name: "claude", Senders: []string{"claude"}})
	h.check(err)
	h.client = client.New(client.Options{BaseURL: h.url, Token: mine})
	t.Cleanup(h.client.Close)
	h.write("repo/autoreview.toml", fmt.Sprintf("relay = %q\ntoken_env = \"RELAY_TOKEN\"\nstate_dir = %q\n"+
		"[[watch]]\nchannel = \"one\"\n[[watch]]\nname = \"two\"\nchannel = \"two\"\ndeliver = \"mcp\"\n", h.url, filepath.Join(h.dir, "state")))
	h.write("fake/do", "slow:300ms command:"+canaryAnswer+" post:"+canaryAnswer)
	return h
}

func (h *home) check(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *home) write(name, text string) {
	h.t.Helper()
	h.check(os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600))
}

// up starts `autoreview up` with a umask that takes nothing away.
func (h *home) up() (stop func()) {
	h.t.Helper()
	cmd := exec.Command("sh", "-c", `umask 0; exec autoreview up --relay-data "$0"`, filepath.Join(h.dir, "data"))
	cmd.Dir = filepath.Join(h.dir, "repo")
	cmd.Stderr = &h.log
	cmd.Env = []string{
		"HOME=" + h.dir, "PATH=" + filepath.Join(h.dir, "bin") + ":" + os.Getenv("PATH"), "RELAY_TOKEN=" + h.secret,
		codextest.FakeDir + "=" + filepath.Join(h.dir, "fake"),
		codextest.FakeAnswer + `={"verdict":"comment","summary":"` + canaryAnswer + " " + canarySecret + `","findings":[],"tests":[],"questions":[]}`,
	}
	h.check(cmd.Start())
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			h.t.Errorf("autoreview up: %v\n%s", err, h.log.String())
		}
	}
	h.t.Cleanup(stop)
	return stop
}

// post posts a packet as soon as there is a relay.
func (h *home) post(target string) int64 {
	h.t.Helper()
	var err error
	for range 3000 {
		var p relay.Posted
		p, err = h.client.Post(context.Background(), relay.Draft{Target: target, Sender: "claude", Text: canaryPacket + " " + canarySecret})
		if err == nil {
			return p.ID
		}
		time.Sleep(10 * time.Millisecond) // another process opens it
	}
	h.t.Fatal(err)
	return 0
}

// watchArgv collects the command lines of all processes of the fake codex until
// told to stop.
func (h *home) watchArgv() (stop func() string) {
	quit, seen := make(chan struct{}), make(chan string, 1)
	go func() {
		var all strings.Builder
		defer func() { seen <- all.String() }()
		for {
			paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, path := range paths {
				if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte(h.dir)) {
					all.Write(append(b, '\n'))
				}
			}
			select {
			case <-quit:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() string { close(quit); return <-seen }
}

// One life of both programs, with texts and tokens that are looked for in all
// that they leave behind.
func TestLogsAndArgvHoldNoTextsAndNoTokens(t *testing.T) {
	h := newHome(t)
	stop := h.up()
	argv := h.watchArgv()
	var reviews []relay.Message
	for _, target := range []string{"one", "two"} {
		id := h.post(target)
		p, err := h.client.Wait(t.Context(), relay.Query{Targets: []string{target}, Senders: []string{"codex"}, Since: id}, time.Minute)
		if err != nil || len(p.Messages) == 0 {
			t.Fatalf("review in %s: got %v, %v\n%s", target, p.Messages, err, h.log.String())
		}
		reviews = append(reviews, p.Messages[0])
	}
	for _, request := range []string{"/api/messages?target=one&token=" + h.secret, "/api/stream?since_id=x"} {
		h.refused(request)
	}
	lines := argv()
	stop()
	for _, m := range reviews {
		if !strings.Contains(m.Text, canaryAnswer) || strings.Contains(m.Text, canarySecret) {
			t.Errorf("review: got %q, want the answer with its secret masked", m.Text)
		}
	}
	if !strings.Contains(lines, "exec") || !strings.Contains(lines, "mcp_servers") {
		t.Fatalf("no codex was seen in the process list: %q", lines)
	}
	noneOf(t, "the process list", lines, canaryPacket, canaryAnswer, canarySecret, h.secret, "rly_", "job/")
	noneOf(t, "the log of autoreview", h.log.String(), canaryPacket, canaryAnswer, canarySecret, "rly_")
	h.walk(func(name string, info fs.FileInfo, text string) {
		noneOf(t, name, text, "rly_")
		switch {
		case strings.HasPrefix(name, "data/"):
			noneOf(t, name, text, canarySecret) // also where there are texts
		case strings.HasSuffix(name, "/stdin"):
			noneOf(t, name, text, canarySecret) // what Codex was given
		}
		if !keepsTexts.MatchString(name) {
			noneOf(t, name, text, canaryPacket, canaryAnswer, canarySecret)
		}
	})
	if t.Failed() {
		t.Logf("the log:\n%s", h.log.String())
	}
}

// refused makes a request without a token, with a secret where none belongs.
func (h *home) refused(path string) {
	h.t.Helper()
	resp, err := http.Get(h.url + path)
	h.check(err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		h.t.Errorf("GET without a token: got %d, want 401", resp.StatusCode)
	}
}

func noneOf(t *testing.T, where, text string, canaries ...string) {
	t.Helper()
	for _, c := range canaries {
		if i := strings.Index(text, c); i >= 0 {
			t.Errorf("%s holds %.12q: ...%.120q", where, c, text[max(0, i-60):])
		}
	}
}

// walk visits every file below the home, by its name from there.
func (h *home) walk(visit func(name string, info fs.FileInfo, text string)) {
	h.t.Helper()
	seen := 0
	h.check(filepath.WalkDir(h.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(h.dir, path)
		visit(name, info, string(b))
		seen++
		return err
	}))
	if seen < 12 {
		h.t.Fatalf("visited %d files, want all that both programs write", seen)
	}
}

// All that both programs make is for its user alone, whatever the umask is.
func TestEverythingIsPrivate(t *testing.T) {
	h := newHome(t)
	stop := h.up()
	for _, target := range []string{"one", "two"} {
		id := h.post(target)
		if _, err := h.client.Wait(t.Context(), relay.Query{Targets: []string{target}, Senders: []string{"codex"}, Since: id}, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string) {
		made := 0
		h.check(filepath.WalkDir(h.dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				if os.IsNotExist(err) { // a file that lives shortly
					return nil
				}
				return err
			}
			info, err := e.Info()
			if err != nil || e.Type()&fs.ModeSymlink != 0 {
				return nil
			}
			made++
			if mode := info.Mode().Perm(); mode&0o077 != 0 && path != h.dir {
				t.Errorf("%s: %s is open to others: %v", when, strings.TrimPrefix(path, h.dir), mode)
			}
			return nil
		}))
		if made < 12 {
			t.Fatalf("%s: looked at %d files, want all that both programs make", when, made)
		}
	}
	check("while they run") // with the control socket
	stop()
	check("after they ended")
}
