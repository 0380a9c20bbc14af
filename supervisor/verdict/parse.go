package verdict

import (
	"fmt"
	"strings"
)

// Problem is one way in which an answer does not follow the schema.
type Problem struct {
	// Path is where, such as "findings[2].severity"; "" is the answer as a
	// whole.
	Path string
	// Want is what was expected and what was there instead.
	Want string
}

// String returns "path: want".
func (p Problem) String() string {
	if p.Path == "" {
		return p.Want
	}
	return p.Path + ": " + p.Want
}

// Error is all that is wrong with an answer. Its text has one problem a line
// and is fit to be sent back to the model.
type Error struct {
	Problems []Problem // never empty
}

// Error returns one problem a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func notFound(format string, args ...any) error {
	return &Error{Problems: []Problem{{Want: fmt.Sprintf(format, args...)}}}
}

// Parse reads the final message of a run. It takes
//
//   - the JSON object alone, or alone in one code fence;
//   - the JSON object with other text around it, fenced or not, if it is the
//     only JSON object there and does not approve. An approval has to stand
//     alone: text around it may be quoting what a packet asked the reviewer to
//     say.
//
// The object needs all five properties of the schema and, in each finding,
// severity, title and body; file, line and suggestion may be null or missing.
// Properties that the schema does not have are ignored, for not every model is
// held to it. A property that is there twice is an error.
//
// The error is always an *Error that lists every problem.
func Parse(text string) (Verdict, error) {
	src, alone, err := locate(text)
	if err != nil {
		return Verdict{}, err
	}
	d := decoder{}
	v := d.verdict(src)
	if v.Verdict == Approve && !alone {
		d.want("verdict", `an approval must be the whole answer: only the JSON object, with no text before or after it`)
	}
	if len(d.problems) > 0 {
		return Verdict{}, &Error{Problems: d.problems}
	}
	return v, nil
}
