package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"autoreview/relay"
	"autoreview/relay/store/sqlite"
)

// limitPages lets the file grow by so many pages of 4 KiB; -1 is no limit.
func limitPages(t *testing.T, s *sqlite.Store, more int) {
	t.Helper()
	writer, _ := s.Pools()
	var pages int
	if err := writer.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatalf("page_count: %v", err)
	}
	limit := pages + more
	if more < 0 {
		limit = 1 << 30
	}
	if _, err := writer.ExecContext(t.Context(), fmt.Sprint("PRAGMA max_page_count = ", limit)); err != nil {
		t.Fatalf("max_page_count: %v", err)
	}
}

func wantUnavailable(t *testing.T, err error, text string) {
	t.Helper()
	var refusal *relay.Error
	if !errors.As(err, &refusal) || refusal.Code != relay.CodeUnavailable || !strings.Contains(refusal.Text, text) {
		t.Errorf("got error %v, want an unavailable one about %q", err, text)
	}
}

// A full disk refuses posts, loses nothing, and is over when there is room.
func TestFullDisk(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "relay.db")
	s := open(t, path, sqlite.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	limitPages(t, s, 20)
	var stored int64
	var err error
	for err == nil {
		if _, err = s.Append(t.Context(), draft(strings.Repeat("x", 10_000))); err == nil {
			stored++
		}
	}
	wantUnavailable(t, err, "disk is full")
	wantUnavailable(t, s.Check(t.Context()), "disk is full")
	p, err := s.Read(t.Context(), relay.Query{Limit: 100})
	if err != nil || int64(len(p.Messages)) != stored || p.Head != stored || stored == 0 {
		t.Errorf("Read: got %d messages, head %d, error %v, want %d", len(p.Messages), p.Head, err, stored)
	}
	limitPages(t, s, -1)
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("Check with room: %v", err)
	}
	if posted, err := s.Append(t.Context(), draft("t")); err != nil || posted.ID != stored+1 {
		t.Errorf("Append with room: got %+v, %v, want id %d", posted, err, stored+1)
	}
	wantIntact(t, s)
	for _, want := range []string{"database or disk is full", "store can be written to again"} {
		if n := strings.Count(log.String(), want); n != 1 {
			t.Errorf("log: got %q %d times in %q, want it once", want, n, log.String())
		}
	}
}

// Pruning makes room on a full disk.
func TestPruneFullDisk(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "relay.db"), sqlite.Options{})
	for range 10 {
		if _, err := s.Append(t.Context(), draft(strings.Repeat("x", 10_000))); err != nil {
			t.Fatalf("Append: %v", err)
		}
	}
	limitPages(t, s, 0)
	d := draft(strings.Repeat("x", 20_000))
	_, err := s.Append(t.Context(), d)
	wantUnavailable(t, err, "disk is full")
	if n, err := s.Prune(t.Context(), relay.Retention{MaxMessages: 1}); n != 9 || err != nil {
		t.Errorf("Prune: got %d, %v, want 9", n, err)
	}
	if _, err := s.Append(t.Context(), d); err != nil {
		t.Errorf("Append after Prune: %v", err)
	}
}

// A message that does not fit fails alone, also when others share its commit.
func TestLargeMessageFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, filepath.Join(t.TempDir(), "relay.db"), sqlite.Options{})
		if _, err := s.Append(t.Context(), draft("t")); err != nil {
			t.Fatalf("Append: %v", err)
		}
		limitPages(t, s, 50)
		release := s.Hold()
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				if i == 5 {
					_, err := s.Append(t.Context(), draft(strings.Repeat("x", 1<<20)))
					wantUnavailable(t, err, "disk is full")
				} else if _, err := s.Append(t.Context(), draft("small")); err != nil {
					t.Errorf("Append of a small message: %v", err)
				}
			})
		}
		synctest.Wait()
		release()
		wg.Wait()
		p, err := s.Read(t.Context(), relay.Query{Limit: 100})
		if err != nil || len(p.Messages) != 10 || p.Head != 10 {
			t.Errorf("Read: got %d messages, head %d, error %v, want 10", len(p.Messages), p.Head, err)
		}
	})
}

// A read-only file refuses posts until it can be written to again.
func TestReadOnly(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "relay.db"), sqlite.Options{})
	writer, _ := s.Pools()
	readOnly := func(value string) {
		if _, err := writer.ExecContext(t.Context(), "PRAGMA query_only = "+value); err != nil {
			t.Fatalf("query_only: %v", err)
		}
	}
	readOnly("ON")
	_, err := s.Append(t.Context(), draft("t"))
	wantUnavailable(t, err, "read-only")
	wantUnavailable(t, s.Check(t.Context()), "read-only")
	readOnly("OFF")
	if p, err := s.Append(t.Context(), draft("t")); err != nil || p.ID != 1 {
		t.Errorf("Append: got %+v, %v, want id 1", p, err)
	}
}

// An error that nobody can act on stays internal.
func TestInternalError(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "relay.db"), sqlite.Options{})
	writer, _ := s.Pools()
	if _, err := writer.ExecContext(t.Context(), `CREATE TRIGGER broken BEFORE INSERT ON messages
		BEGIN SELECT raise(ABORT, 'broken'); END`); err != nil {
		t.Fatalf("breaking the store: %v", err)
	}
	_, err := s.Append(t.Context(), draft("t"))
	if refusal := (*relay.Error)(nil); err == nil || errors.As(err, &refusal) {
		t.Errorf("Append: got %v, want an error that is not for the client", err)
	}
}

func wantIntact(t *testing.T, s *sqlite.Store) {
	t.Helper()
	writer, _ := s.Pools()
	var got string
	if err := writer.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&got); err != nil || got != "ok" {
		t.Errorf("integrity_check: got %q, %v, want ok", got, err)
	}
}
