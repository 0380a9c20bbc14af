package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// folders are those of ours that hold what people say about their code.
func (s *snapshot) folders() []string {
	var dirs []string
	if s.configured() {
		dirs = append(dirs, s.cfg.StateDir)
	}
	if s.RelayData != "" && (!s.configured() || isLocal(s.cfg.Relay)) {
		dirs = append(dirs, s.RelayData)
	}
	return dirs
}

// checkFolders looks whether our folders can be written to, and by nobody else
// be read.
func checkFolders(_ context.Context, s *snapshot) Result {
	dirs := s.folders()
	if len(dirs) == 0 {
		return nothing
	}
	var parts []Result
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			parts = append(parts, s.missingFolder(dir))
		case err != nil:
			parts = append(parts, fail(dir+" cannot be used", err.Error(), "make it a folder of your own"))
		case !info.IsDir():
			parts = append(parts, fail(dir+" is a file", "a folder is needed there", "move it away"))
		default:
			parts = append(parts, judgeFolder(dir))
		}
	}
	return worst(fmt.Sprintf("private and writable: %s", strings.Join(dirs, ", ")), parts...)
}

// missingFolder is fine, as the first start makes it, unless that cannot work.
func (s *snapshot) missingFolder(dir string) Result {
	parent := existing(dir)
	if err := writable(parent); err != nil {
		return fail(dir+" cannot be made", fmt.Sprintf("%s: %v", parent, err), "make "+parent+" writable for you, or choose another state_dir")
	}
	r := ok("%s is made at the first start", dir)
	r.repair = makeFolder(dir)
	return r
}

func judgeFolder(dir string) Result {
	if err := writable(dir); err != nil {
		return fail(dir+" cannot be written to", err.Error(), fmt.Sprintf("sudo chown -R \"$USER\" %q", dir))
	}
	open := openPaths(dir)
	if len(open) == 0 {
		return nothing
	}
	r := warn(fmt.Sprintf("others may read %s", open[0].path), fmt.Sprintf("%d paths in %s have a mode that lets them", len(open), dir), "autoreview doctor --fix, or chmod -R go= "+dir)
	r.repair = func() (string, error) {
		for _, o := range open {
			if err := os.Chmod(o.path, o.mode&^0o077); err != nil {
				return "", err
			}
		}
		return fmt.Sprintf("took the access of others to %d paths in %s away", len(open), dir), nil
	}
	return r
}

type openPath struct {
	path string
	mode fs.FileMode
}

const (
	// maxPaths and maxDepth bound the walk: a state folder has a folder for
	// each run ever made.
	maxPaths = 20_000
	maxDepth = 3
)

// openPaths are the files and folders that others may use.
func openPaths(dir string) (open []openPath) {
	if runtime.GOOS == "windows" {
		return nil // modes say nothing there
	}
	n := 0
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if n++; err != nil || n > maxPaths {
			return fs.SkipAll
		}
		info, err := d.Info()
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return nil // gone, or somewhere else
		}
		if info.Mode().Perm()&0o077 != 0 {
			open = append(open, openPath{path, info.Mode().Perm()})
		}
		if rel, _ := filepath.Rel(dir, path); d.IsDir() && depth(rel) >= maxDepth {
			return fs.SkipDir
		}
		return nil
	})
	return open
}

func depth(rel string) int {
	n := 0
	for ; rel != "."; rel = filepath.Dir(rel) {
		n++
	}
	return n
}

// existing is the nearest folder at or above dir that is there.
func existing(dir string) string {
	for d := dir; ; d = filepath.Dir(d) {
		if exists(d) || d == filepath.Dir(d) {
			return d
		}
	}
}

const (
	diskWarn = 1 << 30
	diskFail = 100 << 20
)

// checkDisk looks at the space where we write.
func checkDisk(_ context.Context, s *snapshot) Result {
	var seen []string
	var parts []Result
	for _, dir := range append(s.folders(), os.TempDir()) {
		free, err := freeBytes(existing(dir))
		if err != nil {
			continue // a file system that does not tell
		}
		seen = appendNew(seen, fmt.Sprintf("%s free in %s", size(free), dir))
		detail := fmt.Sprintf("%s left in %s", size(free), dir)
		switch {
		case free < diskFail:
			parts = append(parts, fail(detail, "a message or a review that cannot be written is refused", "make room there"))
		case free < diskWarn:
			parts = append(parts, warn(detail, "messages and the records of runs are kept there", "make room there, or see retention_days in docs/configuration.md"))
		}
	}
	if len(seen) == 0 {
		return nothing
	}
	return worst(strings.Join(seen, ", "), parts...)
}

func size(n uint64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
