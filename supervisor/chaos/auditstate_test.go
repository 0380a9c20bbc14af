//go:build unix

package chaos_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// auditState looks at the supervisor's database: cursors never ahead of jobs,
// no job and no run open, each job with one answer in the log. It returns how
// many runs there were, and how many jobs of schedules.
func (w *world) auditState(db *sql.DB) (runs, scheduled int) {
	w.t.Helper()
	if open := w.strings(db, `SELECT 'run ' || id || ' of job ' || job FROM run WHERE ended = 0`); len(open) > 0 {
		w.t.Errorf("runs left open: %v", open)
	}
	cursors := w.strings(db, `SELECT watch || ' ' || channel || ' ' || id FROM cursor`)
	if len(cursors) != len(channels) {
		w.t.Errorf("got the cursors %v, want one for each of %v", cursors, channels)
	}
	has := make(map[string]bool) // :: watch and packet → it has a job
	for _, p := range w.strings(db, `SELECT watch || ' ' || id FROM packet`) {
		has[p] = true
	}
	for _, c := range cursors {
		w.auditCursor(c, has)
	}
	w.auditJobs(db)
	processes := w.strings(db, `SELECT coalesce(process, '') FROM run`)
	w.auditProcesses(processes)
	return len(processes), w.auditSchedules(db)
}

// auditCursor holds that what a watch has passed has a job, and nothing else has.
func (w *world) auditCursor(line string, jobs map[string]bool) {
	w.t.Helper()
	var watch, channel string
	var cursor int64
	if _, err := fmt.Sscan(line, &watch, &channel, &cursor); err != nil {
		w.t.Fatalf("reading the cursor %q: %v", line, err)
	}
	for id, d := range w.ledger.acked {
		owed := d.Target == channel
		has := jobs[fmt.Sprintf("%s %d", watch, id)]
		switch {
		case owed && id <= cursor && !has:
			w.t.Errorf("the cursor of %s is %d, and its packet #%d has no job", watch, cursor, id)
		case owed && id > cursor:
			w.t.Errorf("the cursor of %s is %d, and its packet #%d was not read", watch, cursor, id)
		case has && (!owed || id > cursor):
			w.t.Errorf("%s has a job for #%d, which is of %s, with its cursor at %d", watch, id, d.Target, cursor)
		}
	}
}

// auditJobs holds jobs against the log: one message for each, by its key, and
// none that ends a job which is not known. What a schedule asked for after all
// had settled is for the next life.
func (w *world) auditJobs(db *sql.DB) {
	w.t.Helper()
	posted := make(map[string]int) // :: key → messages
	for _, m := range w.ledger.seen {
		if strings.HasPrefix(m.Key, "job/") {
			posted[m.Key]++
		}
	}
	for _, line := range w.strings(db, fmt.Sprintf(`SELECT id || char(9) || state || char(9) || watch || char(9) || key FROM job
		WHERE occasion <= %d`, w.settled.UnixMicro())) {
		f := strings.Split(line, "\t")
		if f[1] != "done" && f[1] != "failed" {
			w.t.Errorf("job %s of %s is left %s", f[0], f[2], f[1])
		}
		if n := posted[f[3]]; n != 1 {
			w.t.Errorf("job %s of %s has %d messages in the log, want 1", f[0], f[2], n)
		}
	}
	for _, key := range w.strings(db, `SELECT key FROM job`) {
		delete(posted, key)
	}
	if len(posted) > 0 {
		w.t.Errorf("answers of jobs that nobody knows: %v", posted)
	}
}

// auditSchedules holds that no due time was met twice, none that is none, and
// that none was forgotten. It returns how many jobs there were.
func (w *world) auditSchedules(db *sql.DB) (jobs int) {
	w.t.Helper()
	seen := make(map[string]time.Time) // :: schedule → its latest occasion
	for _, line := range w.strings(db, `SELECT schedule || ' ' || occasion FROM job WHERE schedule != '' ORDER BY occasion`) {
		jobs++
		name, at := occasion(line)
		last, ok := seen[name]
		switch every := at.Sub(last); {
		case name == minutely && !at.Equal(at.Truncate(time.Minute)):
			w.t.Errorf("schedule %s has a job for %s, when it is not due", name, at)
		case ok && every <= 0:
			w.t.Errorf("schedule %s has two jobs for %s", name, at)
		case ok && name == often && every%oftenEvery != 0:
			w.t.Errorf("schedule %s has jobs for %s and %s, in between is no multiple of %s", name, last, at, oftenEvery)
		}
		seen[name] = at
	}
	// A state that could not be written is tried again after a minute.
	late := w.settled.Add(-2 * time.Minute)
	if late.Before(w.began) {
		return jobs
	}
	for _, line := range w.strings(db, `SELECT name || ' ' || last FROM schedule`) {
		if name, at := occasion(line); at.Before(late.Add(-time.Minute)) || seen[name].IsZero() {
			w.t.Errorf("schedule %s was looked after last at %s and has its last job for %s, settled at %s", name, at, seen[name], w.settled)
		}
	}
	return jobs
}

func occasion(line string) (name string, at time.Time) {
	name, micro, _ := strings.Cut(line, " ")
	n, _ := strconv.ParseInt(micro, 10, 64) // the database has only numbers there
	return name, time.UnixMicro(n)
}

// counted are the jobs that have ended, by watch, and how far it has read.
func (w *world) counted(db *sql.DB) []string {
	w.t.Helper()
	out := w.strings(db, `SELECT watch || ' done ' || count(*) FROM job WHERE state = 'done' GROUP BY watch`)
	out = append(out, w.strings(db, `SELECT watch || ' failed ' || count(*) FROM job WHERE state = 'failed' GROUP BY watch`)...)
	out = append(out, w.strings(db, `SELECT watch || ' read ' || id FROM cursor`)...)
	slices.Sort(out)
	return out
}
