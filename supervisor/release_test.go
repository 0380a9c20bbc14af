package supervisor_test

import (
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor/state"
)

// Who was told that reviews wait is told that they go on: also when the relay is
// away at that moment, and by the next life when this one has to stop first.
func TestTheEndOfAHoldIsSaidWhenTheRelayIsBack(t *testing.T) {
	for name, restart := range map[string]bool{"in the same life": false, "in the next": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				line := &flaky{Relay: w.log, refuse: func(d relay.Draft) error {
					if strings.Contains(d.Text, "going again") && time.Now().Before(time.Date(2000, 1, 1, 2, 0, 0, 0, time.UTC)) {
						return errCut
					}
					return nil
				}}
				w.relay = line
				w.codex.run = failsUntil(time.Now().Add(time.Hour), codexrun.Auth)
				w.live(func() {
					w.packet("p")
					w.settle(90 * time.Minute)
					w.checkAnswered(1)
					if !restart {
						w.settle(time.Hour)
					}
				})
				if restart {
					w.live(func() { w.settle(time.Hour) })
				}
				if said := w.statuses(); len(said) != 2 || !strings.Contains(said[1], "going again") || !strings.Contains(said[1], "out of order (auth)") {
					t.Errorf("statuses: got %q, want one at the beginning and one at the end", said)
				}
				w.inState(func(s state.Store) {
					if holds, err := s.Holds(t.Context()); err != nil || len(holds) != 0 {
						t.Errorf("holds: got %v, %v; want none left", holds, err)
					}
				})
			})
		})
	}
}

// A watch that is in trouble again before that could be said is in new trouble,
// and nothing says that it is going.
func TestNewTroubleAfterAHoldThatIsOver(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		away := false
		w.relay = &flaky{Relay: w.log, refuse: func(d relay.Draft) error {
			if away && strings.Contains(d.Text, "going again") {
				return errCut
			}
			return nil
		}}
		w.codex.run = inTurn(codexrun.Auth)
		w.live(func() {
			away = true
			w.packet("p")
			w.settle(10 * time.Minute)
			w.codex.run = failsUntil(time.Now().Add(time.Hour), codexrun.Quota)
			w.packet("q")
			w.settle(10 * time.Minute)
			away = false
			w.settle(3 * time.Hour)
		})
		said := strings.Join(w.statuses(), "\n")
		if n := strings.Count(said, "going again"); n != 1 || strings.Count(said, "have to wait") != 2 || !strings.HasSuffix(said, "out of order (quota).") {
			t.Errorf("statuses: got %q", said)
		}
	})
}
