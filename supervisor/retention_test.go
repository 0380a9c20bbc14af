package supervisor_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"autoreview/supervisor"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

// retains gives the world a retention run at 03:00 UTC each day, and returns what
// the supervisor logs.
func (w *world) retains(keepDays int, catchUp bool) *lockedBuffer {
	w.cfg.Schedules = []config.Schedule{{Name: "clean", Task: config.TaskRetention, Cron: "0 3 * * *", Timezone: "UTC", KeepDays: keepDays, CatchUp: catchUp}}
	log := new(lockedBuffer)
	w.said = slog.New(slog.NewTextHandler(log, nil))
	return log
}

func (w *world) checkRetained(log *lockedBuffer, want ...string) {
	w.t.Helper()
	var got []string
	for line := range strings.Lines(log.String()) {
		if _, due, ok := strings.Cut(line, `msg="retention run ended" schedule=clean due=2000-`); ok {
			due, _, _ = strings.Cut(due, ":00.000")
			got = append(got, due)
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		w.t.Errorf("retention runs for %v, want them for %v; log:\n%s", got, want, log)
	}
}

func (w *world) jobs() (n int) {
	w.t.Helper()
	w.inState(func(st state.Store) {
		jobs, err := st.Summaries(w.t.Context(), state.Filter{})
		if err != nil {
			w.t.Fatal(err)
		}
		n = len(jobs)
	})
	return n
}

// A retention run takes away jobs and folders that are old, says so, and starts
// no Codex.
func TestARetentionRun(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		log := w.retains(2, true)
		w.cfg.RunsKeepDays = 1
		w.live(func() {
			for range 3 {
				w.packet("please review")
				w.settle(time.Minute)
			}
		})
		old := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC) // files have the machine's time, not the bubble's
		for _, run := range []string{"1", "2"} {
			dir := filepath.Join(w.dir, "runs", run)
			files, err := filepath.Glob(filepath.Join(dir, "*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range append(files, dir) {
				if err := os.Chtimes(f, old, old); err != nil {
					t.Fatal(err)
				}
			}
		}
		runs := len(w.codex.runs())
		w.lives(func(s *supervisor.Supervisor) {
			w.settle(4 * 24 * time.Hour)
			st, err := s.View().Status(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			got := st.Schedules
			if len(got) != 1 || got[0].Task != "retention" || got[0].Job != 0 || !strings.HasPrefix(got[0].Result, "removed 0 jobs") ||
				!got[0].Last.Equal(time.Date(2000, 1, 4, 3, 0, 0, 0, time.UTC)) || !got[0].Next.Equal(time.Date(2000, 1, 5, 3, 0, 0, 0, time.UTC)) {
				t.Errorf("status of the schedule: got %+v", got)
			}
		})
		w.checkRetained(log, "01-01T03:00", "01-02T03:00", "01-03T03:00", "01-04T03:00")
		if want := "jobs=2 runs=2"; !strings.Contains(log.String(), want) {
			t.Errorf("log: want it to have %q:\n%s", want, log)
		}
		if n := w.jobs(); n != 1 {
			t.Errorf("got %d jobs left, want the newest alone", n)
		}
		left, err := os.ReadDir(filepath.Join(w.dir, "runs"))
		if err != nil || len(left) != 1 || left[0].Name() != "3" {
			t.Errorf("folders of runs: got %v and %v, want run 3 alone", left, err)
		}
		if n := len(w.codex.runs()); n != runs {
			t.Errorf("got %d runs of Codex, want %d as before", n, runs)
		}
		// What is forgotten is not reviewed again.
		w.live(func() { w.settle(time.Hour) })
		w.checkAnswered(1, 3, 5)
	})
}

// Whatever is restarted when, each due time has one retention run.
func TestARetentionRunIsMadeOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		log := w.retains(1, true)
		w.live(func() { w.settle(3*time.Hour - time.Millisecond) })
		for range 5 {
			w.live(func() { w.settle(time.Millisecond) })
		}
		w.settle(50 * time.Hour) // two are missed
		w.live(func() { w.settle(time.Hour) })
		w.checkRetained(log, "01-01T03:00", "01-03T03:00")
	})
}

// A life that ends between the removal and the end of the occasion leaves no
// second run to the next.
func TestARetentionRunThatWasCutOff(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		log := w.retains(1, true)
		w.live(func() { w.settle(time.Hour) })
		w.inState(func(st state.Store) {
			if err := st.SetNote(t.Context(), "retention/clean", `{"due":"2000-01-01T03:00:00Z","jobs":7}`); err != nil {
				t.Fatal(err)
			}
		})
		w.live(func() { w.settle(24 * time.Hour) })
		w.checkRetained(log)
		w.live(func() { w.settle(4 * time.Hour) })
		w.checkRetained(log, "01-02T03:00")
	})
}

func TestAMissedRetentionRun(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		log := w.retains(1, false)
		w.live(func() { w.settle(time.Hour) })
		w.settle(5 * time.Hour)
		w.live(func() { w.settle(24 * time.Hour) })
		w.checkRetained(log, "01-02T03:00")
	})
}

// In Berlin 2000-10-29 03:00 becomes 02:00, and half past two comes twice.
func TestARetentionRunWhereClocksChange(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		time.Sleep(time.Until(time.Date(2000, 10, 28, 0, 0, 0, 0, time.UTC)))
		log := w.retains(1, true)
		w.cfg.Schedules[0].Cron, w.cfg.Schedules[0].Timezone = "30 2 * * *", "Europe/Berlin"
		w.live(func() { w.settle(72 * time.Hour) })
		w.checkRetained(log, "10-28T02:30", "10-29T02:30", "10-30T02:30")
	})
}
