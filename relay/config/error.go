package config

import (
	"fmt"
	"strings"
)

// Error is everything that is wrong with the settings, at once.
type Error struct {
	Problems []Problem // at least one
}

// Error has one line for each problem.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Problem is one thing that is wrong.
type Problem struct {
	// Path is the file, "" for the environment and the flags.
	Path string
	// Line counts from 1; 0 when the file as a whole is at fault.
	Line int
	// Key is the key in the file, the name of the environment variable, or the
	// flag with its dashes; "" when no single one is at fault.
	Key string
	// Text says what was expected and what is there.
	Text string
}

// String is the problem with its place, as in `relay.toml:3: port: want ...`.
func (p Problem) String() string {
	var b strings.Builder
	if p.Path != "" {
		b.WriteString(p.Path + ":")
		if p.Line > 0 {
			fmt.Fprintf(&b, "%d:", p.Line)
		}
		b.WriteByte(' ')
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}
