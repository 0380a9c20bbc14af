package relay

import "time"

// Retention says which messages a store may forget. The zero Retention keeps
// everything. Whatever is pruned, ids are never reused and idempotency keys are
// remembered for at least 30 days.
type Retention struct {
	// MaxAge prunes messages older than this; 0 keeps them.
	MaxAge time.Duration
	// MaxMessages keeps only the newest so many of the whole log; 0 keeps all.
	MaxMessages int64
}
