package record

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

//go:embed export.html
var exportSource string

var exportPage = template.Must(template.New("export").Funcs(template.FuncMap{"clock": clock}).Parse(exportSource))

// page is what is exported.
type page struct {
	Record Record
	Facts  []fact
	Argv   []string
	Env    string
	Lines  []Line
	Stderr string
}

type fact struct{ Name, Value string }

// Export writes a run as one HTML file that needs nothing else, for a bug
// report. Every text goes through mask, which takes out what nobody else should
// see. Of the prompt there is only the hash, of the environment only names.
func Export(w io.Writer, dir string, mask func(string) string) error {
	r, err := Read(dir)
	if err != nil {
		return err
	}
	p := page{Record: r, Argv: maskArgs(r.Argv, mask), Env: mask(strings.Join(r.Env, " "))}
	for _, f := range r.facts() {
		p.Facts = append(p.Facts, fact{f.Name, mask(f.Value)})
	}
	err = NewTail(r.Run, dir).Read(func(l Line) error {
		l.Text = mask(l.Plain())
		p.Lines = append(p.Lines, l)
		return nil
	})
	if err != nil {
		return err
	}
	stderr, err := os.ReadFile(filepath.Join(dir, stderrFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the standard error of run %d: %w", r.Run, err)
	}
	p.Stderr = mask(string(stderr))
	if err := exportPage.Execute(w, p); err != nil {
		return fmt.Errorf("writing the page of run %d: %w", r.Run, err)
	}
	return nil
}

// maskArgs masks arguments one by one, and once more together with the option
// before it: that one may be what says that it is a secret.
func maskArgs(args []string, mask func(string) string) []string {
	var out []string
	option := ""
	for _, arg := range args {
		shown := mask(arg)
		if option != "" {
			before := mask(option) + " "
			if value, ok := strings.CutPrefix(mask(option+" "+shown), before); ok {
				shown = value
			}
		}
		out = append(out, shown)
		option = ""
		if strings.HasPrefix(arg, "-") && arg != "-" {
			option = arg
		}
	}
	return out
}

// facts are what is known of a run, in the order to read them in.
func (r Record) facts() []fact {
	ended := "not recorded: it runs, or the supervisor died first"
	outcome := ended
	if !r.Ended.IsZero() {
		ended = fmt.Sprintf("%s (after %s)", stamp(r.Ended), r.Took().Round(time.Millisecond))
		outcome = fmt.Sprintf("%s, exit code %d", r.Class, r.Exit)
		if r.Signal != "" {
			outcome = r.Class + ", signal " + r.Signal
		}
	}
	facts := []fact{
		{"outcome", outcome}, {"why", r.Text},
		{"job", fmt.Sprintf("%d of watch %s, packets %s, generation %d, attempt %d", r.Job, r.Watch, numbers(r.Packets), r.Generation, r.Attempt)},
		{"codex", r.Codex + " at " + r.Binary},
		{"directory", r.Dir}, {"thread", r.Thread},
		{"started", stamp(r.Started)}, {"ended", ended},
		{"tokens", fmt.Sprint(r.Tokens)},
		{"prompt", fmt.Sprintf("%d bytes, sha256 %s", r.Prompt.Bytes, r.Prompt.SHA256)},
	}
	kept := facts[:0]
	for _, f := range facts {
		if f.Value != "" {
			kept = append(kept, f)
		}
	}
	return kept
}

// Facts returns what is known of a run, a line for each fact, with their names
// in a column.
func (r Record) Facts() []string {
	var lines []string
	for _, f := range r.facts() {
		lines = append(lines, fmt.Sprintf("%-9s  %s", f.Name, f.Value))
	}
	return lines
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// clock is the time of a line, "" when it has none.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("15:04:05.000")
}

func numbers(ids []int64) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = fmt.Sprintf("#%d", id)
	}
	return strings.Join(out, " ")
}
