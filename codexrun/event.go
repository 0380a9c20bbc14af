package codexrun

import "encoding/json"

// Event is one line of `codex exec --json`. Types and fields that this package
// does not know are kept in Raw and are not an error.
type Event struct {
	Type string          // "thread.started", "item.completed", ...
	Raw  json.RawMessage // the whole line
}
