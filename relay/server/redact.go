package server

import (
	"fmt"
	"strings"

	"autoreview/relay"
	"autoreview/relay/redact"
)

// redactor is what a log does to drafts in a mode; nil is nothing.
func redactor(mode redact.Mode) func(relay.Draft) (relay.Draft, error) {
	if mode == redact.Off {
		return nil
	}
	return func(d relay.Draft) (relay.Draft, error) {
		if err := refuseNames(d); err != nil {
			return d, err
		}
		masked, inText, inMeta := mask(d)
		if mode == redact.Reject && !answers(d.Kind) && len(inText)+len(inMeta) > 0 {
			return d, rejected(inText, inMeta)
		}
		if len(masked.Meta) > relay.MaxMetaBytes {
			return d, &relay.Error{Code: relay.CodeTooLarge, Field: "meta", Text: fmt.Sprintf(
				"meta has %d bytes with its secrets masked, more than the limit of %d", len(masked.Meta), relay.MaxMetaBytes)}
		}
		return masked, nil
	}
}

// answers reports whether a message of this kind is masked rather than refused.
// Who answers a packet cannot take the answer back to its author, and a refused
// review would be a lost one. Anyone may claim to answer, and gains nothing: no
// secret is stored either way.
func answers(k relay.Kind) bool { return k == relay.KindReview || k == relay.KindStatus }

// refuseNames looks for secrets where a mark cannot stand: with another channel
// or sender it is another message, and with another key it is stored twice.
func refuseNames(d relay.Draft) error {
	for _, f := range []struct{ name, value string }{{"target", d.Target}, {"sender", d.Sender}, {"key", d.Key}} {
		if _, found := redact.Text(f.value); len(found) > 0 {
			return &relay.Error{Code: relay.CodeInvalid, Field: f.name, Text: fmt.Sprintf("%s holds what looks like a secret (%s)", f.name, found[0].Kind)}
		}
	}
	return nil
}

// mask returns d with its secrets masked, and what was found. Its meta says what
// was masked; when there is no room for that, the marks themselves have to do.
func mask(d relay.Draft) (masked relay.Draft, inText, inMeta []redact.Found) {
	masked = d
	masked.Text, inText = redact.Text(d.Text)
	if len(d.Meta) > 0 {
		masked.Meta, inMeta = redact.Meta(d.Meta)
	}
	if len(inText)+len(inMeta) > 0 {
		counts := redact.Tally(append(inText[:len(inText):len(inText)], inMeta...))
		if noted := redact.Note(masked.Meta, counts); len(noted) <= relay.MaxMetaBytes {
			masked.Meta = noted
		}
	}
	return masked, inText, inMeta
}

// rejected names what was found and where, and nothing of it.
func rejected(inText, inMeta []redact.Found) *relay.Error {
	const most = 10
	var places []string
	for _, f := range inText {
		places = append(places, fmt.Sprintf("%s (line %d)", f.Kind, f.Line))
	}
	for _, f := range inMeta {
		places = append(places, f.Kind+" (in meta)")
	}
	if n := len(places) - most; n > 0 {
		places = append(places[:most], fmt.Sprintf("and %d more", n))
	}
	field := "text"
	if len(inText) == 0 {
		field = "meta"
	}
	return &relay.Error{Code: relay.CodeInvalid, Field: field,
		Text: fmt.Sprintf("the message holds what looks like secrets: %s; remove them and post it again", strings.Join(places, ", "))}
}

// MaskMessages returns the messages of an archive with their secrets masked,
// unless the mode is off. History cannot be sent back, so it is never refused.
func MaskMessages(mode redact.Mode, messages []relay.Message) []relay.Message {
	if mode == redact.Off {
		return messages
	}
	out := make([]relay.Message, len(messages))
	for i, m := range messages {
		d, _, _ := mask(relay.Draft{Text: m.Text, Meta: m.Meta})
		m.Text, m.Meta = d.Text, d.Meta
		out[i] = m
	}
	return out
}
