package supervisor

import (
	"encoding/json"
	"slices"

	"autoreview/relay"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
	"autoreview/supervisor/verdict"
)

// maxHops stops two supervisors from reviewing each other's messages for ever:
// each answer carries one hop more than the packets it answers, and a message
// that has come this far starts no review.
const maxHops = 8

// packetMeta is what the supervisor reads of a packet's meta. Anything else in
// it is left alone, and a meta of another shape is as good as none.
type packetMeta struct {
	Session string `json:"session"`
	Repo    string `json:"repo"`
	Branch  string `json:"branch"`
	Hop     int    `json:"hop"`
	// Commit is what the packet is about.
	Commit string `json:"commit"`
}

func metaOf(raw json.RawMessage) packetMeta {
	var m packetMeta
	if len(raw) > 0 && json.Unmarshal(raw, &m) != nil {
		return packetMeta{}
	}
	return m
}

// isPacket reports whether a message asks the watch for a review: it is from a
// watched sender, it is of no kind or of the kind packet, and it is not the
// watch's own. Reviews, statuses and notes never are.
func isPacket(w config.Watch, m relay.Message) bool {
	return m.Target == w.Channel &&
		slices.Contains(w.Senders, m.Sender) && m.Sender != w.ReplyAs &&
		(m.Kind == "" || m.Kind == relay.KindPacket) &&
		metaOf(m.Meta).Hop < maxHops
}

// group names the packets that may share a review: those of the same sender,
// session, repository and branch.
func group(m relay.Message) string {
	meta := metaOf(m.Meta)
	b, err := json.Marshal([]string{m.Sender, meta.Session, meta.Repo, meta.Branch})
	if err != nil {
		return m.Sender // strings always marshal
	}
	return string(b)
}

func packetOf(m relay.Message) state.Packet {
	return state.Packet{ID: m.ID, TS: m.TS, Sender: m.Sender, Text: m.Text, Meta: m.Meta}
}

func nextHop(packets []state.Packet) int {
	hop := 0
	for _, p := range packets {
		hop = max(hop, metaOf(p.Meta).Hop)
	}
	return hop + 1
}

// answers is what is known of the packets that were answered before.
type answers struct {
	// through is the id up to which nothing is owed.
	through int64
	ids     map[int64]bool // :: packet id → answered
}

// owes reports whether a packet is still to be answered.
func (a answers) owes(id int64) bool { return id > a.through && !a.ids[id] }

// answeredBy reads the newest messages of a reviewer for the packets that they
// answer. A terminal message names them in meta.packets, or answers the one in
// reply_to, or, on the original server, which has neither, in its first line. A
// message that says nothing of the kind answers all that came before it. ok is
// false when there is no answer among them.
func answeredBy(messages []relay.Message, log string) (a answers, ok bool) {
	a.ids = make(map[int64]bool)
	lowest := int64(0)
	for _, m := range messages {
		ids := answeredIDs(m, log)
		if ids == nil {
			continue
		}
		ok = true
		if len(ids) == 0 {
			a.through = max(a.through, m.ID)
			continue
		}
		for _, id := range ids {
			a.ids[id] = true
			if lowest == 0 || id < lowest {
				lowest = id
			}
		}
	}
	// What is older than everything known to be answered is history.
	if lowest > 0 {
		a.through = max(a.through, lowest)
	}
	return a, ok
}

// answeredIDs returns nil for a message that is no answer, and an empty slice
// for one that does not say what it answers.
func answeredIDs(m relay.Message, log string) []int64 {
	var meta struct {
		Packets  []int64 `json:"packets"`
		Terminal bool    `json:"terminal"`
		Log      string  `json:"log"`
		Schedule string  `json:"schedule"`
	}
	if len(m.Meta) > 0 && json.Unmarshal(m.Meta, &meta) != nil {
		meta.Packets = nil
	}
	switch {
	case meta.Log != "" && meta.Log != log:
		return nil // its ids are those of another log
	case m.Kind == relay.KindNote, m.Kind == relay.KindPacket, m.Kind == relay.KindStatus && !meta.Terminal:
		return nil
	case len(meta.Packets) > 0:
		return meta.Packets
	case meta.Schedule != "", verdict.AnswersNone(m.Text):
		return nil // the original server keeps nothing but the text
	case m.ReplyTo > 0:
		return []int64{m.ReplyTo}
	}
	if ids := verdict.Packets(m.Text); ids != nil {
		return ids
	}
	return []int64{}
}
