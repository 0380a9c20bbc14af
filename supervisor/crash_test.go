//go:build unix

package supervisor_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/codexrun/codextest"
	"autoreview/relay"
	"autoreview/relay/relaytest"
	"autoreview/supervisor/state"
	"autoreview/supervisor/state/sqlite"
)

// site is a real relay and a supervisor's configuration on disk.
type site struct {
	t      *testing.T
	relay  *relaytest.Relay
	dir    string
	config string
	env    []string
}

// newSite writes the configuration: its first lines, then a watch of the
// channel proj-x with extra lines.
func newSite(t *testing.T, codex, extra string, env []string) *site {
	t.Helper()
	s := &site{t: t, relay: relaytest.Start(t), dir: t.TempDir(), env: env}
	work := filepath.Join(s.dir, "work")
	if err := os.MkdirAll(work, 0o700); err != nil {
		t.Fatal(err)
	}
	s.config = filepath.Join(s.dir, "autoreview.toml")
	text := fmt.Sprintf("relay = %q\nstate_dir = %q\ncodex_bin = %q\n\n[[watch]]\nname = \"main\"\nchannel = \"proj-x\"\nworkdir = %q\n%s\n",
		s.relay.URL, filepath.Join(s.dir, "state"), codex, work, extra)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) packet(text string) int64 {
	s.t.Helper()
	return s.relay.Post("proj-x", "claude", text).ID
}

// await waits until the packets are answered.
func (s *site) await(packets ...int64) {
	s.t.Helper()
	var cursor int64
	open := slices.Clone(packets)
	for deadline := time.Now().Add(90 * time.Second); len(open) > 0; {
		p, err := s.relay.Client().Wait(s.t.Context(), relay.Query{Targets: []string{"proj-x"}, Senders: []string{"codex"}, Since: cursor}, time.Until(deadline))
		if err != nil {
			s.t.Fatal(err)
		}
		if len(p.Messages) == 0 {
			s.t.Fatalf("packets %v were not answered in time", open)
		}
		cursor = p.LatestID
		for _, m := range p.Messages {
			for _, id := range metaOf(s.t, m).Packets {
				open = slices.DeleteFunc(open, func(o int64) bool { return o == id })
			}
		}
	}
}

// checkAnswered holds the promise over everything in the channel.
func (s *site) checkAnswered(packets ...int64) []relay.Message {
	s.t.Helper()
	p, err := s.relay.Client().Read(s.t.Context(), relay.Query{Targets: []string{"proj-x"}, Senders: []string{"codex"}, Limit: relay.MaxLimit})
	if err != nil {
		s.t.Fatal(err)
	}
	count := make(map[int64]int)
	for _, m := range p.Messages {
		if mm := metaOf(s.t, m); m.Kind == relay.KindReview || mm.Terminal {
			for _, id := range mm.Packets {
				count[id]++
			}
		}
	}
	for _, id := range packets {
		if count[id] != 1 {
			s.t.Errorf("packet #%d has %d answers, want exactly 1", id, count[id])
		}
	}
	if len(count) != len(packets) {
		s.t.Errorf("answers by packet: %v, want one for each of %v", count, packets)
	}
	return p.Messages
}

// checkNothingRuns makes sure that no codex of any life is left over. Call it
// while no supervisor runs.
func (s *site) checkNothingRuns() {
	s.t.Helper()
	st, err := sqlite.Open(s.t.Context(), filepath.Join(s.dir, "state", "state.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer st.Close()
	jobs, err := st.Jobs(s.t.Context(), state.Done, state.Failed, state.Answered, state.Running, state.Queued, state.Waiting)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, j := range jobs {
		runs, err := st.Runs(s.t.Context(), j.ID)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, r := range runs {
			var p codexrun.Process
			if len(r.Process) > 0 && json.Unmarshal(r.Process, &p) == nil && codexrun.Alive(p) {
				s.t.Errorf("run %d of job %d: process %d is still alive", r.ID, j.ID, p.PID)
			}
		}
	}
}

var diePoints = []string{dieReading, dieEnqueued, dieStarted, dieThread, dieCompleted, diePosting, diePosted}

// The crash table: whatever the step at which the supervisor is killed, the
// next life answers the packet exactly once and leaves nothing running.
func TestKilledAtEachStep(t *testing.T) {
	for _, deliver := range []string{"supervisor", "mcp"} {
		for _, point := range diePoints {
			t.Run(deliver+"/"+point, func(t *testing.T) {
				fake := codextest.Fake(t)
				env := []string{codextest.FakeDir + "=" + t.TempDir(), codextest.FakeDo + "=children slow:300ms answer"}
				if deliver == "mcp" && !supervisorPosts(point) {
					env[1] = codextest.FakeDo + "=children post:the_review answer"
				}
				killedAndRevived(t, newSite(t, fake.Path, `deliver = "`+deliver+`"`, env), point)
			})
		}
	}
}

// The same with the real Codex CLI.
func TestKilledAtEachStepWithRealCodex(t *testing.T) {
	real := codextest.Real(t)
	const verdict = `{"verdict":"comment","summary":"Seen.","findings":[],"tests":[],"questions":[]}`
	for _, deliver := range []string{"supervisor", "mcp"} {
		for _, point := range diePoints {
			t.Run(deliver+"/"+point, func(t *testing.T) {
				model := codextest.Serve(t, func(r codextest.Request) []codextest.Step {
					if deliver == "mcp" && !supervisorPosts(point) && len(r.ToolOutputs()) == 0 {
						return []codextest.Step{codextest.CallMCP(r, "autoreview_relay", "post_message", map[string]any{
							"target": "proj-x", "sender": "codex", "text": "the review", "meta": map[string]any{"verdict": "comment"},
						})}
					}
					return []codextest.Step{codextest.Say(verdict)}
				})
				_, env := codextest.Home(t, model)
				killedAndRevived(t, newSite(t, real.Path, `deliver = "`+deliver+`"`, env), point)
			})
		}
	}
}

// supervisorPosts reports whether the supervisor posts on its way to a point, also
// with deliver = "mcp": there, Codex must then not have posted.
func supervisorPosts(point string) bool { return point == diePosting || point == diePosted }

func killedAndRevived(t *testing.T, s *site, point string) {
	first := startChild(t, s.config, point, s.env)
	if point == dieReading {
		// It must be waiting already, not catching up.
		s.awaitLog(first, "watching")
	}
	id := s.packet("please review")
	first.awaitDeath()
	second := startChild(t, s.config, "", s.env)
	s.await(id)
	next := s.packet("and the next one")
	s.await(next)
	second.stop()
	s.checkAnswered(id, next)
	s.checkNothingRuns()
}

// awaitLog waits until the supervisor has said a word.
func (s *site) awaitLog(p *process, word string) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(p.log.String(), word); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("the supervisor did not say %q in time", word)
		}
	}
}
