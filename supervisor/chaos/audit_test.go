//go:build unix

package chaos_test

import (
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	_ "modernc.org/sqlite" // to look into both databases

	"autoreview/relay"
	"autoreview/supervisor/state"
	"autoreview/supervisor/state/sqlite"
)

// The two databases.
const logFile, stateFile = "disk/data/relay.db", "disk/state/state.db"

// result is what the audit counted.
type result struct {
	packets, answered, lost, doubled int
	reviews, notices                 int
	runs, scheduled                  int
}

// settle makes everything healthy, ends the posting, and waits until no packet
// and no job is open.
func (w *world) settle() {
	w.t.Helper()
	w.proxy.turn(fair, 0)
	w.disk.over.Wait()
	w.rewritten.over.Wait()
	w.kit.calm(w)
	w.relay.healthy()
	w.supervisor.healthy()
	w.posting()
	w.posters.Wait()
	began := time.Now()
	w.until(w.kit.settle, "every packet is answered and no job is open", func() bool {
		_, open := w.ledger.standing()
		return open == 0 && w.openJobs() == 0
	})
	w.settled = time.Now()
	w.t.Logf("chaos: settled after %s, %s", time.Since(began).Round(100*time.Millisecond), w.progress())
}

// openJobs is -1 when it cannot be known.
func (w *world) openJobs() int {
	st, err := sqlite.OpenReadOnly(w.t.Context(), w.path(stateFile))
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
	w.auditFiles()
	w.repo.audit()
	r := w.auditAnswers()
	db := w.open(stateFile)
	defer db.Close()
	w.integrity(db, stateFile)
	r.runs, r.scheduled = w.auditState(db)
	log := w.open(logFile)
	defer log.Close()
	w.integrity(log, logFile)
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
		case len(ids) == 0 && m.Kind == relay.KindReview && !scheduled(m):
			w.t.Errorf("#%d in %s is a review of nothing: %q", m.ID, m.Target, m.Text)
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

// scheduled reports whether a message is a review that a schedule asked for.
func scheduled(m relay.Message) bool {
	var meta struct {
		Schedule string `json:"schedule"`
	}
	return json.Unmarshal(m.Meta, &meta) == nil && meta.Schedule != ""
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
