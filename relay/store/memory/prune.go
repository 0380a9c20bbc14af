package memory

import (
	"context"
	"maps"
	"slices"
	"time"

	"autoreview/relay"
)

// keepKeys is how long an idempotency key is remembered when its message is
// gone.
const keepKeys = 30 * 24 * time.Hour

// Prune deletes the messages that r no longer keeps, and the idempotency keys
// of pruned messages that are older than 30 days. It returns how many messages
// it deleted.
func (s *Store) Prune(_ context.Context, r relay.Retention) (pruned int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	before := len(s.messages)
	if r.MaxAge > 0 {
		oldest := seconds(now.Add(-r.MaxAge))
		s.pruneLocked(func(m relay.Message) bool { return m.TS < oldest })
	}
	if excess := int64(len(s.messages)) - r.MaxMessages; r.MaxMessages > 0 && excess > 0 {
		kept := s.messages[excess].ID
		s.pruneLocked(func(m relay.Message) bool { return m.ID < kept })
	}
	maps.DeleteFunc(s.keys, func(_ key, p posted) bool {
		return s.findLocked(p.id) == nil && seconds(p.at) < seconds(now.Add(-keepKeys))
	})
	return before - len(s.messages), nil
}

func (s *Store) pruneLocked(due func(relay.Message) bool) {
	s.messages = slices.DeleteFunc(s.messages, func(m relay.Message) bool {
		if !due(m) {
			return false
		}
		s.channels[m.Target].Count--
		s.pruned[m.Target] = max(s.pruned[m.Target], m.ID)
		return true
	})
}
