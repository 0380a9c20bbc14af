// Package verdict is the form of a review: the JSON schema that Codex answers
// by, the parser that checks such an answer, and the Markdown that is posted.
//
// Parse never guesses. An answer that does not follow the schema is an *Error
// whose lines can be sent back to the model; after that RenderUnstructured
// shows the answer as what it is, a comment and never an approval.
package verdict

import (
	_ "embed"
	"slices"
)

// Decision is what a review says about the change as a whole.
type Decision string

// The closed set of decisions.
const (
	Approve        Decision = "approve"         // can go in as it is
	RequestChanges Decision = "request_changes" // needs another round
	Comment        Decision = "comment"         // neither: nothing to judge, or not enough to judge by
)

// Severity is how much a finding weighs.
type Severity string

// The closed set of severities, heaviest first.
const (
	Blocker Severity = "blocker"
	Major   Severity = "major"
	Minor   Severity = "minor"
	Nit     Severity = "nit"
)

// Verdict is one checked answer.
type Verdict struct {
	Verdict Decision `json:"verdict"`
	// Summary is Markdown and never blank.
	Summary string `json:"summary"`
	// Findings are in the order of the answer; see Sorted.
	Findings []Finding `json:"findings"`
	// Tests are what was run and what is missing, one sentence each.
	Tests []string `json:"tests"`
	// Questions are to the author, one sentence each.
	Questions []string `json:"questions"`
}

// Finding is one point of a review.
type Finding struct {
	Severity Severity `json:"severity"`
	// Title is one line and never blank.
	Title string `json:"title"`
	// Body is Markdown, possibly "".
	Body string `json:"body"`
	// File is the path as the reviewer wrote it, "" for a finding without a
	// place. It is the model's word: do not open it unchecked.
	File string `json:"file,omitempty"`
	// Line counts from 1; 0 is the file as a whole.
	Line int `json:"line,omitempty"`
	// Suggestion is replacement code or a diff, "" for none.
	Suggestion string `json:"suggestion,omitempty"`
}

//go:embed schema.json
var schema []byte

// Schema returns the JSON schema of an answer, in the subset that the strict
// mode of OpenAI's structured output takes: every property is required, nothing
// else is allowed, and what may be missing is nullable.
func Schema() []byte { return slices.Clone(schema) }

// Sorted returns the findings heaviest first, otherwise in the order of the
// answer. This is the order and the numbering of the rendered review.
func Sorted(findings []Finding) []Finding {
	sorted := slices.Clone(findings)
	slices.SortStableFunc(sorted, func(a, b Finding) int { return weight(a.Severity) - weight(b.Severity) })
	return sorted
}

func weight(s Severity) int {
	return slices.Index([]Severity{Blocker, Major, Minor, Nit}, s)
}
