package supervisor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"autoreview/codexrun"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

// gate decides which watches may start a review at one moment: not those that
// are on hold, that have spent what they may, or whose account has nothing left.
type gate struct {
	s     *Supervisor
	plan  *plan
	now   time.Time
	holds map[string]state.Hold
	spent []state.Spend // of the last day, when there are limits
	asked bool          // whether until and why of the account are known
	until time.Time
	why   string
}

func (s *Supervisor) newGate(ctx context.Context, p *plan) (*gate, error) {
	g := &gate{s: s, plan: p, now: s.now()}
	var err error
	if g.holds, err = s.state.Holds(ctx); err != nil {
		return nil, err
	}
	maps.DeleteFunc(g.holds, func(_ string, h state.Hold) bool { return h.Class == released })
	if p.limitsTime() {
		g.spent, err = s.state.Spent(ctx, g.now.Add(-limitDay))
	}
	return g, err
}

// held reports whether a watch is in trouble. One at a limit of our own is not.
func (g *gate) held(watch string) bool {
	h, ok := g.holds[watch]
	return ok && !onlyLimited(h)
}

// opens returns when a job of the watch that is due at a time may be started. A
// watch that has to wait is put on hold.
func (g *gate) opens(ctx context.Context, w config.Watch, due time.Time) (time.Time, error) {
	h, held := g.holds[w.Name]
	asked := due
	// A limit may have been raised since: it is looked at anew each time.
	if held && h.Class != classLimit && h.Until.After(due) {
		due = h.Until
	}
	if due.After(g.now) {
		return due, nil
	}
	if until, why := limitUntil(g.plan.cfg.Limits, w, g.spent, g.now); until.After(g.now) {
		if held && h.Class == classLimit && h.Until.Equal(until) {
			return until, nil
		}
		return until, g.s.hold(ctx, w, trouble{class: classLimit, reason: why, until: until, say: true})
	}
	switch {
	case held && !onlyLimited(h):
		return due, nil // to try whether it works again
	case held && (asked.After(h.Until) || h.Until.After(g.now)):
		// A job did not have to wait, or the limit is another. As long as each has
		// to, nobody wants to hear with each that it does.
		if err := g.s.release(ctx, w, anyHold); err != nil {
			return time.Time{}, err
		}
	}
	until, why := g.account(ctx)
	if until.After(g.now) {
		return until, g.s.hold(ctx, w, trouble{class: string(codexrun.UsageLimit), reason: why, until: until, say: true})
	}
	return due, nil
}

// onlyLimited reports whether a hold is by a limit of our own, and the channel was
// told of no other trouble, which only a review that goes well can end.
func onlyLimited(h state.Hold) bool {
	return h.Class == classLimit && !slices.ContainsFunc(h.Told, func(class string) bool { return class != classLimit })
}

// account asks, once, what Codex has recorded of the account.
func (g *gate) account(ctx context.Context) (until time.Time, why string) {
	if !g.asked {
		g.asked = true
		g.until, g.why = g.s.accountUntil(ctx, g.now)
	}
	return g.until, g.why
}

// classLimit is the class of a hold by a limit of our own.
const classLimit = "limit"

// trouble is why a watch cannot go on as usual.
type trouble struct {
	class, reason string
	until         time.Time
	about         string // the packets that met it first, "" for none
	say           bool   // whether to tell at once, or only when it goes on
}

// failuresToSay is how often a watch has to fail before it says so, when it can
// hope that the next time will be better.
const failuresToSay = 3

// hold puts a watch on hold, or keeps it there, and says so once for each class of
// trouble: two that take turns are no news each time.
func (s *Supervisor) hold(ctx context.Context, w config.Watch, t trouble) error {
	now := s.now()
	h, err := s.state.ChangeHold(context.WithoutCancel(ctx), w.Name, func(h state.Hold, held bool) (state.Hold, bool) {
		if !held || h.Class == released {
			h = state.Hold{Watch: w.Name, Since: now}
		}
		if h.Class != t.class {
			h.Class, h.Failures = t.class, 0
		}
		h.Reason, h.Until = t.reason, t.until
		h.Failures++
		return h, true
	})
	if err != nil {
		return err
	}
	if h.Failures == 1 {
		s.log.Warn("watch is on hold", "watch", w.Name, "class", t.class, "until", t.until.Local().Format(time.TimeOnly), "reason", t.reason)
	}
	if slices.Contains(h.Told, h.Class) || !t.say && h.Failures < failuresToSay {
		return nil
	}
	s.aside.Go(func() {
		if s.status(ctx, w, holdText(h, t.about), fmt.Sprintf("held/%s/%d/%s", w.Name, h.Since.UnixMicro(), h.Class)) {
			s.markSaid(ctx, h)
		}
	})
	return nil
}

func (s *Supervisor) markSaid(ctx context.Context, said state.Hold) {
	_, err := s.state.ChangeHold(context.WithoutCancel(ctx), said.Watch, func(h state.Hold, held bool) (state.Hold, bool) {
		if held && h.Since.Equal(said.Since) && !slices.Contains(h.Told, said.Class) {
			h.Told = append(slices.Clone(h.Told), said.Class)
		}
		return h, held
	})
	if err != nil {
		s.log.Warn("could not save that a hold was told of", "watch", said.Watch, "err", err)
	}
}

// tryNow lets a watch that is on hold try at once whether it works again.
func (s *Supervisor) tryNow(ctx context.Context, watch string) {
	_, err := s.state.ChangeHold(context.WithoutCancel(ctx), watch, func(h state.Hold, held bool) (state.Hold, bool) {
		h.Until = s.now()
		return h, held
	})
	if err != nil {
		s.log.Warn("could not shorten a hold", "watch", watch, "err", err)
	}
}

// holdText says once what a watch waits for.
func holdText(h state.Hold, about string) string {
	if about == "" {
		about = "Reviews"
	} else {
		about = "The review of " + about + ", and every later one,"
	}
	if h.Until.IsZero() {
		return fmt.Sprintf("%s cannot be made: %s (%s). I try again with the next packet, and say when it works again.", about, sentence(h.Reason), h.Class)
	}
	return fmt.Sprintf("%s will have to wait: %s (%s). %sI try again by myself, next at %s, and say when it works again; nothing is lost.",
		about, sentence(h.Reason), h.Class, remedies[codexrun.Class(h.Class)], clock(h.Until))
}

// remedies are what somebody has to do about trouble that does not go away by
// itself. The reason for codexrun.NoCodex says so already.
var remedies = map[codexrun.Class]string{
	codexrun.Auth:               "Log in with `codex login`. ",
	codexrun.Quota:              "Add credit to the account. ",
	codexrun.BadConfig:          "`autoreview doctor` says more. ",
	codexrun.SandboxUnavailable: "`autoreview doctor sandbox` says more. ",
}

func clock(t time.Time) string { return t.Local().Format("15:04 MST") }
