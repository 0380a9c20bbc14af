package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"

	"autoreview/supervisor/calendar"
)

// Schedule is one [[schedule]]: a review that no packet asks for.
type Schedule struct {
	Name string
	// Cron is five fields or a word such as "@daily".
	Cron string
	// Timezone is the name of a zone, "Local" for the machine's own.
	Timezone string
	// Watch names the watch that says where and how Codex runs.
	Watch string
	// Template is the path of a prompt template, "" for the built-in one.
	Template string
	// CatchUp is whether times that passed while nobody was there are made good
	// for, by one run for all of them.
	CatchUp bool
}

// DefaultTimezone is the machine's own.
const DefaultTimezone = "Local"

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
		Watch:    t.watchName(watches),
		Template: t.template(),
		CatchUp:  t.enum("catch_up", "once", map[string]string{"none": "skip", "no": "skip", "never": "skip", "latest": "once"}, "once", "skip") == "once",
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
	p.key("cron", s.Cron, false)
	p.key("timezone", s.Timezone, s.Timezone == DefaultTimezone)
	p.key("watch", s.Watch, false)
	p.optional("template", s.Template)
	catchUp := "once"
	if !s.CatchUp {
		catchUp = "skip"
	}
	p.key("catch_up", catchUp, s.CatchUp)
}

// isolate reads the key and says where it can do nothing.
func (t *table) isolate(workdir string) bool {
	on := t.boolean("isolate", false)
	if on && !inRepository(workdir) {
		t.warn("isolate", "%q is in no Git repository; until it is, reviews run in the folder itself", workdir)
	}
	return on
}

func inRepository(dir string) bool {
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(filepath.Join(d, ".git")); err == nil {
			return true
		}
		if d == filepath.Dir(d) {
			return false
		}
	}
}
