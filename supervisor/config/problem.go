package config

import (
	"fmt"
	"strings"
)

// Place is where in a file something stands. The zero Place is no file: the
// environment.
type Place struct {
	File string
	// Line and Column count from 1; Column is in bytes. Both are 0 when the
	// file as a whole is meant.
	Line, Column int
}

// String returns "file:line:column", as editors take it.
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Problem is one thing that keeps a configuration from being used.
type Problem struct {
	Place Place
	// Key is the key or variable, such as "watch.timeout"; "" for none.
	Key string
	// Text says what is wrong and what was expected.
	Text string
}

// String returns "file:line:column: key: text".
func (p Problem) String() string {
	var parts []string
	for _, s := range []string{p.Place.String(), p.Key, p.Text} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// Warning is something that works but that the user should know of.
type Warning Problem

// String returns "file:line:column: key: text".
func (w Warning) String() string { return Problem(w).String() }

// Error is every problem of a configuration, in the order of the file.
type Error struct {
	Problems []Problem // never empty
	// Hint is what to do next, "" where the problems say it.
	Hint string
}

// Error returns one problem a line. The Hint is not part of it.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}
