package supervisor

import (
	"context"
	"time"

	"autoreview/codexrun"
	"autoreview/supervisor/state"
)

// JobState is how a job stands, for a person.
type JobState string

// The closed set of how a job may stand.
const (
	JobQueued  JobState = "queued"  // it starts as soon as there is room
	JobWaiting JobState = "waiting" // for Until, because of Reason
	JobRunning JobState = "running" // see Phase
	JobFailed  JobState = "failed"  // a notice says that there is no review
	JobDone    JobState = "done"    // the review is in the channel
)

// JobStatus is how a job stands.
type JobStatus struct {
	ID      int64   `json:"job"`
	Watch   string  `json:"watch"`
	Channel string  `json:"channel"`
	Packets []int64 `json:"packets"`
	// Schedule is what asked for the job when no packet did.
	Schedule string `json:"schedule,omitempty"`
	// Generation is 1, and one more each time a person asked again.
	Generation int       `json:"generation"`
	Attempt    int       `json:"attempt"`
	State      JobState  `json:"state"`
	Created    time.Time `json:"created"`
	Updated    time.Time `json:"updated"`

	// Reason is what a queued or waiting job waits for, why a failed one failed
	// and what was not as it should be with the runs of one that is done; Class
	// is the class of that.
	Reason string `json:"reason,omitempty"`
	Class  string `json:"class,omitempty"`
	// Until is when a waiting job is tried; zero when that is a person's to say.
	Until time.Time `json:"until,omitzero"`

	// The phase of a running job, see Progress.
	Phase     Phase     `json:"phase,omitempty"`
	Doing     string    `json:"doing,omitempty"`
	Run       int64     `json:"run,omitempty"`
	Since     time.Time `json:"since,omitzero"`
	LastEvent time.Time `json:"last_event,omitzero"`

	Verdict  string `json:"verdict,omitempty"`
	AnswerID int64  `json:"answer_id,omitempty"`
	Thread   string `json:"thread,omitempty"`
}

// situation is what decides how jobs stand besides the jobs themselves.
type situation struct {
	now    time.Time
	paused map[string]time.Time  // :: watch → since when
	holds  map[string]state.Hold // :: watch → why it starts nothing
	known  map[string]bool       // :: watch → it is in the configuration
}

func (v *View) situation(ctx context.Context) (situation, error) {
	sit := situation{now: v.now(), known: make(map[string]bool)}
	var err error
	if sit.paused, err = v.state.Paused(ctx); err != nil {
		return sit, err
	}
	if sit.holds, err = v.state.Holds(ctx); err != nil {
		return sit, err
	}
	for _, w := range v.cfg.Watches {
		sit.known[w.Name] = true
	}
	return sit, nil
}

// describe says how a job stands.
func (v *View) describe(sit situation, j state.Summary) JobStatus {
	s := JobStatus{
		ID: j.ID, Watch: j.Watch, Channel: j.Channel, Packets: j.PacketIDs(), Schedule: j.Schedule,
		Generation: j.Generation, Attempt: j.Attempt, Created: j.Created, Updated: j.Updated, Thread: j.Thread,
	}
	switch j.State {
	case state.Done:
		s.State, s.Verdict, s.AnswerID = JobDone, j.Verdict, j.AnswerID
		// Of what was tried before, a job that is done says nothing.
		if codexrun.Class(j.Class).Finished() {
			s.Class, s.Reason = j.Class, j.Reason
		}
	case state.Failed:
		s.State, s.Class, s.Reason, s.AnswerID = JobFailed, j.Class, j.Reason, j.AnswerID
	case state.Running, state.Answered:
		v.taken(&s, j)
	default:
		sit.waiting(&s, j)
		if !v.running() && s.State == JobQueued && s.Reason == "" {
			s.Reason = "no supervisor runs"
		}
	}
	return s
}

// taken describes a job that has a worker, or had one when its supervisor died.
func (v *View) taken(s *JobStatus, j state.Summary) {
	answered := j.State == state.Answered
	if !v.running() {
		s.State, s.Reason = JobQueued, "its supervisor ended; the next one makes it again"
		if answered {
			s.Reason = "its answer is saved; the next supervisor posts it"
		}
		return
	}
	s.State, s.Phase, s.Since = JobRunning, PhaseStarting, j.Updated
	if answered {
		s.Phase = PhasePosting
	}
	if v.apart {
		s.Phase = "" // nobody can say
		return
	}
	if p, ok := v.live.progress(j.ID); ok {
		s.Phase, s.Doing, s.Run, s.Since, s.LastEvent = p.Phase, p.Doing, p.Run, p.Since, p.LastEvent
	}
}

// waiting describes a job that nobody has.
func (sit situation) waiting(s *JobStatus, j state.Summary) {
	hold, held := sit.holds[j.Watch]
	paused, isPaused := sit.paused[j.Watch]
	switch {
	case !sit.known[j.Watch]:
		s.State, s.Reason = JobWaiting, "its watch is not in the configuration"
	case isPaused:
		s.State, s.Reason = JobWaiting, "its watch is paused since "+paused.Local().Format(time.DateTime)
	case held && hold.Until.After(sit.now) && hold.Until.After(j.Due):
		s.State, s.Until, s.Class, s.Reason = JobWaiting, hold.Until, hold.Class, hold.Reason
	case j.Due.After(sit.now):
		s.State, s.Until, s.Class, s.Reason = JobWaiting, j.Due, j.Class, j.Reason
		if j.Reason == "" {
			s.Reason = "more packets may come for the same review"
		}
	default:
		s.State = JobQueued
	}
}
