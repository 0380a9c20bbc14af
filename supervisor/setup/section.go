package setup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"autoreview/templates"
)

// comment is how a kind of file writes a comment line.
type comment struct{ open, close string }

var (
	markdown = comment{"<!-- ", " -->"}
	shell    = comment{"# ", ""}
)

// A section stands between two lines. The first one has a sum of the text, by
// which a section that somebody has changed is known.
const beginWord, endWord = "autoreview:begin", "autoreview:end"

func (c comment) begin(body string) string {
	s := sha256.Sum256([]byte(body))
	return c.open + beginWord + " " + hex.EncodeToString(s[:4]) + c.close
}

func (c comment) end() string { return c.open + endWord + c.close }

func (c comment) block(body string) string {
	return c.begin(body) + "\n" + body + c.end() + "\n"
}

var sectionLine = regexp.MustCompile(`(?m)^(?:<!-- |# )autoreview:(begin|end)\b.*(?:\n|$)`)

// found is a section in a file.
type found struct {
	from, to int // with the lines of the markers
	text     string
	own      bool // nobody has changed it
}

// findSection returns the section; ok is false when there is none.
func (c comment) findSection(src []byte) (f found, ok bool, err error) {
	marks := sectionLine.FindAllSubmatchIndex(src, -1)
	if len(marks) == 0 {
		return found{}, false, nil
	}
	word := func(i int) string { return string(src[marks[i][2]:marks[i][3]]) }
	if len(marks) != 2 || word(0) != "begin" || word(1) != "end" {
		line := 1 + bytes.Count(src[:marks[0][0]], []byte("\n"))
		return found{}, false, fmt.Errorf("line %d: the markers %s and %s do not make one section", line, beginWord, endWord)
	}
	f = found{from: marks[0][0], to: marks[1][1]}
	f.text = strings.ReplaceAll(string(src[f.from:f.to]), "\r\n", "\n")
	body := strings.ReplaceAll(string(src[marks[0][1]:marks[1][0]]), "\r\n", "\n")
	f.own = strings.TrimRight(f.text, "\n") == strings.TrimRight(c.block(body), "\n")
	return f, true, nil
}

// put adds the section at the end or renews it. One that somebody has changed
// stays; kept says so.
func (c comment) put(src []byte, body string) (out []byte, kept bool, err error) {
	if bytes.ContainsRune(src, 0) {
		return nil, false, fmt.Errorf("is not plain text in UTF-8")
	}
	newline := "\n"
	if i := bytes.IndexByte(src, '\n'); i > 0 && src[i-1] == '\r' {
		newline = "\r\n"
	}
	text := c.block(body)
	f, ok, err := c.findSection(src)
	switch {
	case err != nil:
		return nil, false, err
	case ok && strings.TrimRight(f.text, "\n") == strings.TrimRight(text, "\n"):
		return src, false, nil
	case ok && !f.own:
		return src, true, nil
	}
	text = strings.ReplaceAll(text, "\n", newline)
	if ok {
		return bytes.Join([][]byte{src[:f.from], []byte(text), src[f.to:]}, nil), false, nil
	}
	text = gap(src, newline) + text
	return append(bytes.Clone(src), text...), false, nil
}

// gap is what sets a section apart from the text before it.
func gap(src []byte, newline string) string {
	rest := bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	switch {
	case len(rest) == 0:
		return ""
	case rest[len(rest)-1] != '\n':
		return newline + newline
	case len(bytes.TrimSpace(rest)) == 0 || bytes.HasSuffix(rest, []byte("\n\n")) || bytes.HasSuffix(rest, []byte("\n\r\n")):
		return ""
	}
	return newline
}

// cut takes the section out, with a blank line before it. One that somebody has
// changed stays; kept says so.
func (c comment) cut(src []byte) (out []byte, kept bool, err error) {
	f, ok, err := c.findSection(src)
	if err != nil || !ok {
		return src, false, err
	}
	if !f.own {
		return src, true, nil
	}
	from := f.from
	for _, blank := range []string{"\r\n\r\n", "\n\n"} {
		if bytes.HasSuffix(src[:from], []byte(blank)) {
			from -= len(blank) / 2
			break
		}
	}
	return append(bytes.Clone(src[:from]), src[f.to:]...), false, nil
}

// section plans a section of a text file.
func (p *planner) section(d *draft, why, snippet string, c comment) {
	body, err := templates.Snippet(snippet, p.Site)
	if err != nil {
		p.problem(d.path, err.Error())
		return
	}
	d.do(why, Part{Kind: partSection, Key: []string{c.open, c.close}}, func(src []byte) ([]byte, error) {
		out, kept, err := c.put(src, body)
		if kept {
			p.note("the section of autoreview in %s was changed by somebody: left as it is", p.name(d.path))
		}
		return out, err
	})
}

// ignore plans the lines of .gitignore.
func (p *planner) ignore() {
	if !p.Repository {
		p.note("%s is no git repository, so there is no .gitignore to write", p.Root)
		return
	}
	p.section(p.draft(p.at(".gitignore")), "git leaves local state alone", templates.SnippetIgnore, shell)
}
