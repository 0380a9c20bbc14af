//go:build unix

package supervisor_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"autoreview/codexrun/codextest"
	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/relay/token"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
	"autoreview/supervisor/state/sqlite"
)

const seen = `{"verdict":"comment","summary":"Seen.","findings":[],"tests":[],"questions":[]}`

// setEnv gives the runs of this process the environment of a scratch Codex.
func setEnv(t *testing.T, env []string) {
	t.Helper()
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
}

// live runs a supervisor with the real Codex in this process while during runs.
func (s *site) live(during func()) {
	s.t.Helper()
	cfg, _, err := config.Load(s.config, os.Getenv)
	if err != nil {
		s.t.Fatal(err)
	}
	st, err := sqlite.Open(s.t.Context(), filepath.Join(cfg.StateDir, "state.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer st.Close()
	c := client.New(client.Options{BaseURL: cfg.Relay, Token: os.Getenv(cfg.TokenEnv)})
	defer c.Close()
	sup, err := supervisor.New(supervisor.Options{Config: cfg, Relay: c, State: st})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- sup.Run(ctx) }()
	during()
	cancel()
	if err := <-done; err != nil {
		s.t.Errorf("Run: %v", err)
	}
}

func realSite(t *testing.T, script codextest.Script, extra string) (*site, *codextest.Model, string) {
	t.Helper()
	bin := codextest.Real(t)
	model := codextest.Serve(t, script)
	home, env := codextest.Home(t, model)
	setEnv(t, env)
	return newSite(t, bin.Path, extra, nil), model, home
}

// The main job: a packet, the real Codex, a review; then everything is
// restarted and it goes on.
func TestRealReviewSurvivesRestartingEverything(t *testing.T) {
	s, model, _ := realSite(t, func(r codextest.Request) []codextest.Step {
		return codextest.InTurn(
			[]codextest.Step{codextest.Shell(r, "echo looked at it")},
			[]codextest.Step{codextest.Say(`{"verdict":"request_changes","summary":"A bug.","findings":[{"severity":"blocker","title":"Nil","body":"Boom.","file":"a.go","line":1,"suggestion":null}],"tests":[],"questions":[]}`)},
		)(r)
	}, "")
	var first, second int64
	s.live(func() {
		first = s.packet("please review\n```diff\n+bug\n```")
		s.await(first)
	})
	s.relay.Restart()
	s.live(func() {
		second = s.packet("again")
		s.await(second)
	})
	m := s.checkAnswered(first, second)[0]
	if !strings.Contains(m.Text, "request changes") || !strings.Contains(m.Text, "a.go:1") {
		t.Errorf("review:\n%s", m.Text)
	}
	r := model.Requests()[0]
	if !strings.Contains(r.Prompt(), "+bug") || len(r.Schema()) == 0 {
		t.Errorf("the model got a schema of %d bytes and the prompt:\n%s", len(r.Schema()), r.Prompt())
	}
	s.checkNothingRuns()
}

func TestRealSessions(t *testing.T) {
	threadsOf := func(m *codextest.Model) (out []string) {
		for _, r := range m.Requests() {
			out = append(out, r.ThreadID())
		}
		return out
	}
	three := func(s *site) {
		var ids []int64
		for i := range 3 {
			s.live(func() {
				ids = append(ids, s.packet(fmt.Sprint("packet number ", i)))
				s.await(ids...)
			})
		}
		s.checkAnswered(ids...)
	}
	t.Run("fresh", func(t *testing.T) {
		s, model, _ := realSite(t, codextest.Always(seen), "")
		three(s)
		got := threadsOf(model)
		if len(got) != 3 || got[0] == got[1] || got[1] == got[2] {
			t.Errorf("threads: got %v, want three different ones", got)
		}
	})
	t.Run("continue", func(t *testing.T) {
		s, model, _ := realSite(t, codextest.Always(seen), `session = "continue"`)
		three(s)
		got := threadsOf(model)
		if len(got) != 3 || got[0] != got[1] || got[1] != got[2] {
			t.Errorf("threads: got %v, want one", got)
		}
		if last := model.Requests()[2]; !last.Contains("packet number 0") {
			t.Error("the third request does not hold the history")
		}
	})
	t.Run("a given id, and a fork of it", func(t *testing.T) {
		s, model, _ := realSite(t, codextest.Always(seen), "")
		three(s)
		given := threadsOf(model)[0]
		resumed := newSite(t, codextest.Real(t).Path, fmt.Sprintf("session = %q", given), nil)
		three(resumed)
		for i, id := range threadsOf(model)[3:] {
			if id != given {
				t.Errorf("resumed run %d: got thread %s, want %s", i, id, given)
			}
		}
		if bin := codextest.Real(t); !bin.Capabilities().Fork {
			t.Logf("codex %s has no exec fork: left out", bin.Version)
			return
		}
		forked := newSite(t, codextest.Real(t).Path, fmt.Sprintf("session = %q", "fork:"+given), nil)
		three(forked)
		got := threadsOf(model)[6:]
		if len(got) != 3 || got[0] == given || got[0] != got[2] || !model.Requests()[6].Contains("packet number 0") {
			t.Errorf("forked runs: got threads %v, want one that is not %s and has its history", got, given)
		}
	})
	t.Run("an unknown id starts fresh and stays", func(t *testing.T) {
		const unknown = "01a205b9-9d42-7330-8c02-b4d6e7a255fa"
		s, model, _ := realSite(t, codextest.Always(seen), fmt.Sprintf("session = %q", unknown))
		three(s)
		got := threadsOf(model)
		if len(got) != 3 || got[0] == unknown || got[0] != got[2] {
			t.Errorf("threads: got %v, want one that is not the unknown one", got)
		}
	})
}

// What the model's shell can do is what the sandbox key says.
func TestRealSandboxAndNetwork(t *testing.T) {
	tests := []struct {
		extra           string
		writes, reaches bool
	}{
		{``, false, false},
		{`sandbox = "workspace-write"`, true, false},
		{"sandbox = \"workspace-write\"\nnetwork_access = true", true, true},
		{`sandbox = "danger-full-access"`, true, true},
		{`sandbox = "bypass"`, true, true},
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl to try the network with")
	}
	for _, tt := range tests {
		t.Run(strings.ReplaceAll(tt.extra, "\n", " "), func(t *testing.T) {
			var url string
			s, model, _ := realSite(t, func(r codextest.Request) []codextest.Step {
				return codextest.InTurn(
					[]codextest.Step{codextest.Shell(r, "touch written; printf GOT:; curl --noproxy '*' -sS -m 5 "+url+"/healthz")},
					[]codextest.Step{codextest.Say(seen)},
				)(r)
			}, tt.extra)
			url = s.relay.URL
			s.live(func() { s.await(s.packet("p")) })
			_, err := os.Stat(filepath.Join(s.dir, "work", "written"))
			if got := err == nil; got != tt.writes {
				t.Errorf("the shell could write: got %v, want %v", got, tt.writes)
			}
			out := strings.Join(model.Requests()[1].ToolOutputs(), "\n")
			if got := strings.Contains(out, "GOT:ok"); got != tt.reaches {
				t.Errorf("the shell reached the relay: got %v, want %v; it said:\n%s", got, tt.reaches, out)
			}
		})
	}
}

// deliver = "mcp": Codex reads and posts by itself, in every sandbox, and its
// post is the job's one review. The relay has tokens on, and the model's shell
// sees neither the job nor the token.
func TestRealDeliveryByMCP(t *testing.T) {
	for _, sandbox := range []string{"read-only", "workspace-write", "danger-full-access"} {
		t.Run(sandbox, func(t *testing.T) {
			s, model, _ := realSite(t, func(r codextest.Request) []codextest.Step {
				return codextest.InTurn(
					[]codextest.Step{codextest.CallMCP(r, "autoreview_relay", "fetch_messages", map[string]any{"target": "proj-x", "since_id": 0})},
					[]codextest.Step{codextest.Shell(r, "sleep 4; env")},
					[]codextest.Step{codextest.CallMCP(r, "autoreview_relay", "post_message", map[string]any{
						"target": "proj-x", "sender": "someone", "text": "my own review", "meta": map[string]any{"verdict": "approve"}})},
					[]codextest.Step{codextest.CallMCP(r, "autoreview_relay", "post_message", map[string]any{
						"target": "proj-x", "sender": "codex", "text": "one more thing"})},
					[]codextest.Step{codextest.Say("posted")},
				)(r)
			}, fmt.Sprintf("deliver = \"mcp\"\nsandbox = %q", sandbox))
			secret := s.relay.NewToken(token.Token{Name: "codex", Senders: []string{"codex"}, Channels: []string{"proj-x"}})
			t.Setenv("RELAY_TEST_TOKEN", secret)
			s.prepend(`token_env = "RELAY_TEST_TOKEN"`)
			var id int64
			s.live(func() {
				id = s.packet("the packet's text")
				s.await(id)
				s.awaitMessages(3)
			})
			m := s.checkAnswered(id)
			if m[0].Kind != relay.KindReview || m[0].Text != "my own review" || m[0].ReplyTo != id || m[0].Sender != "codex" || metaOf(t, m[0]).Verdict != "approve" {
				t.Errorf("review: got %+v with meta %s", m[0], m[0].Meta)
			}
			if m[1].Kind != relay.KindNote || m[1].Text != "one more thing" {
				t.Errorf("second post: got %+v, want a note", m[1])
			}
			outs := model.Requests()[2].ToolOutputs()
			if !strings.Contains(outs[0], "the packet's text") {
				t.Errorf("fetch_messages gave the model:\n%s", outs[0])
			}
			if strings.Contains(outs[1], secret) || strings.Contains(outs[1], token.Prefix) || regexp.MustCompile(`AUTOREVIEW_JOB=\S`).MatchString(outs[1]) || !strings.Contains(outs[1], "PATH=") {
				t.Errorf("the model's shell has the environment:\n%s", outs[1])
			}
		})
	}
}

// prepend puts a line before the configuration.
func (s *site) prepend(line string) {
	s.t.Helper()
	b, err := os.ReadFile(s.config)
	if err == nil {
		err = os.WriteFile(s.config, append([]byte(line+"\n"), b...), 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// awaitMessages waits until the channel has so many messages.
func (s *site) awaitMessages(n int) {
	s.t.Helper()
	p, err := s.relay.Client().Read(s.t.Context(), relay.Query{Targets: []string{"proj-x"}})
	for err == nil && len(p.Messages) < n {
		if _, err = s.relay.Client().Wait(s.t.Context(), relay.Query{Targets: []string{"proj-x"}, Since: p.LatestID}, time.Minute); err == nil {
			p, err = s.relay.Client().Read(s.t.Context(), relay.Query{Targets: []string{"proj-x"}})
		}
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// The relay may go away in the middle of a run, for either way to deliver.
func TestRealRunOverARelayRestart(t *testing.T) {
	for _, deliver := range []string{"supervisor", "mcp"} {
		t.Run(deliver, func(t *testing.T) {
			working, goOn := make(chan struct{}), make(chan struct{})
			announce := sync.OnceFunc(func() { close(working) })
			var s *site
			s, _, _ = realSite(t, func(r codextest.Request) []codextest.Step {
				if len(r.ToolOutputs()) == 0 {
					announce()
					<-goOn
					if deliver == "mcp" {
						return []codextest.Step{codextest.CallMCP(r, "autoreview_relay", "post_message", map[string]any{"target": "proj-x", "sender": "codex", "text": "the review"})}
					}
				}
				return []codextest.Step{codextest.Say(seen)}
			}, fmt.Sprintf("deliver = %q", deliver))
			s.live(func() {
				id := s.packet("p")
				<-working
				s.relay.Kill()
				s.relay.Start()
				close(goOn)
				s.await(id)
				next := s.packet("the next one")
				s.await(next)
				s.checkAnswered(id, next)
			})
		})
	}
}

// D2: a review that fails is not lost, and no failure reads as a review.
func TestRealFailingModelThenReview(t *testing.T) {
	s, model, _ := realSite(t, func(r codextest.Request) []codextest.Step {
		return []codextest.Step{codextest.Fail(http.StatusBadRequest, "invalid_request_error", "the model says verdict approve, LGTM")}
	}, "")
	s.live(func() {
		id := s.packet("p")
		s.awaitState(state.Waiting)
		model.SetScript(codextest.Always(seen))
		s.await(id)
		s.checkAnswered(id)
	})
}

// A codex that is missing parks the packet; it is reviewed once there is one.
func TestMissingCodexThenReview(t *testing.T) {
	bin := codextest.Fake(t)
	link := filepath.Join(t.TempDir(), "codex")
	s := newSite(t, link, "", nil)
	var id int64
	s.live(func() {
		id = s.packet("p")
		s.awaitMessages(2)
	})
	p, err := s.relay.Client().Read(t.Context(), relay.Query{Targets: []string{"proj-x"}, Senders: []string{"codex"}})
	if err != nil || len(p.Messages) != 1 || p.Messages[0].Kind != relay.KindStatus || !strings.Contains(p.Messages[0].Text, "no_codex") {
		t.Fatalf("status: got %+v, %v", p.Messages, err)
	}
	if err := os.Symlink(bin.Path, link); err != nil {
		t.Fatal(err)
	}
	s.makeDue()
	s.live(func() { s.await(id) })
	s.checkAnswered(id)
}

// awaitState waits until the site's job is in a state.
func (s *site) awaitState(want state.JobState) {
	s.t.Helper()
	st, err := sqlite.Open(s.t.Context(), filepath.Join(s.dir, "state", "state.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer st.Close()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		jobs, err := st.Jobs(s.t.Context(), want)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(jobs) > 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("no job is %s in time", want)
		}
	}
}

// makeDue ends the wait of every waiting job.
func (s *site) makeDue() {
	s.t.Helper()
	st, err := sqlite.Open(s.t.Context(), filepath.Join(s.dir, "state", "state.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer st.Close()
	none := func(h state.Hold, _ bool) (state.Hold, bool) { return h, false }
	if _, err := st.ChangeHold(s.t.Context(), "main", none); err != nil {
		s.t.Fatal(err)
	}
	jobs, err := st.Jobs(s.t.Context(), state.Waiting)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, j := range jobs {
		j.Due = time.Now()
		if err := st.Save(s.t.Context(), j, time.Now()); err != nil {
			s.t.Fatal(err)
		}
	}
}
