package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"autoreview/relay/store/sqlite"
	"autoreview/relay/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, now func() time.Time) storetest.Store {
		return open(t, filepath.Join(t.TempDir(), "relay.db"), sqlite.Options{Now: now})
	})
}

func TestStoreDurable(t *testing.T) {
	storetest.RunDurable(t, func(t *testing.T, path string, now func() time.Time) storetest.Durable {
		return open(t, path, sqlite.Options{Now: now})
	})
}

// open opens a store and closes it when the test ends.
func open(t testing.TB, path string, opts sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}
