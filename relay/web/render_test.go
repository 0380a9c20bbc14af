package web_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"autoreview/relay/web"
)

// hostile are texts that try to run something or to load something.
var hostile = []string{
	`<script>window.pwned=1</script>`,
	`<SCRIPT SRC=//evil.example/x.js></SCRIPT>`,
	`<img src=x onerror="window.pwned=1">`,
	`<img src="https://evil.example/beacon.png">`,
	`![beacon](https://evil.example/beacon.png)`,
	`![](https://evil.example/beacon.png "title")`,
	`[![nested](https://evil.example/a.png)](https://example.com)`,
	`![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9ImFsZXJ0KDEpIj4=)`,
	`[click](javascript:window.pwned=1)`,
	`[click](JaVaScRiPt:window.pwned=1)`,
	"[click](java\tscript:window.pwned=1)",
	`[click](&#106;avascript:window.pwned=1)`,
	`[click](vbscript:msgbox(1))`,
	`[click](data:text/html,<script>window.pwned=1</script>)`,
	`<javascript:window.pwned=1>`,
	`[a]: javascript:window.pwned=1` + "\n\n[a]",
	`[x](https://example.com "onmouseover=window.pwned=1 \"><script>window.pwned=1</script>")`,
	`<svg onload=window.pwned=1>`,
	`<svg><style><img src=x onerror=window.pwned=1></style></svg>`,
	`<math><mtext></p><img src=x onerror=window.pwned=1>`,
	`<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>`,
	`<object data="https://evil.example/x.swf"></object><embed src=x>`,
	`<style>@import "https://evil.example/x.css"; * { display: none }</style>`,
	`<link rel=stylesheet href=https://evil.example/x.css>`,
	`<meta http-equiv=refresh content="0;url=https://evil.example">`,
	`<base href="https://evil.example/">`,
	`<form action=https://evil.example><input name=attributes><button>go</button></form>`,
	`<a href="javascript:window.pwned=1">x</a>`,
	`<details open ontoggle=window.pwned=1>x</details>`,
	`<details/open/ontoggle=window.pwned=1>`,
	`<p style="position:fixed;inset:0">over everything</p>`,
	`<b id=compose name=feed>clobber</b>`,
	`<br onclick=window.pwned=1>`,
	`<video><source onerror=window.pwned=1></video>`,
	`<noscript><p title="</noscript><img src=x onerror=window.pwned=1>">`,
	`<!--><img src=x onerror=window.pwned=1>-->`,
	`<?xml ?><![CDATA[<img src=x onerror=window.pwned=1>]]>`,
	"```\"><img src=x onerror=window.pwned=1>\ncode\n```",
	"```js onload=window.pwned=1 class=\"x\ncode\n```",
	"```" + strings.Repeat("x", 5000) + "\ncode\n```",
	"```html\n<script>window.pwned=1</script>\n```",
	"`<img src=x onerror=window.pwned=1>`",
	"| a |\n|---|\n| <img src=x onerror=window.pwned=1> |",
	"<div>\n\n**bold** <script>window.pwned=1</script>\n\n</div></div></div></main>",
	"</article></div></main><script>window.pwned=1</script>",
	"\x00<scr\x00ipt>window.pwned=1</scr\x00ipt>",
	"<a href=\"https://example.com\x00\" onclick=window.pwned=1>x</a>",
}

func TestHostileTextBecomesHarmlessHTML(t *testing.T) {
	for _, text := range hostile {
		wantSafe(t, text, web.Render(text))
	}
}

func FuzzRender(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	for text := range rendering {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { wantSafe(t, text, web.Render(text)) })
}

var allowed = map[string][]string{
	"a": {"href", "rel", "target"}, "code": {"class"}, "span": {"class"}, "ol": {"start"},
	"th": {"align"}, "td": {"align"},
}

// wantSafe reads HTML as a browser does and fails for every element, attribute
// and address that is not on the short list of what a message may have.
func wantSafe(t *testing.T, text, got string) {
	t.Helper()
	const plain = " p br hr h1 h2 h3 h4 h5 h6 blockquote pre code em strong del ins sub sup kbd ul ol li " +
		"details summary table thead tbody tr th td a span "
	body := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
	nodes, err := html.ParseFragment(strings.NewReader(got), body)
	if err != nil {
		t.Fatalf("%q: parsing %q: %v", text, got, err)
	}
	for _, root := range nodes {
		for n := range all(root) {
			if n.Type == html.CommentNode || n.Type == html.ElementNode && !strings.Contains(plain, " "+n.Data+" ") {
				t.Errorf("%q: got <%s> in %q", text, n.Data, got)
			}
			for _, a := range n.Attr {
				if !slices.Contains(allowed[n.Data], a.Key) {
					t.Errorf("%q: got attribute %s=%q in %q", text, a.Key, a.Val, got)
				}
				if u, err := url.Parse(a.Val); a.Key == "href" && (err != nil || !slices.Contains([]string{"http", "https", "mailto"}, u.Scheme)) {
					t.Errorf("%q: got href %q in %q", text, a.Val, got)
				}
			}
		}
	}
}

func all(root *html.Node) func(func(*html.Node) bool) {
	return func(yield func(*html.Node) bool) {
		if !yield(root) {
			return
		}
		for n := range root.Descendants() {
			if !yield(n) {
				return
			}
		}
	}
}

// rendering has texts as people and models write them.
var rendering = map[string]string{ // :: text → HTML
	"one\ntwo":                          "<p>one<br>\ntwo</p>\n",
	"**b** *i* ~~s~~ `c`":               "<p><strong>b</strong> <em>i</em> <del>s</del> <code>c</code></p>\n",
	"# h":                               "<h1>h</h1>\n",
	"```go\nx := 1 < 2\n```":            "<pre><code class=\"language-go\">x := 1 &lt; 2\n</code></pre>\n",
	"```c++\nx\n```":                    "<pre><code class=\"language-c++\">x\n</code></pre>\n",
	"- [x] done\n- [ ] open":            "<ul>\n<li><span class=\"task\">☑</span> done</li>\n<li><span class=\"task\">☐</span> open</li>\n</ul>\n",
	"3. c\n4. d":                        "<ol start=\"3\">\n<li>c</li>\n<li>d</li>\n</ol>\n",
	"|a|b|\n|-|-:|\n|1|2|":              "<table>\n<thead>\n<tr>\n<th>a</th>\n<th align=\"right\">b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>1</td>\n<td align=\"right\">2</td>\n</tr>\n</tbody>\n</table>\n",
	"see https://example.com/a.":        "<p>see <a href=\"https://example.com/a\" rel=\"noreferrer noopener\" target=\"_blank\">https://example.com/a</a>.</p>\n",
	"[rel](src/main.go)":                "<p>rel</p>\n",
	"![shot](https://e.com/a.png)":      "<p><a href=\"https://e.com/a.png\" rel=\"noreferrer noopener\" target=\"_blank\">shot</a></p>\n",
	"![](https://e.com/a.png)":          "<p><a href=\"https://e.com/a.png\" rel=\"noreferrer noopener\" target=\"_blank\">https://e.com/a.png</a></p>\n",
	"![shot](data:image/png;base64,AA)": "<p>shot</p>\n",
	"use <b> or <script>":               "<p>use &lt;b&gt; or &lt;script&gt;</p>\n",
	"a<br>b<kbd>c</kbd>":                "<p>a<br>b<kbd>c</kbd></p>\n",
	"<div class=\"x\">\na & b\n</div>":  "<p>&lt;div class=&#34;x&#34;&gt;<br>\na &amp; b<br>\n&lt;/div&gt;</p>\n",
	"<details><summary>Log</summary>\n\n*x*\n\n</details>": "<details><summary>Log</summary><p><em>x</em></p>\n</details>",
	"<!-- not hidden -->":         "<p>&lt;!-- not hidden --&gt;</p>\n",
	"[a]: https://e.com\n\n[a] b": "<p><a href=\"https://e.com\" rel=\"noreferrer noopener\" target=\"_blank\">a</a> b</p>\n",
}

func TestRender(t *testing.T) {
	for text, want := range rendering {
		if got := web.Render(text); got != want {
			t.Errorf("Render(%q):\n got %q\nwant %q", text, got, want)
		}
	}
}

// The parser's time and output grow with the square of these, so what they may
// make of it is bounded by number: past the bounds the text stays as it is.
func TestTangledTextStaysBounded(t *testing.T) {
	fill := func(s string) string { return strings.Repeat(s, web.MaxRenderBytes/len(s)) }
	var steps strings.Builder
	for i := range 300 {
		fmt.Fprintf(&steps, "%s- a\n", strings.Repeat("  ", i))
	}
	for name, c := range map[string]struct {
		text, element string
		most          int
	}{
		"block quotes":           {fill("> "), "<blockquote", 64},
		"block quotes, tight":    {fill(">"), "<blockquote", 64},
		"list items":             {fill("- "), "<li", 64},
		"numbered items":         {fill("1. "), "<li", 64},
		"quotes and items":       {fill("> - "), "<li", 64},
		"stairs":                 {steps.String(), "<li", 300},
		"emphasis":               {fill("*a_ "), "<em", 1000},
		"emphasis in words":      {fill("a**b__c "), "<strong", 1000},
		"open brackets":          {fill("["), "<a", 0},
		"links without an end":   {fill("[a]("), "<a", 0},
		"links to nowhere":       {fill("[a](<b"), "<a", 0},
		"links":                  {fill("[a](https://e.com) "), "<a", 1000},
		"strikes":                {fill("~~a ~b"), "<del", 1000},
		"short rows, wide table": {strings.Repeat("|a", 1000) + "\n" + strings.Repeat("|-", 1000) + "\n" + strings.Repeat("|x\n", 50_000), "<td", 20_000},
		"many wide tables":       {strings.Repeat(strings.Repeat("|a", 140)+"\n"+strings.Repeat("|-", 140)+"\n"+strings.Repeat("|\n", 140)+"\n", 200), "<td", 20_000},
		"link references":        {fill("[a]: b\n"), "<a", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := web.Render(c.text)
			if n := strings.Count(got, c.element); n > c.most {
				t.Errorf("%s: got %d, want at most %d", c.element, n, c.most)
			}
			if most := 8 * web.MaxRenderBytes; len(got) > most {
				t.Errorf("HTML: got %d bytes, want at most %d", len(got), most)
			}
			if least := len(strings.ReplaceAll(c.text, " ", "")) / 8; len(got) < least {
				t.Errorf("HTML: got %d bytes, want at least %d: the text is gone", len(got), least)
			}
		})
	}
}
