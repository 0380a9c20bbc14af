package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// Peek is OpenReadOnly that leaves no files behind. SQLite makes two beside a
// database that it reads, unless it is told that nobody writes to it: without a
// log file beside it nobody does. The caller does not keep the Store open, as it
// may never see what is written later.
func Peek(ctx context.Context, path string) (*Store, error) {
	if _, err := os.Stat(path + "-wal"); err == nil {
		return OpenReadOnly(ctx, path)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("opening state: %w", err)
	}
	s, err := connect(path, url.Values{"mode": {"ro"}, "immutable": {"1"}, "_pragma": {"query_only(1)"}})
	if err != nil {
		return nil, err
	}
	version, err := s.version(ctx)
	if err == nil && version > len(migrations) {
		err = fmt.Errorf("the file was written by a newer autoreview (schema %d, this one knows %d)", version, len(migrations))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening state %s: %w", path, err), s.Close())
	}
	return s, nil
}
