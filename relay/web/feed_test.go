package web_test

import (
	"fmt"
	"testing"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/input"
	"github.com/go-rod/rod/lib/proto"

	"autoreview/relay"
	"autoreview/relay/store/memory"
)

const (
	toBottom = `(s => s.scrollHeight - s.scrollTop - s.clientHeight)(document.querySelector('#scroll'))`
	cards    = `(c => c.length + ' ' + c[0]?.id + '..' + c.at(-1)?.id)([...document.querySelectorAll('.card')])`
)

func followsAtBottom(t *testing.T, b *rod.Browser, s *site) {
	for range 20 {
		s.post(t, relay.Draft{Text: "x\n\ny"})
	}
	p := openTab(t, b, s, "/#/channel/proj-x")
	p.until(toBottom + ` < 2`)
	s.post(t, relay.Draft{Text: "followed\n\nwith\n\nmany\n\nlines"})
	p.until(`document.querySelector('#m21')`)
	p.want(toBottom+` < 2`, "true")
	p.want(`document.querySelector('#jump').hidden`, "true")

	p.eval(`document.querySelector('#scroll').scrollTop -= 300`)
	p.until(`!document.querySelector('#jump').hidden`)
	at := p.eval(`document.querySelector('#scroll').scrollTop`)
	s.post(t, relay.Draft{Text: "not followed"})
	p.until(`document.querySelector('#m22')`)
	p.want(`document.querySelector('#scroll').scrollTop`, at)
	p.want(`document.querySelector('#jump').textContent`, "1 new ↓")
	p.eval(`document.querySelector('#jump').click()`)
	p.until(toBottom + ` < 2`)
	p.want(`document.querySelector('#jump').hidden`, "true")
	p.wantNoProblems()
}

func loadsOlder(t *testing.T, b *rod.Browser, s *site) {
	for i := range 100 {
		s.post(t, relay.Draft{Text: fmt.Sprintf("message\n\nnumber %d", i)})
	}
	p := openTab(t, b, s, "/#/channel/proj-x")
	p.until(cards + ` === '30 m71..m100'`)
	// What is being read stays where it is when older messages come above it.
	p.eval(`(s => { s.scrollTop = 500; window.place = document.querySelector('#m75').getBoundingClientRect().top })(document.querySelector('#scroll'))`)
	p.until(cards + ` === '60 m41..m100'`)
	p.want(`Math.abs(document.querySelector('#m75').getBoundingClientRect().top - window.place) < 2`, "true")
	p.eval(`document.querySelector('#scroll').scrollTop = 0`)
	p.until(cards + ` === '90 m11..m100'`)
	p.eval(`document.querySelector('#scroll').scrollTop = 0`)
	p.until(cards + ` === '100 m1..m100'`)
	p.until(`document.querySelector('#edge').checkVisibility()`)
	p.want(`document.querySelector('#edge').textContent`, "This is where proj-x begins.")
	p.wantNoProblems()
}

func opensPermalink(t *testing.T, b *rod.Browser, s *site) {
	for range 150 {
		s.post(t, relay.Draft{Text: "x\n\ny"})
	}
	p := openTab(t, b, s, "/#/channel/proj-x/40")
	p.until(`document.querySelector('#m40.shown')`)
	p.want(`(c => c.top >= 0 && c.bottom <= innerHeight)(document.querySelector('#m40').getBoundingClientRect())`, "true")
	p.want(`document.activeElement.id`, "m40")
	p.want(`Boolean(document.querySelector('#m150'))`, "false")
	// What comes meanwhile does not tear a hole into what is shown.
	s.post(t, relay.Draft{Text: "live"})
	p.eval(`document.querySelector('#scroll').scrollTop = 1e6`)
	p.until(`document.querySelector('#m100')`)
	p.want(unbroken, "true")
	p.eval(`document.querySelector('#jump').click()`)
	p.until(`document.querySelector('#m151')`)
	p.until(toBottom + ` < 2`)
	p.eval(`location.hash = '#/channel/proj-x/149'`)
	p.until(`document.querySelector('#m149.shown')`)
	p.eval(`location.hash = '#/channel/proj-x/999'`)
	p.until(`document.querySelector('#notice').textContent === 'Message #999 is not in this channel.'`)
	p.wantNoProblems()
}

func marksUnread(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "x"})
	s.post(t, relay.Draft{Target: "other", Text: "x"})
	const unread = `[...document.querySelectorAll('#channels .unread')].map(a => a.title).join()`
	p := openTab(t, b, s, "/#/channel/proj-x")
	p.want(unread, "") // nothing is new to a first visit
	s.post(t, relay.Draft{Target: "other", Text: "y"})
	s.post(t, relay.Draft{Text: "y"})
	p.until(`document.querySelector('#m4')`)
	p.want(unread, "other")
	if err := p.Reload(); err != nil {
		t.Fatalf("reloading: %v", err)
	}
	p.until(unread + ` === 'other'`)
	p.eval(`location.hash = '#/channel/other'`)
	p.until(`document.querySelector('#m3')`)
	p.want(unread, "")
	if err := p.Reload(); err != nil {
		t.Fatalf("reloading: %v", err)
	}
	p.until(`document.querySelectorAll('#channels a').length === 2`)
	p.want(unread, "")
	p.wantNoProblems()
}

func stepsByKeyboard(t *testing.T, b *rod.Browser, s *site) {
	for range 3 {
		s.post(t, relay.Draft{Text: "x"})
	}
	p := openTab(t, b, s, "/#/channel/proj-x")
	if err := p.KeyActions().Type(input.Tab, input.Enter).Do(); err != nil {
		t.Fatalf("pressing keys: %v", err)
	}
	p.want(`document.activeElement.id`, "scroll") // by the skip button
	p.eval(`document.querySelector('#m2').focus()`)
	for _, step := range []struct {
		key  input.Key
		want string
	}{{input.PageDown, "m3"}, {input.PageUp, "m2"}, {input.PageUp, "m1"}} {
		if err := p.KeyActions().Type(step.key).Do(); err != nil {
			t.Fatalf("pressing keys: %v", err)
		}
		p.want(`document.activeElement.id`, step.want)
	}
	p.want(`[...document.querySelectorAll('button, input, select, textarea, a')].filter(e => !(e.ariaLabel || e.textContent.trim() || e.labels?.length)).length`, "0")
	p.wantNoProblems()
}

func showsEmptyRelay(t *testing.T, b *rod.Browser, s *site) {
	p := openTab(t, b, s, "/")
	p.until(`document.querySelector('#notice').textContent === 'There are no channels yet. The first message makes one.'`)
	s.post(t, relay.Draft{Target: "born", Text: "hello"})
	p.until(`document.querySelector('#m1') && location.hash === '#/channel/born'`)
	p.eval(`location.hash = '#/channel/unborn'`)
	p.until(`document.querySelector('#notice').textContent === 'Nothing has been said in unborn yet.'`)
	s.post(t, relay.Draft{Target: "unborn", Text: "hello"})
	p.until(`document.querySelector('#m2')`)
	p.want(`document.querySelector('#notice').hidden`, "true")
	p.wantNoProblems()
}

// connectionErrors are what a browser writes about a relay that is down.
var connectionErrors = []string{"ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE"}

func survivesRestart(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "before"})
	p, other := openTab(t, b, s, "/#/channel/proj-x"), openTab(t, b, s, "/#/channel/proj-x")
	p.eval(`document.querySelector('#m1').untouched = true`)
	s.shut(t)
	for _, p := range []*tab{p, other} {
		p.until(`!document.querySelector('#lost').hidden`)
		p.want(`document.querySelector('#state-text').textContent`, "Connection lost")
	}
	p.typeText("written while it is down")
	p.press(input.ControlLeft, input.Enter)
	p.until(`document.querySelector('#said').textContent.startsWith('Not sent: ')`)
	p.want(`document.querySelector('#text').value`, "written while it is down")
	s.post(t, relay.Draft{Text: "missed"})
	s.post(t, relay.Draft{Target: "missed channel", Text: "missed"})

	s.start(t)
	p.eval(`document.querySelector('#retry').click()`)
	for _, p := range []*tab{p, other} {
		p.until(`document.querySelector('#lost').hidden && document.querySelector('#state').dataset.state === 'live'`)
		p.until(`document.querySelector('#m2') && document.querySelector('#channels a[title="missed channel"]')`)
		p.want(`document.querySelectorAll('.card').length`, "2")
	}
	p.want(`document.querySelector('#m1').untouched`, "true")
	p.press(input.ControlLeft, input.Enter)
	other.until(`document.querySelector('#m4 .body')?.textContent.trim() === 'written while it is down'`)
	p.wantNoProblems(connectionErrors...)
	other.wantNoProblems(connectionErrors...)
}

// unbroken says that no message is left out between the first card and the last.
const unbroken = `[...document.querySelectorAll('.card')].every((c, i, all) => i === 0 || +c.id.slice(1) === +all[i - 1].id.slice(1) + 1)`

func catchesUp(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "before"})
	p := openTab(t, b, s, "/#/channel/proj-x")
	for _, missed := range []int{100, 400} { // some batches, and too many to load them all
		s.shut(t)
		p.until(`!document.querySelector('#lost').hidden`)
		var last int64
		for range missed {
			last = s.post(t, relay.Draft{Text: "missed"})
		}
		s.start(t)
		p.until(fmt.Sprintf(`document.querySelector('#m%d')`, last))
		p.until(toBottom + ` < 2`)
		p.want(unbroken, "true")
	}
	// A tab that is left open does not grow for ever.
	for range 22 {
		var last int64
		for range 25 {
			last = s.post(t, relay.Draft{Text: "followed"})
		}
		p.until(fmt.Sprintf(`document.querySelector('#m%d')`, last))
	}
	p.until(toBottom + ` < 2 && document.querySelectorAll('.card').length <= 500`)
	p.want(unbroken, "true")
	first := p.eval(`document.querySelector('.card').id`)
	p.eval(`document.querySelector('#scroll').scrollTop = 0`)
	p.until(`document.querySelector('.card').id !== '` + first + `'`)
	p.want(unbroken, "true")
	p.wantNoProblems(connectionErrors...)
}

func retriesFailedLoad(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "hello"})
	s.shut(t)
	s.broken = "/ui/messages"
	s.start(t)
	p := openTab(t, b, s, "/#/channel/proj-x")
	p.until(`document.querySelector('#notice').textContent.includes('could not be loaded')`)
	s.shut(t)
	s.broken = ""
	s.start(t)
	p.until(`document.querySelector('#m1') && document.querySelector('#notice').hidden`)
	p.wantNoProblems(append(connectionErrors, "404")...)
}

func noticesAnotherLog(t *testing.T, b *rod.Browser, s *site) {
	for range 3 {
		s.post(t, relay.Draft{Text: "of the old log"})
	}
	s.post(t, relay.Draft{Target: "old channel", Text: "old"})
	p := openTab(t, b, s, "/#/channel/proj-x")
	s.shut(t)
	p.until(`!document.querySelector('#lost').hidden`)
	s.Log = relay.New(memory.New(nil), relay.Options{})
	s.post(t, relay.Draft{Text: "of the new log"})
	s.start(t)
	p.until(cards + ` === '1 m1..m1' && document.querySelector('#m1 .body').textContent.includes('new log')`)
	p.until(`document.querySelectorAll('#channels a').length === 1`)
	s.post(t, relay.Draft{Text: "live"})
	p.until(`document.querySelector('#m2')`)
	p.wantNoProblems(connectionErrors...)
}

// A browser opens six connections to a host: eight streams would leave none for
// anything else.
func sharesOneStream(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "first"})
	var tabs []*tab
	for range 8 {
		tabs = append(tabs, openWindow(t, b, s, "/#/channel/proj-x"))
	}
	visible := 0
	for _, p := range tabs {
		if p.eval(`document.visibilityState`) == "visible" {
			visible++
		}
	}
	if visible != 8 {
		t.Fatalf("visible tabs: got %d, want 8 or this proves nothing", visible)
	}
	s.post(t, relay.Draft{Text: "second"})
	for _, p := range tabs {
		p.until(`document.querySelector('#m2')`)
	}
	s.streams.until(t, 1)
	if most := s.streams.reset(); most != 1 {
		t.Errorf("streams at a time: got %d, want 1", most)
	}
	// The tab with the stream goes; another takes over and nothing is missed.
	if err := tabs[0].Close(); err != nil {
		t.Fatalf("closing a tab: %v", err)
	}
	s.post(t, relay.Draft{Text: "third"})
	tabs[1].typeText("fourth")
	tabs[1].press(input.ControlLeft, input.Enter)
	for _, p := range tabs[1:] {
		p.until(`document.querySelector('#m3') && document.querySelector('#m4')`)
		p.want(`document.querySelectorAll('.card').length`, "4")
		p.want(`document.querySelector('#state').dataset.state`, "live")
		p.wantNoProblems()
	}
	s.streams.until(t, 1)
}

func releasesWhenHidden(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "first"})
	p, other := openTab(t, b, s, "/#/channel/proj-x"), openTab(t, b, s, "/#/channel/proj-x")
	p.until(`document.hidden`)
	s.streams.until(t, 1)
	// A hidden tab hears of it from the one in front.
	s.post(t, relay.Draft{Text: "second"})
	p.until(`document.querySelector('#m2')`)
	other.until(`document.querySelector('#m2')`)

	blank, err := b.Page(proto.TargetCreateTarget{URL: "about:blank"})
	if err != nil {
		t.Fatalf("opening a tab: %v", err)
	}
	other.until(`document.hidden`)
	s.streams.until(t, 0)
	s.post(t, relay.Draft{Text: "missed by both"})
	if err := blank.Close(); err != nil {
		t.Fatalf("closing a tab: %v", err)
	}
	for i, front := range []*tab{p, other, p} {
		if _, err := front.Activate(); err != nil {
			t.Fatalf("bringing a tab to the front: %v", err)
		}
		front.until(`!document.hidden && document.querySelector('#m3')`)
		s.streams.until(t, 1)
		id := s.post(t, relay.Draft{Text: "live again"})
		front.until(fmt.Sprintf(`document.querySelector('#m%d')`, id))
		if i == 0 {
			s.streams.reset()
		}
	}
	p.want(`document.querySelector('#state').dataset.state`, "live")
	p.wantNoProblems()
	other.wantNoProblems()
}

func readsCutEvents(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "x"})
	p := openTab(t, b, s, "/")
	got := p.eval(`(async () => {
		const { parser } = await import('/assets/sse.js');
		const stream = 'event: hello\nid: 7\ndata: {"a":1}\n\n: beat\n\nid:8\r\ndata: one\r\ndata:two\r\n\r\nevent: x\rdata\r\rdata: {"t":"ü😀"}\nunknown: y\n\nevent: never\n\n';
		const wanted = JSON.stringify([
			{event: 'hello', id: '7', data: '{"a":1}'}, {event: 'message', id: '8', data: 'one\ntwo'},
			{event: 'x', id: '8', data: ''}, {event: 'message', id: '8', data: '{"t":"ü😀"}'},
		]);
		const wrong = new Set();
		for (let size = 1; size <= stream.length; size++) {
			const events = [];
			const feed = parser((e) => events.push(e));
			for (let i = 0; i < stream.length; i += size) feed(stream.slice(i, i + size));
			if (JSON.stringify(events) !== wanted) wrong.add(size + ': ' + JSON.stringify(events));
		}
		return [...wrong].slice(0, 3).join('\n');
	})()`)
	if got != "" {
		t.Errorf("pieces that are read wrongly, by size:\n%s", got)
	}
	p.wantNoProblems()
}
