package web_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/input"
	"github.com/go-rod/rod/lib/proto"

	"autoreview/relay"
	"autoreview/relay/token"
)

// tokensOn gives a site the tokens of a file; it restarts the relay.
func (s *site) tokensOn(t *testing.T) *token.Store {
	t.Helper()
	s.tokens = token.Open(filepath.Join(t.TempDir(), token.File))
	s.shut(t)
	s.start(t)
	return s.tokens
}

func mint(t *testing.T, s *token.Store, tok token.Token) string {
	t.Helper()
	secret, err := s.New(tok)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// The page with tokens on, in a real browser.
func TestLoginInBrowser(t *testing.T) {
	b := newBrowser(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *rod.Browser, *site)
	}{
		{"logs in once, reads live and posts", logsIn},
		{"a wrong token is not kept", refusesWrongToken},
		{"logs out of every tab", logsOut},
		{"offers what the token allows", offersAllowed},
		{"a token may only read", showsReadOnly},
		{"a revoked token ends what is open", endsWhenRevoked},
		{"the first token locks an open page", locksOpenPage},
		{"a long text is read with the token", readsLongText},
	} {
		inBrowser(t, b, c.name, c.test)
	}
}

// openLocked opens the page in a window of its own and waits for it to ask for a
// token.
func openLocked(t *testing.T, b *rod.Browser, s *site, path string) *tab {
	t.Helper()
	return open(t, b, s, path, proto.TargetCreateTarget{URL: "about:blank", NewWindow: true}, `document.querySelector('#login')?.open`)
}

// logIn types a token into the form as a person does.
func (p *tab) logIn(secret string) {
	p.t.Helper()
	p.until(`document.activeElement.id === 'token'`)
	e, err := p.Element("#token")
	if err == nil {
		err = e.SelectAllText()
	}
	if err == nil {
		err = e.Input(secret)
	}
	if err != nil {
		p.t.Fatalf("typing a token: %v", err)
	}
	p.eval(`document.querySelector('#enter').click()`)
}

func logsIn(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "secret diff"})
	secret := mint(t, s.tokensOn(t), token.Token{Name: "me"})
	p := openLocked(t, b, s, "/#/channel/proj-x")
	p.want(`document.querySelectorAll('.card').length + ' ' + document.querySelectorAll('#channels li').length`, "0 0")
	p.want(`document.querySelector('#state-text').textContent`, "Not logged in")
	p.want(`document.querySelector('#lost').hidden`, "true")
	p.logIn(" " + secret + " ")
	p.until(isLive)
	p.until(`document.querySelector('#m1')`)
	p.want(`document.querySelector('#who').textContent`, "me")
	p.want(`document.querySelector('#logout').checkVisibility()`, "true")
	p.want(`document.querySelector('#docs').checkVisibility()`, "false")
	if cookies, err := p.Cookies(nil); err != nil || len(cookies) > 0 {
		t.Errorf("cookies: got %v, %v, want none: they go to other ports too", cookies, err)
	}
	p.want(`location.href.includes('rly_')`, "false")
	s.post(t, relay.Draft{Text: "live", Sender: "codex"})
	p.until(`document.querySelector('#m2')`)
	p.typeText("by hand")
	p.eval(`document.querySelector('#send').click()`)
	p.until(`document.querySelector('#m3')`)
	// Once is enough.
	if err := p.Reload(); err != nil {
		t.Fatal(err)
	}
	p.until(isLive)
	p.want(`document.querySelector('#login').open`, "false")
	p.wantNoProblems("401")
}

func refusesWrongToken(t *testing.T, b *rod.Browser, s *site) {
	secret := mint(t, s.tokensOn(t), token.Token{Name: "me"})
	p := openLocked(t, b, s, "/")
	for typed, says := range map[string]string{
		"rly_" + strings.Repeat("x", 43): "The relay does not know this token.",
		"schlüssel":                      "That is not a token.",
		"two words":                      "That is not a token.",
	} {
		p.logIn(typed)
		p.until(`document.querySelector('#login-said').textContent === '` + says + `'`)
		p.want(`localStorage.getItem('relay-token')`, "<nil>")
	}
	for range 3 { // a browser lets a page refuse the first time only
		if err := p.KeyActions().Type(input.Escape).Do(); err != nil {
			t.Fatal(err)
		}
	}
	p.want(`document.querySelector('#login').open`, "true")
	p.logIn(secret)
	p.until(isLive)
	p.wantNoProblems("401")
}

func logsOut(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "secret diff"})
	secret := mint(t, s.tokensOn(t), token.Token{Name: "me"})
	first, second := openLocked(t, b, s, "/"), openLocked(t, b, s, "/")
	first.logIn(secret)
	first.until(isLive)
	second.until(`document.querySelector('#m1')`) // it saw the other one log in
	first.eval(`document.querySelector('#logout').click()`)
	for _, p := range []*tab{first, second} {
		p.until(`document.querySelector('#login')?.open`)
		p.want(`document.querySelectorAll('.card').length`, "0")
		p.want(`Object.keys(localStorage).filter(k => k !== 'relay-theme').join()`, "")
	}
	s.streams.until(t, 0)
	first.wantNoProblems("401")
}

func offersAllowed(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Target: "ours", Text: "hello", Sender: "observed"})
	s.post(t, relay.Draft{Target: "theirs", Text: "hidden"})
	secret := mint(t, s.tokensOn(t), token.Token{Name: "me", Senders: []string{"me", "user"}, Channels: []string{"ours", "new"}})
	p := openLocked(t, b, s, "/")
	p.logIn(secret)
	p.until(isLive)
	p.until(`document.querySelector('#m1')`)
	p.want(`[...document.querySelectorAll('#sender option')].map(o => o.textContent).join('|')`, "me|user")
	p.want(`[...document.querySelectorAll('#target option')].map(o => o.textContent).join('|')`, "ours|new")
	p.want(`[...document.querySelectorAll('#channels .name')].map(o => o.textContent).join('|')`, "ours")
	s.post(t, relay.Draft{Target: "theirs", Text: "hidden too"})
	p.choose("#sender", "user")
	p.typeText("as a user")
	p.eval(`document.querySelector('#send').click()`)
	p.until(`document.querySelector('#m4')`)
	p.want(`document.querySelector('#m4 .who').textContent`, "user")
	p.want(`[...document.querySelectorAll('#channels .name')].map(o => o.textContent).join('|')`, "ours")
	p.wantNoProblems("401")
}

func showsReadOnly(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "hello"})
	secret := mint(t, s.tokensOn(t), token.Token{Name: "wall", ReadOnly: true})
	p := openLocked(t, b, s, "/")
	p.logIn(secret)
	p.until(isLive)
	p.until(`document.querySelector('#m1')`)
	p.want(`document.querySelector('#text').checkVisibility()`, "false")
	p.want(`document.querySelector('#readonly').checkVisibility()`, "true")
	p.wantNoProblems("401")
}

func endsWhenRevoked(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "hello"})
	tokens := s.tokensOn(t)
	secret := mint(t, tokens, token.Token{Name: "me"})
	p := openLocked(t, b, s, "/")
	p.logIn(secret)
	p.until(isLive)
	if _, err := tokens.Revoke("me"); err != nil {
		t.Fatal(err)
	}
	s.post(t, relay.Draft{Text: "not for you"})
	p.until(`document.querySelector('#login').open`)
	p.want(`document.querySelector('#login-said').textContent`, "The relay does not take the token any more.")
	p.want(`document.body.textContent.includes('not for you')`, "false")
	s.streams.until(t, 0)
	// Another one lets the reader in again.
	p.logIn(mint(t, tokens, token.Token{Name: "again"}))
	p.until(isLive)
	p.until(`document.querySelector('#m2')`)
	p.wantNoProblems("401")
}

func locksOpenPage(t *testing.T, b *rod.Browser, s *site) {
	s.post(t, relay.Draft{Text: "hello"})
	tokens := s.tokensOn(t) // none yet
	p := openTab(t, b, s, "/")
	p.until(`document.querySelector('#m1')`)
	p.want(`document.querySelector('#account').hidden`, "true")
	secret := mint(t, tokens, token.Token{Name: "me"})
	p.typeText("without a token")
	p.eval(`document.querySelector('#send').click()`)
	p.until(`document.querySelector('#login').open`)
	p.logIn(secret)
	p.until(isLive)
	p.wantNoProblems("401")
}

func readsLongText(t *testing.T, b *rod.Browser, s *site) {
	text := strings.Repeat("line of a long text <b>\n", 60_000) + "the end"
	s.post(t, relay.Draft{Text: text})
	secret := mint(t, s.tokensOn(t), token.Token{Name: "me"})
	p := openLocked(t, b, s, "/")
	p.logIn(secret)
	p.until(isLive)
	p.until(`document.querySelector('#m1 .cut a')`)
	opened := p.WaitOpen()
	link, err := p.Element("#m1 .cut a")
	if err != nil {
		t.Fatal(err)
	}
	p.eval(`document.querySelector('#m1 .cut').scrollIntoView()`)
	if err := link.Click(proto.InputMouseButtonLeft, 1); err != nil {
		t.Fatalf("clicking the link: %v", err)
	}
	page, err := opened()
	if err != nil {
		t.Fatalf("opening the text: %v", err)
	}
	whole := &tab{Page: page, t: t, host: s.addr}
	whole.until(`document.body?.textContent.endsWith('the end')`)
	if got := whole.eval(`document.contentType + ' ' + document.body.textContent.length`); got != "text/plain 1440007" {
		t.Errorf("the text's page: got %s", got)
	}
	p.wantNoProblems("401")
}

// Every file that the page needs to ask for a token is there without one, and
// what needs one is not.
func TestPageLoadsWithoutToken(t *testing.T) {
	s := newSite(t)
	mint(t, s.tokensOn(t), token.Token{Name: "me"})
	for path, want := range map[string]int{"/": 200, "/assets/login.js": 200, "/assets/page.css": 200, "/assets/none.js": 404, "/ui/messages?target=a": 401, "/ui/text/1": 401} {
		res, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("GET %s: got %d, want %d", path, res.StatusCode, want)
		}
	}
}
