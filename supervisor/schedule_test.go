package supervisor_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
)

// scheduled gives the world a schedule. The bubble's clock begins at midnight
// UTC of 2000-01-01.
func (w *world) scheduled(cron, zone string, catchUp bool) {
	w.cfg.Schedules = []config.Schedule{{Name: "nightly", Cron: cron, Timezone: zone, Watch: "main", CatchUp: catchUp}}
}

// fired are the times at which runs for the schedule began.
func (w *world) firing() *[]string {
	var times []string
	run := w.codex.run
	w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
		times = append(times, time.Now().UTC().Format("01-02T15:04"))
		return run(ctx, n, spec)
	}
	return &times
}

func (w *world) checkFired(times *[]string, want ...string) {
	w.t.Helper()
	if !slices.Equal(*times, want) {
		w.t.Errorf("fired at %v, want %v", *times, want)
	}
}

func TestAScheduleFiresAtItsTimes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.scheduled("30 2 * * *", "UTC", true)
		times := w.firing()
		w.live(func() {
			w.settle(time.Hour)
			w.packet("an earlier packet")
			w.settle(48 * time.Hour)
		})
		w.checkFired(times, "01-01T01:00", "01-01T02:30", "01-02T02:30")
		m := w.answers()[1]
		if m.Kind != relay.KindReview || m.ReplyTo != 0 || !strings.HasPrefix(m.Text, `**Scheduled review "nightly": approve**`) || len(metaOf(t, m).Packets) != 0 {
			t.Errorf("answer: got kind %q, reply_to %d, meta %s, text %q", m.Kind, m.ReplyTo, m.Meta, m.Text)
		}
		first, second := w.codex.runs()[1].Prompt, w.codex.runs()[2].Prompt
		if !strings.Contains(first, "an earlier packet") || !strings.Contains(first, "in the last day") {
			t.Errorf("the first prompt lacks the day's messages:\n%s", first)
		}
		if strings.Contains(second, "an earlier packet") || !strings.Contains(second, "since 2000-01-01 02:30:00 UTC") {
			t.Errorf("the second prompt is not about what came since:\n%s", second)
		}
		// What answers no packet does not make it look as if all were answered.
		w.checkAnswered(1)
	})
}

// Whatever is restarted when, each due time fires once.
// A schedule by elapsed time is due when it will fire, and not that long after
// whoever asks.
func TestTheNextTimeIsWhenItFires(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.scheduled("@every 2h", "UTC", true)
		times := w.firing()
		w.lives(func(s *supervisor.Supervisor) {
			for _, want := range []string{"02:00", "02:00", "02:00", "04:00"} {
				w.settle(35 * time.Minute)
				st, err := s.View().Status(t.Context(), 0)
				if err != nil || len(st.Schedules) != 1 {
					t.Fatalf("Status: got %+v, %v", st.Schedules, err)
				}
				if got := st.Schedules[0].Next.Format("15:04"); got != want {
					t.Errorf("next at %s: got %s, want %s", st.Time.UTC().Format("15:04"), got, want)
				}
			}
		})
		w.checkFired(times, "01-01T02:00")
	})
}

func TestAScheduleFiresOnceOverRestarts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.scheduled("0 3 * * *", "UTC", true)
		times := w.firing()
		w.live(func() { w.settle(3*time.Hour - time.Millisecond) })
		for range 5 {
			w.live(func() { w.settle(time.Millisecond) })
		}
		w.live(func() { w.settle(10 * time.Hour) })
		w.checkFired(times, "01-01T03:00")
		if n := len(w.answers()); n != 1 {
			t.Errorf("got %d answers, want one", n)
		}
	})
}

func TestAMissedTime(t *testing.T) {
	for catchUp, want := range map[bool][]string{true: {"01-04T09:00", "01-05T03:00"}, false: {"01-05T03:00"}} {
		t.Run(fmt.Sprint("catch up ", catchUp), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.scheduled("0 3 * * *", "UTC", catchUp)
				times := w.firing()
				w.live(func() { w.settle(time.Hour) })
				w.settle(3*24*time.Hour + 8*time.Hour) // nobody is there
				w.live(func() { w.settle(24 * time.Hour) })
				w.checkFired(times, want...)
			})
		})
	}
}

// A review that takes longer than the schedule's interval does not pile up more.
func TestASchedulesReviewsDoNotOverlap(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.scheduled("0 * * * *", "UTC", true)
		w.codex.run = takes(150 * time.Minute)
		times := w.firing()
		w.live(func() { w.settle(9 * time.Hour) })
		w.checkFired(times, "01-01T01:00", "01-01T04:00", "01-01T07:00")
	})
}

// In Berlin 2000-03-26 02:00 becomes 03:00, and 2000-10-29 03:00 becomes 02:00.
func TestASchedulesDayWhereClocksChange(t *testing.T) {
	for from, want := range map[string][]string{
		"2000-03-25": {"03-25T01:30", "03-26T01:00", "03-27T00:30"},
		"2000-10-28": {"10-28T00:30", "10-29T00:30", "10-30T01:30"},
	} {
		t.Run(from, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				start, err := time.Parse(time.DateOnly, from)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Until(start))
				w.scheduled("30 2 * * *", "Europe/Berlin", true)
				times := w.firing()
				for range 3 {
					w.live(func() { w.settle(24 * time.Hour) })
				}
				w.checkFired(times, want...)
			})
		})
	}
}

// A changed schedule begins anew: what its old times missed is not made good.
func TestAChangedScheduleBeginsAnew(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.scheduled("0 3 * * *", "UTC", true)
		times := w.firing()
		w.live(func() { w.settle(time.Hour) })
		w.settle(5 * time.Hour)
		w.scheduled("0 12 * * *", "UTC", true)
		w.live(func() { w.settle(24 * time.Hour) })
		w.checkFired(times, "01-01T12:00")
	})
}

// A scheduled review that comes to nothing ends in a notice, and the next time
// comes all the same.
func TestAScheduledReviewThatFails(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.scheduled("0 3 * * *", "UTC", true)
		w.codex.run = failsUntil(time.Now().Add(12*time.Hour), codexrun.Crashed)
		w.live(func() { w.settle(30 * time.Hour) })
		m := w.answers()
		if len(m) != 2 || m[0].Kind != relay.KindStatus || !metaOf(t, m[0]).Terminal || !strings.Contains(m[0].Text, `schedule "nightly"`) || m[1].Kind != relay.KindReview {
			t.Fatalf("got %d messages, the first %+v", len(m), m)
		}
	})
}

// A person can have it made again, and it is still the same occasion.
func TestAScheduledReviewByHand(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.scheduled("0 3 * * *", "UTC", true)
		times := w.firing()
		w.lives(func(s *supervisor.Supervisor) {
			w.settle(4 * time.Hour)
			if _, err := s.Retry(t.Context(), 1); err != nil {
				t.Error(err)
			}
			w.settle(4 * time.Hour)
		})
		w.checkFired(times, "01-01T03:00", "01-01T04:00")
	})
}
