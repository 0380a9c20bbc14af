package program_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"autoreview/cmd/internal/program"
)

type hinted struct{ error }

func (hinted) Hint() string { return "do something else" }

func TestReport(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{errors.New("it broke"), "prog: error: it broke\n"},
		{errors.Join(errors.New("one"), errors.New("two")), "prog: error: one\nprog: error: two\n"},
		{fmt.Errorf("opening: %w", hinted{errors.New("it broke")}), "prog: error: opening: it broke\nprog: hint: do something else\n"},
		{program.Misused("prog do", errors.New("no such flag")), "prog: error: no such flag\nprog: hint: see prog do --help\n"},
		{program.Misused("prog do", hinted{errors.New("it broke")}), "prog: error: it broke\nprog: hint: do something else\n"},
	} {
		var b strings.Builder
		program.Report(&b, "prog", tt.err)
		if got := b.String(); got != tt.want {
			t.Errorf("Report: got %q, want %q", got, tt.want)
		}
	}
}

func TestVersion(t *testing.T) {
	if v := program.Version(); v == "" || v == "unknown" {
		t.Errorf("Version: got %q, want what this was built from", v)
	}
}
