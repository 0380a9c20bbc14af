package codexrun

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// files are what a run leaves in Spec.RunDir.
type files struct {
	dir        string
	transcript *os.File // nil without a folder
	times      *os.File // when each line of the transcript came; nil without a folder
}

func openFiles(spec Spec) (*files, error) {
	f := &files{dir: spec.RunDir}
	if spec.RunDir == "" {
		return f, nil
	}
	if len(spec.Schema) > 0 {
		if err := os.WriteFile(filepath.Join(spec.RunDir, schemaFile), spec.Schema, 0o600); err != nil {
			return nil, fmt.Errorf("writing the schema: %w", err)
		}
	}
	transcript, err := appendTo(filepath.Join(spec.RunDir, "events.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("opening the transcript: %w", err)
	}
	f.transcript = transcript
	if f.times, err = appendTo(filepath.Join(spec.RunDir, "times.txt")); err != nil {
		f.close()
		return nil, fmt.Errorf("opening the times of the transcript: %w", err)
	}
	return f, nil
}

func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}

// line keeps one line of standard output. A full disk must not cost a review
// that is already being paid for, so an error is not one of the run. Who follows
// the transcript finds the time of each line that is there.
func (f *files) line(line []byte) {
	if f.transcript != nil {
		_, _ = fmt.Fprintln(f.times, time.Now().UnixMilli())
		_, _ = f.transcript.Write(append(line[:len(line):len(line)], '\n'))
	}
}

// stderr keeps the end of standard error.
func (f *files) stderr(text string) {
	if f.dir == "" || text == "" {
		return
	}
	file, err := appendTo(filepath.Join(f.dir, "stderr.txt"))
	if err != nil {
		return
	}
	_, _ = file.WriteString(text)
	_ = file.Close()
}

func (f *files) close() {
	for _, file := range []*os.File{f.transcript, f.times} {
		if file != nil {
			_ = file.Close()
		}
	}
}
