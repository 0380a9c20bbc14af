// Package memory is a relay.Store that keeps everything in memory. It passes
// the same suite as the durable stores and is for tests and simulation: what
// it holds is gone with the process.
package memory

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"autoreview/relay"
)

var _ relay.Store = (*Store)(nil)

// Store is an in-memory log. Make one with New; it is safe for concurrent use.
type Store struct {
	now func() time.Time

	mu sync.Mutex
	// guarded by mu
	info     relay.Info
	messages []relay.Message
	keys     map[key]posted            // :: idempotency key → first message
	pruned   map[string]int64          // :: channel → highest id pruned
	channels map[string]*relay.Channel // :: name → channel
}

type key struct{ target, sender, key string }

type posted struct {
	id int64
	at time.Time
}

// New returns an empty store with a new log id. now is the clock; nil means
// time.Now.
func New(now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	return &Store{
		now:      now,
		info:     relay.Info{LogID: rand.Text()},
		keys:     make(map[key]posted),
		pruned:   make(map[string]int64),
		channels: make(map[string]*relay.Channel),
	}
}

// Append implements relay.Store.
func (s *Store) Append(ctx context.Context, d relay.Draft) (relay.Posted, error) {
	if ctx.Err() != nil {
		return relay.Posted{}, context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := key{d.Target, d.Sender, d.Key}
	if first, ok := s.keys[k]; ok && d.Key != "" {
		return relay.Posted{ID: first.id, Message: s.findLocked(first.id), Duplicate: true}, nil
	}
	if !s.knownLocked(d.Target, d.ReplyTo) {
		return relay.Posted{}, relay.UnknownReply(d)
	}
	now := s.now()
	s.info.Head++
	m := relay.Message{
		ID: s.info.Head, TS: seconds(now),
		Target: d.Target, Sender: d.Sender, Text: d.Text,
		Kind: d.Kind, ReplyTo: d.ReplyTo, Meta: slices.Clone(d.Meta), Key: d.Key,
	}
	s.messages = append(s.messages, m)
	if d.Key != "" {
		s.keys[k] = posted{m.ID, now}
	}
	c := s.channels[d.Target]
	if c == nil {
		c = &relay.Channel{Name: d.Target}
		s.channels[d.Target] = c
	}
	c.Count++
	c.LastID, c.LastTS = m.ID, m.TS
	return relay.Posted{ID: m.ID, Message: &m}, nil
}

// knownLocked reports whether id may be replied to in a channel. Of a pruned
// message only its channel's highest pruned id is left to go by.
func (s *Store) knownLocked(target string, id int64) bool {
	if m := s.findLocked(id); m != nil {
		return m.Target == target
	}
	return id <= s.pruned[target]
}

func (s *Store) findLocked(id int64) *relay.Message {
	i, ok := s.searchLocked(id)
	if !ok {
		return nil
	}
	m := s.messages[i]
	return &m
}

// searchLocked returns where the message with this id is, or would be.
func (s *Store) searchLocked(id int64) (int, bool) {
	return slices.BinarySearchFunc(s.messages, id, func(m relay.Message, id int64) int { return cmp.Compare(m.ID, id) })
}

// Read implements relay.Store.
func (s *Store) Read(_ context.Context, q relay.Query) (relay.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := relay.Page{Info: s.info, OldestID: s.oldestLocked(q.Targets)}
	if !q.Newest {
		i, _ := s.searchLocked(q.Since + 1)
		for ; i < len(s.messages) && len(p.Messages) < q.Limit; i++ {
			if matches(q, s.messages[i]) {
				p.Messages = append(p.Messages, s.messages[i])
			}
		}
		return p, nil
	}
	end := len(s.messages)
	if q.Before > 0 {
		end, _ = s.searchLocked(q.Before)
	}
	for i := end - 1; i >= 0 && len(p.Messages) < q.Limit; i-- {
		if matches(q, s.messages[i]) {
			p.Messages = append(p.Messages, s.messages[i])
		}
	}
	slices.Reverse(p.Messages)
	return p, nil
}

func matches(q relay.Query, m relay.Message) bool {
	return (len(q.Targets) == 0 || slices.Contains(q.Targets, m.Target)) &&
		(len(q.Senders) == 0 || slices.Contains(q.Senders, m.Sender)) &&
		(q.Key == "" || q.Key == m.Key)
}

func (s *Store) oldestLocked(targets []string) int64 {
	var through int64
	for target, id := range s.pruned {
		if len(targets) == 0 || slices.Contains(targets, target) {
			through = max(through, id)
		}
	}
	return through + 1
}

// Channels implements relay.Store.
func (s *Store) Channels(context.Context) ([]relay.Channel, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]relay.Channel, 0, len(s.channels))
	for _, c := range s.channels {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b relay.Channel) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// Info implements relay.Store.
func (s *Store) Info(context.Context) (relay.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.info, nil
}

// Check implements relay.Store; memory can always be written to.
func (s *Store) Check(context.Context) error { return nil }

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
