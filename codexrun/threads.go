package codexrun

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ThreadInfo is a thread that Codex has a record of and can resume.
type ThreadInfo struct {
	ID string `json:"id"`
	// Started is when the thread began.
	Started time.Time `json:"started"`
	// Dir is the working directory it began in.
	Dir string `json:"dir"`
	// Prompt is the beginning of what the user first asked, "" when that was
	// not found near the beginning of the record.
	Prompt string `json:"prompt"`
	// File is the record itself.
	File string `json:"file"`
}

const (
	// threadHead is how much of a record is read for its ThreadInfo.
	threadHead  = 4 << 20
	threadLines = 400
	// threadPrompt is how much of a prompt is kept: a packet may be 1 MiB.
	threadPrompt = 2000
)

// Threads lists the threads below codexHome ("" means CODEX_HOME or ~/.codex),
// newest first. A record that cannot be read is left out; a home without any
// is an empty list.
func Threads(codexHomeDir string) ([]ThreadInfo, error) {
	if codexHomeDir == "" {
		codexHomeDir = codexHome(nil)
	}
	pattern := filepath.Join("sessions", "*", "*", "*", "rollout-*.jsonl")
	files, err := fs.Glob(os.DirFS(codexHomeDir), filepath.ToSlash(pattern))
	if err != nil {
		return nil, err
	}
	var threads []ThreadInfo
	for _, file := range files {
		if t, ok := readThread(filepath.Join(codexHomeDir, filepath.FromSlash(file))); ok {
			threads = append(threads, t)
		}
	}
	slices.SortStableFunc(threads, func(a, b ThreadInfo) int {
		if c := b.Started.Compare(a.Started); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID) // ids are in the order of time
	})
	return threads, nil
}

var errEnough = errors.New("enough")

// readThread reads the beginning of a record until the first prompt.
func readThread(path string) (ThreadInfo, bool) {
	file, err := os.Open(path)
	if err != nil {
		return ThreadInfo{}, false
	}
	defer file.Close()
	t := ThreadInfo{File: path}
	lines := 0
	// However the reading ends, what was found until then is what there is.
	_ = readLines(&stopReader{file: file, enough: func() bool { return t.Prompt != "" || lines > threadLines }}, threadHead, func(line []byte) {
		lines++
		t.add(line)
	})
	return t, t.ID != ""
}

// stopReader ends when its reader's user has enough.
type stopReader struct {
	file   *os.File
	enough func() bool
}

// Read implements io.Reader.
func (r *stopReader) Read(p []byte) (int, error) {
	if r.enough() {
		return 0, errEnough
	}
	return r.file.Read(p)
}

// add takes in one line of a record.
func (t *ThreadInfo) add(line []byte) {
	var v struct {
		Type    string `json:"type"`
		Payload struct {
			ID        string    `json:"id"`
			Timestamp time.Time `json:"timestamp"`
			Cwd       string    `json:"cwd"`
			Type      string    `json:"type"`
			Role      string    `json:"role"`
			Content   []struct {
				Text string `json:"text"`
			} `json:"content"`
		} `json:"payload"`
	}
	// A line of another form sets nothing that counts here.
	_ = json.Unmarshal(line, &v)
	p := v.Payload
	switch {
	case v.Type == "session_meta" && t.ID == "":
		t.ID, t.Started, t.Dir = p.ID, p.Timestamp, p.Cwd
	case v.Type == "response_item" && p.Type == "message" && p.Role == "user" && t.Prompt == "":
		for _, part := range p.Content {
			if !isContext(part.Text) && t.Prompt == "" {
				t.Prompt = beginning(strings.TrimSpace(part.Text), threadPrompt)
			}
		}
	}
}

func beginning(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

// isContext tells what Codex itself says in the user's name before the prompt.
func isContext(text string) bool {
	text = strings.TrimSpace(text)
	for _, start := range []string{
		"# AGENTS.md instructions", "<environment_context>", "<user_instructions>", "<INSTRUCTIONS>",
		"<skills_instructions>", "<permissions", "<turn_aborted>", "<system", "<developer",
	} {
		if strings.HasPrefix(text, start) {
			return true
		}
	}
	return text == ""
}
