package config

import (
	"errors"
	"os"
	"slices"

	"autoreview/supervisor/calendar"
	"autoreview/supervisor/repository"
)

// Task is what a schedule has done at its due times.
type Task string

// The three tasks. The zero Task is TaskReview.
const (
	// TaskReview: Codex reviews what has changed, and the review is posted.
	TaskReview Task = "review"
	// TaskDigest: Codex sums up what happened, and its words are posted as a note.
	TaskDigest Task = "digest"
	// TaskRetention: the supervisor removes what it has kept for long enough.
	TaskRetention Task = "retention"
)

// Schedule is one [[schedule]]: something that is done without a packet.
type Schedule struct {
	Name string
	Task Task
	// Cron is five fields or a word such as "@daily".
	Cron string
	// Timezone is the name of a zone, "Local" for the machine's own.
	Timezone string
	// Watch names the watch that says where and how Codex runs, "" with
	// TaskRetention, which runs none.
	Watch string
	// Template is the path of a prompt template, "" for the built-in one.
	Template string
	// CatchUp is whether times that passed while nobody was there are made good
	// for, by one run for all of them.
	CatchUp bool
	// KeepDays is for TaskRetention: how long ended jobs are kept.
	KeepDays int
}

// The defaults of a schedule: the machine's own time zone, and how long a
// retention run keeps ended jobs.
const (
	DefaultTimezone = "Local"
	DefaultKeepDays = 90
)

func (t *table) schedules(watches []Watch) []Schedule {
	var out []Schedule
	for _, sub := range t.tables("schedule") {
		s := sub.schedule(watches)
		if s.Name != "" && slices.ContainsFunc(out, func(o Schedule) bool { return o.Name == s.Name }) {
			sub.problem("name", "%q is the name of two schedules; due times are kept by it", s.Name)
		}
		out = append(out, s)
	}
	return out
}

func (t *table) schedule(watches []Watch) Schedule {
	s := Schedule{
		Name:     t.label("name", ""),
		Cron:     t.str("cron", ""),
		Timezone: t.str("timezone", DefaultTimezone),
		Task:     t.task(),
		CatchUp:  t.enum("catch_up", "once", map[string]string{"none": "skip", "no": "skip", "never": "skip", "latest": "once"}, "once", "skip") == "once",
	}
	if s.Task == TaskRetention {
		s.KeepDays = t.keepDays()
	} else {
		s.Watch, s.Template = t.watchName(watches), t.scheduleTemplate()
		t.only("keep_days", TaskRetention)
	}
	if s.Name == "" && !t.has("name") {
		t.problem("name", "is missing; want a name such as name = \"nightly\", for due times are kept by it")
	}
	switch {
	case !t.has("cron"):
		t.problem("cron", "is missing; want five fields such as cron = \"30 2 * * *\"")
	case s.Cron != "":
		t.calendar(s)
	}
	t.finish(nil)
	return s
}

// task is a key of its own and no template's name: a template is the path of a
// file, and a file may be called anything.
func (t *table) task() Task {
	near := map[string]string{
		"nightly": string(TaskReview), "summary": string(TaskDigest), "summarize": string(TaskDigest), "summarise": string(TaskDigest),
		"prune": string(TaskRetention), "clean": string(TaskRetention), "cleanup": string(TaskRetention), "gc": string(TaskRetention),
	}
	return Task(t.enum("task", string(TaskReview), near, string(TaskReview), string(TaskDigest), string(TaskRetention)))
}

// keepDays reads what a retention run keeps, and says which keys it has no use
// for.
func (t *table) keepDays() int {
	for _, key := range []string{"watch", "template"} {
		if _, there := t.get(key); there {
			t.problem(key, "a retention run launches no Codex and posts nothing; leave this key out")
		}
	}
	const most = 36_500
	n := t.integer("keep_days", DefaultKeepDays, 1)
	if n > most {
		t.problem("keep_days", "want at most %d, got %d", most, n)
	}
	return int(min(n, most))
}

// only reports a key that another task has.
func (t *table) only(key string, task Task) {
	if _, there := t.get(key); there {
		t.problem(key, "is for task = %q; leave it out, or set that", task)
	}
}

// scheduleTemplate reads the path of a template, and sees when the name of a task
// was meant.
func (t *table) scheduleTemplate() string {
	for _, task := range []Task{TaskReview, TaskDigest, TaskRetention} {
		if path := t.file("template", ""); t.values["template"] == string(task) && !isFile(path) {
			t.problem("template", "there is no file %q; the built-in %s is task = %q", path, task, task)
			return ""
		}
	}
	return t.template()
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

func (t *table) calendar(s Schedule) {
	_, err := calendar.Parse(s.Cron, s.Timezone)
	var zone *calendar.ZoneError
	switch {
	case errors.As(err, &zone):
		t.problem("timezone", "%v; want a name such as \"Europe/Berlin\", or \"UTC\"", err)
	case err != nil:
		t.problem("cron", "%v", err)
	}
}

// watchName reads the name of a watch; with only one there is nothing to say.
func (t *table) watchName(watches []Watch) string {
	names := make([]string, len(watches))
	for i, w := range watches {
		names[i] = w.Name
	}
	name := t.str("watch", "")
	switch {
	case name == "" && len(names) == 1:
		return names[0]
	case name == "" && !t.has("watch") && len(names) > 0:
		t.problem("watch", "is missing; want one of %s", quoted(names))
	case name != "" && !slices.Contains(names, name):
		t.problem("watch", "there is no watch %q%s", shorten(name), didYouMean(suggest(name, names)))
	}
	return name
}

func (p *printer) schedule(s Schedule) {
	p.line("\n[[schedule]]")
	p.key("name", s.Name, false)
	p.key("task", string(s.Task), s.Task == TaskReview)
	p.key("cron", s.Cron, false)
	p.key("timezone", s.Timezone, s.Timezone == DefaultTimezone)
	if s.Task == TaskRetention {
		p.key("keep_days", int64(s.KeepDays), s.KeepDays == DefaultKeepDays)
	} else {
		p.key("watch", s.Watch, false)
		p.optional("template", s.Template)
	}
	catchUp := "once"
	if !s.CatchUp {
		catchUp = "skip"
	}
	p.key("catch_up", catchUp, s.CatchUp)
}

// isolate reads the key and says where it can do nothing.
func (t *table) isolate(workdir string) bool {
	on := t.boolean("isolate", false)
	if on && repository.Root(workdir) == "" {
		t.warn("isolate", "%q is in no Git repository; until it is, reviews run in the folder itself", workdir)
	}
	return on
}
