package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"gopkg.in/natefinch/lumberjack.v2"

	"autoreview/relay"
	"autoreview/relay/config"
)

// journal writes the activity log and the archive of all messages. Both have
// the original's records as JSON lines. lumberjack keeps a goroutine per file
// until the process ends, so one process has one journal and no more than that.
type journal struct {
	activity *logFile
	archive  *logFile
	events   *slog.Logger
	log      *slog.Logger
	failed   atomic.Bool // a failing archive is said once, not per message
}

// openJournal prepares both files. maxText bounds the text of a message: a
// record larger than a file may be would be lost.
func openJournal(c config.Config, log *slog.Logger) (*journal, error) {
	j := &journal{log: log}
	var err error
	if j.activity, err = openLog(c.Log, 1, "log_max_mb", log); err != nil {
		return nil, err
	}
	if j.archive, err = openLog(c.ChannelLog, recordMB(c.MaxTextBytes), "channel_log_max_mb", log); err != nil {
		return nil, err
	}
	j.events = slog.New(slog.NewJSONHandler(j.activity, nil))
	return j, nil
}

// recordMB is the size of the largest record of the archive: JSON may take six
// bytes for one of the text.
func recordMB(maxText int) int {
	const rest = 1 << 20 // meta, names, key and punctuation
	return (6*maxText + rest + 1<<20 - 1) >> 20
}

// openLog makes the folder and the file, private to the user. An existing file
// is made private too, as its rotated successors inherit its mode.
func openLog(f config.LogFile, leastMB int, key string, log *slog.Logger) (*logFile, error) {
	if f.MaxMB < leastMB {
		log.Warn("log size raised to hold the largest message", "key", key, "configured_mb", f.MaxMB, "used_mb", leastMB)
		f.MaxMB = leastMB
	}
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of a log: %w", err)
	}
	file, err := os.OpenFile(f.Path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening a log: %w", err)
	}
	// A device such as /dev/null has a mode that is not ours to change.
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		_ = file.Chmod(0o600)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("opening a log: %w", err)
	}
	return &logFile{file: lumberjack.Logger{Filename: f.Path, MaxSize: f.MaxMB, MaxBackups: f.Backups}}, nil
}

// logFile stays closed once it is: a lumberjack.Logger would open its file
// again for a request that ends after the stop.
type logFile struct {
	mu     sync.Mutex
	closed bool // guarded by mu, as is file
	file   lumberjack.Logger
}

func (f *logFile) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, os.ErrClosed
	}
	return f.file.Write(p)
}

func (f *logFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return f.file.Close()
}

// record is a line of the archive.
type record struct {
	relay.Message
	Source string `json:"source"`
}

// posted writes down a new message. The message is safe in the store, so a
// failure here is only reported.
func (j *journal) posted(m relay.Message, source string) {
	j.events.Info("post_message", "id", m.ID, "target", m.Target, "sender", m.Sender,
		"text_len", utf8.RuneCountInString(m.Text), "source", source)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(record{m, source})
	if err == nil {
		_, err = j.archive.Write(b.Bytes())
	}
	if err != nil && !j.failed.Swap(true) {
		j.log.Error("archive cannot be written", "path", j.archive.file.Filename, "err", err)
	}
	if err == nil && j.failed.Swap(false) {
		j.log.Info("archive is written again", "path", j.archive.file.Filename)
	}
}

// fetched writes down what a model was given.
func (j *journal) fetched(target string, since int64, limit, returned int, latest int64) {
	j.events.Info("fetch_messages", "target", target, "since_id", since, "limit", limit,
		"returned", returned, "latest_id", latest)
}

func (j *journal) close() error {
	return errors.Join(j.activity.Close(), j.archive.Close())
}
