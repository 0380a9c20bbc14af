package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
)

// pragma is a setting of a connection and the value that SQLite must report
// for it afterwards.
type pragma struct{ name, value, reported string }

// The settings every connection must have. SQLite ignores a setting it cannot
// honour, so each is read back.
//
// There is no foreign_keys: replies and keys outlive the messages they name.
var commonPragmas = []pragma{
	{"busy_timeout", "5000", "5000"},
	{"journal_mode", "WAL", "wal"},
	{"synchronous", "FULL", "2"},
	// macOS syncs to the drive's cache unless told otherwise; no effect elsewhere.
	{"fullfsync", "ON", "1"},
	{"checkpoint_fullfsync", "ON", "1"},
}

var (
	// After a burst the write-ahead log is cut back to 64 MiB.
	writerPragmas = append(commonPragmas[:len(commonPragmas):len(commonPragmas)],
		pragma{"journal_size_limit", "67108864", "67108864"})
	readerPragmas = append(commonPragmas[:len(commonPragmas):len(commonPragmas)],
		pragma{"query_only", "ON", "1"})
)

// openPool returns a pool of size connections to the file at path, an absolute
// path. No connection is open yet.
func openPool(path string, pragmas []pragma, size int) (*sql.DB, error) {
	base, err := sqlite.NewConnector(dsn(path, pragmas))
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(checked{base, pragmas})
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

// dsn is an URI, so that a path may hold any character.
func dsn(path string, pragmas []pragma) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a Windows drive letter
	}
	query := url.Values{"_txlock": {"immediate"}, "_dqs": {"0"}}
	for _, p := range pragmas {
		query.Add("_pragma", p.name+"("+p.value+")")
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	return u.String()
}

// checked is a connector whose connections are known to have their settings.
type checked struct {
	driver.Connector
	pragmas []pragma
}

// Connect implements driver.Connector.
func (c checked) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range c.pragmas {
		if err := p.check(ctx, conn); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

func (p pragma) check(ctx context.Context, conn driver.Conn) error {
	q, ok := conn.(driver.QueryerContext)
	if !ok {
		return errors.New("checking settings: the driver cannot query a connection")
	}
	rows, err := q.QueryContext(ctx, "PRAGMA "+p.name, nil)
	if err != nil {
		return fmt.Errorf("reading setting %s: %w", p.name, err)
	}
	defer rows.Close()
	row := make([]driver.Value, 1)
	if err := rows.Next(row); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading setting %s: %w", p.name, err)
	}
	if got := fmt.Sprint(row[0]); got != p.reported {
		return fmt.Errorf("setting %s of a connection is %s, not %s: is the file on a local disk?", p.name, got, p.reported)
	}
	return nil
}

// makeFile creates the file at path when there is none, with its folder, and
// keeps it and its companions private. SQLite gives new companions the mode of
// the file itself. It returns the absolute path.
func makeFile(path string) (string, error) {
	if path == "" {
		return "", errors.New("no path given")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("making the folder: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Chmod(name, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("making it private: %w", err)
		}
	}
	return path, nil
}
