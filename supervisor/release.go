package supervisor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

// released is the class of a hold that is over, and that is kept until the
// channel, which was told that it began, is told so.
const released = ""

// anyHold and inTrouble are which holds release ends. That a review went well does
// not take a watch away from its limit.
func anyHold(state.Hold) bool     { return true }
func inTrouble(h state.Hold) bool { return !onlyLimited(h) }

// release ends the hold of a watch, if it has one that is to be ended, and says so
// if it had said that it was on hold, whatever the reason was then.
func (s *Supervisor) release(ctx context.Context, w config.Watch, ends func(state.Hold) bool) error {
	var was state.Hold
	var wasHeld bool
	_, err := s.state.ChangeHold(context.WithoutCancel(ctx), w.Name, func(h state.Hold, held bool) (state.Hold, bool) {
		if was, wasHeld = h, held && h.Class != released && ends(h); !wasHeld {
			return h, held
		}
		h.Class, h.Until, h.Failures = released, time.Time{}, 0
		h.Reason = fmt.Sprintf("%s (%s)", sentence(was.Reason), was.Class)
		was.Reason = h.Reason
		return h, len(h.Told) > 0
	})
	if err != nil || !wasHeld {
		return err
	}
	s.log.Info("watch is going again", "watch", w.Name, "class", was.Class, "after", s.now().Sub(was.Since).Round(time.Second))
	s.wakeDispatcher()
	if len(was.Told) > 0 {
		s.aside.Go(func() { s.tellRelease(ctx, w, was) })
	}
	return nil
}

// tellReleases says what an earlier life had no time to say.
func (s *Supervisor) tellReleases(ctx context.Context) {
	holds, err := s.state.Holds(ctx)
	if err != nil {
		s.log.Warn("could not look for holds that are over", "err", err)
	}
	for _, name := range slices.Sorted(maps.Keys(holds)) {
		h := holds[name]
		if w, ok := s.watchOf(name); ok && h.Class == released {
			s.aside.Go(func() { s.tellRelease(ctx, w, h) })
		}
	}
}

// tellRelease says that a watch is going again, as soon as the relay takes it.
func (s *Supervisor) tellRelease(ctx context.Context, w config.Watch, h state.Hold) {
	text := fmt.Sprintf("Reviews are going again. They had been waiting since %s: %s.", clock(h.Since), h.Reason)
	for attempt := 1; ; attempt++ {
		err := s.postStatus(ctx, w, text, fmt.Sprintf("released/%s/%d", w.Name, h.Since.UnixMicro()))
		if err == nil {
			break
		}
		if attempt == 1 {
			s.log.Warn("could not say that a watch is going again", append([]any{"watch", w.Name}, s.explain(err)...)...)
		}
		if _, refused := refusal(err); refused {
			break
		}
		if !s.pause(ctx, backoff(postFirst, postLimit, attempt)) {
			return // the next life says it
		}
		if holds, err := s.state.Holds(ctx); err == nil && !isReleased(holds[w.Name], h) {
			return // there is new trouble, and it is not going any more
		}
	}
	_, err := s.state.ChangeHold(context.WithoutCancel(ctx), w.Name, func(now state.Hold, held bool) (state.Hold, bool) {
		return now, held && !isReleased(now, h)
	})
	if err != nil {
		s.log.Warn("could not save that a watch is going again", "watch", w.Name, "err", err)
	}
}

// isReleased reports whether a hold is one that is over, and the same as h.
func isReleased(now, h state.Hold) bool { return now.Class == released && now.Since.Equal(h.Since) }
