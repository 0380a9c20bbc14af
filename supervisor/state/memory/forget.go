package memory

import (
	"context"
	"slices"
	"time"

	"autoreview/supervisor/state"
)

// Forget implements state.Store.
func (s *Store) Forget(_ context.Context, before time.Time, most int) (gone state.Forgotten, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	type line struct {
		watch, schedule string
		state           state.JobState
	}
	newest := make(map[line]int64)
	for _, j := range s.jobs {
		newest[line{j.Watch, j.Schedule, j.State}] = j.ID
	}
	s.jobs = slices.DeleteFunc(s.jobs, func(j *job) bool {
		running := slices.ContainsFunc(s.runsOf(j.ID), func(r state.Run) bool { return r.Ended.IsZero() })
		if gone.Jobs >= most || !ended(j.State) || !j.updated.Before(before) || newest[line{j.Watch, j.Schedule, j.State}] == j.ID || running {
			return false
		}
		gone.Jobs, gone.Packets = gone.Jobs+1, gone.Packets+len(j.Packets)
		s.disown(j)
		before := len(s.runs)
		s.runs = slices.DeleteFunc(s.runs, func(r *state.Run) bool { return r.Job == j.ID })
		gone.Runs += before - len(s.runs)
		return true
	})
	return gone, nil
}

// disown takes a job's packets away from it.
func (s *Store) disown(j *job) {
	for _, p := range j.Packets {
		k := packetKey{j.Watch, j.LogID, p.ID}
		s.packets[k] = slices.DeleteFunc(s.packets[k], func(o *job) bool { return o == j })
		if len(s.packets[k]) == 0 {
			delete(s.packets, k)
		}
	}
}
