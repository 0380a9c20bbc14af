package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"unicode/utf8"

	"autoreview/relay"
)

// draft reads the body of a POST.
func (s *server) draft(w http.ResponseWriter, r *http.Request) (relay.Draft, error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return relay.Draft{}, &refusal{http.StatusUnsupportedMediaType, "Invalid Content-Type header: it must be application/json"}
	}
	body, err := s.body(w, r)
	if err != nil {
		return relay.Draft{}, err
	}
	d, err := decodeDraft(body)
	d.Source = source(r.Header)
	return d, err
}

// source is who posts, for the activity log. The original named everyone who
// used its REST interface after its page, and so are those who do not say.
func source(h http.Header) string {
	name := h.Get(HeaderSource)
	if name == "" || len(name) > 32 {
		return "web-ui"
	}
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return "web-ui"
		}
	}
	return name
}

// body reads a whole body within the limit on its size.
func (s *server) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &relay.Error{Code: relay.CodeTooLarge, Text: fmt.Sprintf("request body is larger than the limit of %d bytes", s.maxBody)}
	}
	if err != nil {
		return nil, invalid("", "request body could not be read")
	}
	return body, nil
}

// decodeDraft reads the JSON of a message. Names are matched exactly and
// unknown ones are ignored, as the original does; a field that is null counts
// as absent. What is required or too long is for the log to say.
func decodeDraft(body []byte) (relay.Draft, error) {
	// encoding/json would quietly replace what is not UTF-8.
	if !utf8.Valid(body) || !json.Valid(body) {
		return relay.Draft{}, invalid("", "Request body must be valid JSON")
	}
	o := object{}
	if err := json.Unmarshal(body, &o.fields); err != nil || o.fields == nil {
		return relay.Draft{}, invalid("", "Request body must be a JSON object")
	}
	d := relay.Draft{
		Target:  o.text("target"),
		Sender:  o.text("sender"),
		Text:    o.text("text"),
		Kind:    relay.Kind(o.text("kind")),
		ReplyTo: o.integer("reply_to"),
		Meta:    o.fields["meta"],
		Key:     o.text("key"),
	}
	return d, o.err
}

// object is a JSON object of which fields are taken one by one. err is what was
// wrong with the first that was not of its type.
type object struct {
	fields map[string]json.RawMessage
	err    error
}

func (o *object) text(name string) string {
	var s string
	o.take(name, "a string", &s)
	return s
}

func (o *object) integer(name string) int64 {
	var n int64
	o.take(name, "an integer", &n)
	return n
}

func (o *object) take(name, want string, into any) {
	raw, ok := o.fields[name]
	if !ok || string(raw) == "null" || o.err != nil {
		return
	}
	if err := json.Unmarshal(raw, into); err != nil {
		o.err = invalid(name, "%s must be %s, not %s", name, want, typeOf(raw))
	}
}

// typeOf names the type of a valid JSON value.
func typeOf(raw json.RawMessage) string {
	switch raw[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a boolean"
	}
	if len(raw) > 24 {
		return "a number that long"
	}
	return "the number " + string(raw)
}
