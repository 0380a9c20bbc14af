package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/input"
	"github.com/go-rod/rod/lib/proto"

	"autoreview/relay"
)

// The page in a real browser, against the real API behind the real guard.
func TestPageInBrowser(t *testing.T) {
	b := newBrowser(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *rod.Browser, *site)
	}{
		{"loads without a complaint", loadsClean},
		{"shows a message as it is posted", showsLive},
		{"renders Markdown and colours code", rendersMarkdown},
		{"a hostile message does nothing", hostileDoesNothing},
		{"works without highlight.js", worksWithoutColours},
		{"shows kind, verdict, findings and what is answered", showsReview},
		{"sends with Ctrl+Enter and Meta+Enter", sendsByKey},
		{"posts to another channel as another sender", choosesChannelAndSender},
		{"long bodies close and stay as they were left", collapses},
		{"dark mode follows the system and is remembered", togglesDark},
		{"fits 380 pixels", fitsNarrow},
		{"a channel made later appears", showsNewChannel},
		{"an open drop-down is left alone", leavesDropDownAlone},
		{"follows the newest only from the bottom", followsAtBottom},
		{"loads older messages above", loadsOlder},
		{"a permalink opens at its message", opensPermalink},
		{"marks channels with unread messages", marksUnread},
		{"steps through messages by keyboard", stepsByKeyboard},
		{"an empty relay says what to do", showsEmptyRelay},
		{"a restart is shown and made good", survivesRestart},
		{"catches up with whatever it missed", catchesUp},
		{"a failed load is shown and made good", retriesFailedLoad},
		{"another log starts anew", noticesAnotherLog},
		{"eight tabs live on one stream", sharesOneStream},
		{"the tab in front has the stream, all hidden have none", releasesWhenHidden},
		{"events are read whatever way they are cut", readsCutEvents},
	} {
		inBrowser(t, b, c.name, c.test)
	}
}

func loadsClean(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "hello"})
	p := openTab(t, b, s, "/")
	p.until(`document.querySelector('#m1')`)
	p.want(`location.hash`, "#/channel/proj-x")
	p.want(`document.title`, "proj-x · relay")
	p.want(`document.querySelector('#mcp-address').textContent`, s.URL+"/mcp")
	p.want(`document.querySelector('#api-address').textContent`, s.URL+"/api/messages")
	p.want(`document.querySelector('#state-text').textContent`, "Live")
	p.want(`document.querySelector('#lost').hidden`, "true")
	p.want(`document.querySelectorAll('[style]').length`, "0")
	p.wantNoProblems()
}

func showsLive(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "first"})
	p := openTab(t, b, s, "/#/channel/proj-x")
	p.eval(`document.querySelector('#m1').untouched = true`)
	res, err := http.Post(s.URL+"/api/messages", "application/json", strings.NewReader(`{"target":"proj-x","sender":"codex","text":"second"}`))
	if err != nil {
		t.Fatalf("POST: %v", err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 201 {
		t.Fatalf("POST: got %d, want 201", res.StatusCode)
	}
	p.until(`document.querySelector('#m2 .body')?.textContent.includes('second')`)
	p.want(`document.querySelector('#m2 .who').textContent`, "codex")
	p.want(`document.querySelector('#m1').untouched`, "true")
	p.want(`document.querySelectorAll('.card').length`, "2")
	p.wantNoProblems()
}

func rendersMarkdown(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "**bold** and\n- a list\n\n|a|\n|-|\n|1|\n\n```go\nfunc main() { return 1 }\n```\n```\n@@ -1 +1 @@\n-old\n+new\n```\n```nonsense\nfunc\n```"})
	p := openTab(t, b, s, "/#/channel/proj-x")
	p.until(`document.querySelectorAll('#m1 code.hljs').length === 2`)
	p.want(`document.querySelector('#m1 strong').textContent`, "bold")
	p.want(`document.querySelectorAll('#m1 li, #m1 td').length`, "2")
	p.want(`document.querySelector('#m1 .language-go .hljs-keyword').textContent`, "func")
	p.want(`document.querySelector('#m1 .hljs-addition').textContent`, "+new")
	p.want(`document.querySelector('#m1 .language-nonsense').innerHTML`, "func\n")
	plain := p.eval(`getComputedStyle(document.querySelector('#m1 .language-go')).color`)
	if got := p.eval(`getComputedStyle(document.querySelector('#m1 .hljs-keyword')).color`); got == plain {
		t.Errorf("colour of a keyword: got %s, as of all code", got)
	}
	p.wantNoProblems()
}

func hostileDoesNothing(t *testing.T, b *rod.Browser, s *site) {
	for i, text := range hostile {
		kind := []relay.Kind{"", relay.KindReview, relay.KindStatus}[i%3]
		s.post(t, relay.Draft{Text: text, Kind: kind, Meta: json.RawMessage(`{"verdict":"<img src=x onerror=window.pwned=1>","findings":[{"severity":"__proto__"},null,1]}`)})
	}
	s.post(t, relay.Draft{Sender: `<img src=x onerror=window.pwned=1>`, Text: "named"})
	s.post(t, relay.Draft{Target: `<img src=x onerror=window.pwned=1>`, Text: "named"})
	p := openTab(t, b, s, "/#/channel/proj-x")
	p.until(fmt.Sprintf(`document.querySelector('#m%d')`, len(hostile)+1))
	p.eval(`document.querySelector('#scroll').scrollTop = 0`)
	p.until(`document.querySelector('#m1')`)
	p.until(`document.querySelector('#channels a[title*=onerror]')`)
	p.want(`typeof window.pwned`, "undefined")
	p.want(`document.querySelectorAll('#feed :is(script,img,svg,iframe,style,link,form,input,object,embed,video,base,meta,math)').length`, "0")
	p.want(`document.querySelectorAll('#compose').length`, "1")
	p.want(`document.querySelector('main').contains(document.querySelector('.card'))`, "true")
	p.wantNoProblems()
}

func worksWithoutColours(t *testing.T, b *rod.Browser, s *site) {
	s.broken = "/vendor/highlight.min.js"
	s.post(t, relay.Draft{Text: "```go\nfunc main() {}\n```\n" + strings.Repeat("line\n\n", 60)})
	p := openTab(t, b, s, "/#/channel/proj-x")
	p.until(`document.querySelector('#m1.closed .more')`)
	p.eval(`document.querySelector('#m1 .more').click()`)
	p.want(`document.querySelector('#m1').classList.contains('closed')`, "false")
	p.want(`document.querySelector('#m1 code').textContent`, "func main() {}\n")
	p.wantNoProblems("highlight.min.js")
}

func showsReview(t *testing.T, b *rod.Browser, s *site) {
	packet := s.post(t, relay.Draft{Text: "please look", Kind: relay.KindPacket})
	s.post(t, relay.Draft{
		Sender: "codex", Text: "no", Kind: relay.KindReview, ReplyTo: packet,
		Meta: json.RawMessage(`{"verdict":"request_changes","findings":[{"severity":"major"},{"severity":"nit"},{"severity":"major"},{"severity":"nit"},{"severity":"blocker"},{"severity":"unheard-of"}]}`),
	})
	p := openTab(t, b, s, "/#/channel/proj-x")
	p.until(`document.querySelector('#m2')`)
	p.want(`document.querySelector('#m1 .badge').textContent`, "packet")
	p.want(`[...document.querySelectorAll('#m2 .badge')].map(b => b.textContent).join('|')`, "review|Changes requested|1 blocker|2 major|2 nits")
	p.want(`document.querySelector('#m2').className`, "card kind-review verdict-request_changes")
	p.eval(`document.querySelector('#m2 .reply').click()`)
	p.until(`document.querySelector('#m1.shown')`)
	p.want(`location.hash`, "#/channel/proj-x/1")
	p.wantNoProblems()
}

// typeText writes into the message field as a person does.
func (p *tab) typeText(text string) {
	p.t.Helper()
	p.eval(`document.querySelector('#text').focus()`)
	if err := p.InsertText(text); err != nil {
		p.t.Fatalf("typing: %v", err)
	}
}

func (p *tab) press(modifier, key input.Key) {
	p.t.Helper()
	if err := p.KeyActions().Press(modifier).Type(key).Release(modifier).Do(); err != nil {
		p.t.Fatalf("pressing keys: %v", err)
	}
}

func (p *tab) choose(id, value string) {
	p.t.Helper()
	p.eval(fmt.Sprintf(`(s => { s.value = %q; s.dispatchEvent(new Event('change', {bubbles: true})) })(document.querySelector(%q))`, value, id))
}

func sendsByKey(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "first"})
	p := openTab(t, b, s, "/#/channel/proj-x")
	p.press(input.ControlLeft, input.Enter) // nothing is focused: nothing is sent
	p.typeText("line one")
	p.press(input.ShiftLeft, input.Enter)
	p.typeText("line **two**")
	p.press(input.ControlLeft, input.Enter)
	p.until(`document.querySelector('#m2 strong')`)
	p.want(`document.querySelector('#text').value`, "")
	p.want(`document.querySelector('#said').textContent`, "Posted #2 to proj-x.")
	p.typeText("by meta")
	p.press(input.MetaLeft, input.Enter)
	p.until(`document.querySelector('#said').textContent === 'Posted #3 to proj-x.'`)
	p.press(input.ControlLeft, input.Enter)
	p.want(`document.activeElement.id`, "text") // ready for the next message
	p.want(`document.querySelector('#said').textContent`, "A message needs a channel, a sender and a text.")
	page, err := s.Log.Read(t.Context(), relay.Query{})
	if err != nil || len(page.Messages) != 3 {
		t.Fatalf("log: got %d messages and %v, want 3", len(page.Messages), err)
	}
	if m := page.Messages[1]; m.Text != "line one\nline **two**" || m.Sender != "web-ui" || m.Target != "proj-x" {
		t.Errorf("message: got %+v, want two lines by web-ui in proj-x", m)
	}
	p.wantNoProblems()
}

func choosesChannelAndSender(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "first", Sender: "observed"})
	s.post(t, relay.Draft{Target: "codex", Text: "second"})
	p := openTab(t, b, s, "/#/channel/proj-x")
	p.until(`document.querySelector('#m1')`)
	p.want(`[...document.querySelectorAll('#sender option')].map(o => o.textContent).join('|')`, "web-ui|user|claude|codex|observed|Someone else…")
	p.want(`document.querySelector('#target').value`, "proj-x")
	p.choose("#target", "codex")
	p.choose("#sender", "observed")
	p.typeText("third")
	p.eval(`document.querySelector('#send').click()`)
	p.until(`document.querySelector('#said').textContent === 'Posted #3 to codex.'`)
	p.want(`location.hash`, "#/channel/proj-x")

	p.choose("#target", "\x00other")
	p.want(`document.activeElement.id`, "target-other")
	p.eval(`document.querySelector('#target-other').value = 'brand new'`)
	p.typeText("fourth")
	p.eval(`document.querySelector('#send').click()`)
	p.until(`document.querySelector('#channels a[title="brand new"]')`)
	page, err := s.Log.Read(t.Context(), relay.Query{Since: 2})
	if err != nil || len(page.Messages) != 2 {
		t.Fatalf("log: got %d messages and %v, want 2", len(page.Messages), err)
	}
	if m := page.Messages[0]; m.Target != "codex" || m.Sender != "observed" {
		t.Errorf("third: got %s by %s, want codex by observed", m.Target, m.Sender)
	}
	if m := page.Messages[1]; m.Target != "brand new" || m.Sender != "observed" {
		t.Errorf("fourth: got %s by %s, want brand new by observed", m.Target, m.Sender)
	}
	if err := p.Reload(); err != nil {
		t.Fatalf("reloading: %v", err)
	}
	p.until(`document.querySelector('#sender')?.value === 'observed'`) // remembered
	p.wantNoProblems()
}

func collapses(t *testing.T, b *rod.Browser, s *site) {
	long := strings.Repeat("a paragraph\n\n", 60)
	s.post(t, relay.Draft{Text: long})
	s.post(t, relay.Draft{Text: long, Kind: relay.KindReview})
	s.post(t, relay.Draft{Text: "short"})
	s.post(t, relay.Draft{Target: "other", Text: "other"})
	p := openTab(t, b, s, "/#/channel/proj-x")
	p.until(`document.querySelector('#m3')`)
	const state = `[1, 2, 3].map(i => document.querySelector('#m' + i)).map(c => c.className.includes('closed') + ' ' + (c.querySelector('.more').hidden ? '' : c.querySelector('.more').textContent)).join('|')`
	p.want(state, "true Show more|false Show less|false ")
	p.want(`document.querySelector('#m1 .clip').offsetHeight < 500`, "true")
	p.want(`document.querySelector('#m1 .more').ariaExpanded`, "false")
	p.eval(`document.querySelector('#m1 .more').click()`)
	p.want(`document.querySelector('#m1 .more').ariaExpanded`, "true")
	p.want(`document.querySelector('#m1 .clip').offsetHeight > 1000`, "true")
	p.eval(`document.querySelector('#m2 .more').click()`)
	p.want(state, "false Show less|true Show more|false ")

	s.post(t, relay.Draft{Text: "one more"})
	p.until(`document.querySelector('#m5')`)
	p.want(state, "false Show less|true Show more|false ")
	p.eval(`location.hash = '#/channel/other'`)
	p.until(`document.querySelector('#m4')`)
	p.eval(`location.hash = '#/channel/proj-x'`)
	p.until(`document.querySelector('#m3')`)
	p.want(state, "false Show less|true Show more|false ")
	p.wantNoProblems()
}

func togglesDark(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "x"})
	p := openTab(t, b, s, "/")
	prefer := func(scheme string) {
		t.Helper()
		err := proto.EmulationSetEmulatedMedia{Features: []*proto.EmulationMediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}.Call(p)
		if err != nil {
			t.Fatalf("emulating: %v", err)
		}
	}
	const look = `getComputedStyle(document.body).backgroundColor + ' ' + document.querySelector('#theme').ariaPressed`
	const light, dark = "rgb(246, 247, 249) false", "rgb(20, 22, 27) true"
	prefer("light")
	p.until(look + ` === '` + light + `'`)
	prefer("dark")
	p.until(look + ` === '` + dark + `'`)
	p.eval(`document.querySelector('#theme').click()`)
	p.want(look, light)
	if err := p.Reload(); err != nil {
		t.Fatalf("reloading: %v", err)
	}
	p.until(`document.querySelector('#theme')?.ariaPressed === 'false'`)
	p.want(look, light)
	other := openTab(t, b, s, "/")
	p.eval(`document.querySelector('#theme').click()`)
	other.until(`document.documentElement.dataset.theme === 'dark'`)
	p.wantNoProblems()
}

func fitsNarrow(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Kind: relay.KindReview, Sender: strings.Repeat("s", 100), Meta: json.RawMessage(`{"verdict":"request_changes","findings":[{"severity":"blocker"},{"severity":"major"},{"severity":"minor"},{"severity":"nit"}]}`),
		Text: strings.Repeat("x", 300) + " `" + strings.Repeat("y", 300) + "`\n\n" + strings.Repeat("|a wide cell", 20) + "\n" + strings.Repeat("|-", 20) + "\n\n```\n" + strings.Repeat("z", 300) + "\n```"})
	for i := range 12 {
		s.post(t, relay.Draft{Target: fmt.Sprintf("channel-%d", i), Text: "x"})
	}
	p := openTab(t, b, s, "/#/channel/proj-x")
	if err := (proto.EmulationSetDeviceMetricsOverride{Width: 380, Height: 740, DeviceScaleFactor: 1}).Call(p); err != nil {
		t.Fatalf("emulating: %v", err)
	}
	p.until(`innerWidth === 380 && document.querySelector('#m1')`)
	p.want(`document.documentElement.scrollWidth`, "380")
	p.want(`document.querySelector('#scroll').scrollWidth <= 380`, "true")
	p.want(`document.documentElement.scrollHeight`, "740")
	p.want(`['#text', '#send', '#target', '#sender', '#theme', '#m1'].filter(s => { const r = document.querySelector(s).getBoundingClientRect(); return r.left < 0 || r.right > 380 || r.width < 20 }).join()`, "")
	p.wantNoProblems()
}

func showsNewChannel(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "x"})
	p := openTab(t, b, s, "/#/channel/proj-x")
	p.eval(`document.querySelector('#channels a').untouched = true`)
	s.post(t, relay.Draft{Target: "a later one", Text: "hello"})
	p.until(`document.querySelectorAll('#channels a').length === 2`)
	p.want(`[...document.querySelectorAll('#channels .name')].map(n => n.textContent).join('|')`, "a later one|proj-x")
	p.want(`document.querySelector('#channels a[title=proj-x]').untouched`, "true")
	p.want(`[...document.querySelectorAll('#target option')].map(o => o.value).includes('a later one')`, "true")
	p.eval(`document.querySelector('#channels a').click()`)
	p.until(`document.querySelector('#m2')`)
	p.want(`location.hash`, "#/channel/a%20later%20one")
	p.want(`document.querySelector('#channels [aria-current]').title`, "a later one")
	p.wantNoProblems()
}

func leavesDropDownAlone(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "x"})
	p := openTab(t, b, s, "/#/channel/proj-x")
	p.eval(`(document.querySelector('#target').focus(), window.changes = 0, new MutationObserver(() => window.changes++).observe(document.querySelector('#target'), {childList: true, subtree: true, attributes: true}), 1)`)
	s.post(t, relay.Draft{Target: "later", Text: "y"})
	p.until(`document.querySelector('#channels a[title=later]')`)
	p.want(`window.changes`, "0")
	p.eval(`document.querySelector('#target').blur()`)
	p.until(`[...document.querySelectorAll('#target option')].map(o => o.value).includes('later')`)
	p.want(`document.querySelector('#target').value`, "proj-x")
	p.wantNoProblems()
}
