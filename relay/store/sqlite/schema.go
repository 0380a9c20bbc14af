package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
)

// applicationID marks a file as a relay's log ("rlay" in ASCII).
const applicationID = 0x726c6179

// migrations lead from an empty file to the current schema: the version of a
// file, its user_version, is how many of them it has had. Append to the list;
// never change an entry that has been released.
var migrations = []string{schema1}

// Messages carry their channel and sender by name: the four indexes are what
// makes each shape of a query cost no more than it returns. The id is an
// AUTOINCREMENT so that it is never given out twice, not even after the newest
// message was pruned.
//
// Keys are apart from the messages because they outlive them; gone is set when
// the message was pruned. Channels hold counters that every change keeps up to
// date, and stay when their last message goes.
const schema1 = `
CREATE TABLE log (
	one    INTEGER PRIMARY KEY CHECK (one = 1),
	log_id TEXT NOT NULL,
	checks INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE messages (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	ts       REAL NOT NULL,
	target   TEXT NOT NULL,
	sender   TEXT NOT NULL,
	text     TEXT NOT NULL,
	kind     TEXT NOT NULL,
	reply_to INTEGER NOT NULL,
	meta     TEXT,
	key      TEXT
) STRICT;
CREATE INDEX messages_by_target        ON messages (target);
CREATE INDEX messages_by_target_sender ON messages (target, sender);
CREATE INDEX messages_by_sender        ON messages (sender);
CREATE INDEX messages_by_ts            ON messages (ts);
CREATE INDEX messages_by_key           ON messages (key) WHERE key IS NOT NULL;

CREATE TABLE channels (
	name           TEXT PRIMARY KEY,
	count          INTEGER NOT NULL,
	last_id        INTEGER NOT NULL,
	last_ts        REAL NOT NULL,
	pruned_through INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX channels_by_pruned_through ON channels (pruned_through);

CREATE TABLE keys (
	target TEXT NOT NULL,
	sender TEXT NOT NULL,
	key    TEXT NOT NULL,
	id     INTEGER NOT NULL,
	ts     REAL NOT NULL,
	gone   INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (target, sender, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_gone_by_ts ON keys (ts) WHERE gone = 1;

CREATE TABLE probe (body BLOB) STRICT;
`

// migrate brings the schema up to date in one transaction and returns the id
// of the log, which it makes up for a new one.
func migrate(ctx context.Context, db *sql.DB, steps []string) (logID string, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer tx.Rollback()
	version, err := checkVersion(tx, len(steps))
	if err != nil {
		return "", err
	}
	for i, step := range steps[version:] {
		if _, err := tx.Exec(step); err != nil {
			return "", fmt.Errorf("migrating to schema version %d: %w", version+i+1, err)
		}
	}
	marks := fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d`, applicationID, len(steps))
	if _, err := tx.Exec(marks); err != nil {
		return "", fmt.Errorf("marking the schema version: %w", err)
	}
	if _, err := tx.Exec(`INSERT INTO log (one, log_id) VALUES (1, ?) ON CONFLICT DO NOTHING`, rand.Text()); err != nil {
		return "", fmt.Errorf("naming the log: %w", err)
	}
	if err := tx.QueryRow(`SELECT log_id FROM log`).Scan(&logID); err != nil {
		return "", fmt.Errorf("reading the name of the log: %w", err)
	}
	return logID, tx.Commit()
}

// checkVersion returns the schema version of the file. It refuses a file that
// is of another program, or of a later version of this one.
func checkVersion(tx *sql.Tx, known int) (version int, err error) {
	var app, tables int
	err = tx.QueryRow(`
		SELECT (SELECT application_id FROM pragma_application_id),
		       (SELECT user_version FROM pragma_user_version),
		       (SELECT count(*) FROM sqlite_schema)`).Scan(&app, &version, &tables)
	if err != nil {
		return 0, fmt.Errorf("reading the schema version: %w", err)
	}
	if app != applicationID && (app != 0 || version != 0 || tables != 0) {
		return 0, fmt.Errorf("it is a database of another program")
	}
	if version > known {
		return 0, fmt.Errorf("it has schema version %d and this program knows versions up to %d: use a newer program", version, known)
	}
	return version, nil
}
