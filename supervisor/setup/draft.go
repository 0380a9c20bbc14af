package setup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// draft is a file while it is being planned.
type draft struct {
	p       *planner
	path    string
	before  []byte
	exists  bool
	blocked bool // it cannot be read
	broken  bool // or parsed, or edited: what is in it is not known
	private bool
	cur     []byte
	why     []string
	splices []Splice
	parts   []Part
}

// draft returns the one draft of a file. What cannot be read is a problem, and
// its draft takes no edits.
func (p *planner) draft(path string) *draft {
	for _, d := range p.drafts {
		if d.path == path {
			return d
		}
	}
	d := &draft{p: p, path: path}
	content, exists, err := p.read(path)
	if err != nil {
		d.blocked, d.broken = true, true
		p.problem(path, err.Error())
	}
	d.before, d.cur, d.exists = content, content, exists
	p.drafts = append(p.drafts, d)
	return d
}

// do edits the file. An edit that fails is a problem and changes nothing; one
// that finds its part there already is remembered as such.
func (d *draft) do(why string, part Part, edit func(src []byte) ([]byte, error)) {
	if d.blocked {
		return
	}
	out, err := edit(d.cur)
	switch {
	case err != nil:
		d.broken = true
		d.p.problem(d.path, err.Error())
	case bytes.Equal(out, d.cur):
		d.p.present = append(d.p.present, located{d.path, part})
	default:
		d.splices = mergeSplice(d.splices, spliceOf(d.cur, out))
		d.cur = out
		d.parts = append(d.parts, part)
		if why != "" {
			d.why = append(d.why, why)
		}
	}
}

func (d *draft) change() (Change, bool) {
	if d.blocked || bytes.Equal(d.before, d.cur) {
		return Change{}, false
	}
	return Change{
		Path: d.path, Name: d.p.name(d.path), Before: d.before, After: d.cur,
		Existed: d.exists, Private: d.private, Why: d.why,
		edit: &Edit{
			Path: d.path, Created: !d.exists, Before: sum(d.before, d.exists), After: sum(d.cur, true),
			Splices: d.splices, Parts: d.parts,
		},
	}, true
}

// sum identifies a content; "" is no file.
func sum(content []byte, exists bool) string {
	if !exists {
		return ""
	}
	s := sha256.Sum256(content)
	return hex.EncodeToString(s[:])
}

// Splice is a piece of text that was put in the place of another one.
type Splice struct {
	At       int    `json:"at"`
	Removed  []byte `json:"removed,omitempty"`
	Inserted []byte `json:"inserted,omitempty"`
}

// spliceOf is the one piece in which two texts differ.
func spliceOf(a, b []byte) Splice {
	n := min(len(a), len(b))
	from := 0
	for from < n && a[from] == b[from] {
		from++
	}
	tail := 0
	for tail < n-from && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	return Splice{
		At:       from,
		Removed:  bytes.Clone(a[from : len(a)-tail]),
		Inserted: bytes.Clone(b[from : len(b)-tail]),
	}
}

// mergeSplice adds a splice that comes after the others. One that only adds to
// what the last one inserted becomes part of it: what belongs together can be
// found again as one text.
func mergeSplice(all []Splice, s Splice) []Splice {
	if len(all) == 0 {
		return append(all, s)
	}
	last := &all[len(all)-1]
	into := s.At - last.At
	if len(s.Removed) > 0 || into < 0 || into > len(last.Inserted) {
		return append(all, s)
	}
	last.Inserted = slices.Concat(last.Inserted[:into], s.Inserted, last.Inserted[into:])
	return all
}

// revert undoes splices on the very text that they made.
func revert(text []byte, all []Splice) []byte {
	for _, s := range slices.Backward(all) {
		text = slices.Concat(text[:s.At], s.Removed, text[s.At+len(s.Inserted):])
	}
	return text
}
