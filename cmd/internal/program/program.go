// Package program is what every command line of this module says in the same way:
// its errors and its version. It knows nothing of what the programs do.
package program

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
)

// Report prints an error of the program of this name, a line each when it is
// several, and below it what to do: what the first error in its chain with a
// method Hint() string knows.
func Report(w io.Writer, name string, err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(w, "%s: error: %s\n", name, line)
	}
	if h, ok := errors.AsType[hinter](err); ok {
		fmt.Fprintf(w, "%s: hint: %s\n", name, h.Hint())
	}
}

type hinter interface {
	error
	Hint() string
}

// Misused gives the error of a wrong command line a hint at the help of the
// command, as in "relay post", where it does not know better.
func Misused(command string, err error) error {
	if _, ok := errors.AsType[hinter](err); ok {
		return err
	}
	return misuse{err, command}
}

type misuse struct {
	error
	command string
}

func (m misuse) Unwrap() error { return m.error }
func (m misuse) Hint() string  { return "see " + m.command + " --help" }

// Version is the module's version, or the revision it was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(len(s.Value), 12)]
		}
	}
	return "devel"
}
