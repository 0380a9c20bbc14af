-- A log of schema version 1. Message 1 (with key k1), 2 and 4 were pruned; key
-- job/1 belongs to message 3.
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

INSERT INTO log VALUES (1, 'VERSION1LOG', 7);
INSERT INTO messages VALUES (3, 1772366401.5, 'proj-x', 'codex', 'looks good', 'review', 1, '{"verdict":"approve"}', 'job/1');
UPDATE sqlite_sequence SET seq = 4 WHERE name = 'messages';
INSERT INTO channels VALUES ('proj-x', 1, 3, 1772366401.5, 1), ('empty', 0, 4, 1772366402.0, 4);
INSERT INTO keys VALUES
	('proj-x', 'claude', 'k1', 1, 1772366400.0, 1),
	('proj-x', 'codex', 'job/1', 3, 1772366401.5, 0);
PRAGMA application_id = 1919705465;
PRAGMA user_version = 1;
