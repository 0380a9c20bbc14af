package supervisor

import (
	"cmp"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"autoreview/supervisor/calendar"
	"autoreview/supervisor/config"
	"autoreview/supervisor/repository"
	"autoreview/supervisor/state"
)

// plan is a configuration in use. It is never changed: a reload puts another in
// its place, and a job that runs goes on with the one it was started with.
type plan struct {
	cfg       config.Config
	watches   map[string]config.Watch      // :: name → watch
	folders   map[string]string            // :: watch → its workdir, by whichever link it is reached
	calendars map[string]calendar.Calendar // :: schedule → its due times
}

// newPlan builds all of a plan, or says what is wrong with it.
func newPlan(cfg config.Config) (*plan, error) {
	if len(cfg.Watches) == 0 {
		return nil, errors.New("there is nothing to watch")
	}
	p := &plan{
		cfg: cfg, watches: make(map[string]config.Watch), folders: make(map[string]string),
		calendars: make(map[string]calendar.Calendar),
	}
	for _, w := range cfg.Watches {
		p.watches[w.Name], p.folders[w.Name] = w, realPath(w.Workdir)
	}
	for _, sched := range cfg.Schedules {
		c, err := calendar.Parse(sched.Cron, sched.Timezone)
		if err != nil {
			return nil, fmt.Errorf("schedule %q: %w", sched.Name, err)
		}
		if _, ok := p.watches[sched.Watch]; !ok && sched.Task != config.TaskRetention {
			return nil, fmt.Errorf("schedule %q: there is no watch %q", sched.Name, sched.Watch)
		}
		p.calendars[sched.Name] = c
	}
	return p, nil
}

func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// watchFor is the watch that a job runs by and is answered by. What a schedule
// asks for has a template of its own, and nobody to fetch it by MCP; a digest has
// no business in the thread of the reviews.
func (p *plan) watchFor(j state.Job) config.Watch {
	w := answersAs(p.watches[j.Watch], j)
	if j.Schedule == "" {
		w.Channel = j.Channel // where the packets are, whatever the watch reads now
		return w
	}
	w.Deliver, w.Template = config.DeliverSupervisor, ""
	sched := p.schedule(j)
	w.Template = sched.Template
	if sched.Task == config.TaskDigest {
		w.Session = config.Session{Mode: config.SessionFresh}
	}
	return w
}

// schedule is what asked for a job: the zero Schedule, a review, when packets did
// or the configuration does not have it any more.
func (p *plan) schedule(j state.Job) config.Schedule {
	for _, sched := range p.cfg.Schedules {
		if j.Schedule != "" && sched.Name == j.Schedule {
			return sched
		}
	}
	return config.Schedule{}
}

// answersAs is a watch that answers a job as whom the job says, whatever it does
// now: under another name its answer would be a second one.
func answersAs(w config.Watch, j state.Job) config.Watch {
	w.ReplyAs = cmp.Or(j.ReplyAs, w.ReplyAs, config.DefaultReplyAs)
	return w
}

// locks are what a run of the watch needs for itself: its folder, unless it gets
// one of its own, and the thread that it goes on with.
func (p *plan) locks(w config.Watch, isolated bool) []string {
	var locks []string
	if !isolated {
		locks = append(locks, "folder "+p.folders[w.Name])
	}
	if w.Session.Mode != config.SessionFresh {
		locks = append(locks, "thread of "+w.Name)
	}
	if w.Session.Mode == config.SessionResume {
		locks = append(locks, "thread "+w.Session.ID)
	}
	return locks
}

// isolates reports whether a run of the watch can have a worktree of its own.
func isolates(w config.Watch) bool {
	if !w.Isolate || repository.Root(w.Workdir) == "" {
		return false
	}
	_, err := exec.LookPath("git")
	return err == nil
}

func (p *plan) watch(name string) (config.Watch, bool) {
	w, ok := p.watches[name]
	return w, ok
}
