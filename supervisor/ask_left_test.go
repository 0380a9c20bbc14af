package supervisor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor/state"
)

// Where there can be no asking again, no run is left that never ends: status
// would show it for ever, and its folder would never be removed.
func TestAskingAgainInVainLeavesNoRun(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			if n == 1 {
				return says("no verdict")(ctx, n, spec)
			}
			return codexrun.Result{Class: codexrun.Crashed, Text: "panic"}
		}
		w.live(func() {
			// Too large to be told a second time.
			w.post(relay.Draft{Text: strings.Repeat("a long line\n", 50_000)})
			w.settle(time.Hour)
		})
		w.checkAnswered(1)
		w.inState(func(s state.Store) {
			if open, err := s.OpenRuns(t.Context()); err != nil || len(open) > 0 {
				t.Errorf("open runs: got %+v, %v; want none", open, err)
			}
		})
	})
}
