//go:build unix

package doctor_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"autoreview/codexrun/codextest"
	"autoreview/codexrun/scripted"
	"autoreview/relay"
	"autoreview/relay/config"
	"autoreview/relay/server"
	"autoreview/relay/token"
	"autoreview/supervisor/doctor"
)

var allHops = []string{"posted", "woken", "launched", "first event", "verdict", "review posted", "delivered"}

// hostRelay opens a relay for a proof, as the program does.
func hostRelay(ctx context.Context, dir string) (string, func(), error) {
	none := func(string) (string, bool) { return "", false }
	c, err := config.Load(config.Sources{Env: none, Flags: map[string]string{"data": dir, "port": "0"}})
	if err != nil {
		return "", nil, err
	}
	s, err := server.Open(ctx, server.Options{Config: c, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return "", nil, err
	}
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- s.Serve(serving) }()
	return s.URL(), func() { cancel(); <-done }, nil
}

// prove runs a proof and wants nothing left of it.
func (p *place) prove(o doctor.ProveOptions) doctor.Result {
	p.t.Helper()
	temp := p.path("tmp")
	if err := os.MkdirAll(temp, 0o700); err != nil {
		p.t.Fatal(err)
	}
	p.set("TMPDIR", temp)
	before := tree(p.t, p.codex)
	o.Environment, o.Timeout = p.env, 2*time.Minute
	res := doctor.Prove(p.t.Context(), o)
	left, err := filepath.Glob(filepath.Join(temp, "autoreview-*"))
	if err != nil || len(left) > 0 {
		p.t.Errorf("the proof left %v behind (%v)", left, err)
	}
	if o.Offline && len(tree(p.t, p.codex)) != len(before) {
		p.t.Errorf("an offline proof left files in the user's own CODEX_HOME")
	}
	return res
}

func checkHops(t *testing.T, r doctor.Result, names ...string) {
	t.Helper()
	var got []string
	for i, h := range r.Hops {
		got = append(got, h.Name)
		if h.AtMS <= 0 || h.TookMS < 0 {
			t.Errorf("hop %d: got %+v, want times", i, h)
		}
	}
	if strings.Join(got, ", ") != strings.Join(names, ", ") {
		t.Errorf("hops: got %v, want %v", got, names)
	}
}

// The whole loop with the real Codex and the configured relay, in both ways to
// deliver; what is left is the conversation in its own channel.
func TestProveOffline(t *testing.T) {
	for _, deliver := range []string{"supervisor", "mcp"} {
		t.Run(deliver, func(t *testing.T) {
			p := newPlace(t)
			p.realCodex(codextest.Always("never asked"))
			r := p.relay()
			p.watch("deliver = \"" + deliver + "\"\nmodel = \"only-yours\"")
			res := p.prove(doctor.ProveOptions{Offline: true})
			want(t, res, doctor.OK, "the planted bug was found: request changes")
			if deliver == "supervisor" {
				checkHops(t, res, allHops...)
			} else {
				// Codex posts by itself, before it ends.
				checkHops(t, res, "posted", "woken", "launched", "first event", "delivered")
			}
			page, err := r.Client().Read(t.Context(), relay.Query{Targets: []string{doctor.Channel}, Newest: true})
			if err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for _, m := range page.Messages {
				kinds = append(kinds, string(m.Kind))
			}
			if got := strings.Join(kinds, " "); got != "note packet review" {
				t.Errorf("the channel: got %q, want a note, the packet and its review", got)
			}
			if other, err := r.Client().Read(t.Context(), relay.Query{Targets: []string{"proj-x"}, Newest: true}); err != nil || len(other.Messages) > 0 {
				t.Errorf("the user's channel: got %v, %v, want nothing", other.Messages, err)
			}
		})
	}
}

// Without a relay, and with one that does not let the canary in, the proof has
// a relay of its own and says so.
func TestProveHostsARelay(t *testing.T) {
	t.Run("none answers", func(t *testing.T) {
		p := newPlace(t)
		p.realCodex(codextest.Always("never asked"))
		res := p.prove(doctor.ProveOptions{Offline: true, Host: hostRelay})
		want(t, res, doctor.OK, "was found")
		checkHops(t, res, allHops...)
		if !strings.Contains(res.Facts["relay"], "one of its own") {
			t.Errorf("relay: got %q", res.Facts["relay"])
		}
	})
	t.Run("the token is for somebody else", func(t *testing.T) {
		p := newPlace(t)
		p.realCodex(codextest.Always("never asked"))
		withTokens(p, token.Token{Name: "sup", Senders: []string{"codex"}})
		res := p.prove(doctor.ProveOptions{Offline: true, Host: hostRelay})
		want(t, res, doctor.OK, "was found")
	})
	t.Run("and none can be opened", func(t *testing.T) {
		p := newPlace(t)
		want(t, p.prove(doctor.ProveOptions{Offline: true}), doctor.Fail, "could not be posted", "connection refused")
	})
}

// The user's own model is asked through the user's own configuration, and what
// it says decides: a review that misses the bug is said to.
func TestProveWithTheUsersModel(t *testing.T) {
	const approval = `{"verdict":"approve","summary":"Fine.","findings":[],"tests":[],"questions":[]}`
	const elsewhere = `{"verdict":"request_changes","summary":"Hm.","findings":[{"severity":"nit","title":"Name","body":"","file":"other.go","line":1,"suggestion":null}],"tests":[],"questions":[]}`
	const found = `{"verdict":"request_changes","summary":"Hm.","findings":[{"severity":"major","title":"Turned around","body":"","file":"account.go","line":9,"suggestion":null}],"tests":[],"questions":[]}`
	tests := []struct {
		name, answer string
		status       doctor.Status
		words        string
	}{
		{"approves", approval, doctor.Fail, "NOT found"},
		{"finds something else", elsewhere, doctor.Fail, "NOT found"},
		{"finds it", found, doctor.OK, "was found"},
		{"answers in no form", "I like it.", doctor.Fail, "not in the form"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlace(t)
			model := p.realCodex(codextest.Always(tt.answer))
			p.relay()
			p.watch(`model = "chosen"`)
			res := p.prove(doctor.ProveOptions{})
			want(t, res, tt.status, tt.words)
			reqs := model.Requests()
			if len(reqs) == 0 || reqs[0].Model() != "chosen" || !reqs[0].Contains("Withdraw") {
				t.Errorf("the user's model: got %d requests, want the packet with the model of the watch", len(reqs))
			}
			if rollouts, _ := filepath.Glob(filepath.Join(p.codex, "sessions", "*", "*", "*", "*")); len(rollouts) > 0 {
				t.Errorf("the proof left threads behind: %v", rollouts)
			}
		})
	}
}

// A Codex that fails ends the proof at once, with the reason, the hop it came
// to and what to do.
func TestProveTellsWhyCodexFailed(t *testing.T) {
	tests := []struct {
		name   string
		script scripted.Script
		words  []string
	}{
		{"not logged in", func(scripted.Request) []scripted.Step {
			return []scripted.Step{codextest.Fail(401, "invalid_api_key", "Incorrect API key provided")}
		}, []string{"(auth)", "codex login", "first event"}},
		{"no quota", func(scripted.Request) []scripted.Step {
			return []scripted.Step{codextest.Fail(429, "insufficient_quota", "You exceeded your quota")}
		}, []string{"(quota)", "billing"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlace(t)
			p.realCodex(tt.script)
			p.relay()
			want(t, p.prove(doctor.ProveOptions{}), doctor.Fail, tt.words...)
		})
	}
	t.Run("no codex", func(t *testing.T) {
		p := newPlace(t)
		p.relay()
		p.remove("bin/codex")
		want(t, p.prove(doctor.ProveOptions{Offline: true}), doctor.Fail, "codex_bin")
	})
	t.Run("no configuration", func(t *testing.T) {
		p := newPlace(t)
		p.add("nonsense = 1")
		want(t, p.prove(doctor.ProveOptions{Offline: true}), doctor.Fail, "nonsense")
	})
}

// A hook of git may run the doctor: the repository that git names in the
// environment is the user's, and the canary is not put into it.
func TestProveInAHookOfGit(t *testing.T) {
	p := newPlace(t)
	p.realCodex(codextest.Always("never asked"))
	p.relay()
	dir := filepath.Join(p.repo, ".git")
	before := tree(t, dir)
	p.set("GIT_DIR", dir)
	p.set("GIT_WORK_TREE", p.repo)
	p.set("GIT_INDEX_FILE", filepath.Join(dir, "index"))
	want(t, p.prove(doctor.ProveOptions{Offline: true}), doctor.OK, "was found")
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("the proof changed the user's repository (-before +after):\n%s", diff)
	}
}
