package supervisor

import (
	"context"

	"autoreview/relay/lastfile"
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
	id, ok, err := lastfile.Read(s.cfg.LastFile)
	if err != nil {
		s.log.Warn("LASTFILE is not used", "watch", w.Name, "err", err)
		return 0, false
	}
	return id, ok
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
		err = lastfile.Write(s.cfg.LastFile, id)
	}
	if err != nil {
		s.log.Warn("could not write LASTFILE", "watch", w.Name, "file", s.cfg.LastFile, "err", err)
	}
}
