package supervisor

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"autoreview/codexrun"
)

// Phase is what a running job is doing.
type Phase string

// The closed set of phases.
const (
	PhaseStarting Phase = "starting" // Codex is not there yet
	PhaseThinking Phase = "thinking" // the model is at work, without a sign of it
	PhaseCommand  Phase = "command"  // Codex runs a command
	PhaseTool     Phase = "tool"     // Codex calls an MCP tool
	PhaseRetrying Phase = "retrying" // Codex tries to reach its model again
	PhaseStopping Phase = "stopping" // it was cancelled and is being ended
	PhaseDeciding Phase = "deciding" // Codex has ended
	PhasePosting  Phase = "posting"  // the answer is saved and on its way
)

// Progress is how far a running job is.
type Progress struct {
	Phase Phase
	// Doing is the command of PhaseCommand, the tool of PhaseTool and what went
	// wrong in PhaseRetrying.
	Doing string
	// Run is the id of the latest run, 0 before the first.
	Run int64
	// Since is when the phase began, LastEvent when Codex gave a sign of life
	// last.
	Since, LastEvent time.Time
}

// errCancelled is why a run ends that a person cancelled.
var errCancelled = errors.New("cancelled")

// live is what is known of this life of the supervisor and is in no file: what
// each running job is doing, and which watches cannot read. It is a level
// trigger as well: who waits for a change is woken, and then reads the truth.
type live struct {
	now func() time.Time

	mu      sync.Mutex           // guards everything below
	jobs    map[int64]*activity  // :: job → what it is doing
	trouble map[string]Trouble   // :: watch → why it cannot read
	reading map[string]time.Time // :: watch → since when it can
	due     map[string]time.Time // :: schedule → when it fires next
	refused *Trouble             // why the last reload changed nothing, nil when it did
	changed chan struct{}        // closed at the next change
	version int64                // counts the changes that are more than a sign of life
	outbox  []int64              // answered jobs that no worker has
	post    chan struct{}        // says that the outbox has something; holds one token
}

// activity is a job that has a worker.
type activity struct {
	Progress
	open      []codexrun.Item // commands and calls that have not ended; there may be several
	cancel    context.CancelCauseFunc
	cancelled bool // by a person
	sealed    bool // too late for that
}

// Trouble is why a watch cannot read its channel, or why the configuration was
// not taken.
type Trouble struct {
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
}

func newLive(now func() time.Time) *live {
	return &live{
		now: now, jobs: make(map[int64]*activity), trouble: make(map[string]Trouble), reading: make(map[string]time.Time), due: make(map[string]time.Time),
		changed: make(chan struct{}), post: make(chan struct{}, 1),
	}
}

// next returns a channel that is closed at the next change, and a number that
// stays the same as long as Codex only gives signs of life. Take them first and
// then read: what changes in between is not missed.
func (l *live) next() (changed <-chan struct{}, version int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed, l.version
}

// touch says that something has changed, here or in the state.
func (l *live) touch() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.touchLocked()
}

func (l *live) touchLocked() {
	l.version++
	l.wakeLocked()
}

func (l *live) wakeLocked() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// begin says that a job has a worker. The context is for what may be cancelled.
func (l *live) begin(ctx context.Context, job int64) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.jobs[job] = &activity{Progress: Progress{Phase: PhaseStarting, Since: now, LastEvent: now}, cancel: cancel}
	l.touchLocked()
	return ctx, func() {
		cancel(nil)
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.jobs, job)
		l.touchLocked()
	}
}

// seal ends the time in which a job can be cancelled, and reports whether it
// was.
func (l *live) seal(job int64) (cancelled bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, ok := l.jobs[job]
	if !ok {
		return false
	}
	a.sealed = true
	l.phaseLocked(a, PhaseDeciding, "")
	l.version++
	return a.cancelled
}

// cancel ends what a worker does for a job; false when there is none, or it is
// too late.
func (l *live) cancel(job int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, ok := l.jobs[job]
	if !ok || a.sealed {
		return false
	}
	a.cancelled = true
	a.cancel(errCancelled)
	l.phaseLocked(a, PhaseStopping, "")
	l.version++
	return true
}

func (l *live) phaseLocked(a *activity, p Phase, doing string) {
	if a.cancelled && p != PhaseDeciding && p != PhasePosting {
		p, doing = PhaseStopping, "" // whatever its last events say
	}
	if a.Phase != p || a.Doing != doing {
		a.Phase, a.Doing, a.Since = p, doing, l.now()
	}
	l.wakeLocked()
}

func (l *live) phase(job int64, p Phase) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a, ok := l.jobs[job]; ok {
		l.phaseLocked(a, p, "")
		l.version++
	}
}

// started says that a run of a job has a process.
func (l *live) started(job, run int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a, ok := l.jobs[job]; ok {
		a.Run, a.LastEvent, a.open = run, l.now(), nil
		l.phaseLocked(a, PhaseThinking, "")
		l.version++
	}
}

// event takes in a sign of life of Codex.
func (l *live) event(job int64, e codexrun.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a, ok := l.jobs[job]; ok {
		a.LastEvent = l.now()
		p, doing := a.after(e)
		l.phaseLocked(a, p, doing)
	}
}

// after is what Codex does after an event: what it began last of all that has not
// ended.
func (a *activity) after(e codexrun.Event) (p Phase, doing string) {
	if message, ok := e.Retry(); ok {
		return PhaseRetrying, message
	}
	item, ok := e.Item()
	switch {
	case e.Type == "turn.started", e.Type == "turn.completed", e.Type == "turn.failed":
		a.open = nil
	case !ok:
	case e.Type == "item.started" && (item.Type == "command_execution" || item.Type == "mcp_tool_call"):
		a.open = append(a.open, item)
	case e.Type == "item.completed":
		a.open = slices.DeleteFunc(a.open, func(o codexrun.Item) bool { return o.ID == item.ID })
	}
	if len(a.open) == 0 {
		return PhaseThinking, ""
	}
	last := a.open[len(a.open)-1]
	if last.Type == "mcp_tool_call" {
		return PhaseTool, last.Server + "." + last.Tool
	}
	return PhaseCommand, last.Command
}

// progress returns what a job is doing; ok is false when it has no worker.
func (l *live) progress(job int64) (p Progress, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, ok := l.jobs[job]
	if !ok {
		return Progress{}, false
	}
	return a.Progress, true
}

// reads says whether a watch can read its channel; err is why not.
func (l *live) reads(watch string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		if _, ok := l.reading[watch]; !ok {
			l.reading[watch] = l.now()
		}
		delete(l.trouble, watch)
		l.touchLocked()
		return
	}
	delete(l.reading, watch)
	t, ok := l.trouble[watch]
	if !ok {
		t.Since = l.now()
	}
	t.Reason = err.Error()
	l.trouble[watch] = t
	l.touchLocked()
}

// watch returns since when a watch reads, or why it does not; both are zero
// when it has not tried yet.
func (l *live) watch(name string) (since time.Time, t Trouble) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reading[name], l.trouble[name]
}

// reloaded says what came of reading the configuration again; err is why it was
// refused.
func (l *live) reloaded(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = nil
	if err != nil {
		l.refused = &Trouble{Since: l.now(), Reason: err.Error()}
	}
	l.touchLocked()
}

// refusedReload returns why the last reload was refused, nil when it was not.
// Nobody changes what it points to.
func (l *live) refusedReload() *Trouble {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refused
}

// expect says when a schedule fires next, zero for never.
func (l *live) expect(schedule string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.due[schedule] = at
}

// nextDue returns what expect was told last, zero for nothing.
func (l *live) nextDue(schedule string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.due[schedule]
}

// leave puts an answered job into the outbox.
func (l *live) leave(job int64) {
	l.mu.Lock()
	l.outbox = append(l.outbox, job)
	l.mu.Unlock()
	select {
	case l.post <- struct{}{}:
	default:
	}
}

// take empties the outbox.
func (l *live) take() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	jobs := l.outbox
	l.outbox = nil
	return jobs
}
