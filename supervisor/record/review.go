package record

import (
	"encoding/json"
	"fmt"
	"strings"

	"autoreview/supervisor/verdict"
)

// Plain returns the text of a line as a person reads it. It is Text, but of a
// message that is nothing but a verdict: of that it is the decision, the summary
// and a line for each finding, test and question, without what the posted review
// says besides. Like Text it is not safe for a terminal.
func (l Line) Plain() string {
	if l.Kind != Message || !json.Valid([]byte(l.Text)) {
		return l.Text // text around a verdict would be lost
	}
	v, err := verdict.Parse(l.Text)
	if err != nil {
		return l.Text
	}
	lines := []string{fmt.Sprintf("verdict: %s: %s", v.Verdict, strings.TrimSpace(v.Summary)), counted(len(v.Findings))}
	for _, f := range verdict.Sorted(v.Findings) {
		lines = append(lines, "  "+headline(f))
	}
	for _, text := range v.Tests {
		lines = append(lines, "tests: "+text)
	}
	for _, text := range v.Questions {
		lines = append(lines, "question: "+text)
	}
	return strings.Join(lines, "\n")
}

func counted(findings int) string {
	switch findings {
	case 0:
		return "no findings"
	case 1:
		return "1 finding"
	}
	return fmt.Sprintf("%d findings", findings)
}

// headline is a finding on one line.
func headline(f verdict.Finding) string {
	text := fmt.Sprintf("%s: %s", f.Severity, f.Title)
	switch {
	case f.File == "":
		return text
	case f.Line == 0:
		return fmt.Sprintf("%s (%s)", text, f.File)
	}
	return fmt.Sprintf("%s (%s:%d)", text, f.File, f.Line)
}
