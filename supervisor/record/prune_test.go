package record_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"autoreview/supervisor/record"
)

// folders makes one folder a run, each with a KB, the n-th of which ended n days
// after t0, and returns the folder that holds them.
func folders(t *testing.T, n int) string {
	t.Helper()
	runs := t.TempDir()
	for i := range n {
		dir := filepath.Join(runs, fmt.Sprint(i+1))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		file, at := filepath.Join(dir, "events.jsonl"), t0.AddDate(0, 0, i+1)
		write(t, file, strings.Repeat("x", 1<<10))
		for _, path := range []string{file, dir} {
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	return runs
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestPrune(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		name   string
		keep   record.Keep
		now    time.Time
		inUse  int64
		want   []string
		pruned record.Pruned
	}{
		{"all", record.Keep{}, t0.AddDate(9, 0, 0), 0, []string{"1", "2", "3", "4", "5"}, record.Pruned{}},
		{"by age", record.Keep{Age: 2 * day}, t0.AddDate(0, 0, 5), 0, []string{"4", "5"}, record.Pruned{Runs: 3, Bytes: 3 << 10, Next: t0.AddDate(0, 0, 6)}},
		{"by size", record.Keep{Bytes: 2 << 10}, t0.AddDate(0, 0, 5), 0, []string{"4", "5"}, record.Pruned{Runs: 3, Bytes: 3 << 10}},
		{"by both", record.Keep{Age: 4 * day, Bytes: 4 << 10}, t0.AddDate(0, 0, 6), 0, []string{"3", "4", "5"}, record.Pruned{Runs: 2, Bytes: 2 << 10, Next: t0.AddDate(0, 0, 7)}},
		{"in use", record.Keep{Age: day}, t0.AddDate(0, 0, 9), 2, []string{"2"}, record.Pruned{Runs: 4, Bytes: 4 << 10}},
		{"a clock that went back", record.Keep{Age: day}, t0.AddDate(-1, 0, 0), 0, []string{"1", "2", "3", "4", "5"}, record.Pruned{Next: t0.AddDate(0, 0, 2)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runs := folders(t, 5)
			got, err := record.Prune(runs, tt.keep, tt.now, func(run int64) bool { return run == tt.inUse })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.pruned, got, cmp.Comparer(time.Time.Equal)); diff != "" {
				t.Errorf("Prune (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, names(t, runs)); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}
}

// Only folders of runs are removed, and a missing one is no problem.
func TestPruneLeavesTheRestAlone(t *testing.T) {
	runs := folders(t, 1)
	for _, name := range []string{"notes", "7x"} {
		if err := os.Mkdir(filepath.Join(runs, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(runs, "9"), "a file")
	keep := record.Keep{Age: time.Nanosecond}
	if _, err := record.Prune(runs, keep, t0.AddDate(99, 0, 0), func(int64) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"7x", "9", "notes"}, names(t, runs)); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if _, err := record.Prune(filepath.Join(runs, "none"), keep, t0, nil); err != nil {
		t.Errorf("Prune of no folder: got %v", err)
	}
}
