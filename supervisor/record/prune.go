package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// Keep bounds the folders of runs. The zero Keep keeps all.
type Keep struct {
	// Age is how long a run is kept after its end; 0 is for ever.
	Age time.Duration
	// Bytes is how much all of them may take, the newest first; 0 is no bound.
	Bytes int64
}

// Pruned is what Prune did.
type Pruned struct {
	Runs  int
	Bytes int64
	// Next is when the oldest folder that is left will be due by its age; zero
	// when that is never.
	Next time.Time
}

// folder is a run's folder.
type folder struct {
	run   int64
	path  string
	ended time.Time
	bytes int64
}

// Prune removes the folders in runs that k does not keep, oldest first, but
// none that inUse names. What could not be removed is in the error; the rest is
// done all the same.
func Prune(runs string, k Keep, now time.Time, inUse func(run int64) bool) (Pruned, error) {
	folders, err := list(runs)
	if err != nil || k == (Keep{}) {
		return Pruned{}, err
	}
	var total int64
	for _, f := range folders {
		total += f.bytes
	}
	var p Pruned
	var errs []error
	for _, f := range folders {
		old := k.Age > 0 && now.Sub(f.ended) >= k.Age
		if inUse(f.run) || !old && (k.Bytes == 0 || total <= k.Bytes) {
			if k.Age > 0 && p.Next.IsZero() && !inUse(f.run) {
				p.Next = f.ended.Add(k.Age)
			}
			continue
		}
		if err := os.RemoveAll(f.path); err != nil {
			errs = append(errs, err)
			continue
		}
		total -= f.bytes
		p.Runs, p.Bytes = p.Runs+1, p.Bytes+f.bytes
	}
	if err := errors.Join(errs...); err != nil {
		return p, fmt.Errorf("removing the folders of old runs: %w", err)
	}
	return p, nil
}

// list returns the folders of runs, the one that ended first coming first.
func list(runs string) ([]folder, error) {
	entries, err := os.ReadDir(runs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the folders of runs: %w", err)
	}
	var out []folder
	for _, e := range entries {
		id, err := strconv.ParseInt(e.Name(), 10, 64)
		if err != nil || !e.IsDir() {
			continue // not ours
		}
		f := folder{run: id, path: filepath.Join(runs, e.Name())}
		f.measure()
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b folder) int {
		if c := a.ended.Compare(b.ended); c != 0 {
			return c
		}
		return int(a.run - b.run)
	})
	return out, nil
}

// measure takes the newest of its files as the run's end: they say so also of a
// run that nobody lived to record the end of.
func (f *folder) measure() {
	_ = filepath.WalkDir(f.path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // what cannot be looked at counts as nothing
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		if info.Mode().IsRegular() {
			f.bytes += info.Size()
		}
		if info.ModTime().After(f.ended) {
			f.ended = info.ModTime()
		}
		return nil
	})
}
