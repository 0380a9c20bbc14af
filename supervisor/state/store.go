package state

import (
	"context"
	"errors"
	"time"
)

// Store keeps the state. It is safe for concurrent use; each method is one
// transaction, and what it wrote is durable when it returns without an error.
// Package state/sqlite has the one for life, state/memory one for tests;
// state/statetest holds both to this contract.
type Store interface {
	Jobs
	Asks
	Runs
	Places
	Holds
	Schedules
	History
}

// Jobs are the reviews that are owed.
type Jobs interface {
	// Enqueue inserts the jobs that a batch asks for and moves the cursor. A packet
	// that has a job already gets no second one. A packet joins the newest job of
	// its group that nobody has started, where there is room. It returns how many
	// packets were new.
	Enqueue(ctx context.Context, b Batch, now time.Time) (added int, err error)
	// Claim marks a job as running, counts an attempt, and returns it: the one that
	// has been due for the longest, of the first watch that has one. A job waits
	// while its watch is paused or another job of its group runs. ok is false when
	// there is none.
	Claim(ctx context.Context, watches []string, now time.Time) (j Job, ok bool, err error)
	// Due returns, for each watch that has a queued or waiting job which Claim might
	// return, when the first of them is due.
	Due(ctx context.Context) (map[string]time.Time, error)
	// Save writes everything of a job that its owner may change: state, attempt,
	// due, class, reason, thread, answer, outcome and answer id.
	Save(ctx context.Context, j Job, now time.Time) error
	// Jobs returns the jobs in the given states, oldest first.
	Jobs(ctx context.Context, states ...JobState) ([]Job, error)
	// Job returns one job with everything; ok is false when there is none.
	Job(ctx context.Context, id int64) (j Job, ok bool, err error)
	// Open counts the jobs of a watch that have not ended.
	Open(ctx context.Context, watch string) (int, error)
}

// Asks are what a person may ask of a job. Nobody but its worker writes to a
// running job, and nobody but the one who posts to an answered one; so it is done
// here only while the job is nobody's.
type Asks interface {
	// Change saves a queued or waiting job as change returns it. ok is false when
	// the job is in another state; j is the job as it stands. The error is ErrNoJob
	// when there is none.
	Change(ctx context.Context, id int64, now time.Time, change func(Job) Job) (j Job, ok bool, err error)
	// Again inserts a job of the next generation for what one that has ended was
	// about, with the key that key makes for it. ok is false when the job has not
	// ended or something of it has another job that has not; j is that job, or else
	// the new one. The error is ErrNoJob when there is none.
	Again(ctx context.Context, id int64, now time.Time, key func(first Job, generation int) string) (j Job, ok bool, err error)
	// Pause keeps the jobs of a watch from being claimed until Resume. A watch that
	// is paused stays so since when it was.
	Pause(ctx context.Context, watch string, now time.Time) error
	// Resume ends Pause. A watch that is not paused stays as it is.
	Resume(ctx context.Context, watch string) error
	// Paused returns since when which watches are paused.
	Paused(ctx context.Context) (map[string]time.Time, error)
}

// Runs are the codex processes, and the threads they talk in.
type Runs interface {
	// StartRun records that a run is about to start and returns its id.
	StartRun(ctx context.Context, r Run) (int64, error)
	// SaveRun writes everything of a run but its job, attempt and start.
	SaveRun(ctx context.Context, r Run) error
	// OpenRuns returns the runs that were never ended: those of an earlier life when
	// called at start.
	OpenRuns(ctx context.Context) ([]Run, error)
	// Runs returns the runs of a job, oldest first.
	Runs(ctx context.Context, job int64) ([]Run, error)
	// Run returns one run; ok is false when there is none.
	Run(ctx context.Context, id int64) (r Run, ok bool, err error)
	// RecentRuns returns the newest runs of all jobs, oldest first; limit 0 is all.
	RecentRuns(ctx context.Context, limit int) ([]Run, error)
	// Spent returns what the runs cost that were started after since, oldest first.
	// What a run costs is known when it has ended.
	Spent(ctx context.Context, since time.Time) ([]Spend, error)
	// LastStart returns when the latest run began that ended with the class, zero
	// when none has.
	LastStart(ctx context.Context, class string) (time.Time, error)
	// ThreadUsage returns the last known count of a thread, zero for an unknown one.
	ThreadUsage(ctx context.Context, thread string) (Usage, error)
	// Thread returns the thread that a watch continues, "" when its next run is to
	// start a fresh one. seed is the watch's session setting: ok is false when no
	// thread was ever kept for that setting.
	Thread(ctx context.Context, watch, seed string) (id string, ok bool, err error)
	// SetThread makes a watch continue the given thread; "" makes the next run start
	// a fresh one.
	SetThread(ctx context.Context, watch, seed, id string) error
}

// Places are how far the watches have read, and small things to remember.
type Places interface {
	// Cursor returns how far a watch has read in a log; ok is false when it has
	// never read there.
	Cursor(ctx context.Context, watch, channel, logID string) (id int64, ok bool, err error)
	// HasCursor reports whether a watch has ever read a channel, in whichever log.
	HasCursor(ctx context.Context, watch, channel string) (bool, error)
	// Cursors returns the highest id that each watch has read, by its name.
	Cursors(ctx context.Context) (map[string]int64, error)
	// AnsweredThrough returns the highest id such that every packet of the watch up
	// to it has its answer posted: the number that the bash loop kept in LASTFILE.
	AnsweredThrough(ctx context.Context, watch, channel, logID string) (int64, error)
	// Note returns a small value kept by name, "" when it was never set.
	Note(ctx context.Context, name string) (string, error)
	// SetNote keeps a small value by name.
	SetNote(ctx context.Context, name, value string) error
}

// Holds are the watches that start no reviews for now.
type Holds interface {
	// Holds returns the holds of all watches, by name of the watch.
	Holds(ctx context.Context) (map[string]Hold, error)
	// ChangeHold reads the hold of a watch and writes what change makes of it. held
	// says whether there is one; change returns whether there is to be one. The hold
	// is returned as it is kept, with its times cut to microseconds.
	ChangeHold(ctx context.Context, watch string, change func(h Hold, held bool) (Hold, bool)) (Hold, error)
}

// Schedules are the due times that have passed.
type Schedules interface {
	// Fire makes the job of an occasion and remembers that its time has come. An
	// occasion that was remembered before makes no second job, and neither does one
	// whose schedule still has a job that has not ended: made says whether there is
	// a new one.
	Fire(ctx context.Context, o Occasion, now time.Time) (made bool, err error)
	// LastOccasion returns the due time of a schedule that was remembered last. A
	// schedule that was never seen, or not with this spec, begins at now.
	LastOccasion(ctx context.Context, schedule, spec string, now time.Time) (last time.Time, err error)
}

// History is for somebody who looks.
type History interface {
	// Summaries returns the jobs that f selects, newest first.
	Summaries(ctx context.Context, f Filter) ([]Summary, error)
	// Counts counts all jobs, in the order of watch, state and class.
	Counts(ctx context.Context) ([]Count, error)
	// Forget removes jobs that ended before a time, with their packets and runs, the
	// oldest first and at most so many. Of each watch and each schedule it leaves the
	// newest that is done and the newest that failed, for what comes after looks back
	// to them. Ids are not given again.
	Forget(ctx context.Context, before time.Time, most int) (Forgotten, error)
}

// Forgotten is how much Forget removed.
type Forgotten struct{ Jobs, Packets, Runs int }

// Spend is what one run cost.
type Spend struct {
	Watch string
	Job   int64
	// At is when the run was started.
	At     time.Time
	Tokens int64
}

// Summary is a job for a list: its packets are without their texts, and its
// answer is left out but for the verdict.
type Summary struct {
	Job
	// Verdict is what the answer's meta says, "" when it says nothing.
	Verdict string
	// Updated is when the job was saved last.
	Updated time.Time
}

// Filter selects jobs. The zero Filter selects all.
type Filter struct {
	// Job is the id of the only one that is wanted; 0 is none.
	Job int64
	// States, Watch and Schedule leave out everything else, when set.
	States   []JobState
	Watch    string
	Schedule string
	// Limit is how many to return at most, the newest; 0 is all.
	Limit int
}

// Count is how many jobs of a watch are in a state, for a class of failure.
type Count struct {
	Watch string
	State JobState
	// Class is why the last attempt failed, "" when none has.
	Class string
	Jobs  int
}

// Hold is why a watch starts no reviews for now, or why they keep failing.
type Hold struct {
	Watch string
	// Class is the class of failure, "limit" for a limit of our own, or "" for a
	// hold that is over, which the channel has not been told yet.
	Class, Reason string
	// Since is when the trouble began, of whatever class it was then; Until when a
	// review is tried next, zero when no job waits for that.
	Since, Until time.Time
	// Failures counts the runs in a row that failed by Class.
	Failures int
	// Told are the classes that the channel was told of since then, one word each.
	Told []string
}

// Occasion is one due time of a schedule, and the job that it asks for.
type Occasion struct {
	// Schedule is its name, Spec what decides its due times: a schedule with
	// another Spec begins anew.
	Schedule, Spec string
	Due            time.Time
	// The job: see Job. Without Run no job is made, and the occasion has passed.
	Run                     bool
	Watch, Channel, Workdir string
	ReplyAs                 string
	Key                     string
	Tree                    Tree
}

// ErrNoJob says that there is no job of that id.
var ErrNoJob = errors.New("there is no such job")
