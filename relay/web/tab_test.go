package web_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/proto"
)

// patience bounds every wait for the page; it is only ever spent by a failure.
const patience = 30 * time.Second

// tab is a page of a browser that keeps what went wrong in it.
type tab struct {
	*rod.Page
	t    *testing.T
	host string

	mu sync.Mutex
	// problems are errors and warnings of the console, exceptions, reports of
	// the content security policy, and requests to other hosts; guarded by mu.
	problems []string
}

// openTab opens an address of the site and waits until the page is live. The tab
// is in front of those that were opened before.
func openTab(t *testing.T, b *rod.Browser, s *site, path string) *tab {
	t.Helper()
	return open(t, b, s, path, proto.TargetCreateTarget{URL: "about:blank"}, isLive)
}

// openWindow is openTab in a window of its own: it hides no other.
func openWindow(t *testing.T, b *rod.Browser, s *site, path string) *tab {
	t.Helper()
	return open(t, b, s, path, proto.TargetCreateTarget{URL: "about:blank", NewWindow: true}, isLive)
}

const isLive = `document.querySelector('#state')?.dataset.state === 'live' && document.querySelector('#feed').ariaBusy === 'false'`

func open(t *testing.T, b *rod.Browser, s *site, path string, target proto.TargetCreateTarget, ready string) *tab {
	t.Helper()
	page, err := b.Page(target)
	if err != nil {
		t.Fatalf("opening a tab: %v", err)
	}
	tab := &tab{Page: page, t: t, host: s.addr}
	tab.watch(page)
	if err := tab.Navigate(s.URL + path); err != nil {
		t.Fatalf("opening %s: %v", path, err)
	}
	tab.until(ready)
	return tab
}

func (p *tab) watch(page *rod.Page) {
	for _, enable := range []interface{ Call(proto.Client) error }{
		proto.RuntimeEnable{}, proto.LogEnable{}, proto.NetworkEnable{}, proto.AuditsEnable{},
	} {
		if err := enable.Call(page); err != nil {
			p.t.Fatalf("listening to the page: %v", err)
		}
	}
	go page.EachEvent(
		func(e *proto.RuntimeExceptionThrown) { p.note("exception: %s", e.ExceptionDetails.Text) },
		func(e *proto.RuntimeConsoleAPICalled) {
			if e.Type == proto.RuntimeConsoleAPICalledTypeError || e.Type == proto.RuntimeConsoleAPICalledTypeWarning {
				p.note("console: %v", e.Args)
			}
		},
		func(e *proto.LogEntryAdded) {
			if e.Entry.Level == proto.LogLogEntryLevelError || e.Entry.Level == proto.LogLogEntryLevelWarning {
				p.note("log: %s %s", e.Entry.Text, e.Entry.URL)
			}
		},
		func(e *proto.AuditsIssueAdded) {
			// A generic issue is advice, such as on addresses set by a script.
			if e.Issue.Code != proto.AuditsInspectorIssueCodeGenericIssue {
				p.note("issue: %s", e.Issue.Code)
			}
		},
		func(e *proto.NetworkRequestWillBeSent) {
			if u, err := url.Parse(e.Request.URL); err != nil || u.Host != p.host {
				p.note("foreign request: %.100s", e.Request.URL)
			}
		},
	)()
}

func (p *tab) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, fmt.Sprintf(format, args...))
}

// wantNoProblems fails for everything that went wrong but what contains one of
// the expected texts.
func (p *tab) wantNoProblems(expected ...string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
next:
	for _, problem := range p.problems {
		for _, e := range expected {
			if strings.Contains(problem, e) {
				continue next
			}
		}
		p.t.Errorf("the page reported %s", problem)
	}
}

// eval returns what a JavaScript expression evaluates to, as text.
func (p *tab) eval(js string) string {
	p.t.Helper()
	page := p.Timeout(patience)
	defer page.CancelTimeout()
	v, err := page.Eval("() => (" + js + ")")
	if err != nil {
		p.t.Fatalf("evaluating %s: %v", js, err)
	}
	return v.Value.String()
}

// until waits for a JavaScript expression to hold.
func (p *tab) until(js string) {
	p.t.Helper()
	page := p.Timeout(patience)
	defer page.CancelTimeout()
	if err := page.Wait(rod.Eval("() => Boolean(" + js + ")")); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.t.Fatalf("waiting for %s: %v\nproblems: %q", js, err, p.problems)
	}
}

// want compares what a JavaScript expression evaluates to.
func (p *tab) want(js, want string) {
	p.t.Helper()
	if got := p.eval(js); got != want {
		p.t.Errorf("%s: got %q, want %q", js, got, want)
	}
}
