package supervisor

import (
	"context"
	"fmt"
	"time"

	"autoreview/relay"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
)

// View reads how things stand: of a supervisor that runs, or of the state that
// one has left. It writes nothing and is safe for concurrent use.
type View struct {
	cfg   config.Config
	state state.Store
	live  *live // nil when the supervisor is not in this process
	apart bool  // one runs in another process
	now   func() time.Time
}

// Look returns the View of a state that no supervisor has or, with running, of
// one that a supervisor has which cannot be asked.
func Look(cfg config.Config, st state.Store, running bool) *View {
	return &View{cfg: cfg, state: st, apart: running, now: time.Now}
}

func (v *View) running() bool { return v.live != nil || v.apart }

// View returns the View of a running supervisor.
func (s *Supervisor) View() *View {
	return &View{cfg: s.plan.Load().cfg, state: s.state, live: s.live, now: s.now}
}

// Status is how everything stands.
type Status struct {
	// Running says whether a supervisor runs. Without one, Jobs are what the last
	// one left.
	Running bool `json:"running"`
	// PID, Version and Started are the supervisor's.
	PID     int       `json:"pid,omitempty"`
	Version string    `json:"version,omitempty"`
	Started time.Time `json:"started,omitzero"`
	// Config is the configuration's file, "" when there is none.
	Config string    `json:"config,omitempty"`
	Relay  string    `json:"relay"`
	Time   time.Time `json:"time"` // when this was true
	// ReloadRefused is when and why the configuration was not taken the last time
	// that it was read again: what was there before goes on. nil when it was taken.
	ReloadRefused *Trouble      `json:"reload_refused,omitempty"`
	Watches       []WatchStatus `json:"watches"`
	// Schedules are in the order of the configuration.
	Schedules []ScheduleStatus `json:"schedules,omitempty"`
	// Jobs are the newest first: all that have not ended, and some that have.
	Jobs []JobStatus `json:"jobs"`
}

// WatchState is what a watch is doing.
type WatchState string

// The closed set of what a watch may be doing.
const (
	WatchStopped     WatchState = "stopped"     // no supervisor runs
	WatchUnknown     WatchState = "unknown"     // one runs that cannot be asked
	WatchStarting    WatchState = "starting"    // it has not reached the relay yet
	WatchWatching    WatchState = "watching"    // it hears of every packet
	WatchUnreachable WatchState = "unreachable" // it cannot read the channel
)

// WatchStatus is how a watch stands.
type WatchStatus struct {
	Name    string     `json:"watch"`
	Channel string     `json:"channel"`
	State   WatchState `json:"state"`
	// Since is when the state began, Reason why the channel cannot be read.
	Since  time.Time `json:"since,omitzero"`
	Reason string    `json:"reason,omitempty"`
	// Paused is since when a person keeps it from starting reviews.
	Paused time.Time `json:"paused,omitzero"`
	// Held is why it starts none by itself.
	Held *Held `json:"held,omitempty"`
	// ReadThrough is the id up to which the channel was read.
	ReadThrough int64 `json:"read_through"`
	Queued      int   `json:"queued"`
	Waiting     int   `json:"waiting"`
	Running     int   `json:"running"`
	Done        int   `json:"done"`
	Failed      int   `json:"failed"`
}

// Held is why a watch starts no reviews for now.
type Held struct {
	Class  string    `json:"class"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
}

// Status reads how everything stands, with at most ended of the jobs that have
// ended.
func (v *View) Status(ctx context.Context, ended int) (Status, error) {
	sit, err := v.situation(ctx)
	if err != nil {
		return Status{}, err
	}
	st := Status{
		Running: v.running(), Config: v.cfg.Path, Relay: v.cfg.Relay, Time: sit.now,
		Watches: []WatchStatus{}, Jobs: []JobStatus{},
	}
	if v.live != nil {
		st.ReloadRefused = v.live.refusedReload()
	}
	jobs, err := v.jobs(ctx, ended)
	if err != nil {
		return Status{}, err
	}
	for _, j := range jobs {
		st.Jobs = append(st.Jobs, v.describe(sit, j))
	}
	counts, err := v.state.Counts(ctx)
	if err != nil {
		return Status{}, err
	}
	cursors, err := v.state.Cursors(ctx)
	if err != nil {
		return Status{}, err
	}
	for _, w := range v.cfg.Watches {
		s := v.watch(sit, w)
		s.ReadThrough = cursors[w.Name]
		s.count(st.Jobs, counts)
		st.Watches = append(st.Watches, s)
	}
	st.Schedules, err = v.schedules(ctx, sit)
	return st, err
}

// jobs returns all that have not ended and the newest that have.
func (v *View) jobs(ctx context.Context, ended int) ([]state.Summary, error) {
	jobs, err := v.state.Summaries(ctx, state.Filter{States: []state.JobState{state.Queued, state.Waiting, state.Running, state.Answered}})
	if err != nil || ended <= 0 {
		return jobs, err
	}
	more, err := v.state.Summaries(ctx, state.Filter{States: []state.JobState{state.Done, state.Failed}, Limit: ended})
	return append(jobs, more...), err
}

// watch is how a watch stands, but for its jobs.
func (v *View) watch(sit situation, w config.Watch) WatchStatus {
	s := WatchStatus{Name: w.Name, Channel: w.Channel, State: WatchStopped, Paused: sit.paused[w.Name]}
	if h, ok := sit.holds[w.Name]; ok && h.Until.After(sit.now) {
		s.Held = &Held{Class: h.Class, Reason: h.Reason, Since: h.Since, Until: h.Until}
	}
	if v.apart {
		s.State = WatchUnknown
	}
	if v.live == nil {
		return s
	}
	since, t := v.live.watch(w.Name)
	switch {
	case !t.Since.IsZero():
		s.State, s.Since, s.Reason = WatchUnreachable, t.Since, t.Reason
	case !since.IsZero():
		s.State, s.Since = WatchWatching, since
	default:
		s.State = WatchStarting
	}
	return s
}

// count counts open jobs as they are described, and the others as they are in
// the state.
func (s *WatchStatus) count(jobs []JobStatus, counts []state.Count) {
	for _, j := range jobs {
		if j.Watch != s.Name {
			continue
		}
		switch j.State {
		case JobQueued:
			s.Queued++
		case JobWaiting:
			s.Waiting++
		case JobRunning:
			s.Running++
		}
	}
	for _, c := range counts {
		switch {
		case c.Watch != s.Name:
		case c.State == state.Done:
			s.Done += c.Jobs
		case c.State == state.Failed:
			s.Failed += c.Jobs
		}
	}
}

// JobDetail is everything about a job.
type JobDetail struct {
	JobStatus
	Packets []state.Packet `json:"packet_texts"`
	// Answer is the message that answers it, once it is known.
	Answer *relay.Draft `json:"answer,omitempty"`
	Runs   []RunStatus  `json:"runs"`
}

// Job reads everything about a job. The error is a *Refusal when there is none.
func (v *View) Job(ctx context.Context, id int64) (JobDetail, error) {
	st, err := v.job(ctx, id)
	if err != nil {
		return JobDetail{}, err
	}
	j, ok, err := v.state.Job(ctx, id)
	if err != nil || !ok {
		return JobDetail{}, asked(orNoJob(err), id)
	}
	runs, err := v.state.Runs(ctx, id)
	if err != nil {
		return JobDetail{}, err
	}
	d := JobDetail{JobStatus: st, Packets: j.Packets, Answer: j.Answer, Runs: []RunStatus{}}
	for _, r := range runs {
		d.Runs = append(d.Runs, runStatus(r))
	}
	return d, nil
}

func orNoJob(err error) error {
	if err == nil {
		return state.ErrNoJob
	}
	return err
}

// job reads how one job stands.
func (v *View) job(ctx context.Context, id int64) (JobStatus, error) {
	sit, err := v.situation(ctx)
	if err != nil {
		return JobStatus{}, err
	}
	jobs, err := v.state.Summaries(ctx, state.Filter{Job: id})
	if err != nil {
		return JobStatus{}, err
	}
	if len(jobs) == 0 {
		return JobStatus{}, unknown("there is no job %d", id)
	}
	return v.describe(sit, jobs[0]), nil
}

// RunStatus is one run of Codex.
type RunStatus struct {
	Run     int64  `json:"run"`
	Job     int64  `json:"job"`
	Watch   string `json:"watch"`
	Attempt int    `json:"attempt"`
	Codex   string `json:"codex,omitempty"`
	Thread  string `json:"thread,omitempty"`
	// Class is how it ended, "" while it runs.
	Class   string    `json:"class"`
	Text    string    `json:"text,omitempty"`
	Exit    int       `json:"exit"`
	Tokens  int64     `json:"tokens"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Dir is the run's folder, which may have been removed since.
	Dir string `json:"dir"`
}

func runStatus(r state.Run) RunStatus {
	return RunStatus{
		Run: r.ID, Job: r.Job, Watch: r.Watch, Attempt: r.Attempt, Codex: r.Codex, Thread: r.Thread, Class: r.Class, Text: r.Text,
		Exit: r.Exit, Tokens: r.Used.Total(), Started: r.Started, Ended: r.Ended, Dir: r.Dir,
	}
}

// Runs reads the newest runs of all jobs, oldest first; limit 0 is all.
func (v *View) Runs(ctx context.Context, limit int) ([]RunStatus, error) {
	runs, err := v.state.RecentRuns(ctx, limit)
	if err != nil {
		return nil, err
	}
	out := []RunStatus{}
	for _, r := range runs {
		out = append(out, runStatus(r))
	}
	return out, nil
}

// Latest returns the job that runs, or else the newest; ok is false when there
// has never been one.
func (v *View) Latest(ctx context.Context) (id int64, ok bool, err error) {
	for _, f := range []state.Filter{{States: []state.JobState{state.Running, state.Answered}, Limit: 1}, {Limit: 1}} {
		jobs, err := v.state.Summaries(ctx, f)
		if err != nil {
			return 0, false, fmt.Errorf("looking for the latest job: %w", err)
		}
		if len(jobs) > 0 {
			return jobs[0].ID, true, nil
		}
	}
	return 0, false, nil
}
