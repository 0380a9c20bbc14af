package supervisor

import (
	"context"
	"fmt"
	"time"

	"autoreview/codexrun"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

const limitHour, limitDay = time.Hour, 24 * time.Hour

// window is one limit by time.
type window struct {
	name         string
	span         time.Duration
	runs, tokens int64
}

func windows(l config.Limits) []window {
	return []window{
		{"hour", limitHour, l.RunsPerHour, l.TokensPerHour},
		{"day", limitDay, l.RunsPerDay, l.TokensPerDay},
	}
}

// limitsTime reports whether anything limits what is spent in a time.
func (p *plan) limitsTime() bool {
	byTime := func(l config.Limits) bool {
		return l.RunsPerHour+l.RunsPerDay+l.TokensPerHour+l.TokensPerDay > 0
	}
	for _, w := range p.cfg.Watches {
		if byTime(w.Limits) {
			return true
		}
	}
	return byTime(p.cfg.Limits)
}

// limitUntil is pure: when the watch may start a run, by the limits over all
// watches and by its own, and which limit it is that it waits for. A time that
// is not after now means that it may now. spent is in the order of time.
func limitUntil(all config.Limits, w config.Watch, spent []state.Spend, now time.Time) (until time.Time, why string) {
	check := func(l config.Limits, spent []state.Spend, whose string) {
		for _, win := range windows(l) {
			if at := runsUntil(win, spent, now); at.After(until) {
				until, why = at, fmt.Sprintf("the limit of %d runs per %s%s is reached", win.runs, win.name, whose)
			}
			if at := tokensUntil(win, spent, now); at.After(until) {
				until, why = at, fmt.Sprintf("the limit of %d tokens per %s%s is reached", win.tokens, win.name, whose)
			}
		}
	}
	check(all, spent, " over all watches")
	check(w.Limits, spentBy(w.Name, spent), "")
	return until, why
}

func spentBy(watch string, spent []state.Spend) (own []state.Spend) {
	for _, v := range spent {
		if v.Watch == watch {
			own = append(own, v)
		}
	}
	return own
}

func tokens(spent []state.Spend) (sum int64) {
	for _, v := range spent {
		sum += v.Tokens
	}
	return sum
}

// runsUntil is when fewer runs than the limit are in the window.
func runsUntil(w window, spent []state.Spend, now time.Time) time.Time {
	recent := since(spent, now.Add(-w.span))
	if w.runs == 0 || int64(len(recent)) < w.runs {
		return time.Time{}
	}
	return recent[int64(len(recent))-w.runs].At.Add(w.span)
}

// tokensUntil is when fewer tokens than the limit are in the window.
func tokensUntil(w window, spent []state.Spend, now time.Time) time.Time {
	recent := since(spent, now.Add(-w.span))
	sum := tokens(recent)
	var until time.Time
	for _, v := range recent {
		if w.tokens == 0 || sum < w.tokens {
			break
		}
		sum -= v.Tokens
		until = v.At.Add(w.span)
	}
	return until
}

// since are the last of spent, those after a time.
func since(spent []state.Spend, after time.Time) []state.Spend {
	for i, v := range spent {
		if v.At.After(after) {
			return spent[i:]
		}
	}
	return nil
}

// roundLimit is pure: which limit of one review its runs have reached, "" for
// none. Runs that were parked for something that is not the review's fault, and
// those that a stop of the supervisor cut off, do not count; their tokens do.
func roundLimit(all config.Limits, w config.Watch, runs []state.Run) string {
	var n, tokens int64
	for _, r := range runs {
		tokens += r.Used.Total()
		if policyFor(w, codexrun.Class(r.Class)).do != actPark && !cutOff(r) {
			n++
		}
	}
	for _, l := range []config.Limits{w.Limits, all} {
		switch {
		case l.RunsPerRound > 0 && n >= l.RunsPerRound:
			return fmt.Sprintf("the limit of %d runs for one review is reached", l.RunsPerRound)
		case l.TokensPerRound > 0 && tokens >= l.TokensPerRound:
			return fmt.Sprintf("the limit of %d tokens for one review is reached", l.TokensPerRound)
		}
	}
	return ""
}

// cutOff reports whether a run was ended because the supervisor had no more time.
func cutOff(r state.Run) bool {
	return r.Class == string(codexrun.Killed) && r.Text == errStopping.Error()
}

// roundIsOver says which limit keeps a job from another run, "" for none.
func (s *Supervisor) roundIsOver(ctx context.Context, p *plan, w config.Watch, job int64) string {
	if p.cfg.Limits == (config.Limits{}) && w.Limits == (config.Limits{}) {
		return ""
	}
	runs, err := s.state.Runs(context.WithoutCancel(ctx), job)
	if err != nil {
		s.log.Warn("could not count the runs of a review", "job", job, "err", err)
		return ""
	}
	return roundLimit(p.cfg.Limits, w, runs)
}
