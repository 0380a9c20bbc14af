package jsonedit

import (
	"bytes"

	"github.com/tailscale/hujson"
)

func (d *document) delete(path []string) error {
	parent, rest, err := d.walk(path[:len(path)-1])
	if err != nil || rest != nil {
		return err
	}
	object, ok := parent.Value.(*hujson.Object)
	if !ok {
		return d.kindError(parent, path[:len(path)-1], "an object in braces")
	}
	i, err := d.member(object, path[len(path)-1])
	if err != nil || i < 0 {
		return err
	}
	d.cut(groupOf(parent), i)
	return nil
}

func (d *document) cutElement(path []string, i int) error {
	v, rest, err := d.walk(path)
	if err != nil || rest != nil {
		return err
	}
	d.cut(groupOf(v), i)
	return nil
}

// cut takes out the i-th item: with the comma behind it or, where there is
// none, with the one before it.
func (d *document) cut(g group, i int) {
	from, to := g.items[i].from, g.items[i].to
	if len(g.items) == 1 && d.blankAround(g, i) {
		d.splice(g.open+1, g.close, "")
		return
	}
	comma := g.comma
	if i+1 < len(g.items) {
		comma = d.comma(to, g.items[i+1].from)
	}
	switch {
	case comma >= 0 && len(bytes.TrimSpace(d.src[to:comma])) == 0:
		to = comma + 1
	case comma >= 0:
		d.splice(comma, comma+1, "")
	case i > 0:
		c := d.comma(g.items[i-1].to, from)
		d.splice(c, c+1, "")
	}
	d.cutRange(from, to)
}

// blankAround says that an only item has nothing beside it but its comma.
func (d *document) blankAround(g group, i int) bool {
	after := bytes.TrimSpace(d.src[g.items[i].to:g.close])
	return len(bytes.TrimSpace(d.src[g.open+1:g.items[i].from])) == 0 && (len(after) == 0 || string(after) == ",")
}

// cutRange takes out a range, with the line that it leaves blank or, within a
// line, with the blanks on one side of it.
func (d *document) cutRange(from, to int) {
	start := bytes.LastIndexByte(d.src[:from], '\n') + 1
	end := len(d.src)
	if i := bytes.IndexByte(d.src[to:], '\n'); i >= 0 {
		end = to + i + 1
	}
	before := len(bytes.TrimRight(d.src[:from], " \t"))
	switch {
	case before <= start && len(bytes.TrimSpace(d.src[to:end])) == 0:
		from, to = start, end
	case before > start && before < from:
		from = before
	default: // the blanks behind it have nothing to keep apart
		to += len(d.src[to:]) - len(bytes.TrimLeft(d.src[to:], " \t"))
	}
	d.splice(from, to, "")
}

// comma is the offset of the comma between two items, not one in a comment.
func (d *document) comma(from, to int) int {
	for at := from; at < to; at++ {
		switch rest := d.src[at:to]; {
		case rest[0] == ',':
			return at
		case bytes.HasPrefix(rest, []byte("//")):
			at += max(bytes.IndexByte(rest, '\n'), 1)
		case bytes.HasPrefix(rest, []byte("/*")):
			at += 3 + bytes.Index(rest[2:], []byte("*/"))
		}
	}
	return -1
}
