package verdict

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// decoder collects problems while it reads; what it returns is only good when
// there are none.
type decoder struct {
	problems []Problem
}

func (d *decoder) want(path, format string, args ...any) {
	d.problems = append(d.problems, Problem{Path: path, Want: fmt.Sprintf(format, args...)})
}

func (d *decoder) verdict(src json.RawMessage) Verdict {
	m := d.object("", src)
	v := Verdict{
		Verdict:   Decision(d.oneOf("verdict", m["verdict"], string(Approve), string(RequestChanges), string(Comment))),
		Summary:   d.text("summary", m["summary"]),
		Findings:  []Finding{},
		Tests:     d.texts("tests", m["tests"]),
		Questions: d.texts("questions", m["questions"]),
	}
	for i, raw := range d.list("findings", m["findings"]) {
		v.Findings = append(v.Findings, d.finding(fmt.Sprintf("findings[%d]", i), raw))
	}
	d.agree(v)
	return v
}

// agree reports a verdict that its own findings contradict. The schema cannot
// say this, and an approval with a blocker in it must not pass for one.
func (d *decoder) agree(v Verdict) {
	if v.Verdict != Approve {
		return
	}
	for i, f := range v.Findings {
		if f.Severity == Blocker {
			d.want("verdict", "approve contradicts findings[%d], which is a blocker; want request_changes, or a lesser severity", i)
			return
		}
	}
}

func (d *decoder) finding(path string, src json.RawMessage) Finding {
	m := d.object(path, src)
	if m == nil {
		return Finding{}
	}
	severities := []string{string(Blocker), string(Major), string(Minor), string(Nit)}
	f := Finding{
		Severity:   Severity(d.oneOf(path+".severity", m["severity"], severities...)),
		Title:      oneLine(d.text(path+".title", m["title"])),
		Body:       d.maybeBlank(path+".body", m["body"]),
		File:       oneLine(d.optional(path+".file", m["file"])),
		Line:       d.line(path+".line", m["line"]),
		Suggestion: strings.Trim(d.optional(path+".suggestion", m["suggestion"]), "\n"),
	}
	if f.File == "" {
		f.Line = 0
	}
	return f
}

// object splits an object into its properties by their exact names.
// encoding/json alone would match names in any case and let the last of two
// equal ones win.
func (d *decoder) object(path string, src json.RawMessage) map[string]json.RawMessage {
	dec := json.NewDecoder(bytes.NewReader(src))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		d.want(path, "want an object, got %s", describe(src))
		return nil
	}
	m := map[string]json.RawMessage{} // :: property → its JSON
	for dec.More() {
		var value json.RawMessage
		tok, err := dec.Token()
		if err == nil {
			err = dec.Decode(&value)
		}
		name, ok := tok.(string)
		if err != nil || !ok {
			d.want(path, "want an object, got invalid JSON")
			return nil
		}
		if _, twice := m[name]; twice {
			d.want(join(path, name), "is there twice; want it once")
		}
		m[name] = value
	}
	return m
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// str reads a required string.
func (d *decoder) str(path string, src json.RawMessage) (string, bool) {
	var s *string
	switch {
	case src == nil:
		d.want(path, "is missing; want a string")
		return "", false
	case json.Unmarshal(src, &s) != nil || s == nil:
		d.want(path, "want a string, got %s", describe(src))
		return "", false
	}
	return clean(*s), true
}

func (d *decoder) text(path string, src json.RawMessage) string {
	s, ok := d.str(path, src)
	if s = strings.TrimSpace(s); ok && s == "" {
		d.want(path, "is blank; want at least a sentence")
	}
	return s
}

func (d *decoder) maybeBlank(path string, src json.RawMessage) string {
	s, _ := d.str(path, src)
	return strings.TrimSpace(s)
}

func (d *decoder) optional(path string, src json.RawMessage) string {
	if src == nil || string(src) == "null" {
		return ""
	}
	s, _ := d.str(path, src)
	return s
}

func (d *decoder) oneOf(path string, src json.RawMessage, names ...string) string {
	s, ok := d.str(path, src)
	if ok && !slices.Contains(names, s) {
		d.want(path, "want one of %s, got %s", strings.Join(names, ", "), describe(src))
	}
	return s
}

func (d *decoder) line(path string, src json.RawMessage) int {
	if src == nil || string(src) == "null" {
		return 0
	}
	var n float64
	const most = 1 << 30
	if err := json.Unmarshal(src, &n); err != nil || n != float64(int(n)) || n < 0 || n > most {
		d.want(path, "want a line number counted from 1, or null, got %s", describe(src))
		return 0
	}
	return int(n)
}

func (d *decoder) list(path string, src json.RawMessage) []json.RawMessage {
	var items []json.RawMessage
	switch {
	case src == nil:
		d.want(path, "is missing; want a list, which may be empty")
	case json.Unmarshal(src, &items) != nil || items == nil:
		d.want(path, "want a list, got %s", describe(src))
	}
	return items
}

// texts reads a list of strings and drops the blank ones.
func (d *decoder) texts(path string, src json.RawMessage) []string {
	texts := []string{}
	for i, raw := range d.list(path, src) {
		if s := d.maybeBlank(fmt.Sprintf("%s[%d]", path, i), raw); s != "" {
			texts = append(texts, s)
		}
	}
	return texts
}

// describe shows a JSON value in an error, shortened.
func describe(src json.RawMessage) string {
	const most = 60
	s := oneLine(string(src))
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "..."
	}
	if s == "" {
		return "nothing"
	}
	return s
}

// clean drops the control characters that a terminal or a page would act on.
func clean(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
