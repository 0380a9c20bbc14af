package supervisor

import (
	"context"
	"fmt"
	"time"

	"autoreview/codexrun"
)

// accounts is a Codex that knows what is recorded of the account.
type accounts interface {
	Windows() (codexrun.Windows, bool)
}

// Windows returns what Codex recorded of the account last, see
// codexrun.ReadWindows.
func (CLI) Windows() (codexrun.Windows, bool) { return codexrun.ReadWindows("") }

// accountUntil says until when the account has nothing left, by what Codex has
// recorded. It is only a hint, so it never holds for longer than a usage limit
// is parked for, nor past the recorded reset; a record that is older than the
// last review that went well says nothing, and neither does one that a review
// has proved wrong.
func (s *Supervisor) accountUntil(ctx context.Context, now time.Time) (until time.Time, why string) {
	w, ok := s.Account()
	if !ok {
		return time.Time{}, ""
	}
	resets := w.FullUntil(now)
	if resets.IsZero() || !resets.After(s.doubted()) {
		return time.Time{}, ""
	}
	went, err := s.lastFinished(ctx)
	if err != nil || w.Recorded.Before(went) {
		return time.Time{}, ""
	}
	s.hintMu.Lock()
	s.hinted = resets
	s.hintMu.Unlock()
	return earlier(resets, now.Add(policies[codexrun.UsageLimit].limit)),
		fmt.Sprintf("by what Codex has recorded, the account has nothing left until %s", clock(resets))
}

// retryAt is when it makes sense to try again after a failure, zero when nobody
// knows: by what Codex said, or else, for a usage limit, by the reset that it has
// recorded. Where both are known the earlier counts.
func (s *Supervisor) retryAt(f failure) time.Time {
	if f.class != codexrun.UsageLimit {
		return f.retryAt
	}
	w, _ := s.Account()
	resets := w.FullUntil(s.now())
	if resets.IsZero() || f.retryAt.After(s.now()) && f.retryAt.Before(resets) {
		return f.retryAt
	}
	return resets
}

// lastFinished returns when the latest run began that came to its end, whatever
// its answer was worth.
func (s *Supervisor) lastFinished(ctx context.Context) (last time.Time, err error) {
	for _, class := range codexrun.Classes() {
		if !class.Finished() {
			continue
		}
		at, err := s.state.LastStart(ctx, string(class))
		if err != nil {
			return time.Time{}, err
		}
		if at.After(last) {
			last = at
		}
	}
	return last, nil
}

// doubtMargin is by how much a recorded reset may move and be the same.
const doubtMargin = 2 * time.Minute

// doubted is up to which reset records are known to be wrong.
func (s *Supervisor) doubted() time.Time {
	s.hintMu.Lock()
	defer s.hintMu.Unlock()
	return s.doubt
}

// wentWell takes note of a review that went well, which proves wrong whatever
// kept it waiting.
func (s *Supervisor) wentWell() {
	s.hintMu.Lock()
	defer s.hintMu.Unlock()
	if !s.hinted.IsZero() {
		s.doubt, s.hinted = s.hinted.Add(doubtMargin), time.Time{}
	}
}
