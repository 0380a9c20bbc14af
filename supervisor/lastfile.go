package supervisor

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"

	"autoreview/supervisor/config"
)

// The bash loop kept the id of the last packet in LASTFILE. The file is read
// once, when the state has no cursor, and kept up to date afterwards for those
// who look at it; the state is what counts.

// readLastFile returns the id in LASTFILE; ok is false when there is no such
// file or it holds no number.
func (s *Supervisor) readLastFile(w config.Watch) (id int64, ok bool) {
	if s.cfg.LastFile == "" {
		return 0, false
	}
	b, err := os.ReadFile(s.cfg.LastFile)
	if err != nil {
		return 0, false
	}
	id, err = strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || id < 0 {
		s.log.Warn("LASTFILE holds no message id and is not used", "watch", w.Name, "file", s.cfg.LastFile)
		return 0, false
	}
	return id, true
}

// writeLastFile writes the highest id up to which everything is answered.
func (s *Supervisor) writeLastFile(ctx context.Context, w config.Watch, logID string) {
	if s.cfg.LastFile == "" {
		return
	}
	s.lastFileMu.Lock()
	defer s.lastFileMu.Unlock()
	id, err := s.state.AnsweredThrough(context.WithoutCancel(ctx), w.Name, w.Channel, logID)
	if err == nil {
		err = replaceFile(s.cfg.LastFile, strconv.FormatInt(id, 10)+"\n")
	}
	if err != nil {
		s.log.Warn("could not write LASTFILE", "watch", w.Name, "file", s.cfg.LastFile, "err", err)
	}
}

// replaceFile replaces a file in one step, so that a reader never sees half of
// it. A symbolic link stays and its target is replaced.
func replaceFile(path, content string) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return renameio.WriteFile(path, []byte(content), 0o600)
}
