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

// Stops cost a review nothing: not an attempt, and not a run of its limit.
func TestStopsDoNotCountForTheRound(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.watch().Limits.RunsPerRound = 2
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			switch {
			case n <= 3:
				<-ctx.Done()
				return codexrun.Result{Class: codexrun.Killed, Text: context.Cause(ctx).Error()}
			case n == 4:
				return codexrun.Result{Class: codexrun.ModelError, Text: "500"}
			}
			return says(approval)(ctx, n, spec)
		}
		w.live(func() { w.packet("p"); w.settle(time.Minute) })
		w.live(func() { w.settle(time.Minute) })
		w.live(func() { w.settle(time.Minute) })
		w.live(func() { w.settle(time.Hour) })
		w.checkAnswered(1)
		if m := w.answers(); len(m) != 1 || m[0].Kind != relay.KindReview {
			t.Errorf("got %q, want a review", m[0].Text)
		}
	})
}
