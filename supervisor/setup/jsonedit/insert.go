package jsonedit

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tailscale/hujson"
)

// style is how a value is laid out; the zero style is one line.
type style struct {
	newline string // "" for one line
	indent  string // of the line that the value begins on
	unit    string
}

func (s style) deeper() style { return style{s.newline, s.indent + s.unit, s.unit} }

func (d *document) set(path []string, value any) error {
	if d.empty {
		d.begin(nest(path, value))
		return nil
	}
	v, rest, err := d.walk(path)
	switch {
	case err != nil:
		return err
	case rest == nil:
		d.splice(v.StartOffset, v.EndOffset, render(value, d.styleAt(v.StartOffset)))
		return nil
	}
	if _, ok := v.Value.(*hujson.Object); !ok {
		return d.kindError(v, path[:len(path)-len(rest)], "an object in braces")
	}
	d.insert(v, func(s style) string {
		return quote(rest[0]) + ": " + render(nest(rest[1:], value), s)
	})
	return nil
}

// nest wraps a value into objects.
func nest(path []string, value any) any {
	for i := len(path) - 1; i >= 0; i-- {
		value = Object{{path[i], value}}
	}
	return value
}

func (d *document) push(path []string, element any) error {
	v, rest, err := d.walk(path)
	if err != nil {
		return err
	}
	if _, ok := v.Value.(*hujson.Array); !ok || rest != nil {
		return d.kindError(v, path, "a list in brackets")
	}
	d.insert(v, func(s style) string { return render(element, s) })
	return nil
}

// begin writes the first value of a file that has none.
func (d *document) begin(value any) {
	s := style{newline: d.newline(), unit: "  "}
	text := render(value, s) + s.newline
	kept := len(bytes.TrimRight(d.src, " \t\r\n"))
	if kept > 0 {
		text = s.newline + text
	}
	d.splice(kept, len(d.src), text)
}

// insert adds an item at the end of an object or array: on a line of its own,
// unless the others share one line.
func (d *document) insert(v *hujson.Value, item func(style) string) {
	g := groupOf(v)
	inside := d.src[g.open+1 : g.close]
	if !bytes.ContainsRune(inside, '\n') && (len(g.items) > 0 || !d.spacious()) {
		d.insertInLine(g, item(style{}))
		return
	}
	s := d.styleAt(g.open).deeper()
	if n := len(g.items); n > 0 && d.startsLine(g.items[n-1].from) {
		s.indent = d.indentAt(g.items[n-1].from)
	}
	text := s.newline + s.indent + item(s)
	if g.comma >= 0 {
		text += ","
	}
	at := g.open + 1 + len(bytes.TrimRight(inside, " \t\r\n"))
	d.separate(g, at, &text)
	if !bytes.ContainsRune(d.src[at:g.close], '\n') {
		d.splice(at, g.close, text+s.newline+d.indentAt(g.open))
		return
	}
	d.splice(at, at, text)
}

// separate puts the comma that the last item needs right behind it, which may
// be where the text goes.
func (d *document) separate(g group, at int, text *string) {
	if len(g.items) == 0 || g.comma >= 0 {
		return
	}
	end := g.items[len(g.items)-1].to
	if end == at {
		*text = "," + *text
		return
	}
	d.splice(end, end, ",")
}

func (d *document) insertInLine(g group, text string) {
	at := g.open + 1 + len(bytes.TrimRight(d.src[g.open+1:g.close], " \t"))
	switch {
	case len(g.items) == 0 && at > g.open+1:
		text = " " + text
	case len(g.items) > 0:
		text = " " + text
		if g.comma >= 0 {
			text += ","
		}
		d.separate(g, at, &text)
	}
	d.splice(at, at, text)
}

// spacious says that the file has more than one line of values, or nothing yet
// to tell by.
func (d *document) spacious() bool {
	g := groupOf(&d.root)
	return len(g.items) == 0 || bytes.ContainsRune(d.src[g.open:g.close], '\n')
}

func (d *document) newline() string {
	if i := bytes.IndexByte(d.src, '\n'); i > 0 && d.src[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// styleAt is the layout for a value on the line at an offset.
func (d *document) styleAt(at int) style {
	if !d.spacious() {
		return style{}
	}
	return style{newline: d.newline(), indent: d.indentAt(at), unit: d.unit()}
}

// unit is what the first member of the file is indented by.
func (d *document) unit() string {
	g := groupOf(&d.root)
	if len(g.items) > 0 && d.startsLine(g.items[0].from) {
		if in := strings.TrimPrefix(d.indentAt(g.items[0].from), d.indentAt(g.open)); in != "" {
			return in
		}
	}
	return "  "
}

func (d *document) indentAt(at int) string {
	line := d.src[bytes.LastIndexByte(d.src[:at], '\n')+1:]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

func (d *document) startsLine(at int) bool {
	return len(bytes.TrimSpace(d.src[bytes.LastIndexByte(d.src[:at], '\n')+1:at])) == 0
}

// render writes a value, its first line without indentation.
func render(v any, s style) string {
	switch v := v.(type) {
	case Object:
		items := make([]string, len(v))
		for i, m := range v {
			items[i] = quote(m.Name) + ": " + render(m.Value, s.deeper())
		}
		return enclose("{", items, "}", s)
	case List:
		if line, ok := short(v); ok {
			return line
		}
		items := make([]string, len(v))
		for i, e := range v {
			items[i] = render(e, s.deeper())
		}
		return enclose("[", items, "]", s)
	case string:
		return quote(v)
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "" // the check of the result refuses it
	}
	return string(b)
}

// short writes a list of a few plain values in one line.
func short(list List) (line string, ok bool) {
	const most = 60
	items := make([]string, len(list))
	for i, e := range list {
		switch e.(type) {
		case Object, List:
			return "", false
		}
		items[i] = render(e, style{})
	}
	line = enclose("[", items, "]", style{})
	return line, len(line) <= most
}

func enclose(open string, items []string, end string, s style) string {
	if len(items) == 0 {
		return open + end
	}
	if s.newline == "" {
		return open + strings.Join(items, ", ") + end
	}
	sep := s.newline + s.indent + s.unit
	return open + sep + strings.Join(items, ","+sep) + s.newline + s.indent + end
}

func quote(s string) string { return string(hujson.String(s)) }
