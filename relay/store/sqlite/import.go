package sqlite

import (
	"context"
	"fmt"

	"autoreview/relay"
)

// Import appends the messages of another log, in the given order, and returns
// how many it stored, also with an error. The messages must be clean (see
// relay.Limits).
//
// Each gets a new id and keeps its own TS. A message with a Key that was posted
// or imported before, under the same Target and Sender, is left out: give every
// message a Key and an import that stopped half-way can be repeated. A ReplyTo
// is an id of the other log; it is translated when it names an earlier message
// of this call, of the same channel, and dropped otherwise.
//
// Like Prune it works in small transactions between posts. Readers that wait
// are not woken.
func (s *Store) Import(ctx context.Context, messages []relay.Message) (stored int, err error) {
	renamed := make(map[int64]imported, len(messages))
	for len(messages) > 0 {
		part := messages[:stepLen(messages)]
		n, err := s.step(ctx, func(t *txn) (int, error) { return s.importStep(t, part, renamed) })
		stored += n
		if err != nil {
			return stored, fmt.Errorf("importing messages: %w", err)
		}
		messages = messages[len(part):]
	}
	return stored, nil
}

// imported is where a message of the other log is now.
type imported struct {
	id     int64
	target string
}

// stepLen returns how many of the messages fit one transaction, at least one.
func stepLen(messages []relay.Message) int {
	bytes := 0
	for i, m := range messages {
		if i == stepMessages || (i > 0 && bytes >= stepBytes) {
			return i
		}
		bytes += len(m.Text)
	}
	return len(messages)
}

func (s *Store) importStep(t *txn, part []relay.Message, renamed map[int64]imported) (stored int, err error) {
	now := s.now()
	for _, m := range part {
		id, err := t.findKey(m.Target, m.Sender, m.Key)
		if err != nil {
			return 0, err
		}
		if id == 0 {
			m.ReplyTo = translate(renamed, m)
			if id, err = t.insert(m, now); err != nil {
				return 0, err
			}
			stored++
		}
		renamed[m.ID] = imported{id, m.Target}
	}
	return stored, nil
}

// translate returns the new id of the message that m replies to.
func translate(renamed map[int64]imported, m relay.Message) int64 {
	if to, ok := renamed[m.ReplyTo]; ok && m.ReplyTo != 0 && to.target == m.Target {
		return to.id
	}
	return 0
}
