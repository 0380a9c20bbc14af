package tomledit

import (
	"bytes"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

type kind int

const (
	header kind = iota // [table]
	list               // [[list]]
	pair               // key = value
)

// item is a header or a key of the top level, with its place in the text.
type item struct {
	kind kind
	path []string // absolute; for a pair with its table and its dotted key
	// table is the path of the header that a pair stands below.
	table []string
	// inList says that the item belongs to an element of a [[list]].
	inList bool
	// The whole lines, with the newline at their end when there is one.
	from, to int
	value    value // of a pair
}

// value is what stands behind the = of a pair.
type value struct {
	from, to int
	inline   bool   // an inline table
	pairs    []item // of an inline table; from and to are not whole lines
}

// document is a parsed file. go-toml's parser that knows places is declared
// unstable; it is used in this file alone.
type document struct {
	src   []byte
	items []item
}

// parse finds the items. src has no byte order mark and is valid TOML, as the
// decoder has said before.
func parse(src []byte) (*document, error) {
	d := &document{src: src}
	var p unstable.Parser
	p.Reset(src)
	var table []string
	var lists [][]string
	for p.NextExpression() {
		n := p.Expression()
		switch n.Kind {
		case unstable.Table, unstable.ArrayTable:
			it := d.header(n)
			if it.kind == list {
				lists = append(lists, it.path)
			}
			it.inList = slices.ContainsFunc(lists, func(l []string) bool { return hasPrefix(it.path, l) })
			table = it.path
			d.items = append(d.items, it)
		case unstable.KeyValue:
			it := d.pair(n, table)
			it.from, it.to = d.lines(it.from, it.to)
			it.inList = slices.ContainsFunc(lists, func(l []string) bool { return hasPrefix(table, l) })
			d.items = append(d.items, it)
		}
	}
	if err := p.Error(); err != nil {
		return nil, syntaxError(err)
	}
	return d, nil
}

func (d *document) header(n *unstable.Node) item {
	it := item{kind: header}
	if n.Kind == unstable.ArrayTable {
		it.kind = list
	}
	keys, from, to := names(n.Key())
	it.path = keys
	it.from, it.to = d.lines(from, to)
	return it
}

// pair reads a pair; from and to are those of its text.
func (d *document) pair(n *unstable.Node, table []string) item {
	keys, from, keyEnd := names(n.Key())
	it := item{
		kind: pair, table: table, path: slices.Concat(table, keys),
		from: from, to: int(n.Raw.Offset + n.Raw.Length),
	}
	equals := keyEnd + bytes.IndexByte(d.src[keyEnd:], '=')
	it.value.from = equals + 1 + len(d.src[equals+1:]) - len(bytes.TrimLeft(d.src[equals+1:], " \t"))
	// The parser's range of a pair may end with blanks.
	it.value.to = it.value.from + len(bytes.TrimRight(d.src[it.value.from:it.to], " \t\r\n"))
	if v := n.Value(); v.Kind == unstable.InlineTable {
		it.value.inline = true
		for c := v.Children(); c.Next(); {
			if c.Node().Kind == unstable.KeyValue {
				it.value.pairs = append(it.value.pairs, d.pair(c.Node(), it.path))
			}
		}
	}
	it.to = it.value.to
	return it
}

// names returns the parts of a key and where it begins and ends.
func names(it unstable.Iterator) (keys []string, from, to int) {
	for it.Next() {
		k := it.Node()
		if keys == nil {
			from = int(k.Raw.Offset)
		}
		keys = append(keys, string(k.Data))
		to = int(k.Raw.Offset + k.Raw.Length)
	}
	return keys, from, to
}

// lines widens a range to whole lines.
func (d *document) lines(from, to int) (int, int) {
	from = bytes.LastIndexByte(d.src[:from], '\n') + 1
	if i := bytes.IndexByte(d.src[to:], '\n'); i >= 0 {
		return from, to + i + 1
	}
	return from, len(d.src)
}

// line is the number of the line that holds an offset.
func (d *document) line(at int) int { return 1 + bytes.Count(d.src[:at], []byte("\n")) }

// newline is the line ending that the file uses.
func (d *document) newline() string {
	if i := bytes.IndexByte(d.src, '\n'); i > 0 && d.src[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// bodyEnd is where the lines of the i-th item end with its pairs, when it is a
// header.
func (d *document) bodyEnd(i int) int {
	end := d.items[i].to
	for _, it := range d.items[i+1:] {
		if it.kind != pair {
			break
		}
		end = it.to
	}
	return end
}

func hasPrefix(path, prefix []string) bool {
	return len(path) >= len(prefix) && slices.Equal(path[:len(prefix)], prefix)
}

func dotted(path []string) string {
	parts := make([]string, len(path))
	for i, name := range path {
		parts[i] = quoteKey(name)
	}
	return strings.Join(parts, ".")
}
