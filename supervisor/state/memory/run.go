package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"autoreview/supervisor/state"
)

// StartRun implements state.Store.
func (s *Store) StartRun(_ context.Context, r state.Run) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.find(r.Job)
	if j == nil {
		return 0, fmt.Errorf("recording a run: there is no job %d", r.Job)
	}
	s.lastRun++
	s.runs = append(s.runs, &state.Run{
		ID: s.lastRun, Job: r.Job, Watch: j.Watch, Attempt: r.Attempt, Codex: r.Codex, Dir: r.Dir, Started: micro(r.Started),
	})
	return s.lastRun, nil
}

// SaveRun implements state.Store.
func (s *Store) SaveRun(_ context.Context, r state.Run) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := slices.BinarySearchFunc(s.runs, r.ID, func(r *state.Run, id int64) int { return cmp.Compare(r.ID, id) })
	if !ok {
		return nil // as an update of no row
	}
	kept := s.runs[i]
	r.Job, r.Watch, r.Attempt, r.Started = kept.Job, kept.Watch, kept.Attempt, kept.Started
	r.Ended, r.Process = micro(r.Ended), slices.Clone(r.Process)
	*kept = r
	return nil
}

func (s *Store) selectRuns(wanted func(state.Run) bool) (out []state.Run) {
	for _, r := range s.runs {
		if wanted(*r) {
			c := *r
			c.Process = slices.Clone(r.Process)
			out = append(out, c)
		}
	}
	return out
}

func (s *Store) runsOf(job int64) []state.Run {
	return s.selectRuns(func(r state.Run) bool { return r.Job == job })
}

// OpenRuns implements state.Store.
func (s *Store) OpenRuns(context.Context) ([]state.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.selectRuns(func(r state.Run) bool { return r.Ended.IsZero() }), nil
}

// Runs implements state.Store.
func (s *Store) Runs(_ context.Context, job int64) ([]state.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runsOf(job), nil
}

// Run implements state.Store.
func (s *Store) Run(_ context.Context, id int64) (state.Run, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	runs := s.selectRuns(func(r state.Run) bool { return r.ID == id })
	if len(runs) == 0 {
		return state.Run{}, false, nil
	}
	return runs[0], true, nil
}

// RecentRuns implements state.Store.
func (s *Store) RecentRuns(_ context.Context, limit int) ([]state.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	runs := s.selectRuns(func(state.Run) bool { return true })
	if n := len(runs) - limit; limit > 0 && n > 0 {
		runs = runs[n:]
	}
	return runs, nil
}

// Spent implements state.Store.
func (s *Store) Spent(_ context.Context, since time.Time) (out []state.Spend, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.selectRuns(func(r state.Run) bool { return r.Started.After(since) }) {
		out = append(out, state.Spend{Watch: r.Watch, Job: r.Job, At: r.Started, Tokens: r.Used.Total()})
	}
	slices.SortStableFunc(out, func(a, b state.Spend) int { return a.At.Compare(b.At) })
	return out, nil
}

// LastStart implements state.Store.
func (s *Store) LastStart(_ context.Context, class string) (last time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.runs {
		if r.Class == class && r.Started.After(last) {
			last = r.Started
		}
	}
	return last, nil
}

// ThreadUsage implements state.Store.
func (s *Store) ThreadUsage(_ context.Context, id string) (state.Usage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range slices.Backward(s.runs) {
		if r.Thread == id && !r.Ended.IsZero() {
			return r.ThreadUsed, nil
		}
	}
	return state.Usage{}, nil
}

// Thread implements state.Store.
func (s *Store) Thread(_ context.Context, watch, seed string) (string, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.threads[watch]
	if !ok || t.seed != seed {
		return "", false, nil
	}
	return t.id, true, nil
}

// SetThread implements state.Store.
func (s *Store) SetThread(_ context.Context, watch, seed, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.threads[watch] = thread{seed, id}
	return nil
}
