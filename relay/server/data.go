package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"

	"github.com/gofrs/flock"

	"autoreview/relay/store/sqlite"
)

// The files of a data folder, next to the logs.
const (
	storeFile = "relay.db"
	lockFile  = "lock"
	ownerFile = "owner.json"
)

// Data is a data folder that this process owns, with its store open. Close
// gives it back.
type Data struct {
	// Store is the log of the folder; it is closed with the Data.
	Store *sqlite.Store
	dir   string
	lock  *flock.Flock
}

// Owner says who uses a data folder.
type Owner struct {
	PID int `json:"pid"`
	// URL is where that relay listens, "" when it does not.
	URL string `json:"url,omitempty"`
}

// LockedError says that another process uses the data folder.
type LockedError struct {
	Dir string
	// Owner is zero when it is not known.
	Owner Owner
}

// Error names the folder and, if known, its owner.
func (e *LockedError) Error() string {
	text := fmt.Sprintf("the data folder %s is in use by another relay", e.Dir)
	switch {
	case e.Owner.URL != "":
		return fmt.Sprintf("%s (pid %d, at %s)", text, e.Owner.PID, e.Owner.URL)
	case e.Owner.PID != 0:
		return fmt.Sprintf("%s (pid %d)", text, e.Owner.PID)
	}
	return text
}

// Hint says what the user can do.
func (e *LockedError) Hint() string {
	return "use that one, stop it first, or give this one a folder of its own with --data"
}

// OpenData locks a data folder, makes it when there is none, and opens its
// store. When another process has the lock the error is a *LockedError. log
// gets what an operator must act on.
func OpenData(ctx context.Context, dir string, log *slog.Logger) (*Data, error) {
	// It holds what people say about their source code.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o022 != 0 && runtime.GOOS != "windows" {
		log.Warn("OTHERS MAY WRITE TO THE DATA FOLDER, and let themselves in by a token of their own: take that right from them, as with chmod go-w", "data", dir)
	}
	d := &Data{dir: dir, lock: flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))}
	locked, err := d.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking the data folder: %w", err)
	}
	if !locked {
		return nil, &LockedError{Dir: dir, Owner: readOwner(dir)}
	}
	d.setOwner("")
	if d.Store, err = sqlite.Open(ctx, filepath.Join(dir, storeFile), sqlite.Options{Log: log}); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the store: %w", err), d.unlock())
	}
	return d, nil
}

// setOwner says who has the lock, in a file of its own: Windows lets nobody
// read a locked file. It is for error texts only, so its failure is no failure.
func (d *Data) setOwner(url string) {
	b, err := json.Marshal(Owner{PID: os.Getpid(), URL: url})
	if err == nil {
		_ = os.WriteFile(filepath.Join(d.dir, ownerFile), b, 0o600)
	}
}

func readOwner(dir string) (o Owner) {
	b, err := os.ReadFile(filepath.Join(dir, ownerFile))
	if err != nil || json.Unmarshal(b, &o) != nil {
		return Owner{}
	}
	return o
}

// Close closes the store and gives the folder back.
func (d *Data) Close() error {
	return errors.Join(d.Store.Close(), d.unlock())
}

// unlock leaves the lock's file where it is: who removed it could take it away
// from under the next one who has locked it.
func (d *Data) unlock() error {
	_ = os.Remove(filepath.Join(d.dir, ownerFile))
	return d.lock.Unlock()
}
