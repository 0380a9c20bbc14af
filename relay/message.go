// Package relay holds the words and the verbs of the product: a Message is
// immutable, a Log remembers messages in commit order, and every reader keeps a
// cursor (the id of the last message it has seen).
//
// There are three verbs. Post appends a Draft, Read returns a Page of messages
// past or below a cursor, and Wait is a Read that blocks until there is
// something to return. Every door (REST, SSE, MCP, the page) and every reader
// (the supervisor, a hook, a terminal) is built on these three and adds no
// rules of its own.
//
// The package imports nothing else of this module. A Store keeps the messages;
// see the packages below relay/store.
package relay

import "encoding/json"

// Kind says what a message is for. The zero Kind is an ordinary message, as all
// messages of the original server are; readers treat it as a packet.
type Kind string

// The closed set of kinds.
const (
	KindPacket Kind = "packet" // asks for a review
	KindReview Kind = "review" // answers a packet
	KindStatus Kind = "status" // tells how a review is going, or that none will come
	KindNote   Kind = "note"   // anything that must never start a review
)

// Message is one immutable entry of the log.
//
// The JSON form is the wire form of every door. The first five fields are the
// original server's and are always present; the others are left out when unset.
type Message struct {
	// ID is unique over all channels, strictly increasing in commit order and
	// never reused, also after pruning and restarts.
	ID int64 `json:"id"`
	// TS is the time of the commit in seconds since the Unix epoch, UTC.
	TS float64 `json:"ts"`
	// Target is the channel.
	Target string `json:"target"`
	// Sender is who posted it.
	Sender string `json:"sender"`
	// Text is the body, usually Markdown, as posted but for what was redacted.
	Text string `json:"text"`

	Kind Kind `json:"kind,omitempty"`
	// ReplyTo is the id of the message of the same channel that this one
	// answers; 0 when it answers none.
	ReplyTo int64 `json:"reply_to,omitempty"`
	// Meta is a JSON object for programs; nil when unset.
	Meta json.RawMessage `json:"meta,omitempty"`
	// Key is the idempotency key it was posted with.
	Key string `json:"key,omitempty"`
}

// Draft is a message that has not been posted. Target, Sender and Text are
// required; see Limits for what is accepted.
type Draft struct {
	Target  string          `json:"target"`
	Sender  string          `json:"sender"`
	Text    string          `json:"text"`
	Kind    Kind            `json:"kind,omitempty"`
	ReplyTo int64           `json:"reply_to,omitempty"`
	Meta    json.RawMessage `json:"meta,omitempty"`
	// Key makes posting repeatable: a second Post with the same Target, Sender
	// and Key stores nothing and returns the first message.
	Key string `json:"key,omitempty"`

	// Source names the door it came through ("web-ui", "mcp", "supervisor").
	// It goes to the activity log and the archive and is not stored.
	Source string `json:"-"`
}

// Posted is the answer to a Post.
type Posted struct {
	// ID is the id of the stored message, the first one's for a Duplicate.
	ID int64
	// Message is the stored message. It is nil only for a Duplicate whose first
	// message has been pruned since.
	Message *Message
	// Duplicate says that the Key was already there and nothing was stored.
	Duplicate bool
	// SameText says, for a Duplicate, that the draft would have been stored with
	// the first message's text. It is not known to a client.
	SameText bool
}

// Channel is what is known of one channel. Count, LastID and LastTS are zero
// for a configured channel that has no message yet.
type Channel struct {
	Name   string  `json:"name"`
	Count  int64   `json:"count"`
	LastID int64   `json:"last_id"`
	LastTS float64 `json:"last_ts"`
}

// Info identifies a log.
type Info struct {
	// LogID is random and made once, when the store is created. A cursor is
	// only good for the log it was taken from.
	LogID string `json:"log_id"`
	// Head is the highest id ever given out, 0 for a log that never had a
	// message.
	Head int64 `json:"head_id"`
}
