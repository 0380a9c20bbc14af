package redact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// noteName is the member of a message's meta that says what was masked.
const noteName = "masked"

// Note sets what was masked in a compact JSON object, as the member
// "masked":[{"type":"github token","count":1}]. An empty meta becomes an object.
// The other members keep their order unless there was one of that name already.
func Note(meta []byte, counts []Count) []byte {
	members := map[string]json.RawMessage{}
	if len(meta) > 0 && json.Unmarshal(meta, &members) != nil {
		return meta
	}
	note := compact(counts)
	if _, there := members[noteName]; there {
		members[noteName] = note
		return compact(members)
	}
	head := "{"
	if len(members) > 0 {
		head = strings.TrimSuffix(string(meta), "}") + ","
	}
	return fmt.Appendf(nil, "%s%q:%s}", head, noteName, note)
}

// Noted returns what a meta says was masked; nil when it says nothing.
func Noted(meta []byte) []Count {
	var m struct {
		Masked []Count `json:"masked"`
	}
	if len(meta) == 0 || json.Unmarshal(meta, &m) != nil {
		return nil
	}
	return m.Masked
}

// Sentence is what people and models are told of counts, as in "masked before it
// was stored: 2 github token, 1 jwt"; "" for nothing.
func Sentence(counts []Count) string {
	if len(counts) == 0 {
		return ""
	}
	parts := make([]string, len(counts))
	for i, c := range counts {
		parts[i] = fmt.Sprintf("%d %s", c.Count, c.Type)
	}
	return "masked before it was stored: " + strings.Join(parts, ", ")
}

// compact is v as JSON on one line, with <, > and & as they are.
func compact(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // only text, numbers and valid JSON get here
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
