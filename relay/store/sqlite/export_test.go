package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"modernc.org/sqlite"
)

// Hold stops the writer inside a task until release is called, so that a test
// decides what is queued together.
func (s *Store) Hold() (release func()) {
	held, released := make(chan struct{}), make(chan struct{})
	s.queue.put(newTask(func(*txn) error {
		close(held)
		<-released
		return nil
	}))
	<-held
	return func() { close(released) }
}

// Commits is how many transactions the writer has committed.
func (s *Store) Commits() int64 { return s.commits.Load() }

// Probe queues a read of the writer's own view of the message count.
func (s *Store) Probe() (count func() int64) {
	var n int64
	t := newTask(func(t *txn) error { return t.row(`SELECT count(*) FROM messages`).Scan(&n) })
	s.queue.put(t)
	return func() int64 {
		<-t.done
		return n
	}
}

// Pools are the two pools of connections.
func (s *Store) Pools() (writer, readers *sql.DB) { return s.writer, s.readers }

// WriterPragmas and ReaderPragmas are the settings that are asserted.
func WriterPragmas() map[string]string { return reported(writerPragmas) }
func ReaderPragmas() map[string]string { return reported(readerPragmas) }

func reported(pragmas []pragma) map[string]string {
	out := make(map[string]string)
	for _, p := range pragmas {
		out[p.name] = p.reported
	}
	return out
}

// ConnectWith opens a connection with another value for one of the settings.
func ConnectWith(ctx context.Context, path, name, value string) error {
	changed := slices.Clone(writerPragmas)
	for i := range changed {
		if changed[i].name == name {
			changed[i].value = value
		}
	}
	base, err := sqlite.NewConnector(dsn(path, changed))
	if err != nil {
		return err
	}
	conn, err := checked{base, writerPragmas}.Connect(ctx)
	if err != nil {
		return err
	}
	return conn.Close()
}

// Migrate opens the file with extra steps after the known ones, as a later
// version of the program would.
func Migrate(ctx context.Context, path string, extra ...string) (logID string, err error) {
	path, err = makeFile(path)
	if err != nil {
		return "", err
	}
	db, err := openPool(path, writerPragmas, 1)
	if err != nil {
		return "", err
	}
	defer db.Close()
	return migrate(ctx, db, append(migrations[:len(migrations):len(migrations)], extra...))
}

// Plans returns the query plan of everything that is asked while posting,
// reading and pruning.
func (s *Store) Plans(ctx context.Context) (map[string][]string, error) {
	plans := make(map[string][]string)
	queries := append([]string{sqlTooOld, sqlOldest, sqlKeysGone, sqlDelete, sqlCountDown, sqlForgetKeys}, readQueries...)
	for _, query := range append(queries, writeQueries...) {
		rows, err := s.readers.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, 1, 1, 1, 1, 1, 1, 1, 1)
		if err != nil {
			return nil, fmt.Errorf("explaining %q: %w", query, err)
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				return nil, err
			}
			plans[query] = append(plans[query], detail)
		}
		if err := rows.Close(); err != nil {
			return nil, err
		}
	}
	return plans, nil
}
