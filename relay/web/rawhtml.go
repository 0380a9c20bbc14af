package web

import (
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
)

// rawHTML renders what would bring elements into the page that do something:
// HTML in a line, HTML blocks, images and the boxes of task lists.
type rawHTML struct{}

func (r rawHTML) RegisterFuncs(reg renderer.NodeRendererFuncRegisterer) {
	reg.Register(ast.KindRawHTML, r.inline)
	reg.Register(ast.KindHTMLBlock, r.block)
	reg.Register(ast.KindImage, r.image)
	reg.Register(extast.KindTaskCheckBox, r.task)
}

// harmlessTag matches the tags, without attributes, that people and models write
// into Markdown on purpose.
var harmlessTag = regexp.MustCompile(`(?i)</?(?:details|summary|kbd|sub|sup|ins|del)>|<br\s*/?>`)

func (rawHTML) inline(w util.BufWriter, src []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		segments := n.(*ast.RawHTML).Segments
		writeRaw(w, string(segments.Value(src)))
	}
	return ast.WalkSkipChildren, nil
}

func (rawHTML) block(w util.BufWriter, src []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	b := n.(*ast.HTMLBlock)
	text := string(b.Lines().Value(src))
	if b.HasClosure() {
		text += string(b.ClosureLine.Value(src))
	}
	text = strings.TrimSpace(text)
	// A paragraph must not be put around <details>: it would end the paragraph.
	if at := harmlessTag.FindStringIndex(text); at != nil && at[0] == 0 {
		writeRaw(w, text)
		return ast.WalkContinue, nil
	}
	_, _ = w.WriteString("<p>")
	writeRaw(w, text)
	_, _ = w.WriteString("</p>\n")
	return ast.WalkContinue, nil
}

// writeRaw writes HTML as text, but for the harmless tags.
func writeRaw(w util.BufWriter, text string) {
	at := 0
	for _, tag := range harmlessTag.FindAllStringIndex(text, -1) {
		writeText(w, text[at:tag[0]])
		_, _ = w.WriteString(text[tag[0]:tag[1]])
		at = tag[1]
	}
	writeText(w, text[at:])
}

func writeText(w util.BufWriter, text string) {
	escaped := string(util.EscapeHTML([]byte(text)))
	_, _ = w.WriteString(strings.ReplaceAll(escaped, "\n", "<br>\n"))
}

// image renders an image as a link to it: loading it would tell its server who
// reads the message, and when.
func (rawHTML) image(w util.BufWriter, src []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	inLink := false
	for p := n.Parent(); p != nil; p = p.Parent() {
		inLink = inLink || p.Kind() == ast.KindLink
	}
	switch {
	case inLink:
	case !entering:
		_, _ = w.WriteString("</a>")
	default:
		dest := util.EscapeHTML(util.URLEscape(n.(*ast.Image).Destination, true))
		_, _ = w.WriteString(`<a href="` + string(dest) + `">`)
		if !n.HasChildren() {
			_, _ = w.Write(dest)
		}
	}
	return ast.WalkContinue, nil
}

// task writes the box of a task list as a character: it is not to be changed, so
// it needs no form control.
func (rawHTML) task(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		box := "☐"
		if n.(*extast.TaskCheckBox).IsChecked {
			box = "☑"
		}
		_, _ = w.WriteString(`<span class="task">` + box + `</span> `)
	}
	return ast.WalkContinue, nil
}
