package tomledit

import (
	"bytes"
	"slices"
)

// deleteOne takes out one piece of what is at or below path: a table with the
// lines below its header, a pair, or a member of an inline table.
func (d *document) deleteOne(path []string) (out []byte, found bool) {
	for i, it := range d.items {
		switch {
		case it.kind != pair && hasPrefix(it.path, path):
			return d.cutLines(it.from, d.bodyEnd(i)), true
		case it.kind == pair && !it.inList && hasPrefix(it.path, path):
			return d.cutLines(it.from, it.to), true
		case it.kind == pair && !it.inList && hasPrefix(path, it.path):
			if out, ok := d.deleteMember(it, path); ok {
				return out, true
			}
		}
	}
	return d.src, false
}

// cutLines takes out whole lines. Of two blank lines that come together one
// goes as well.
func (d *document) cutLines(from, to int) []byte {
	above, blank := d.lineAbove(from)
	below, _, _ := bytes.Cut(d.src[to:], []byte("\n"))
	switch {
	case to == len(d.src) && blank && from > 0:
		from = above
	case to < len(d.src) && (blank || from == 0) && len(bytes.TrimSpace(below)) == 0:
		to = min(to+len(below)+1, len(d.src))
	}
	return d.splice(from, to, "")
}

// lineAbove is the start of the line above the one that starts at an offset,
// and whether there is one and it is blank.
func (d *document) lineAbove(at int) (from int, blank bool) {
	if at == 0 {
		return 0, false
	}
	from = bytes.LastIndexByte(d.src[:at-1], '\n') + 1
	return from, len(bytes.TrimSpace(d.src[from:at])) == 0
}

// deleteMember takes a member out of an inline table.
func (d *document) deleteMember(it item, path []string) ([]byte, bool) {
	pairs := it.value.pairs
	for i, m := range pairs {
		if hasPrefix(m.path, path) {
			if len(pairs) == 1 {
				return d.splice(it.value.from, it.value.to, "{}"), true
			}
			return d.cutMember(it, i), true
		}
		if hasPrefix(path, m.path) {
			if out, ok := d.deleteMember(m, path); ok {
				return out, true
			}
		}
	}
	return nil, false
}

// cutMember takes out the i-th member of several: with the comma behind it or,
// where there is none, with the one before it.
func (d *document) cutMember(it item, i int) []byte {
	pairs, m := it.value.pairs, it.value.pairs[i]
	next := it.value.to - 1
	if i+1 < len(pairs) {
		next = pairs[i+1].from
	}
	from, to := m.from, m.value.to
	if c := d.comma(to, next); c >= 0 {
		to = c + 1
		to += len(d.src[to:]) - len(bytes.TrimLeft(d.src[to:], " \t"))
		return d.cutOwnLine(from, to)
	}
	out := d.cutOwnLine(len(bytes.TrimRight(d.src[:from], " \t")), to)
	if c := d.comma(pairs[i-1].value.to, from); c >= 0 {
		out = slices.Delete(out, c, c+1)
	}
	return out
}

// cutOwnLine takes out a range, and the line that it leaves blank.
func (d *document) cutOwnLine(from, to int) []byte {
	start, end := d.lines(from, to)
	if len(bytes.TrimSpace(d.src[start:from])) == 0 && len(bytes.TrimSpace(d.src[to:end])) == 0 {
		from, to = start, end
	}
	return d.splice(from, to, "")
}

// comma is the offset of the comma between two values, or -1. The one in a
// comment is none.
func (d *document) comma(from, to int) int {
	at := from
	for line := range bytes.Lines(d.src[from:to]) {
		code, _, _ := bytes.Cut(line, []byte("#"))
		if i := bytes.IndexByte(code, ','); i >= 0 {
			return at + i
		}
		at += len(line)
	}
	return -1
}
