package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// instance says what to do when another autoreview has the same configuration.
type instance int

const (
	insist  instance = iota // it is an error
	standby                 // wait for it to end and take over
	yield                   // end quietly
)

// errRunning says that another autoreview has the lock.
var errRunning = errors.New("another autoreview is running")

// lockState takes the lock of a state folder, so that one configuration has one
// supervisor. The operating system lets go of it when the process ends,
// however it ends. Two files name the owner and its configuration.
func lockState(ctx context.Context, dir, config string, how instance, talk io.Writer) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the state folder: %w", err)
	}
	path := filepath.Join(dir, "lock")
	lock := flock.New(path, flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	if !ok {
		owner := readOwner(dir)
		switch how {
		case yield:
			return nil, errRunning
		case insist:
			return nil, hintError{
				fmt.Errorf("another autoreview%s has this configuration", owner),
				"stop it, or wait for it with --standby",
			}
		}
		fmt.Fprintf(talk, "autoreview: standing by: another autoreview%s has this configuration; I take over when it ends\n", owner)
		notify("READY=1\nSTATUS=standing by") // waiting is what it was started for
		if err := waitForLock(ctx, lock); err != nil {
			return nil, err
		}
		fmt.Fprintln(talk, "autoreview: taking over")
	}
	// The lock itself cannot be written to on every system.
	err = errors.Join(
		os.WriteFile(configFile(dir), []byte(config+"\n"), 0o600),
		os.WriteFile(ownerFile(dir), fmt.Appendf(nil, "%d\n", os.Getpid()), 0o600))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("writing the owner of the lock: %w", err), lock.Unlock())
	}
	return func() {
		_ = os.Remove(ownerFile(dir))
		_ = os.Remove(configFile(dir))
		_ = lock.Unlock()
	}, nil
}

// waitForLock blocks in the operating system, so that it costs nothing while it
// waits. When ctx ends first the goroutine is left to the end of the process.
func waitForLock(ctx context.Context, lock *flock.Flock) error {
	got := make(chan error, 1)
	go func() { got <- lock.Lock() }()
	select {
	case err := <-got:
		return err
	case <-ctx.Done():
		return exitError(0)
	}
}

func ownerFile(dir string) string { return filepath.Join(dir, "owner") }

// configFile names the configuration that the owner goes by.
func configFile(dir string) string { return filepath.Join(dir, "owner.config") }

func readOwner(dir string) string {
	b, err := os.ReadFile(ownerFile(dir))
	if pid := strings.TrimSpace(string(b)); err == nil && pid != "" {
		return " (pid " + pid + ")"
	}
	return ""
}
