package web

import (
	"bytes"
	"html"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer"
	gmhtml "github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/util"
)

// maxRenderBytes is how much of a text is shown; all of it is a link away.
const maxRenderBytes = 256 << 10

// rendered is the safe HTML of a message's text.
type rendered struct {
	HTML      string
	Truncated bool // only the first maxRenderBytes of the text are in HTML
}

// markdown has no raw HTML: rawHTML writes it as text, so that a review which
// mentions <script> shows it. It also has no syntax highlighting, because
// looking up the lexer of an unknown language costs milliseconds per block.
var markdown = goldmark.New(
	goldmark.WithExtensions(
		extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)),
		extension.Strikethrough, extension.Linkify, extension.TaskList, fuse{},
	),
	goldmark.WithRendererOptions(
		gmhtml.WithHardWraps(),
		renderer.WithNodeRenderers(util.Prioritized(rawHTML{}, 100)),
	),
)

var policy = newPolicy()

// newPolicy lists what may reach a page. It stands behind the renderer, which
// on its own already emits nothing else.
func newPolicy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code",
		"em", "strong", "del", "ins", "sub", "sup", "kbd", "ul", "ol", "li", "details", "summary",
		"table", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^language-[A-Za-z0-9_+#.-]{1,32}$`)).OnElements("code")
	p.AllowAttrs("align").Matching(regexp.MustCompile(`^(left|center|right)$`)).OnElements("th", "td")
	p.AllowAttrs("start").Matching(regexp.MustCompile(`^[0-9]{1,9}$`)).OnElements("ol")
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^task$`)).OnElements("span")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("http", "https", "mailto")
	p.RequireParseableURLs(true)
	p.RequireNoReferrerOnLinks(true)
	p.AddTargetBlankToFullyQualifiedLinks(true)
	return p
}

// render turns the text of a message into safe HTML. It never fails: what is
// too tangled for the Markdown parser is shown as it was written.
func render(text string) rendered {
	shown := cutText(text, maxRenderBytes)
	r := rendered{Truncated: len(shown) < len(text)}
	if nested(shown) {
		r.HTML = plain(shown)
		return r
	}
	var out bytes.Buffer
	if err := markdown.Convert([]byte(shown), &out); err != nil {
		r.HTML = plain(shown)
		return r
	}
	r.HTML = policy.Sanitize(out.String())
	return r
}

func plain(text string) string {
	return "<pre><code>" + html.EscapeString(text) + "</code></pre>"
}

// cutText returns the first n bytes of s, or a little less so that it ends
// with a whole line or at least with a whole character.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	s = s[:n]
	if i := strings.LastIndexByte(s, '\n'); i > n-n/8 {
		return s[:i+1]
	}
	return s
}
