package tomledit

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// set sets one key. A table that is added for it gets the comment.
func (d *document) set(e Entry, comment string) ([]byte, error) {
	literal := quote(e.Value)
	if it, ok := d.find(e.Path); ok {
		if it.value.inline {
			return nil, d.inTheWay(it, "a table")
		}
		if v, _, err := Get(d.src, e.Path...); err == nil && equal(v, normal(e.Value)) {
			return d.src, nil
		}
		return d.splice(it.value.from, it.value.to, literal), nil
	}
	if i := d.lastWithin(e.Path); i >= 0 {
		return nil, d.inTheWay(d.items[i], "a table")
	}
	return d.add(e.Path, literal, comment)
}

// find returns the pair that sets exactly this path, also inside an inline
// table.
func (d *document) find(path []string) (item, bool) { return findIn(d.items, path) }

func findIn(items []item, path []string) (item, bool) {
	for _, it := range items {
		if it.kind != pair || it.inList || !hasPrefix(path, it.path) {
			continue
		}
		if len(it.path) == len(path) {
			return it, true
		}
		if found, ok := findIn(it.value.pairs, path); ok {
			return found, true
		}
	}
	return item{}, false
}

// add adds a key that is not there. Which form it gets is decided by the
// nearest table above it that is there: a line below its header, a further
// dotted key, a member of an inline table, or a table of its own.
func (d *document) add(path []string, literal, comment string) ([]byte, error) {
	for n := len(path) - 1; n > 0; n-- {
		table := path[:n]
		if it, ok := d.inTheWayOf(table); ok {
			return nil, d.inTheWay(it, describe(it))
		}
		if it, ok := findIn(d.items, table); ok {
			return d.addInline(it, path[n:], literal), nil
		}
		if it, ok := d.lastDotted(table); ok {
			return d.addLine(it, path[len(it.table):], literal), nil
		}
		i := slices.IndexFunc(d.items, func(it item) bool { return it.kind == header && slices.Equal(it.path, table) })
		if i >= 0 && n == len(path)-1 {
			return d.addBelow(i, path[n:], literal), nil
		}
		// A table made by headers can only get sub-tables by headers.
		if d.lastWithin(table) >= 0 {
			break
		}
	}
	if len(path) == 1 {
		return d.addTop(path, literal), nil
	}
	return d.addTable(path[:len(path)-1], path[len(path)-1:], literal, comment), nil
}

// inTheWayOf finds what keeps path from being a table that can be added to.
func (d *document) inTheWayOf(path []string) (item, bool) {
	for _, it := range d.items {
		if it.kind == list && hasPrefix(path, it.path) {
			return it, true
		}
	}
	if it, ok := findIn(d.items, path); ok && !it.value.inline {
		return it, true
	}
	return item{}, false
}

func describe(it item) string {
	if it.kind == list {
		return "a list of tables"
	}
	return "a value"
}

func (d *document) inTheWay(it item, what string) *Error {
	at := it.from
	if it.kind == pair {
		at = it.value.from
	}
	return &Error{Line: d.line(at), Text: fmt.Sprintf("%s is %s here", dotted(it.path), what)}
}

// lastDotted returns the last pair that makes path a table by a dotted key.
func (d *document) lastDotted(path []string) (found item, ok bool) {
	for _, it := range d.items {
		if it.kind == pair && !it.inList && len(it.table) < len(path) && len(it.path) > len(path) && hasPrefix(it.path, path) {
			found, ok = it, true
		}
	}
	return found, ok
}

func (d *document) addLine(after item, key []string, literal string) []byte {
	line := d.indent(after.from) + dotted(key) + " = " + literal
	return d.insertLines(after.to, line)
}

// addBelow adds a line at the end of the table of the i-th item.
func (d *document) addBelow(i int, key []string, literal string) []byte {
	indent := d.indent(d.items[i].from)
	if i+1 < len(d.items) && d.items[i+1].kind == pair {
		indent = d.indent(d.items[i+1].from)
	}
	return d.insertLines(d.bodyEnd(i), indent+dotted(key)+" = "+literal)
}

// addTop adds a key that belongs to no table: it has to stand before the first
// header and the comments that are attached to it.
func (d *document) addTop(key []string, literal string) []byte {
	line := dotted(key) + " = " + literal
	at, last := len(d.src), -1
	for i, it := range d.items {
		if it.kind != pair {
			at = d.aboveComments(it.from)
			break
		}
		last = i
	}
	if last >= 0 {
		return d.insertLines(d.items[last].to, line)
	}
	if at < len(d.src) {
		return d.insertLines(at, line, "")
	}
	return d.insertLines(at, line)
}

// aboveComments goes up from the start of a line over the comment lines right
// above it.
func (d *document) aboveComments(at int) int {
	for at > 0 {
		above := bytes.LastIndexByte(d.src[:at-1], '\n') + 1
		if !bytes.HasPrefix(bytes.TrimLeft(d.src[above:at], " \t"), []byte("#")) {
			break
		}
		at = above
	}
	return at
}

// addTable adds a table with one key: behind the tables it belongs to, or else
// at the end.
func (d *document) addTable(table, key []string, literal, comment string) []byte {
	at := len(d.src)
	for n := len(table) - 1; n > 0; n-- {
		if i := d.lastWithin(table[:n]); i >= 0 {
			at = d.bodyEnd(i)
			break
		}
	}
	var lines []string
	if comment != "" {
		for line := range strings.SplitSeq(comment, "\n") {
			lines = append(lines, strings.TrimRight("# "+line, " "))
		}
	}
	lines = append(lines, "["+dotted(table)+"]", dotted(key)+" = "+literal)
	if before := bytes.TrimRight(d.src[:at], " \t\r\n"); len(before) > 0 && bytes.Count(d.src[len(before):at], []byte("\n")) < 2 {
		lines = slices.Insert(lines, 0, "")
	}
	if rest := d.src[at:]; len(bytes.TrimSpace(rest)) > 0 && rest[0] != '\n' && rest[0] != '\r' {
		lines = append(lines, "")
	}
	return d.insertLines(at, lines...)
}

// lastWithin is the last header at or below path, or -1.
func (d *document) lastWithin(path []string) int {
	last := -1
	for i, it := range d.items {
		if it.kind != pair && hasPrefix(it.path, path) {
			last = i
		}
	}
	return last
}

// addInline adds a member at the end of an inline table.
func (d *document) addInline(it item, key []string, literal string) []byte {
	member := dotted(key) + " = " + literal
	end := it.value.to - 1 // the }
	n := len(it.value.pairs)
	if n == 0 {
		if len(bytes.TrimSpace(d.src[it.value.from+1:end])) == 0 {
			return d.splice(it.value.from+1, end, " "+member+" ")
		}
		return d.splice(end, end, member+" ")
	}
	last := it.value.pairs[n-1]
	tail := d.src[last.value.to:end]
	if d.comma(last.value.to, end) < 0 {
		return d.splice(last.value.to, last.value.to, ", "+member)
	}
	// A comma at the end is not TOML 1.0; who has one wants to keep it.
	if i := bytes.LastIndexByte(tail, '\n'); i >= 0 {
		at := last.value.to + i + 1
		from, _ := d.lines(last.from, last.from)
		return d.splice(at, at, d.indent(from)+member+","+d.newline())
	}
	return d.splice(end, end, member+" ")
}

// insertLines inserts lines at the start of a line, or at the end of a file
// whose last line may lack its newline.
func (d *document) insertLines(at int, lines ...string) []byte {
	nl := d.newline()
	text := strings.Join(lines, nl) + nl
	if at > 0 && d.src[at-1] != '\n' {
		text = nl + text
	}
	return d.splice(at, at, text)
}

func (d *document) splice(from, to int, text string) []byte {
	return slices.Concat(d.src[:from], []byte(text), d.src[to:])
}

// indent is the white space at the start of the line at an offset.
func (d *document) indent(at int) string {
	line := d.src[at:]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

func quoteKey(name string) string {
	bare := name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == ""
	if bare {
		return name
	}
	return quoteString(name)
}

func quote(v any) string {
	switch v := v.(type) {
	case string:
		return quoteString(v)
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	}
	return "" // no value: the check of the result refuses it
}

// quoteString writes a basic string of one line.
func quoteString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
