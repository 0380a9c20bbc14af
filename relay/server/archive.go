package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"

	"autoreview/relay"
)

// LineError is a line of an archive that is not a message.
type LineError struct {
	// Line counts from 1.
	Line int
	Err  error
}

// Error names the line and the reason.
func (e LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns the reason.
func (e LineError) Unwrap() error { return e.Err }

// pythonTime is what the original's logger writes before each record.
var pythonTime = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} `)

// ReadArchive reads the messages of an archive, a relay's own or the original
// server's, in the order of the file. A line that cannot be read is left out
// and reported; the error is that of r alone.
func ReadArchive(r io.Reader) (messages []relay.Message, bad []LineError, err error) {
	in := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n') // a line may have any length
		if err != nil && err != io.EOF {
			return messages, bad, fmt.Errorf("reading an archive: %w", err)
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			m, lineErr := parseRecord(line)
			if lineErr != nil {
				bad = append(bad, LineError{n, lineErr})
			} else {
				messages = append(messages, m)
			}
		}
		if err == io.EOF {
			return messages, bad, nil
		}
	}
}

func parseRecord(line []byte) (relay.Message, error) {
	line = line[len(pythonTime.Find(line)):]
	var rec record
	if err := json.Unmarshal(line, &rec); err != nil {
		return relay.Message{}, fmt.Errorf("not a record: %v", err)
	}
	m := rec.Message
	if m.ID < 1 || m.TS <= 0 || math.IsInf(m.TS, 0) {
		return relay.Message{}, errors.New("not a record: it has no id or no ts")
	}
	// The size is not limited here: what the other log took is history.
	d, err := relay.Limits{TextBytes: math.MaxInt}.Clean(relay.Draft{Target: m.Target, Sender: m.Sender, Text: m.Text,
		Kind: m.Kind, ReplyTo: m.ReplyTo, Meta: m.Meta, Key: m.Key})
	if err != nil {
		return relay.Message{}, err
	}
	m.Target, m.Sender, m.Meta = d.Target, d.Sender, d.Meta
	return m, nil
}
