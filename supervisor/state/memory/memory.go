// Package memory is a state.Store that keeps everything in memory. It passes the
// same suite as the durable one and is for tests and simulation: what it holds is
// gone with the process.
package memory

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"autoreview/supervisor/state"
)

var _ state.Store = (*Store)(nil)

// Store is an in-memory state. Make one with New; it is safe for concurrent use.
type Store struct {
	mu sync.Mutex
	// guarded by mu
	jobs      []*job       // in the order of their ids
	runs      []*state.Run // as with jobs
	lastJob   int64        // the highest id that was given
	lastRun   int64
	cursors   map[place]int64
	threads   map[string]thread    // :: watch → its thread
	notes     map[string]string    // :: name → value
	paused    map[string]time.Time // :: watch → since when
	holds     map[string]state.Hold
	schedules map[string]schedule // :: name → its last due time
	// packets are the jobs of each packet, one per generation.
	packets map[packetKey][]*job
}

type job struct {
	state.Job
	bytes   int
	updated time.Time
}

type place struct{ watch, channel, logID string }

type packetKey struct {
	watch, logID string
	id           int64
}

type thread struct{ seed, id string }

type schedule struct {
	spec string
	last time.Time
}

// New returns an empty state.
func New() *Store {
	return &Store{
		cursors: make(map[place]int64), threads: make(map[string]thread), notes: make(map[string]string),
		paused: make(map[string]time.Time), holds: make(map[string]state.Hold), schedules: make(map[string]schedule),
		packets: make(map[packetKey][]*job),
	}
}

func ended(s state.JobState) bool { return s == state.Done || s == state.Failed }

// add gives a job its id and keeps it with its packets.
func (s *Store) add(j *job, now time.Time) {
	s.jobs = append(s.jobs, j)
	s.lastJob++
	j.ID, j.Created, j.updated = s.lastJob, micro(now), micro(now)
	for _, p := range j.Packets {
		s.own(j, p.ID)
	}
}

func (s *Store) own(j *job, packet int64) {
	k := packetKey{j.Watch, j.LogID, packet}
	s.packets[k] = append(s.packets[k], j)
}

// find returns the job of an id, nil for none.
func (s *Store) find(id int64) *job {
	i, ok := slices.BinarySearchFunc(s.jobs, id, func(j *job, id int64) int { return cmp.Compare(j.ID, id) })
	if !ok {
		return nil
	}
	return s.jobs[i]
}

// load returns a copy that the caller may change.
func (j *job) load() state.Job {
	out := j.Job
	out.Packets = slices.Clone(j.Packets)
	for i := range out.Packets {
		out.Packets[i].Meta = slices.Clone(out.Packets[i].Meta)
	}
	if j.Answer != nil {
		d := *j.Answer
		d.Meta = slices.Clone(d.Meta)
		out.Answer = &d
	}
	return out
}

// save takes over what the owner of a job may change.
func (j *job) save(from state.Job, now time.Time) {
	tmp := job{Job: from}
	from = tmp.load()
	j.State, j.Attempt, j.Due, j.Class, j.Reason = from.State, from.Attempt, micro(from.Due), from.Class, from.Reason
	j.Thread, j.Answer, j.Outcome, j.AnswerID = from.Thread, from.Answer, from.Outcome, from.AnswerID
	j.updated = micro(now)
}

// micro is a time as a file would keep it.
func micro(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}
