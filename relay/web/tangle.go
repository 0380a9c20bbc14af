package web

import (
	"bytes"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Bounds on Markdown. The parser's time and output grow with the square of some
// hostile texts, and it cannot be interrupted: what passes a bound is shown as
// it was written.
const (
	maxNesting    = 64     // block quotes and list items opened by one line, else all of the text
	maxMarks      = 1000   // marks of inline syntax in a block, else the rest of the block
	maxRefLines   = 500    // lines of a paragraph that starts like a link reference
	maxTableCells = 20_000 // in all tables of a text, with short rows filled up
)

// nested reports whether a line of s opens more than maxNesting blocks.
func nested(s string) bool {
	for line := range strings.Lines(s) {
		if depth(line) > maxNesting {
			return true
		}
	}
	return false
}

// depth counts the markers of block quotes and list items at the start of line.
func depth(line string) int {
	for n := 0; ; n++ {
		line = strings.TrimLeft(line, " \t")
		item := strings.TrimLeft(line, "0123456789")
		switch {
		case strings.HasPrefix(line, ">"):
			line = line[1:]
		case len(item) > 1 && strings.IndexByte("-+*.)", item[0]) >= 0 && (item[1] == ' ' || item[1] == '\t'):
			line = item[1:]
		default:
			return n
		}
	}
}

// fuse is a goldmark extension that takes tangled paragraphs and lines away from
// the other parsers before they see them.
type fuse struct{}

func (f fuse) Extend(m goldmark.Markdown) {
	m.Parser().AddOptions(
		parser.WithInlineParsers(util.Prioritized(f, 0)),
		parser.WithParagraphTransformers(util.Prioritized(f, 0)),
	)
}

var (
	marksKey = parser.NewContextKey() // :: marks so far in the block
	cellsKey = parser.NewContextKey() // :: table cells so far in the text
)

// Trigger names the characters that start or end inline syntax.
func (fuse) Trigger() []byte { return []byte("*_~[]!<`") }

// Parse counts the marks of a block. Past the limit it makes plain text of the
// rest of the line; the line break is left to the parser.
func (fuse) Parse(_ ast.Node, block text.Reader, pc parser.Context) ast.Node {
	n := count(pc, marksKey, 1)
	if n <= maxMarks {
		return nil
	}
	line, at := block.PeekLine()
	rest := at.WithStop(at.Start + len(bytes.TrimRight(line, "\r\n")))
	block.Advance(rest.Len())
	return ast.NewTextSegment(rest)
}

// CloseBlock starts the count of the next block.
func (fuse) CloseBlock(_ ast.Node, _ text.Reader, pc parser.Context) { pc.Set(marksKey, 0) }

// Transform keeps the lines of a paragraph as they are when it would become a
// table or a list of link references that is out of bounds.
func (fuse) Transform(p *ast.Paragraph, reader text.Reader, pc parser.Context) {
	lines, src := p.Lines(), reader.Source()
	if lines.Len() < 2 {
		return
	}
	first, second := lines.At(0), lines.At(1)
	refs := bytes.HasPrefix(first.Value(src), []byte("["))
	columns := bytes.Count(second.Value(src), []byte("|")) + 1
	// The second line of a table has nothing but these; of other paragraphs no
	// cells are counted.
	table := len(bytes.Trim(second.Value(src), "|-: \t\r\n")) == 0
	if refs && lines.Len() > maxRefLines || table && count(pc, cellsKey, columns*lines.Len()) > maxTableCells {
		code := ast.NewCodeBlock()
		code.SetLines(lines)
		p.Parent().ReplaceChild(p.Parent(), p, code)
	}
}

func count(pc parser.Context, key parser.ContextKey, n int) int {
	if was, ok := pc.Get(key).(int); ok {
		n += was
	}
	pc.Set(key, n)
	return n
}
