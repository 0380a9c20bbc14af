package relay

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits bound what Post accepts. The zero value of each field means its
// default.
type Limits struct {
	// TextBytes bounds Draft.Text in bytes; default DefaultTextBytes.
	TextBytes int
}

// The fixed bounds. They are part of the wire contract: docs/api.md lists them.
const (
	DefaultTextBytes = 4 << 20
	MaxNameChars     = 128
	MaxKeyChars      = 512
	MaxMetaBytes     = 64 << 10
)

func (l Limits) textBytes() int {
	if l.TextBytes > 0 {
		return l.TextBytes
	}
	return DefaultTextBytes
}

// Clean trims the names of a draft and checks everything that can be checked
// without the store. The checks run in the original server's order (target,
// sender, text) and use its wording where it has one. The returned error is
// always an *Error.
func (l Limits) Clean(d Draft) (Draft, error) {
	d.Target = strings.TrimSpace(d.Target)
	d.Sender = strings.TrimSpace(d.Sender)
	if err := checkName("target", d.Target); err != nil {
		return d, err
	}
	if err := checkName("sender", d.Sender); err != nil {
		return d, err
	}
	if err := l.checkText(d.Text); err != nil {
		return d, err
	}
	switch d.Kind {
	case "", KindPacket, KindReview, KindStatus, KindNote:
	default:
		return d, invalid("kind", "kind must be packet, review, status or note, not %q", string(d.Kind))
	}
	if d.ReplyTo < 0 {
		return d, invalid("reply_to", "reply_to must be the id of a message, not %d", d.ReplyTo)
	}
	if err := checkKey(d.Key); err != nil {
		return d, err
	}
	meta, err := cleanMeta(d.Meta)
	if err != nil {
		return d, err
	}
	d.Meta = meta
	return d, nil
}

func checkName(field, s string) error {
	if s == "" {
		return invalid(field, "%s is required", field)
	}
	if !utf8.ValidString(s) {
		return invalid(field, "%s must be valid UTF-8", field)
	}
	if n := utf8.RuneCountInString(s); n > MaxNameChars {
		return invalid(field, "%s has %d characters, more than the limit of %d", field, n, MaxNameChars)
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return invalid(field, "%s must not contain control characters", field)
	}
	return nil
}

func (l Limits) checkText(s string) error {
	if strings.TrimSpace(s) == "" {
		return invalid("text", "text is required")
	}
	if len(s) > l.textBytes() {
		return tooLarge("text", "text has %d bytes, more than the limit of %d", len(s), l.textBytes())
	}
	if !utf8.ValidString(s) {
		return invalid("text", "text must be valid UTF-8")
	}
	return nil
}

func checkKey(s string) error {
	if n := utf8.RuneCountInString(s); n > MaxKeyChars {
		return invalid("key", "key has %d characters, more than the limit of %d", n, MaxKeyChars)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return invalid("key", "key must be valid UTF-8 without control characters")
	}
	return nil
}

// cleanMeta checks that meta is one JSON object and returns it compacted, so
// that the same object is stored the same way whatever its white space. A JSON
// null is the same as no meta.
func cleanMeta(meta json.RawMessage) (json.RawMessage, error) {
	trimmed := bytes.TrimSpace(meta)
	if len(trimmed) == 0 || string(trimmed) == "null" {
		return nil, nil
	}
	if len(trimmed) > MaxMetaBytes {
		return nil, tooLarge("meta", "meta has %d bytes, more than the limit of %d", len(trimmed), MaxMetaBytes)
	}
	if trimmed[0] != '{' || !json.Valid(trimmed) {
		return nil, invalid("meta", "meta must be a JSON object")
	}
	var out bytes.Buffer
	if err := json.Compact(&out, trimmed); err != nil {
		return nil, invalid("meta", "meta must be a JSON object: %v", err)
	}
	return out.Bytes(), nil
}
