package supervisor_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/supervisor"
)

// runs_keep_mb holds without waiting for the daily look, however many runs there
// are in a day.
func TestManyRunsAreForgottenByTheirSize(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const large, runs = 64 << 10, 101
		w.cfg.RunsKeepMB = 1
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			if err := os.WriteFile(filepath.Join(spec.RunDir, "events.jsonl"), make([]byte, large), 0o600); err != nil {
				t.Error(err)
			}
			return says(approval)(ctx, n, spec)
		}
		w.lives(func(*supervisor.Supervisor) {
			for range runs {
				w.packet("p")
				w.settle(time.Second)
			}
		})
		kept, err := filepath.Glob(filepath.Join(w.dir, "runs", "*", "events.jsonl"))
		if most := (1<<20)/large + 1; err != nil || len(w.codex.runs()) != runs || len(kept) > most || len(kept) < most/2 {
			t.Errorf("after %d runs the folders of %d are left (%v), want about %d", len(w.codex.runs()), len(kept), err, most)
		}
	})
}
