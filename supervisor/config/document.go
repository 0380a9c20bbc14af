package config

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// document is a parsed TOML file that knows where its keys stand. The values
// come from go-toml's stable API; its unstable parser, used in this file alone,
// only adds the places.
type document struct {
	file   string
	root   map[string]any
	places map[string]Place // :: joined path → where its key stands
}

// parse reads TOML. Its error is an *Error with the one problem at which a TOML
// parser has to give up.
func parse(file string, src []byte) (*document, error) {
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	d := &document{file: file, places: map[string]Place{}}
	if err := toml.Unmarshal(src, &d.root); err != nil {
		return nil, &Error{Problems: []Problem{syntaxProblem(file, err)}}
	}
	ix := indexer{doc: d, counts: map[string]int{}}
	ix.parser.Reset(src)
	for ix.parser.NextExpression() {
		ix.expression(ix.parser.Expression())
	}
	if err := ix.parser.Error(); err != nil {
		return nil, &Error{Problems: []Problem{syntaxProblem(file, err)}}
	}
	return d, nil
}

func syntaxProblem(file string, err error) Problem {
	p := Problem{Place: Place{File: file}, Text: "not valid TOML: " + strings.TrimPrefix(err.Error(), "toml: ")}
	var at *toml.DecodeError
	if errors.As(err, &at) {
		p.Place.Line, p.Place.Column = at.Position()
		p.Key = strings.Join(at.Key(), ".")
	}
	return p
}

// place returns where a key stands or, for one that is not there, where the
// table does that it belongs to.
func (d *document) place(path []string) Place {
	for ; len(path) > 0; path = path[:len(path)-1] {
		if p, ok := d.places[join(path)]; ok {
			return p
		}
	}
	return Place{File: d.file}
}

// join makes a map key of a path; a quoted TOML key may hold any other
// separator.
func join(path []string) string { return strings.Join(path, "\x00") }

// indexer walks the syntax tree and notes the place of each key.
type indexer struct {
	doc    *document
	parser unstable.Parser
	prefix []string
	counts map[string]int // :: joined path of an array of tables → its length so far
}

func (ix *indexer) expression(n *unstable.Node) {
	switch n.Kind {
	case unstable.Table:
		ix.prefix = ix.keys(nil, n.Key())
	case unstable.ArrayTable:
		path := ix.keys(nil, n.Key())
		i := ix.counts[join(path)]
		ix.counts[join(path)]++
		ix.prefix = append(path, strconv.Itoa(i))
		ix.note(ix.prefix, firstKey(n.Key()))
	case unstable.KeyValue:
		ix.keyValue(ix.prefix, n)
	}
}

// keys appends a dotted key to a path, with the index of the last element where
// the path leads through an array of tables.
func (ix *indexer) keys(prefix []string, it unstable.Iterator) []string {
	path := append([]string(nil), prefix...)
	for it.Next() {
		if n := ix.counts[join(path)]; n > 0 {
			path = append(path, strconv.Itoa(n-1))
		}
		path = append(path, string(it.Node().Data))
		ix.note(path, it.Node())
	}
	return path
}

func firstKey(it unstable.Iterator) *unstable.Node {
	it.Next()
	return it.Node()
}

func (ix *indexer) keyValue(prefix []string, n *unstable.Node) {
	ix.value(ix.keys(prefix, n.Key()), n.Value())
}

func (ix *indexer) value(path []string, n *unstable.Node) {
	children := n.Children()
	switch n.Kind {
	case unstable.InlineTable:
		for children.Next() {
			ix.keyValue(path, children.Node())
		}
	case unstable.Array:
		for i := 0; children.Next(); i++ {
			ix.value(append(path[:len(path):len(path)], strconv.Itoa(i)), children.Node())
		}
	}
}

// note records the first place of a path: a table may be named again by the
// headers of its sub-tables.
func (ix *indexer) note(path []string, key *unstable.Node) {
	if _, ok := ix.doc.places[join(path)]; ok {
		return
	}
	at := ix.parser.Shape(key.Raw).Start
	ix.doc.places[join(path)] = Place{File: ix.doc.file, Line: at.Line, Column: at.Column}
}

// kindOf names a TOML value for a message, shortened.
func kindOf(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("the string %q", shorten(v))
	case int64:
		return fmt.Sprintf("the integer %d", v)
	case float64:
		return fmt.Sprintf("the number %v", v)
	case bool:
		return fmt.Sprintf("the boolean %v", v)
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return "a date or time"
}

func shorten(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}
