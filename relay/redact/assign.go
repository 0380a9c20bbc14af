package redact

import "strings"

// The kinds of what is assigned to a name.
const (
	kindPassword = "password"
	kindSecret   = "secret value"
	kindAWS      = "aws secret key"
)

const (
	leastValue = 8   // shorter ones are not told from words
	mostValue  = 256 // longer ones are data
	mostName   = 80
)

// assigned finds the value that a name such as api_key or DB_PASSWORD is given,
// in code, JSON, YAML, TOML, .env files, query strings and XML. i is at the
// operator.
func assigned(string) matcher {
	return func(s string, i int) ([]span, int) {
		from, to := nameBefore(s, i)
		kind := kindOf(s[from:to])
		if kind == "" {
			return nil, i
		}
		if s[i] == '>' && (from == 0 || s[from-1] != '<') {
			return nil, i // a comparison, not the tag of an element
		}
		v, ok := valueAfter(s, i)
		if !ok {
			return nil, i
		}
		if !v.quoted && s[i] == '=' && v.start == i+1 {
			v.env = strings.HasPrefix(s[from:to], "--")
			if lineStart(s, from) {
				// NAME=VALUE goes to the end of the word, whatever is in it.
				v.env, v.end = true, v.start+runOf(s[v.start:], mostValue, isShell)
			}
		}
		return v.judge(s, kind)
	}
}

// flagged finds the value of an option such as --password VALUE.
func flagged(string) matcher {
	return func(s string, i int) ([]span, int) {
		n := runOf(s[i:], mostName, isName)
		kind := kindOf(s[i : i+n])
		if kind == "" || i+n >= len(s) || s[i+n] != ' ' {
			return nil, i
		}
		v, ok := valueAt(s, i+n+1)
		if !ok {
			return nil, i
		}
		v.env = true
		return v.judge(s, kind)
	}
}

// nameBefore returns the bounds of the name that ends before the operator at i.
func nameBefore(s string, i int) (from, to int) {
	to = i
	for to > 0 && i-to < 40 && (s[to-1] == ' ' || s[to-1] == '\t') {
		to--
	}
	if to > 1 && s[to-1] == ']' && isQuote(s[to-2]) {
		to--
	}
	for to > 0 && i-to < 44 && (isQuote(s[to-1]) || strings.IndexByte("?!\\", s[to-1]) >= 0) {
		to--
	}
	from = to
	for from > 0 && to-from < mostName && isName(s[from-1]) {
		from--
	}
	return from, to
}

func isQuote(c byte) bool { return c == '"' || c == '\'' || c == '`' }

func isName(c byte) bool { return isWord(c) || c == '-' || c == '.' }

// secretEnds are how names of secrets end, without separators and in lower case.
var secretEnds = []string{
	"password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "secretkey", "accesskey", "privatekey",
	"authkey", "encryptionkey", "signingkey", "masterkey", "accountkey", "sharedkey", "credential", "credentials", "secretkeybase",
}

// cursorEnds are names of tokens that are no secrets.
var cursorEnds = []string{"pagetoken", "nexttoken", "continuationtoken", "cancellationtoken", "nextsynctoken"}

// kindOf says what a name holds; "" is nothing secret.
func kindOf(name string) string {
	if len(name) < 3 || strings.IndexByte("dtnyesDTNYES", name[len(name)-1]) < 0 {
		return ""
	}
	var buf [mostName]byte
	plain := buf[:0]
	for _, c := range []byte(name) {
		if isUpper(c) {
			c += 'a' - 'A'
		}
		if isLower(c) || isDigit(c) {
			plain = append(plain, c)
		}
	}
	n := string(plain)
	switch {
	case hasSuffix(n, cursorEnds):
		return ""
	case n == "pass" || strings.HasSuffix(name, "_PASS") || strings.HasSuffix(name, "_pass"):
		return kindPassword
	case !hasSuffix(n, secretEnds):
		return ""
	case strings.Contains(n, "pass") || strings.HasSuffix(n, "pwd"):
		return kindPassword
	case strings.Contains(n, "aws") || strings.HasSuffix(n, "secretaccesskey"):
		return kindAWS
	}
	return kindSecret
}

func hasSuffix(s string, ends []string) bool {
	for _, e := range ends {
		if strings.HasSuffix(s, e) {
			return true
		}
	}
	return false
}

// value is what stands after an operator.
type value struct {
	start, end int
	quoted     bool
	env        bool // in a place where there is data and no code
}

// valueAfter returns the value after the operator at i: one of = : == := => >,
// or : TYPE =.
func valueAfter(s string, i int) (value, bool) {
	at := i + 1
	if at < len(s) && (s[at] == '=' || s[at] == '>') {
		at++
	}
	at += runOf(s[at:], 40, isBlank)
	if s[i] == ':' && at < len(s) && (isWord(s[at]) || s[at] == '&') {
		t := at + runOf(s[at:], 40, isType)
		if t < len(s) && s[t] == '=' && t+1 < len(s) && s[t+1] != '=' {
			at = t + 1 + runOf(s[t+1:], 8, isBlank)
		}
	}
	return valueAt(s, at)
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func isType(c byte) bool { return isWord(c) || strings.IndexByte("&'<>[].?| ", c) >= 0 }

// valueAt returns the value that begins at i: a text in quotes that are closed,
// or a run without the characters that end a word in code.
func valueAt(s string, i int) (value, bool) {
	// JSON in a string has its quotes escaped.
	for i+1 < len(s) && s[i] == '\\' && (s[i+1] == '"' || s[i+1] == '\'') {
		i++
	}
	v := value{start: i}
	if i < len(s) && isQuote(s[i]) {
		quote := s[i]
		v.quoted, v.start = true, i+1
		n := runOf(s[v.start:], mostValue, func(c byte) bool { return c != quote && c != '\n' && c != '\r' })
		v.end = v.start + n
		if v.end < len(s) && s[v.end] != quote {
			return v, false // not closed in its line, or too long
		}
		if n > 0 && s[v.end-1] == '\\' {
			v.end--
		}
	} else {
		v.end = i + runOf(s[i:], mostValue, isBare)
	}
	return v, true
}

func isShell(c byte) bool { return c > ' ' && !isQuote(c) }

func isBare(c byte) bool { return c > ' ' && strings.IndexByte("\"'`,;(){}[]<>&|\\", c) < 0 }

// runOf is the length of the longest start of s whose bytes are all ok, at most
// most.
func runOf(s string, most int, ok func(byte) bool) int {
	n := 0
	for n < len(s) && n < most && ok(s[n]) {
		n++
	}
	return n
}

// lineStart reports whether a name at i begins its line, apart from the mark of
// a diff, indentation and export.
func lineStart(s string, i int) bool {
	before := s[strings.LastIndexByte(s[max(0, i-40):i], '\n')+1+max(0, i-40) : i]
	before = strings.TrimLeft(before, "+- \t")
	return before == "" || before == "export " || before == "set " || before == "ENV " || before == "ARG "
}

// judge decides whether the value is a secret of the kind that its name says.
func (v value) judge(s, kind string) ([]span, int) {
	text := s[v.start:v.end]
	if len(text) < leastValue {
		return nil, v.start
	}
	if isKnown(s, v.start) {
		return nil, v.start
	}
	called := !v.quoted && !v.env && v.end < len(s) && (s[v.end] == '(' || s[v.end] == '[')
	if called || !v.isSecret(text, kind) {
		return nil, v.start
	}
	if kind == kindAWS && len(text) != 40 {
		kind = kindSecret
	}
	return []span{{start: v.start, end: v.end, kind: kind}}, v.end
}

func (v value) isSecret(text, kind string) bool {
	lower := strings.ToLower(text)
	if len(text) >= mostValue || containsAny(lower, standInValue) || strings.ContainsAny(text, " \t\r\n") || isPlaceholder(text) || hashed.MatchString(text) {
		return false
	}
	letters := strings.ContainsFunc(lower, func(c rune) bool { return 'a' <= c && c <= 'z' })
	digits := strings.ContainsAny(text, "0123456789")
	marks := strings.ContainsAny(text, "!@#$%^&*+=?~")
	if !letters || !digits && !marks || entropy(text) < 2.5 {
		return false
	}
	if kind == kindPassword && (v.quoted || v.env) {
		// People choose passwords; only a name with parts is told from one.
		return marks || !strings.ContainsAny(text, "-_./:") || isMixed(text, 0.3)
	}
	if !strings.ContainsAny(text, "-_./:") && len(text) >= 20 {
		return isMixed(text, 0.2)
	}
	return isMixed(text, 0.3) || marks && digits && isMixed(text, 0.15)
}
