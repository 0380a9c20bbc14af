//go:build unix

package chaos_test

import (
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"
)

// spell is something that is wrong for a while, never twice at once.
type spell struct {
	over sync.WaitGroup

	mu sync.Mutex
	// guarded by mu
	on   bool
	last time.Time // when it ended last
}

// cast begins it, unless it is on, and has end called after d.
func (s *spell) cast(d time.Duration, begin func() bool, end func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.on || !begin() {
		return false
	}
	s.on = true
	s.over.Go(func() {
		time.Sleep(d)
		end()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.on, s.last = false, time.Now()
	})
	return true
}

// since reports whether it was on at any moment after t.
func (s *spell) since(t time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.on || s.last.After(t)
}

// disk holds everything that both programs write. Where the system lets us it
// is a file system of its own, so that filling it is the real thing.
type disk struct {
	spell
	t   *testing.T
	dir string
	own bool
}

func newDisk(t *testing.T, dir string) *disk {
	t.Helper()
	d := &disk{t: t, dir: dir}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := mountDisk(dir); err != nil {
		t.Logf("chaos: there is no disk to fill up, writes are only refused: %v", err)
		return d
	}
	d.own = true
	t.Cleanup(func() {
		if t.Failed() {
			if err := os.CopyFS(dir+"-as-it-was", os.DirFS(dir)); err != nil {
				t.Logf("chaos: keeping what was on the disk: %v", err)
			}
		}
		if err := unmountDisk(dir); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
	return d
}

// fill leaves it only so much room, for d.
func (d *disk) fill(left int64, during time.Duration) bool {
	return d.own && d.cast(during, func() bool { return shrink(d.dir, left) == nil }, func() {
		if err := widen(d.dir); err != nil {
			d.t.Errorf("making room on %s: %v", d.dir, err)
		}
	})
}

// diskFull fills the file system of both programs.
func diskFull(w *world, rng *rand.Rand) bool {
	// Often there is nothing left at all.
	left := max(rng.Int64N(192<<10)-64<<10, 0)
	return w.disk.fill(left, brief(rng))
}

// noWrites has the system refuse to let files of a program grow past a size:
// past that of its write-ahead log, or at all.
func noWrites(of func(*world) *program, wal string) func(*world, *rand.Rand) bool {
	return func(w *world, rng *rand.Rand) bool {
		size := int64(0)
		if info, err := os.Stat(w.path(wal)); err == nil && rng.IntN(2) == 0 {
			size = info.Size()
		}
		p := of(w)
		var l *life
		return p.capped.cast(brief(rng), func() bool {
			var ok bool
			l, ok = p.cap(nil, uint64(size))
			return ok
		}, func() { p.cap(l, unlimited) })
	}
}

// cap bounds the size of what a life may write; nil means the present one.
func (p *program) cap(of *life, size uint64) (*life, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.life
	if l == nil || of != nil && l != of {
		return nil, false
	}
	return l, limitFiles(l.cmd.Process.Pid, size) == nil
}

// brief is how long something is wrong.
func brief(rng *rand.Rand) time.Duration { return time.Duration(50+rng.IntN(750)) * time.Millisecond }

const unlimited = ^uint64(0)
