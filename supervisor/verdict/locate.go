package verdict

import (
	"encoding/json"
	"strings"
)

// locate finds the JSON object of an answer. alone says that there was nothing
// but the object, or one fence around it.
func locate(text string) (object json.RawMessage, alone bool, err error) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		return nil, false, notFound("the answer is empty; want one JSON object")
	}
	for _, s := range []string{trimmed, unfence(trimmed)} {
		if strings.HasPrefix(s, "{") && json.Valid([]byte(s)) {
			return json.RawMessage(s), true, nil
		}
	}
	if strings.HasPrefix(trimmed, "{") && objectEnd(trimmed) == 0 {
		// Objects inside of one that was cut off are not the answer.
		return nil, false, notFound("want one JSON object, got %s", describeNonJSON(trimmed))
	}
	found := objects(trimmed)
	switch len(found) {
	case 0:
		return nil, false, notFound("want one JSON object, got %s", describeNonJSON(trimmed))
	case 1:
		return found[0], false, nil
	default:
		return nil, false, notFound("want one JSON object, got %d of them", len(found))
	}
}

// unfence returns what is inside the code fence that is all of s, or "".
func unfence(s string) string {
	first, rest, ok := strings.Cut(s, "\n")
	marker := fenceMarker(first)
	if !ok || marker == "" {
		return ""
	}
	end := strings.LastIndex(rest, "\n")
	if end < 0 || strings.TrimSpace(rest[end:]) != marker {
		return ""
	}
	return strings.TrimSpace(rest[:end])
}

// objects returns the outermost JSON objects that stand in s. After some braces
// that begin none it gives up: each costs a scan of the rest.
func objects(s string) []json.RawMessage {
	var found []json.RawMessage
	for range 100 {
		i := strings.IndexByte(s, '{')
		if i < 0 {
			return found
		}
		s = s[i:]
		end := objectEnd(s)
		if end == 0 || !json.Valid([]byte(s[:end])) {
			s = s[1:]
			continue
		}
		found = append(found, json.RawMessage(s[:end]))
		s = s[end:]
	}
	return nil
}

// objectEnd returns the index after the brace that closes the one s begins
// with, reading strings as JSON does; 0 when there is none.
func objectEnd(s string) int {
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// describeNonJSON says in a few words what came instead of an object.
func describeNonJSON(s string) string {
	switch {
	case json.Valid([]byte(s)):
		return "JSON that is not an object"
	case strings.HasPrefix(s, "{"):
		return "text that begins like one but is not valid JSON: " + syntaxError(s)
	}
	return "text without one"
}

func syntaxError(s string) string {
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		return err.Error()
	}
	return "unknown"
}
