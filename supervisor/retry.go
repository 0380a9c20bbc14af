package supervisor

import (
	"cmp"
	"time"

	"autoreview/codexrun"
	"autoreview/supervisor/config"
)

// action is what is done about a failed run.
type action int

const (
	actRetry  action = iota // run again after a while; counts as an attempt
	actFresh                // run again in a fresh Codex thread; counts as an attempt
	actPark                 // wait for the user or for a usage window; does not count
	actGiveUp               // post a notice: there will be no review
	actPost                 // the run did finish: post its answer as a comment
)

// policy is one row of the table of what to do about a class of failure.
type policy struct {
	do action
	// attempts is after how many the watch gives up; 0 is never.
	attempts int
	// The wait before the n-th retry is first*2^(n-1), at most limit.
	first, limit time.Duration
	// shared says that the next review of the watch would fail the same way, so
	// that the whole watch waits.
	shared bool
}

// policies has a row for every class that is not codexrun.Completed. A watch can
// change its own by RetryRules.
var policies = map[codexrun.Class]policy{
	codexrun.RateLimited: {actRetry, 6, 30 * time.Second, 10 * time.Minute, true},
	codexrun.ModelError:  {actRetry, 5, 10 * time.Second, 5 * time.Minute, false},
	codexrun.Network:     {actRetry, 8, 10 * time.Second, 10 * time.Minute, true},
	codexrun.MCPDown:     {actRetry, 8, 2 * time.Second, time.Minute, true},
	codexrun.BadSession:  {actFresh, 4, 2 * time.Second, 30 * time.Second, false},
	codexrun.ContextFull: {actFresh, 3, 0, 0, false},
	codexrun.TimeoutWall: {actRetry, 2, 10 * time.Second, time.Minute, false},
	codexrun.Killed:      {actRetry, 4, 2 * time.Second, time.Minute, false},
	codexrun.Crashed:     {actRetry, 4, 5 * time.Second, time.Minute, false},

	codexrun.TimeoutSilent: {actRetry, 3, 10 * time.Second, time.Minute, false},

	codexrun.UsageLimit:         {actPark, 0, 5 * time.Minute, time.Hour, true},
	codexrun.Auth:               {actPark, 0, time.Minute, 10 * time.Minute, true},
	codexrun.Quota:              {actPark, 0, 5 * time.Minute, 30 * time.Minute, true},
	codexrun.NoCodex:            {actPark, 0, 30 * time.Second, 5 * time.Minute, true},
	codexrun.BadConfig:          {actPark, 0, time.Minute, 10 * time.Minute, true},
	codexrun.SandboxUnavailable: {actPark, 0, time.Minute, 10 * time.Minute, true},

	codexrun.InputTooLarge: {do: actGiveUp},

	// A bad verdict is met here when it was asked for again.
	codexrun.MCPDenied:  {do: actPost},
	codexrun.BadVerdict: {do: actPost},
}

// policyFor is the row for a class, as the watch has changed it. A class without
// a row is treated as a crash.
func policyFor(w config.Watch, class codexrun.Class) policy {
	p, ok := policies[class]
	if !ok {
		p = policies[codexrun.Crashed]
	}
	r, ok := w.Retry[string(class)]
	if !ok {
		return p
	}
	if do, ok := actions[r.Do]; ok {
		p.do = do
	}
	// A row that was made another may lack what that one needs.
	crash := policies[codexrun.Crashed]
	if p.limit == 0 && r.Do != "" {
		p.first, p.limit = crash.first, crash.limit
	}
	switch {
	case p.do == actPark:
		p.attempts, p.shared = 0, true
	case p.attempts == 0:
		p.attempts = crash.attempts
	}
	if r.Attempts > 0 {
		p.attempts = r.Attempts
	}
	p.first, p.limit = cmp.Or(r.First, p.first), cmp.Or(r.Limit, p.limit)
	p.first = min(p.first, cmp.Or(r.Limit, p.first))
	p.limit = max(p.limit, p.first)
	return p
}

// actions are the words of a RetryRule.
var actions = map[string]action{"retry": actRetry, "fresh": actFresh, "park": actPark, "give_up": actGiveUp}

// decision is what decide says about one failure.
type decision struct {
	do action
	at time.Time // when to run again
}

// decide is pure: what to do by a policy after the attempt-th run (from 1)
// failed. parks counts how often in a row the watch was parked before, for the
// wait of the next one. retryAt is when Codex said it makes sense to try again,
// zero if it did not. jitter is in [0, 1) and spreads the waits by up to a fifth.
func decide(p policy, attempt, parks int, retryAt, now time.Time, jitter float64) decision {
	// What is to be posted did not fail, so here there is nothing to post.
	if p.do == actGiveUp || p.do == actPost || p.attempts > 0 && attempt >= p.attempts {
		return decision{do: actGiveUp}
	}
	n := attempt
	if p.do == actPark {
		n = parks + 1
	}
	wait := backoff(p.first, p.limit, n)
	wait += time.Duration(float64(wait) * jitter / 5)
	at := now.Add(wait)
	// A recorded time is a hint. It is kept to when it comes before the longest
	// wait; else it is tried again then, for the hint may be wrong and the user
	// may have bought more.
	if retryAt.After(now) {
		at = earlier(retryAt, now.Add(p.limit))
	}
	return decision{do: p.do, at: at}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// backoff is first*2^(n-1), at most limit.
func backoff(first, limit time.Duration, n int) time.Duration {
	d := first
	for i := 1; i < n && d < limit; i++ {
		d *= 2
	}
	return min(d, limit)
}
