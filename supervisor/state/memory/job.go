package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"autoreview/supervisor/state"
)

// Enqueue implements state.Store.
func (s *Store) Enqueue(_ context.Context, b state.Batch, now time.Time) (added int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key := s.taken(b); key != "" {
		return 0, fmt.Errorf("enqueueing: the key %q is taken", key)
	}
	for _, it := range b.Items {
		if len(s.packets[packetKey{b.Watch, b.LogID, it.Packet.ID}]) > 0 {
			continue
		}
		j := s.openJob(b, it)
		if j == nil {
			j = &job{Job: state.Job{
				Watch: b.Watch, Channel: b.Channel, LogID: b.LogID, Workdir: b.Workdir, ReplyAs: b.ReplyAs, Group: it.Group,
				Key: it.Key, Generation: 1, State: state.Queued, Due: micro(b.Due),
			}}
			s.add(j, now)
		}
		p := it.Packet
		p.Meta = slices.Clone(p.Meta)
		j.Packets = append(j.Packets, p)
		slices.SortFunc(j.Packets, func(a, b state.Packet) int { return cmp.Compare(a.ID, b.ID) })
		j.bytes += len(p.Text)
		j.Tree = it.Tree // the newest packet decides what is reviewed
		s.own(j, p.ID)
		added++
	}
	s.cursors[place{b.Watch, b.Channel, b.LogID}] = b.Cursor
	return added, nil
}

// taken returns the key of a new packet that another packet's job has, "" for
// none.
func (s *Store) taken(b state.Batch) string {
	for _, it := range b.Items {
		isNew := len(s.packets[packetKey{b.Watch, b.LogID, it.Packet.ID}]) == 0
		if isNew && slices.ContainsFunc(s.jobs, func(j *job) bool { return j.Key == it.Key }) {
			return it.Key
		}
	}
	return ""
}

// openJob returns the job that a packet may join, nil if there is none. A job
// that was ever started is closed: its answer may be on its way.
func (s *Store) openJob(b state.Batch, it state.Item) *job {
	for _, j := range slices.Backward(s.jobs) {
		if j.Watch == b.Watch && j.Channel == b.Channel && j.LogID == b.LogID && j.State == state.Queued && j.Group == it.Group &&
			j.Attempt == 0 && j.Generation == 1 && len(s.runsOf(j.ID)) == 0 &&
			(b.MaxBytes == 0 || j.bytes+len(it.Packet.Text) <= b.MaxBytes) {
			return j
		}
	}
	return nil
}

// Claim implements state.Store.
func (s *Store) Claim(_ context.Context, watches []string, now time.Time) (state.Job, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range watches {
		var first *job
		for _, j := range s.jobs {
			if j.Watch == w && s.claimable(j) && !j.Due.After(now) && (first == nil || j.Due.Before(first.Due)) {
				first = j
			}
		}
		if first != nil {
			first.State, first.updated = state.Running, micro(now)
			first.Attempt++
			return first.load(), true, nil
		}
	}
	return state.Job{}, false, nil
}

// claimable reports whether a job may be started when it is due.
func (s *Store) claimable(j *job) bool {
	if j.State != state.Queued && j.State != state.Waiting {
		return false
	}
	if _, paused := s.paused[j.Watch]; paused {
		return false
	}
	return !slices.ContainsFunc(s.jobs, func(o *job) bool {
		return o.State == state.Running && o.Watch == j.Watch && o.Group == j.Group
	})
}

// Due implements state.Store.
func (s *Store) Due(context.Context) (map[string]time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	due := make(map[string]time.Time)
	for _, j := range s.jobs {
		if !s.claimable(j) {
			continue
		}
		if at, ok := due[j.Watch]; !ok || j.Due.Before(at) {
			due[j.Watch] = j.Due
		}
	}
	return due, nil
}

// Save implements state.Store.
func (s *Store) Save(_ context.Context, j state.Job, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.save(j, now)
}

func (s *Store) save(j state.Job, now time.Time) error {
	kept := s.find(j.ID)
	switch {
	case kept == nil:
		return fmt.Errorf("saving job %d: there is none", j.ID)
	case j.State == state.Answered && j.Answer == nil:
		return fmt.Errorf("saving job %d: it is answered, and has no answer", j.ID)
	}
	kept.save(j, now)
	return nil
}

// Jobs implements state.Store.
func (s *Store) Jobs(_ context.Context, states ...state.JobState) ([]state.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []state.Job
	for _, j := range s.jobs {
		if slices.Contains(states, j.State) {
			out = append(out, j.load())
		}
	}
	return out, nil
}

// Job implements state.Store.
func (s *Store) Job(_ context.Context, id int64) (state.Job, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.find(id)
	if j == nil {
		return state.Job{}, false, nil
	}
	return j.load(), true, nil
}

// Open implements state.Store.
func (s *Store) Open(_ context.Context, watch string) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		if j.Watch == watch && !ended(j.State) {
			n++
		}
	}
	return n, nil
}

// Change implements state.Store.
func (s *Store) Change(_ context.Context, id int64, now time.Time, change func(state.Job) state.Job) (state.Job, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.find(id)
	if j == nil {
		return state.Job{}, false, state.ErrNoJob
	}
	if j.State != state.Queued && j.State != state.Waiting {
		return j.load(), false, nil
	}
	if err := s.save(change(j.load()), now); err != nil {
		return state.Job{}, false, err
	}
	return j.load(), true, nil
}

// Again implements state.Store.
func (s *Store) Again(_ context.Context, id int64, now time.Time, key func(first state.Job, generation int) string) (state.Job, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.find(id)
	if first == nil {
		return state.Job{}, false, state.ErrNoJob
	}
	last, open := s.generations(first)
	if open != nil {
		return open.load(), false, nil
	}
	next := &job{Job: first.load(), bytes: first.bytes}
	next.Generation, next.Key = last+1, key(first.load(), last+1)
	next.State, next.Due, next.Attempt = state.Queued, micro(now), 0
	next.Class, next.Reason, next.Thread, next.Answer, next.Outcome, next.AnswerID = "", "", "", nil, "", 0
	if slices.ContainsFunc(s.jobs, func(j *job) bool { return j.Key == next.Key }) {
		return state.Job{}, false, errors.New("asking again: the key is taken")
	}
	s.add(next, now)
	return next.load(), true, nil
}

// generations looks at the jobs for the packets, or for the occasion, of a job:
// what their last generation is, and which has not ended.
func (s *Store) generations(of *job) (last int, open *job) {
	look := func(j *job) {
		last = max(last, j.Generation)
		if !ended(j.State) && (open == nil || j.ID < open.ID) {
			open = j
		}
	}
	look(of)
	for _, p := range of.Packets {
		for _, j := range s.packets[packetKey{of.Watch, of.LogID, p.ID}] {
			look(j)
		}
	}
	for _, j := range s.jobs {
		if of.Schedule != "" && j.Schedule == of.Schedule && j.Occasion.Equal(of.Occasion) {
			look(j)
		}
	}
	return last, open
}
