// Package templates holds the prompts that Codex is given. They are embedded in
// the binary; a user may replace each by a file of their own.
//
// The templates are text/template with missingkey=error and no functions beyond
// the built-in ones; what a template can use is the exported fields and methods
// of its data: Review for NameReview, NameReviewMCP and NamePackets, Reask for
// NameReask, Scheduled for NameSchedule and NameDigest.
package templates

import (
	"embed"
	"fmt"
	"os"
	"strings"
	"text/template"
)

// The names of the built-in templates.
const (
	// NameReview asks for a review that the supervisor posts.
	NameReview = "review.md.tmpl"
	// NameReviewMCP asks for a review that Codex posts by itself.
	NameReviewMCP = "review_mcp.md.tmpl"
	// NameReask asks again after an answer that did not follow the schema.
	NameReask = "reask.md.tmpl"
	// NamePackets is the packets between their boundary lines: what a packet
	// file holds, and a part of the other prompts.
	NamePackets = "packets.md.tmpl"
	// NameSchedule asks for a review that no packet asks for.
	NameSchedule = "schedule.md.tmpl"
	// NameDigest asks for a digest of what happened.
	NameDigest = "digest.md.tmpl"
)

//go:embed *.md.tmpl
var files embed.FS

// checker is data that can tell that it is not fit to be rendered.
type checker interface{ check() error }

// Render executes a template. override is the path of a file to use instead of
// the built-in template, "" for none; the built-in ones remain available to it
// by their names as {{template "packets.md.tmpl" .}}. Data of this package is
// checked first: a boundary that occurs in what it bounds is an error.
func Render(name, override string, data any) (string, error) {
	if c, ok := data.(checker); ok {
		if err := c.check(); err != nil {
			return "", fmt.Errorf("rendering %s: %w", name, err)
		}
	}
	t, err := load(name, override)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, data); err != nil {
		return "", fmt.Errorf("rendering %s: %w", label(name, override), err)
	}
	return strings.TrimSpace(b.String()) + "\n", nil
}

// Check renders the template of a file with made-up data and returns what is
// wrong with it. The name decides which data it is given.
func Check(name, override string) error {
	_, err := Render(name, override, sample(name))
	return err
}

func load(name, override string) (*template.Template, error) {
	t, err := template.New("").Option("missingkey=error").ParseFS(files, "*.md.tmpl")
	if err != nil {
		return nil, fmt.Errorf("parsing the built-in templates: %w", err)
	}
	if override != "" {
		src, err := os.ReadFile(override)
		if err != nil {
			return nil, fmt.Errorf("reading template: %w", err)
		}
		if t, err = t.New(override).Parse(string(src)); err != nil {
			return nil, fmt.Errorf("parsing template: %w", err)
		}
		return t, nil
	}
	if t = t.Lookup(name); t == nil {
		return nil, fmt.Errorf("there is no template %q", name)
	}
	return t, nil
}

func label(name, override string) string {
	if override != "" {
		return override
	}
	return name
}
