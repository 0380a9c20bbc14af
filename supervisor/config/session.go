package config

import (
	"regexp"
	"strings"
)

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

const wantSession = `want "fresh", "continue", a thread id such as "0199c0de-0000-7000-8000-000000000000", or "fork:" and a thread id`

func (t *table) session() Session {
	s := t.str("session", string(SessionFresh))
	session, wrong := parseSession(s)
	if wrong != "" {
		t.problem("session", "%s", wrong)
	}
	return session
}

// parseSession reads the key session, or returns what is wrong with it. Only
// ids are taken: given a name or a path it does not know, Codex begins a new
// thread without a word.
func parseSession(s string) (session Session, wrong string) {
	id, fork := strings.CutPrefix(s, "fork:")
	switch {
	case s == string(SessionFresh), s == string(SessionContinue):
		return Session{Mode: SessionMode(s)}, ""
	case !uuid.MatchString(id):
		return Session{Mode: SessionFresh}, wantSession + ", got " + kindOf(s) + "; `autoreview threads` lists the ids"
	case fork:
		return Session{Mode: SessionFork, ID: strings.ToLower(id)}, ""
	}
	return Session{Mode: SessionResume, ID: strings.ToLower(id)}, ""
}

// String is the value of the key `session`.
func (s Session) String() string {
	switch s.Mode {
	case SessionResume:
		return s.ID
	case SessionFork:
		return "fork:" + s.ID
	}
	return string(s.Mode)
}

func (t *table) start() Start {
	const want = `want "unanswered", "latest", or the id of a message without quotes`
	v, ok := t.get("start")
	if !ok {
		return Start{Mode: StartUnanswered}
	}
	switch v := v.(type) {
	case int64:
		if v >= 0 {
			return Start{Mode: StartID, ID: v}
		}
	case string:
		if v == string(StartUnanswered) || v == string(StartLatest) {
			return Start{Mode: StartMode(v)}
		}
	}
	t.problem("start", "%s, got %s", want, kindOf(v))
	return Start{Mode: StartUnanswered}
}
