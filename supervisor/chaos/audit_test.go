//go:build unix

package chaos_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite" // to look into both databases

	"autoreview/codexrun"
	"autoreview/codexrun/codextest"
	"autoreview/relay"
	"autoreview/supervisor/state"
	"autoreview/supervisor/state/sqlite"
)

// result is what the audit counted.
type result struct {
	packets, answered, lost, doubled int
	reviews, notices, runs           int
}

// settle makes everything healthy, ends the posting, and waits until no packet
// and no job is open.
func (w *world) settle() {
	w.t.Helper()
	w.proxy.turn(fair, 0)
	w.write("fake/do", calm)
	w.relay.healthy()
	w.supervisor.healthy()
	w.posting()
	w.posters.Wait()
	began := time.Now()
	w.until(settleTime, "every packet is answered and no job is open", func() bool {
		_, open := w.ledger.standing()
		return open == 0 && w.openJobs() == 0
	})
	w.t.Logf("chaos: settled after %s, %s", time.Since(began).Round(100*time.Millisecond), w.progress())
}

// openJobs is -1 when it cannot be known.
func (w *world) openJobs() int {
	st, err := sqlite.OpenReadOnly(w.t.Context(), w.path("state/state.db"))
	if err != nil {
		return -1
	}
	defer st.Close()
	jobs, err := st.Jobs(w.t.Context(), state.Queued, state.Waiting, state.Running, state.Answered)
	if err != nil {
		return -1
	}
	return len(jobs)
}

// stop reads the log once more from its beginning, and ends both programs in
// order.
func (w *world) stop() {
	w.t.Helper()
	w.following()
	w.followers.Wait()
	w.supervisor.stop()
	w.compare()
	w.relay.stop()
}

// compare holds what the relay has now against what it ever told anybody.
func (w *world) compare() {
	w.t.Helper()
	now := w.readAll()
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, text := range l.wrong {
		w.t.Error(text)
	}
	for id, was := range l.seen {
		if is, ok := now[id]; !ok || is.Text != was.Text || is.Target != was.Target || is.Sender != was.Sender || is.TS != was.TS {
			w.t.Errorf("#%d was read once and is now gone or another: was %+v, is %+v", id, was, is)
		}
	}
	for id, d := range l.acked {
		if is, ok := now[id]; !ok || is.Text != d.Text || is.Target != d.Target || is.Key != d.Key {
			w.t.Errorf("#%d was acknowledged for %q and is gone or another: %+v", id, d.Text, is)
		}
	}
	// From here on the log itself counts.
	l.seen = now
}

// readAll reads the log; ids must strictly increase, without a gap as nothing is
// pruned.
func (w *world) readAll() map[int64]relay.Message {
	w.t.Helper()
	c := w.client(w.relayURL)
	defer c.Close()
	all := make(map[int64]relay.Message)
	for cursor := int64(0); ; {
		p, err := c.Read(w.t.Context(), relay.Query{Targets: channels, Since: cursor, Limit: relay.MaxLimit})
		if err != nil {
			w.t.Fatalf("reading the whole log: %v", err)
		}
		for _, m := range p.Messages {
			if m.ID != cursor+1 {
				w.t.Errorf("#%d follows #%d", m.ID, cursor)
			}
			cursor = m.ID
			all[m.ID] = m
		}
		if len(p.Messages) == 0 {
			return all
		}
	}
}

// audit looks into what both programs have left, while neither runs.
func (w *world) audit() result {
	w.t.Helper()
	r := w.auditAnswers()
	r.runs = w.auditState()
	w.auditIntegrity("data/relay.db")
	w.auditProcesses()
	return r
}

func (w *world) auditAnswers() result {
	w.t.Helper()
	var r result
	answers := make(map[int64][]int64) // :: packet → the messages that end it
	for _, m := range w.ledger.seen {
		ids := ends(m)
		for _, id := range ids {
			answers[id] = append(answers[id], m.ID)
			if p := w.ledger.seen[id]; w.ledger.acked[id].Key == "" || p.Target != m.Target {
				w.t.Errorf("#%d in %s answers #%d, which is no packet of it", m.ID, m.Target, id)
			}
		}
		switch {
		case len(ids) == 0:
		case m.Kind == relay.KindReview:
			r.reviews++
		default:
			r.notices++
		}
	}
	r.packets = len(w.ledger.acked)
	for id := range w.ledger.acked {
		switch n := len(answers[id]); {
		case n == 1:
			r.answered++
		case n == 0:
			r.lost++
			w.t.Errorf("packet #%d has no answer", id)
		default:
			r.doubled++
			w.t.Errorf("packet #%d has %d answers: %v", id, n, answers[id])
		}
	}
	return r
}

// auditState looks at the supervisor's database: cursors never ahead of jobs, no
// job and no run open. It returns how many runs there were.
func (w *world) auditState() (runs int) {
	w.t.Helper()
	db := w.open("state/state.db")
	defer db.Close()
	w.integrity(db, "state/state.db")
	jobs := w.strings(db, `SELECT state || ' job ' || id || ' of ' || watch FROM job WHERE state NOT IN ('done', 'failed')`)
	if len(jobs) > 0 {
		w.t.Errorf("jobs left open: %v", jobs)
	}
	if open := w.strings(db, `SELECT 'run ' || id || ' of job ' || job FROM run WHERE ended = 0`); len(open) > 0 {
		w.t.Errorf("runs left open: %v", open)
	}
	cursors := w.strings(db, `SELECT watch || ' ' || channel || ' ' || id FROM cursor`)
	if len(cursors) != len(channels) {
		w.t.Errorf("got the cursors %v, want one for each of %v", cursors, channels)
	}
	packets := w.strings(db, `SELECT watch || ' ' || id FROM packet`)
	for _, c := range cursors {
		w.auditCursor(c, packets)
	}
	return w.auditRuns(db)
}

// auditCursor holds that what a watch has passed has a job, and nothing else has.
func (w *world) auditCursor(line string, packets []string) {
	w.t.Helper()
	var watch, channel string
	var cursor int64
	if _, err := fmt.Sscan(line, &watch, &channel, &cursor); err != nil {
		w.t.Fatalf("reading the cursor %q: %v", line, err)
	}
	for id, d := range w.ledger.acked {
		owed := d.Target == channel
		has := slices.Contains(packets, fmt.Sprintf("%s %d", watch, id))
		switch {
		case owed && id <= cursor && !has:
			w.t.Errorf("the cursor of %s is %d, and its packet #%d has no job", watch, cursor, id)
		case has && (!owed || id > cursor):
			w.t.Errorf("%s has a job for #%d, which is of %s, with its cursor at %d", watch, id, d.Target, cursor)
		}
	}
}

// auditRuns makes sure that no process of any run is left.
func (w *world) auditRuns(db *sql.DB) (runs int) {
	w.t.Helper()
	processes := w.strings(db, `SELECT coalesce(process, '') FROM run`)
	for _, raw := range processes {
		var p codexrun.Process
		// By the id of the run it is looked for once for all, in auditProcesses.
		if raw != "" && json.Unmarshal([]byte(raw), &p) == nil {
			if p.RunID = ""; codexrun.Alive(p) {
				w.t.Errorf("process %d of a run is left over", p.PID)
			}
		}
	}
	return len(processes)
}

func (w *world) auditIntegrity(name string) {
	w.t.Helper()
	db := w.open(name)
	defer db.Close()
	w.integrity(db, name)
}

func (w *world) integrity(db *sql.DB, name string) {
	w.t.Helper()
	if got := w.strings(db, `PRAGMA integrity_check`); !slices.Equal(got, []string{"ok"}) {
		w.t.Errorf("integrity of %s: %v", name, got)
	}
	if got := w.strings(db, `SELECT "table" || ' ' || rowid FROM pragma_foreign_key_check`); len(got) > 0 {
		w.t.Errorf("foreign keys of %s: %v", name, got)
	}
}

func (w *world) open(name string) *sql.DB {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.path(name)+"?mode=ro")
	if err != nil {
		w.t.Fatal(err)
	}
	return db
}

func (w *world) strings(db *sql.DB, query string) (out []string) {
	w.t.Helper()
	rows, err := db.QueryContext(w.t.Context(), query)
	if err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			w.t.Fatalf("%s: %v", query, err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return out
}

// auditProcesses looks for anything that was started here, by its environment,
// where a system shows it.
func (w *world) auditProcesses() {
	w.t.Helper()
	mark := []byte(codextest.FakeDir + "=" + w.path("fake") + "\x00")
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(env, mark) {
			continue
		}
		argv, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		w.t.Errorf("left over: %s %s", filepath.Base(filepath.Dir(file)), strings.ReplaceAll(string(argv), "\x00", " "))
	}
}
