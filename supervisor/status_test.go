package supervisor_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor"
)

// A job that could be tried again soon, of a watch that is on hold for longer,
// is said to wait for as long as it does.
func TestStatusNamesTheLongerWait(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			if n == 1 {
				return codexrun.Result{Class: codexrun.ModelError, Text: "500"}
			}
			return codexrun.Result{Class: codexrun.Quota, Text: "pay"}
		}
		w.lives(func(s *supervisor.Supervisor) {
			for i := range 2 { // the second meets what holds the watch
				w.post(relay.Draft{Text: "p", Meta: fmt.Appendf(nil, `{"session":"%d"}`, i)})
				w.settle(time.Second)
			}
			st := w.status(s.View())
			held := st.Watches[0].Held
			if held == nil || len(st.Jobs) != 2 {
				t.Fatalf("got %+v, want a watch on hold with two jobs", st)
			}
			for _, j := range st.Jobs {
				if j.State != supervisor.JobWaiting || !j.Until.Equal(held.Until) || j.Class != "quota" {
					t.Errorf("job %d: got %s until %v (%s), want it to wait until %v as the watch does", j.ID, j.State, j.Until, j.Class, held.Until)
				}
			}
		})
	})
}

// Codex may run several commands at a time, and say other things meanwhile.
func TestStatusOfSeveralCommands(t *testing.T) {
	const begun, ended = "item.started", "item.completed"
	command := func(event, id, text string) string {
		return fmt.Sprintf(`{"type":%q,"item":{"id":%q,"type":"command_execution","command":%q}}`, event, id, text)
	}
	inWorld(t, func(t *testing.T, w *world) {
		steps := []struct{ event, raw, doing string }{
			{begun, command(begun, "1", "go test ./..."), "go test ./..."},
			{ended, `{"type":"item.completed","item":{"id":"2","type":"reasoning","text":"hm"}}`, "go test ./..."},
			{begun, command(begun, "3", "ls"), "ls"},
			{ended, command(ended, "3", "ls"), "go test ./..."},
			{ended, command(ended, "1", "go test ./..."), ""},
		}
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			for _, step := range steps {
				w.codex.events(codexrun.Event{Type: step.event, Raw: []byte(step.raw)})
				time.Sleep(time.Minute)
			}
			return says(approval)(ctx, n, spec)
		}
		w.lives(func(s *supervisor.Supervisor) {
			w.packet("p")
			w.settle(30 * time.Second)
			for i, step := range steps {
				want := supervisor.PhaseCommand
				if step.doing == "" {
					want = supervisor.PhaseThinking
				}
				if j := w.status(s.View()).Jobs[0]; j.Phase != want || j.Doing != step.doing {
					t.Errorf("after step %d: got %s %q, want %s %q", i, j.Phase, j.Doing, want, step.doing)
				}
				w.settle(time.Minute)
			}
		})
	})
}
