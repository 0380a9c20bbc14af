package supervisor_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor"
	"autoreview/supervisor/record"
	"autoreview/supervisor/state"
)

func (w *world) status(v *supervisor.View) supervisor.Status {
	w.t.Helper()
	st, err := v.Status(w.t.Context(), 10)
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

// While a review runs the status names what Codex does and when it said so last.
func TestStatusOfARunningReview(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		event := func(raw string) {
			w.codex.events(codexrun.Event{Type: strings.Split(raw, `"`)[3], Raw: []byte(raw)})
		}
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			time.Sleep(time.Minute)
			event(`{"type":"item.started","item":{"type":"command_execution","command":"go test ./..."}}`)
			time.Sleep(time.Minute)
			event(`{"type":"item.completed","item":{"type":"command_execution","command":"go test ./..."}}`)
			event(`{"type":"item.started","item":{"type":"mcp_tool_call","server":"docs","tool":"search"}}`)
			time.Sleep(time.Minute)
			event(`{"type":"error","message":"Reconnecting... 1/5 (429)"}`)
			time.Sleep(time.Minute)
			event(`{"type":"item.completed","item":{"type":"reasoning","text":"hm"}}`)
			time.Sleep(time.Minute)
			return says(approval)(ctx, n, spec)
		}
		w.lives(func(s *supervisor.Supervisor) {
			w.packet("please review")
			w.settle(30 * time.Second)
			for _, want := range []struct {
				phase supervisor.Phase
				doing string
			}{
				{supervisor.PhaseThinking, ""}, {supervisor.PhaseCommand, "go test ./..."}, {supervisor.PhaseTool, "docs.search"},
				{supervisor.PhaseRetrying, "Reconnecting... 1/5 (429)"}, {supervisor.PhaseThinking, ""},
			} {
				j := w.status(s.View()).Jobs[0]
				if j.State != supervisor.JobRunning || j.Phase != want.phase || j.Doing != want.doing || j.Run != 1 || time.Since(j.LastEvent) != 30*time.Second {
					t.Errorf("job: got %+v, want it %s %q, with the last event 30s ago", j, want.phase, want.doing)
				}
				w.settle(time.Minute)
			}
			st := w.status(s.View())
			if j := st.Jobs[0]; j.State != supervisor.JobDone || j.Verdict != "approve" || j.AnswerID != 2 || j.Phase != "" {
				t.Errorf("job: got %+v, want it done", j)
			}
			if ws := st.Watches[0]; ws.State != supervisor.WatchWatching || ws.Done != 1 || ws.Running != 0 || ws.ReadThrough != 1 || ws.Held != nil {
				t.Errorf("watch: got %+v", ws)
			}
		})
	})
}

// What waits says for what, and until when.
func TestStatusOfWhatWaits(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.watch().Coalesce = time.Minute
		w.codex.run = func(context.Context, int, codexrun.Spec) codexrun.Result {
			return codexrun.Result{Class: codexrun.Auth, Text: "not logged in"}
		}
		w.lives(func(s *supervisor.Supervisor) {
			w.packet("please review")
			w.settle(time.Second)
			w.post(relay.Draft{Text: "another work", Meta: []byte(`{"session":"b"}`)})
			w.settle(time.Second)
			st := w.status(s.View())
			if j := st.Jobs[0]; j.State != supervisor.JobWaiting || !strings.Contains(j.Reason, "more packets may come") || time.Until(j.Until) != 59*time.Second {
				t.Errorf("gathering: got %+v", j)
			}
			if j := st.Jobs[1]; j.State != supervisor.JobWaiting || j.Class != "auth" || j.Reason != "not logged in" || !j.Until.After(time.Now()) {
				t.Errorf("parked: got %+v", j)
			}
			if h := st.Watches[0].Held; h == nil || h.Class != "auth" || h.Reason != "not logged in" || !h.Until.After(time.Now()) {
				t.Errorf("watch: got held %+v, want it to say why it is parked", h)
			}
		})
	})
}

func TestStatusOfAWatchThatCannotRead(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		dead := &deadRelay{Relay: w.log, err: errors.New("connection refused")}
		w.relay = dead
		w.lives(func(s *supervisor.Supervisor) {
			w.settle(time.Hour)
			ws := w.status(s.View()).Watches[0]
			if ws.State != supervisor.WatchUnreachable || ws.Reason != "connection refused" || time.Since(ws.Since) != time.Hour {
				t.Errorf("watch: got %+v, want it unreachable for an hour", ws)
			}
		})
	})
}

type deadRelay struct {
	supervisor.Relay
	err error
}

func (d *deadRelay) Read(context.Context, relay.Query) (relay.Page, error) {
	return relay.Page{}, d.err
}

// Without a supervisor nothing is said to run: what did is queued again, and
// says so.
func TestStatusOfWhatASupervisorLeft(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.inState(func(st state.Store) {
			b := state.Batch{Watch: "main", Channel: "proj-x", LogID: "log", Workdir: w.dir, Cursor: 3, Due: time.Now()}
			for id, group := range map[int64]string{1: "a", 2: "b", 3: "c"} {
				b.Items = append(b.Items, state.Item{Packet: state.Packet{ID: id, Sender: "claude"}, Group: group, Key: "k" + group})
			}
			if _, err := st.Enqueue(t.Context(), b, time.Now()); err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				j, ok, err := st.Claim(t.Context(), []string{"main"}, time.Now())
				if err != nil || !ok {
					t.Fatal(ok, err)
				}
				if i == 1 {
					j.State, j.Answer, j.Outcome = state.Answered, &relay.Draft{Text: "a"}, state.Done
					if err := st.Save(t.Context(), j, time.Now()); err != nil {
						t.Fatal(err)
					}
				}
			}
			count := func(v *supervisor.View) map[string]int {
				n := make(map[string]int)
				for _, j := range w.status(v).Jobs {
					n[string(j.State)+": "+j.Reason]++
				}
				return n
			}
			got := count(supervisor.Look(w.cfg, st, false))
			for _, want := range []string{"queued: its supervisor ended; the next one makes it again", "queued: its answer is saved; the next supervisor posts it", "queued: no supervisor runs"} {
				if got[want] != 1 {
					t.Errorf("with no supervisor: got %v, want one %q", got, want)
				}
			}
			// One that cannot be asked may well be at work.
			if got := count(supervisor.Look(w.cfg, st, true)); got["running: "] != 2 || got["queued: "] != 1 {
				t.Errorf("with a supervisor elsewhere: got %v, want two running and one queued", got)
			}
			none := w.cfg
			none.Watches = nil
			if got := count(supervisor.Look(none, st, false)); got["waiting: its watch is not in the configuration"] != 1 {
				t.Errorf("without its watch: got %v, want one job to wait for it", got)
			}
		})
	})
}

// Each run leaves a record of how it was started and how it ended, and no secret.
func TestRunsLeaveARecord(t *testing.T) {
	t.Setenv("RECORD_TEST_SECRET", "hidden-value")
	inWorld(t, func(t *testing.T, w *world) {
		w.live(func() {
			w.packet("the packet's words")
			w.settle(time.Second)
		})
		dir := filepath.Join(w.dir, "runs", "1")
		r, err := record.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		if r.Run != 1 || r.Job != 1 || r.Watch != "main" || r.Class != "completed" || r.Ended.IsZero() || r.PID != 1001 || r.Thread != "thread-1" || r.Tokens != 120 || r.Codex != "0.169.0" {
			t.Errorf("record: got %+v", r)
		}
		if r.Prompt != record.NewPrompt(w.codex.runs()[0].Prompt) || len(r.Argv) == 0 || r.Argv[0] != "exec" {
			t.Errorf("record: got prompt %+v, argv %q", r.Prompt, r.Argv)
		}
		raw, err := os.ReadFile(filepath.Join(dir, "record.json"))
		if err != nil || !strings.Contains(string(raw), "RECORD_TEST_SECRET") || strings.Contains(string(raw), "hidden-value") || strings.Contains(string(raw), "packet's words") {
			t.Errorf("record.json: got %s, %v, want names and no value and no prompt", raw, err)
		}
	})
}

// The folders of old runs are removed at the start, and again when the next is
// due; those of runs that go on never are.
func TestOldRunsAreForgotten(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.cfg.RunsKeepDays = 2
		old := func(run string, age time.Duration) string {
			dir := filepath.Join(w.dir, "runs", run)
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			at := time.Now().Add(-age)
			if err := os.Chtimes(dir, at, at); err != nil {
				t.Fatal(err)
			}
			return dir
		}
		first, second := old("100", 72*time.Hour), old("101", 40*time.Hour)
		there := func(dir string) bool {
			_, err := os.Stat(dir)
			return err == nil
		}
		w.live(func() {
			w.settle(time.Second)
			if there(first) || !there(second) {
				t.Errorf("at the start: run 100 is there: %v, run 101: %v; want only the second", there(first), there(second))
			}
			w.settle(7 * time.Hour)
			if !there(second) {
				t.Error("run 101 is gone before its time")
			}
			w.settle(2 * time.Hour)
			if there(second) {
				t.Error("run 101 is still there after its time")
			}
		})
	})
}

// A stop that comes before everything else is a stop, and no error.
func TestStopDuringTheStart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.inState(func(st state.Store) {
			s, err := supervisor.New(supervisor.Options{Config: w.cfg, Relay: w.relay, State: st, Codex: w.codex})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.Run(ctx); err != nil {
				t.Errorf("Run: got %v, want nil", err)
			}
		})
	})
}
