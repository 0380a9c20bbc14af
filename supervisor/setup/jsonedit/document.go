package jsonedit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

var bom = []byte("\xef\xbb\xbf")

// document is a parsed file and the splices that an edit wants to make.
type document struct {
	src  []byte // without the byte order mark
	head []byte // the byte order mark, or nothing
	root hujson.Value
	// empty says that there is no value, only blanks and comments.
	empty   bool
	meaning any
	splices []splice
}

type splice struct {
	from, to int
	text     string
}

func parse(src []byte) (*document, error) {
	d := &document{src: src}
	if bytes.HasPrefix(src, bom) {
		d.head, d.src = src[:len(bom)], src[len(bom):]
	}
	// The newline ends a comment that the last line may be.
	text := append(bytes.Clone(d.src), '\n')
	root, err := hujson.Parse(text)
	if err != nil {
		if v, e := hujson.Parse(append(bytes.Clone(text), "{}"...)); e == nil && v.StartOffset == len(text) {
			d.empty, d.meaning = true, map[string]any{}
			return d, nil
		}
		return nil, syntaxError(err)
	}
	d.root = root
	d.meaning, err = decode(root)
	return d, err
}

func (d *document) checkRoot() error {
	if _, ok := d.meaning.(map[string]any); !ok {
		return &Error{Line: d.line(d.root.StartOffset), Text: "the file does not hold an object in braces"}
	}
	return nil
}

func (d *document) line(at int) int { return 1 + bytes.Count(d.src[:at], []byte("\n")) }

func (d *document) splice(from, to int, text string) {
	d.splices = append(d.splices, splice{from, to, text})
}

// apply makes the splices, which do not overlap.
func (d *document) apply() []byte {
	slices.SortStableFunc(d.splices, func(a, b splice) int { return a.from - b.from })
	out, at := slices.Clone(d.head), 0
	for _, s := range d.splices {
		out = append(append(out, d.src[at:s.from]...), s.text...)
		at = s.to
	}
	return append(out, d.src[at:]...)
}

// walk follows path as far as it leads, and returns the value there and the
// names that are left. A name that an object has twice leads nowhere.
func (d *document) walk(path []string) (v *hujson.Value, rest []string, err error) {
	v = &d.root
	for i, name := range path {
		object, ok := v.Value.(*hujson.Object)
		if !ok {
			return nil, nil, d.kindError(v, path[:i], "an object in braces")
		}
		m, err := d.member(object, name)
		if err != nil {
			return nil, nil, err
		}
		if m < 0 {
			return v, path[i:], nil
		}
		v = &object.Members[m].Value
	}
	return v, nil, nil
}

// member is the index of the member of this name, or -1.
func (d *document) member(o *hujson.Object, name string) (int, error) {
	found := -1
	for i, m := range o.Members {
		if l, ok := m.Name.Value.(hujson.Literal); !ok || l.String() != name {
			continue
		}
		if found >= 0 {
			return 0, &Error{Line: d.line(m.Name.StartOffset), Text: fmt.Sprintf("%q is there twice", name)}
		}
		found = i
	}
	return found, nil
}

func (d *document) kindError(v *hujson.Value, path []string, want string) *Error {
	return &Error{Line: d.line(v.StartOffset), Text: fmt.Sprintf("%q is not %s here", strings.Join(path, "."), want)}
}

// group is an object or array by its places in the text.
type group struct {
	open, close int // of the brackets
	items       []span
	comma       int // a comma behind the last item, or -1
}

type span struct{ from, to int }

func groupOf(v *hujson.Value) group {
	g := group{open: v.StartOffset, close: v.EndOffset - 1, comma: -1}
	var last *hujson.Value
	switch c := v.Value.(type) {
	case *hujson.Object:
		for i := range c.Members {
			last = &c.Members[i].Value
			g.items = append(g.items, span{c.Members[i].Name.StartOffset, last.EndOffset})
		}
	case *hujson.Array:
		for i := range c.Elements {
			last = &c.Elements[i]
			g.items = append(g.items, span{last.StartOffset, last.EndOffset})
		}
	}
	if last != nil && last.AfterExtra != nil {
		g.comma = last.EndOffset + len(last.AfterExtra)
	}
	return g
}
