package server

import (
	"context"
	"time"

	"autoreview/relay"
)

// leastPosts is after how many posts it is worth looking for what is due.
const leastPosts = 100

// grow counts a stored message. When their number is bounded the log is looked
// through each time it may be a tenth over: in an hour there can be any number.
func (s *Server) grow() {
	keep := int64(s.config.RetentionMessages)
	if keep == 0 || s.stored.Add(1)%max(keep/10, leastPosts) != 0 {
		return
	}
	select {
	case s.grown <- struct{}{}:
	default:
	}
}

// retain forgets what is due, at the start, every hour and when the log has
// grown, until ctx ends.
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
		case <-s.grown:
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
