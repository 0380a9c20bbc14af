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
