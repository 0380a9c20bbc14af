package mcptools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"autoreview/relay"
)

// arguments are those of one call. Reading one of a wrong type gives the zero
// value and keeps the first such error in err, so a handler reads all of them
// and then looks at err once.
//
// Models write 5.0 or "5" for 5, and a JSON object as a string; what can only
// mean one thing is taken. null is the same as leaving an argument out.
type arguments struct {
	raw map[string]json.RawMessage // :: name → value
	err error
}

func parseArguments(raw []byte) (arguments, error) {
	trimmed := bytes.TrimSpace(raw)
	if len(trimmed) == 0 || string(trimmed) == "null" {
		return arguments{}, nil
	}
	var a arguments
	if err := json.Unmarshal(trimmed, &a.raw); err != nil {
		return a, invalid("arguments", "arguments must be a JSON object, not %s", describe(trimmed))
	}
	return a, nil
}

// get returns the value of an argument, nil when it is absent or null.
func (a *arguments) get(name string) json.RawMessage {
	v := bytes.TrimSpace(a.raw[name])
	if string(v) == "null" {
		return nil
	}
	return v
}

func (a *arguments) wrong(name, want string, got json.RawMessage) {
	if a.err == nil {
		a.err = invalid(name, "%s must be %s, not %s", name, want, describe(got))
	}
}

func (a *arguments) text(name string) string {
	v := a.get(name)
	if v == nil {
		return ""
	}
	s, ok := asText(v)
	if !ok {
		a.wrong(name, "a string", v)
	}
	return s
}

func (a *arguments) whole(name string, missing int64) int64 {
	v := a.get(name)
	if v == nil {
		return missing
	}
	n, ok := wholeNumber(v)
	if !ok {
		a.wrong(name, "a whole number", v)
	}
	return n
}

func (a *arguments) seconds(name string, missing float64) float64 {
	v := a.get(name)
	if v == nil {
		return missing
	}
	f, err := strconv.ParseFloat(numeral(v), 64)
	if err != nil {
		a.wrong(name, "a number of seconds", v)
		return missing
	}
	return f
}

func (a *arguments) object(name string) json.RawMessage {
	v := a.get(name)
	if v == nil {
		return nil
	}
	if v[0] == '{' {
		return v
	}
	s, ok := asText(v)
	s = strings.TrimSpace(s)
	if ok && s == "" {
		return nil
	}
	if ok && s[0] == '{' && json.Valid([]byte(s)) {
		return json.RawMessage(s)
	}
	a.wrong(name, "a JSON object", v)
	return nil
}

// require keeps the original server's error for a missing argument.
func (a *arguments) require(names ...string) {
	for _, name := range names {
		v := a.get(name)
		s, isText := asText(v)
		if a.err == nil && (v == nil || isText && strings.TrimSpace(s) == "") {
			a.err = invalid(name, "%s is required", name)
		}
	}
}

// unknown says which arguments the tool does not have, "" when there are none.
// They are ignored, as the original server does, but not silently: a model that
// writes since for since_id would read the same messages for ever.
func (a *arguments) unknown(tool string, known []string) string {
	var extra []string
	for _, name := range slices.Sorted(maps.Keys(a.raw)) {
		if !slices.Contains(known, name) {
			extra = append(extra, strconv.Quote(clip(name)))
		}
	}
	if len(extra) == 0 {
		return ""
	}
	takes := "no arguments"
	if len(known) > 0 {
		takes = strings.Join(known, ", ")
	}
	extra = extra[:min(len(extra), 5)]
	return fmt.Sprintf("ignored unknown arguments: %s (%s takes %s)", strings.Join(extra, ", "), tool, takes)
}

func asText(v json.RawMessage) (string, bool) {
	if len(v) == 0 || v[0] != '"' {
		return "", false
	}
	var s string
	err := json.Unmarshal(v, &s)
	return s, err == nil
}

// numeral is the JSON number that v is or, as a string, holds; "" otherwise.
func numeral(v json.RawMessage) string {
	n := string(v)
	if s, ok := asText(v); ok {
		n = strings.TrimSpace(s)
	}
	if n == "" || n[0] != '-' && (n[0] < '0' || n[0] > '9') || !json.Valid([]byte(n)) {
		return ""
	}
	return n
}

func wholeNumber(v json.RawMessage) (int64, bool) {
	n := numeral(v)
	if i, err := strconv.ParseInt(n, 10, 64); err == nil {
		return i, true
	}
	f, err := strconv.ParseFloat(n, 64)
	// Past 2^53 a float is no longer the number that was meant.
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// describe names a JSON value for an error that a model reads.
func describe(v json.RawMessage) string {
	switch {
	case len(v) == 0:
		return "nothing"
	case v[0] == '{':
		return "an object"
	case v[0] == '[':
		return "an array"
	case v[0] == '"':
		s, _ := asText(v)
		return "the string " + strconv.Quote(clip(s))
	case v[0] == 't', v[0] == 'f':
		return string(v)
	default:
		return "the number " + clip(string(v))
	}
}

// clip keeps a value that a client sent short enough to be quoted back to it.
func clip(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}

func invalid(field, format string, args ...any) error {
	return &relay.Error{Code: relay.CodeInvalid, Field: field, Text: fmt.Sprintf(format, args...)}
}
