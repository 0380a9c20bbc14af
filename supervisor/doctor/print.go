package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Style is how a report is printed for people.
type Style struct {
	// Colour uses the terminal's colours.
	Colour bool
	// Verbose prints facts and what was left out.
	Verbose bool
}

var colours = map[Status]string{OK: "\x1b[32m", Warn: "\x1b[33m", Fail: "\x1b[31m"}

// Print writes one line for each result, "status  name  detail", and below it
// the cause and the fix of what is not ok, and ends with a line that counts.
func Print(w io.Writer, r Report, style Style) error {
	p := &printer{style: style}
	width := 0
	for _, res := range r.Results {
		width = max(width, len(res.Name))
	}
	for _, res := range r.Results {
		p.result(res, width)
	}
	p.total(r)
	_, err := io.WriteString(w, p.String())
	return err
}

type printer struct {
	strings.Builder
	style Style
}

func (p *printer) result(r Result, width int) {
	status := fmt.Sprintf("%-4s", r.Status)
	if p.style.Colour {
		status = colours[r.Status] + status + "\x1b[0m"
	}
	fmt.Fprintf(p, "%s  %-*s  %s\n", status, width, r.Name, oneLine(r.Detail))
	indent := strings.Repeat(" ", 4+2+width+2)
	label := "cause: "
	for line := range strings.Lines(r.Cause) {
		p.below(indent, label, line)
		label = "       "
	}
	p.below(indent, "fix:   ", r.Fix)
	p.below(indent, "fixed: ", r.Fixed)
	if p.style.Verbose {
		for _, name := range slices.Sorted(maps.Keys(r.Facts)) {
			p.below(indent, "", name+": "+r.Facts[name])
		}
	}
	p.hops(indent, r.Hops)
}

func (p *printer) below(indent, label, text string) {
	if text = oneLine(text); text != "" {
		fmt.Fprintf(p, "%s%s%s\n", indent, label, text)
	}
}

// hops is the table of a proof.
func (p *printer) hops(indent string, hops []Hop) {
	if len(hops) == 0 {
		return
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "HOP\tAT ms\tTOOK ms\t")
	for _, h := range hops {
		fmt.Fprintf(w, "%s\t%.1f\t%.1f\t\n", h.Name, h.AtMS, h.TookMS)
	}
	_ = w.Flush() // a strings.Builder does not fail
	for line := range strings.Lines(table.String()) {
		p.WriteString(indent + line)
	}
}

func (p *printer) total(r Report) {
	checks := "checks"
	if len(r.Results) == 1 {
		checks = "check"
	}
	fmt.Fprintf(p, "\n%d %s: %d ok, %d warn, %d fail", len(r.Results), checks, r.count(OK), r.count(Warn), r.count(Fail))
	if n := len(r.LeftOut); n > 0 {
		fmt.Fprintf(p, "; %d left out, with nothing to look at", n)
		if p.style.Verbose {
			fmt.Fprintf(p, ": %s", strings.Join(r.LeftOut, ", "))
		}
	}
	p.WriteString("\n")
}

// oneLine keeps what was read from files and programs from moving the cursor.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s))
}

// PrintJSON writes the results as a JSON list.
func PrintJSON(w io.Writer, r Report) error {
	results := r.Results
	if results == nil {
		results = []Result{} // an empty list, not null
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(results)
}
