package record

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Tail reads the events of a run in their order, as far as they are there. Make
// one with NewTail; it belongs to one goroutine.
type Tail struct {
	run           int64
	dir           string
	events, times int64 // offsets of what has not been read
}

// NewTail returns a Tail that begins with the first event of a run.
func NewTail(run int64, dir string) *Tail { return &Tail{run: run, dir: dir} }

// Read calls each for every event that has been written since the last Read and
// is worth a line. A line that is still being written is left to the next Read,
// and a folder without events has none.
func (t *Tail) Read(each func(Line) error) error {
	events, err := openAt(filepath.Join(t.dir, eventsFile), t.events)
	if err != nil || events == nil {
		return err
	}
	defer events.Close()
	// The time of an event is written before the event: it is there.
	times, err := openAt(filepath.Join(t.dir, timesFile), t.times)
	if err != nil {
		return err
	}
	var stamps *bufio.Reader
	if times != nil {
		defer times.Close()
		stamps = bufio.NewReader(times)
	}
	r := bufio.NewReaderSize(events, 64<<10)
	for {
		raw, err := r.ReadBytes('\n')
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("reading the events of run %d: %w", t.run, err)
		}
		t.events += int64(len(raw))
		at := t.stamp(stamps)
		if l, ok := Render(raw); ok {
			l.Run, l.Time = t.run, at
			if err := each(l); err != nil {
				return err
			}
		}
	}
}

func (t *Tail) stamp(r *bufio.Reader) time.Time {
	if r == nil {
		return time.Time{}
	}
	s, err := r.ReadString('\n')
	if err != nil {
		return time.Time{} // cut off, or of a version that kept none
	}
	t.times += int64(len(s))
	ms, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// openAt returns nil for a file that is not there.
func openAt(path string, offset int64) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the events of a run: %w", err), f.Close())
	}
	return f, nil
}
