package relay

// Limits of Query.Limit. The original server clamps REST reads to 500.
const (
	DefaultLimit = 200
	MaxLimit     = 500
)

// Query selects messages. The zero Query asks for the oldest DefaultLimit
// messages of the whole log.
type Query struct {
	// Targets are the channels; none means every channel.
	Targets []string
	// Senders are the senders, compared exactly; none means every sender.
	Senders []string
	// Key selects the message posted with this idempotency key; "" is no filter.
	Key string
	// Since is a cursor: only messages with a higher id are returned, oldest
	// first. It must be 0 when Newest is set.
	Since int64
	// Newest asks for the newest Limit messages instead of the oldest. They
	// are still returned oldest first.
	Newest bool
	// Before, with Newest, leaves out the messages with this id and above;
	// 0 is no bound.
	Before int64
	// Limit is how many messages at most: 0 means DefaultLimit, and anything
	// else is clamped to 1..MaxLimit.
	Limit int
}

// filtered reports whether messages of the selected channels can be left out
// of the result for another reason than the cursor and the limit.
func (q Query) filtered() bool { return len(q.Senders) > 0 || q.Key != "" }

func (q Query) normalized() Query {
	switch {
	case q.Limit == 0:
		q.Limit = DefaultLimit
	case q.Limit < 1:
		q.Limit = 1
	case q.Limit > MaxLimit:
		q.Limit = MaxLimit
	}
	return q
}

// Page is the answer to a Read.
type Page struct {
	// Messages are in ascending order of id.
	Messages []Message
	// LatestID is the cursor to go on from. Without a sender filter it is the
	// original server's: the last id returned, or Query.Since when nothing was.
	// With a sender filter it is the highest id scanned, so that a reader does
	// not scan the same messages again.
	LatestID int64
	// OldestID says what pruning has taken: every message with an id of OldestID
	// or above that was ever posted to the selected channels is still there. It
	// is 1 when nothing was pruned. A reader whose cursor is below OldestID-1
	// may have missed messages.
	OldestID int64
	Info
}
