package server

import (
	"context"
	"time"

	"autoreview/relay"
)

// retain forgets what is due, at the start and every hour, until ctx ends.
func (s *Server) retain(ctx context.Context) {
	r := relay.Retention{
		MaxAge:      time.Duration(s.config.RetentionDays) * 24 * time.Hour,
		MaxMessages: int64(s.config.RetentionMessages),
	}
	if r == (relay.Retention{}) {
		return
	}
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		s.prune(ctx, r)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) prune(ctx context.Context, r relay.Retention) {
	began := time.Now()
	n, err := s.data.Store.Prune(ctx, r)
	if n > 0 {
		s.journal.events.Info("prune_messages", "pruned", n, "took", time.Since(began))
		s.logger.Info("messages pruned", "count", n, "took", time.Since(began))
	}
	if err != nil && ctx.Err() == nil {
		s.logger.Error("pruning failed", "pruned", n, "err", err)
	}
}
