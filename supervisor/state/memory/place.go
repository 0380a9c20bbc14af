package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"autoreview/supervisor/state"
)

// Cursor implements state.Store.
func (s *Store) Cursor(_ context.Context, watch, channel, logID string) (int64, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok := s.cursors[place{watch, channel, logID}]
	return id, ok, nil
}

// HasCursor implements state.Store.
func (s *Store) HasCursor(_ context.Context, watch, channel string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.cursors {
		if p.watch == watch && p.channel == channel {
			return true, nil
		}
	}
	return false, nil
}

// Cursors implements state.Store.
func (s *Store) Cursors(context.Context) (map[string]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int64)
	for p, id := range s.cursors {
		out[p.watch] = max(out[p.watch], id)
	}
	return out, nil
}

// AnsweredThrough implements state.Store.
func (s *Store) AnsweredThrough(_ context.Context, watch, channel, logID string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	through := s.cursors[place{watch, channel, logID}]
	for _, j := range s.jobs {
		if j.Watch == watch && j.Channel == channel && j.LogID == logID && j.Generation == 1 && !ended(j.State) && len(j.Packets) > 0 {
			through = min(through, j.Packets[0].ID-1)
		}
	}
	return through, nil
}

// Note implements state.Store.
func (s *Store) Note(_ context.Context, name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.notes[name], nil
}

// SetNote implements state.Store.
func (s *Store) SetNote(_ context.Context, name, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes[name] = value
	return nil
}

// Pause implements state.Store.
func (s *Store) Pause(_ context.Context, watch string, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.paused[watch]; !ok {
		s.paused[watch] = now.UTC()
	}
	return nil
}

// Resume implements state.Store.
func (s *Store) Resume(_ context.Context, watch string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.paused, watch)
	return nil
}

// Paused implements state.Store.
func (s *Store) Paused(context.Context) (map[string]time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.paused), nil
}

// Holds implements state.Store.
func (s *Store) Holds(context.Context) (map[string]state.Hold, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.holds), nil
}

// ChangeHold implements state.Store.
func (s *Store) ChangeHold(_ context.Context, watch string, change func(h state.Hold, held bool) (state.Hold, bool)) (state.Hold, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, held := s.holds[watch]
	if !held {
		h = state.Hold{Watch: watch}
	}
	h, keep := change(h, held)
	if !keep {
		delete(s.holds, watch)
		return h, nil
	}
	h.Watch, h.Since, h.Until = watch, micro(h.Since), micro(h.Until)
	s.holds[watch] = h
	return h, nil
}

// Fire implements state.Store.
func (s *Store) Fire(_ context.Context, o state.Occasion, now time.Time) (made bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	due := micro(o.Due)
	if known, ok := s.schedules[o.Schedule]; ok && known.spec == o.Spec && !due.After(known.last) {
		return false, nil
	}
	s.schedules[o.Schedule] = schedule{o.Spec, due}
	if !o.Run {
		return false, nil
	}
	var previous time.Time
	for _, j := range s.jobs {
		if j.Schedule != o.Schedule {
			continue
		}
		if !ended(j.State) || j.Occasion.Equal(due) {
			return false, nil
		}
		if j.Occasion.After(previous) {
			previous = j.Occasion
		}
	}
	s.add(&job{Job: state.Job{
		Watch: o.Watch, Channel: o.Channel, Workdir: o.Workdir, ReplyAs: o.ReplyAs, Group: "schedule/" + o.Schedule, Key: o.Key, Generation: 1,
		State: state.Queued, Due: due, Tree: o.Tree, Schedule: o.Schedule, Occasion: due, Previous: previous,
	}}, now)
	return true, nil
}

// LastOccasion implements state.Store.
func (s *Store) LastOccasion(_ context.Context, name, spec string, now time.Time) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.schedules[name]
	if !ok || known.spec != spec {
		s.schedules[name] = schedule{spec, micro(now)}
		return now, nil
	}
	return known.last, nil
}

// Summaries implements state.Store.
func (s *Store) Summaries(_ context.Context, f state.Filter) (out []state.Summary, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range slices.Backward(s.jobs) {
		if f.Limit > 0 && len(out) == f.Limit {
			break
		}
		if (f.Job == 0 || f.Job == j.ID) && (f.Watch == "" || f.Watch == j.Watch) &&
			(f.Schedule == "" || f.Schedule == j.Schedule) && (len(f.States) == 0 || slices.Contains(f.States, j.State)) {
			out = append(out, j.summary())
		}
	}
	return out, nil
}

// Counts implements state.Store.
func (s *Store) Counts(context.Context) (out []state.Count, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := make(map[state.Count]int)
	for _, j := range s.jobs {
		n[state.Count{Watch: j.Watch, State: j.State, Class: j.Class}]++
	}
	for c, jobs := range n {
		c.Jobs = jobs
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b state.Count) int {
		return cmp.Or(cmp.Compare(a.Watch, b.Watch), cmp.Compare(a.State, b.State), cmp.Compare(a.Class, b.Class))
	})
	return out, nil
}
