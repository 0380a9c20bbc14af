package redact

import (
	"bytes"
	"encoding/json"
)

// Meta is Text for all strings inside of a JSON value, the names of members too.
// What is no string, the order and the numbers stay as they are. A string that
// is the value of a member with a name such as "api_key" is judged as an
// assignment in a text is. What is not valid JSON is returned as it is.
func Meta(raw []byte) ([]byte, []Found) {
	if !json.Valid(raw) {
		return raw, nil
	}
	var out []byte
	var found []Found
	at, name := 0, ""
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case ',', '[', '{':
			name = "" // the value that it named has begun or ended
		case '"':
			end := stringEnd(raw, i)
			s := unquoted(raw[i:end])
			masked, more := member(name, s)
			if isMember(raw[end:]) {
				name = s
			}
			if len(more) > 0 {
				found = append(found, more...)
				out = append(append(out, raw[at:i]...), compact(masked)...)
				at = end
			}
			i = end - 1
		}
	}
	if found == nil {
		return raw, nil
	}
	return append(out, raw[at:]...), found
}

// member masks the string value of a member; name is "" for any other string.
func member(name, s string) (string, []Found) {
	masked, found := Text(s)
	kind := kindOf(name)
	if len(found) == 0 && kind != "" && len(s) >= leastValue {
		v := value{end: len(s), quoted: true}
		if spans, _ := v.judge(s, kind); len(spans) > 0 {
			masked, found = spans[0].mark(), []Found{{Kind: spans[0].kind}}
		}
	}
	for i := range found {
		found[i].Line = 0
	}
	return masked, found
}

// stringEnd is the end of the JSON string that begins at i.
func stringEnd(raw []byte, i int) int {
	for i++; raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// isMember reports whether the string before rest was the name of a member.
func isMember(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}

func unquoted(raw []byte) string {
	var s string
	_ = json.Unmarshal(raw, &s) // a part of valid JSON is valid
	return s
}
