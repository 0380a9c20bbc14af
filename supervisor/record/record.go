// Package record keeps what a run of Codex was and what came of it, in the run's
// own folder, and shows it again: to somebody who follows a review, to one who
// looks at it later, and in a bug report.
//
//	runs/7/record.json   what was started, how, and how it ended (Record)
//	runs/7/events.jsonl  every event of Codex, as it came
//	runs/7/times.txt     when, a line for each event, in Unix milliseconds
//	runs/7/stderr.txt    the end of its standard error
//
// The folders are private to the user. Prune forgets the old ones.
package record

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// The files of a run's folder.
const (
	recordFile = "record.json"
	eventsFile = "events.jsonl"
	timesFile  = "times.txt"
	stderrFile = "stderr.txt"
)

// Record is what is known of a run. It has no prompt, no answer and no value of
// an environment variable.
type Record struct {
	Run        int64   `json:"run"`
	Job        int64   `json:"job"`
	Watch      string  `json:"watch"`
	Channel    string  `json:"channel"`
	Packets    []int64 `json:"packets"`
	Generation int     `json:"generation"`
	Attempt    int     `json:"attempt"`

	Codex  string   `json:"codex"`  // its version
	Binary string   `json:"binary"` // its path
	Argv   []string `json:"argv"`   // without the program
	Env    []string `json:"env"`    // names only, sorted
	Dir    string   `json:"dir"`    // the working directory
	Prompt Prompt   `json:"prompt"`

	Started time.Time `json:"started"`
	// Ended is zero while it runs, and for ever when the supervisor died first.
	Ended    time.Time `json:"ended,omitzero"`
	PID      int       `json:"pid,omitempty"`
	Thread   string    `json:"thread,omitempty"`
	Replaced bool      `json:"replaced,omitempty"` // the thread asked for was not there
	Class    string    `json:"class,omitempty"`
	Text     string    `json:"text,omitempty"`
	Exit     int       `json:"exit"`
	Signal   string    `json:"signal,omitempty"`
	Tokens   int64     `json:"tokens"`
}

// Prompt tells prompts apart without keeping them.
type Prompt struct {
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
}

// NewPrompt describes a prompt.
func NewPrompt(text string) Prompt {
	sum := sha256.Sum256([]byte(text))
	return Prompt{SHA256: hex.EncodeToString(sum[:]), Bytes: len(text)}
}

// Took is how long the run took, 0 when its end is not known.
func (r Record) Took() time.Duration {
	if r.Ended.IsZero() {
		return 0
	}
	return r.Ended.Sub(r.Started)
}

// Write replaces the record in a run's folder, which exists. It does not wait for
// the disk: Codex is started right after it, and what decides anything is in the
// state.
func Write(dir string, r Record) error {
	b, err := json.MarshalIndent(r, "", "  ")
	path := filepath.Join(dir, recordFile)
	if err == nil {
		err = os.WriteFile(path+".new", append(b, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("writing the record of run %d: %w", r.Run, err)
	}
	return nil
}

// Read reads the record in a run's folder. The error is fs.ErrNotExist when
// there is none.
func Read(dir string) (Record, error) {
	var r Record
	b, err := os.ReadFile(filepath.Join(dir, recordFile))
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		return Record{}, fmt.Errorf("reading the record of a run: %w", err)
	}
	return r, nil
}
