package supervisor

import (
	"time"

	"autoreview/codexrun"
)

// action is what is done about a failed run.
type action int

const (
	actRetry  action = iota // run again after a while; counts as an attempt
	actFresh                // run again in a fresh Codex thread; counts as an attempt
	actPark                 // wait for the user or for a usage window; does not count
	actGiveUp               // post a notice: there will be no review
)

// policy is one row of the table of what to do about a class of failure.
type policy struct {
	do action
	// attempts is after how many the watch gives up; 0 is never.
	attempts int
	// The wait before the n-th retry is first*2^(n-1), at most limit.
	first, limit time.Duration
}

// policies has a row for every class that is not codexrun.Completed.
var policies = map[codexrun.Class]policy{
	codexrun.RateLimited: {actRetry, 6, 30 * time.Second, 10 * time.Minute},
	codexrun.ModelError:  {actRetry, 5, 10 * time.Second, 5 * time.Minute},
	codexrun.Network:     {actRetry, 8, 10 * time.Second, 10 * time.Minute},
	codexrun.MCPDown:     {actRetry, 8, 2 * time.Second, time.Minute},
	codexrun.BadSession:  {actFresh, 4, 2 * time.Second, 30 * time.Second},
	codexrun.ContextFull: {actFresh, 3, 0, 0},
	codexrun.TimeoutWall: {actRetry, 2, 10 * time.Second, time.Minute},
	codexrun.Killed:      {actRetry, 4, 2 * time.Second, time.Minute},
	codexrun.Crashed:     {actRetry, 4, 5 * time.Second, time.Minute},

	codexrun.TimeoutSilent: {actRetry, 3, 10 * time.Second, time.Minute},

	codexrun.UsageLimit:         {actPark, 0, 5 * time.Minute, time.Hour},
	codexrun.Auth:               {actPark, 0, time.Minute, 10 * time.Minute},
	codexrun.Quota:              {actPark, 0, 5 * time.Minute, 30 * time.Minute},
	codexrun.NoCodex:            {actPark, 0, 30 * time.Second, 5 * time.Minute},
	codexrun.BadConfig:          {actPark, 0, time.Minute, 10 * time.Minute},
	codexrun.SandboxUnavailable: {actPark, 0, time.Minute, 10 * time.Minute},

	codexrun.InputTooLarge: {do: actGiveUp},
}

// decision is what policyFor says about one failure.
type decision struct {
	do action
	at time.Time // when to run again
}

// decide is pure: what to do after the attempt-th run (from 1) failed with
// class. parks counts how often the job was parked before, for the wait of the
// next one. retryAt is when Codex said it makes sense to try again, zero if it
// did not. jitter is in [0, 1) and spreads the waits by up to a fifth.
func decide(class codexrun.Class, attempt, parks int, retryAt, now time.Time, jitter float64) decision {
	p, ok := policies[class]
	if !ok {
		p = policies[codexrun.Crashed]
	}
	if p.do == actGiveUp || p.attempts > 0 && attempt >= p.attempts {
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
