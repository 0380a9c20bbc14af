package redact

import (
	"regexp"
	"slices"
	"strings"
)

// rule finds one kind of secret. It is tried only where its literal stands, so
// that a long text without secrets costs one pass over its bytes.
type rule struct {
	literal string
	inside  bool // the literal may stand inside of a word
	match   matcher
}

// matcher looks at what begins at i. next is where the search goes on; it is i
// when there was nothing for this rule.
type matcher func(s string, i int) (found []span, next int)

func (r rule) startsAt(s string, i int) bool {
	return strings.HasPrefix(s[i:], r.literal) && (r.inside || boundary(s, i))
}

// services are the rules for secrets that can be told by their own form. Of two
// that begin alike the first one wins.
var services = []rules{
	{"private key", words("-----BEGIN "), privateKey},
	{"aws access key", words("AKIA", "ASIA", "ABIA", "ACCA"), token(`[A-Z]{4}[A-Z2-7]{16}`)},
	{"github token", words("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), token(`gh[a-z]_[A-Za-z0-9]{36,251}`)},
	{"github token", words("github_pat_"), token(`github_pat_[A-Za-z0-9_]{22,255}`)},
	{"gitlab token", words("glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glsoat-"), token(`gl[a-z]+-[A-Za-z0-9_.-]{20,300}`)},
	{"slack token", words("xox", "xapp-"), token(`(?:xox[a-z]|xapp)-[A-Za-z0-9-]{16,300}`)},
	{"slack webhook", words("hooks.slack.com/"), token(`hooks\.slack\.com/(?:services|workflows)/([A-Za-z0-9/]{20,200})`)},
	{"google key", words("AIza", "GOCSPX-"), token(`(?:AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{28})`)},
	{"google token", words("ya29."), token(`ya29\.[A-Za-z0-9_.-]{20,400}`)},
	{"anthropic key", words("sk-ant-"), token(`sk-ant-[A-Za-z0-9_-]{20,200}`)},
	{"openai key", words("sk-"), token(`sk-(?:proj-|svcacct-|admin-|None-)?[A-Za-z0-9_-]{20,300}`)},
	{"stripe key", words("sk_live_", "rk_live_", "sk_test_", "rk_test_", "whsec_"), token(`(?:[rs]k_(?:live|test)|whsec)_[A-Za-z0-9]{16,255}`)},
	{"relay token", words("rly_"), token(`rly_[A-Za-z0-9_-]{43}`)},
	{"npm token", words("npm_"), token(`npm_[A-Za-z0-9]{36}`)},
	{"pypi token", words("pypi-"), token(`pypi-[A-Za-z0-9_-]{50,400}`)},
	{"service token", words("hf_", "SG.", "dop_v1_", "dckr_pat_", "hvs.", "AGE-SECRET-KEY-1", "shpat_"),
		token(`(?:hf_[A-Za-z0-9]{30,50}|SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}|dop_v1_[a-f0-9]{64}|dckr_pat_[A-Za-z0-9_-]{20,64}|hvs\.[A-Za-z0-9_-]{24,200}|AGE-SECRET-KEY-1[A-Z0-9]{58}|shpat_[a-fA-F0-9]{32})`)},
	{"jwt", words("eyJ"), whole(`eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}`)},
	{"authorization header", words("Authorization", "authorization", "AUTHORIZATION"),
		token(`(?i:authorization)["'\]]{0,2}[ \t]{0,8}[:=,][ \t]{0,8}["']?(?i:bearer|basic|token|apikey)[ \t]+([A-Za-z0-9._~+/-]{8,}={0,2})`)},
	{"authorization header", words("Bearer ", "bearer "), token(`(?i:bearer)[ \t]+([A-Za-z0-9._~+/-]{20,}={0,2})`)},
}

// known are the same by the first byte of their literals.
var known = index(services)

// places are the rules for values that only their place makes a secret. They
// leave what a service's rule knows to it, as that names it better.
var places = []rules{
	{"url password", inside("://"), unlessKnown(`://[^\s:/@"'<>` + "`" + `]{0,100}:([^\s/@"'<>` + "`" + `]{6,200})@[A-Za-z0-9\[%]`)},
	{kindPassword, inside("=", ":", ">"), assigned},
	{kindSecret, words("--"), flagged},
}

var placed = index(places)

// rules are the literals of one matcher. A kind is only needed by token.
type rules struct {
	kind     string
	literals []rule
	match    matcherOf
}

// matcherOf makes the matcher that reports finds as kind.
type matcherOf func(kind string) matcher

func words(literals ...string) []rule  { return literalRules(false, literals) }
func inside(literals ...string) []rule { return literalRules(true, literals) }

func literalRules(in bool, literals []string) []rule {
	out := make([]rule, len(literals))
	for i, l := range literals {
		out[i] = rule{literal: l, inside: in}
	}
	return out
}

func index(all []rules) (out [256][]rule) {
	for _, rs := range all {
		m := rs.match(rs.kind)
		for _, r := range rs.literals {
			r.match = m
			out[r.literal[0]] = append(out[r.literal[0]], r)
		}
	}
	return out
}

// maxToken is how far a pattern may look.
const maxToken = 8 << 10

// token matches an anchored pattern whose secret is its first group, or all of
// it when there is none.
func token(pattern string) matcherOf {
	re := regexp.MustCompile(`^` + pattern)
	return func(kind string) matcher {
		return func(s string, i int) ([]span, int) {
			m := re.FindStringSubmatchIndex(s[i:min(len(s), i+maxToken)])
			if m == nil {
				return nil, i
			}
			start, end := i+m[0], i+m[1]
			if len(m) > 2 {
				start, end = i+m[2], i+m[3]
			}
			if !likely(kind, s[start:end]) || end < len(s) && isWord(s[end]) {
				return nil, end
			}
			return []span{{start: start, end: end, kind: kind}}, end
		}
	}
}

// unlessKnown is token for a secret without a form of its own.
func unlessKnown(pattern string) matcherOf {
	return func(kind string) matcher {
		match := token(pattern)(kind)
		return func(s string, i int) ([]span, int) {
			found, next := match(s, i)
			if len(found) > 0 && isKnown(s, found[0].start) {
				return nil, found[0].start
			}
			return found, next
		}
	}
}

func isKnown(s string, i int) bool {
	found, _ := try(known[s[i]], s, i)
	return len(found) > 0
}

// whole is token for a pattern that can look far before it fails: what it fails
// on is skipped as a whole, or a text made of such beginnings would take for
// ever.
func whole(pattern string) matcherOf {
	return func(kind string) matcher {
		match := token(pattern)(kind)
		return func(s string, i int) ([]span, int) {
			found, next := match(s, i)
			if next == i {
				next = i + runOf(s[i:], maxToken, isName)
			}
			return found, next
		}
	}
}

// likely reports whether what has the form of a secret is one, and not a name
// or an example.
func likely(kind, secret string) bool {
	if isPlaceholder(secret) {
		return false
	}
	switch kind {
	case "url password":
		return !isDefault(secret)
	case "slack token", "openai key", "authorization header", "gitlab token":
		// Their forms are also those of a CSS class or of a word.
		return isMixed(secret, 0.15) && entropy(secret) >= 3
	}
	return entropy(secret) >= 2.5
}

// Kinds are all kinds of secrets, each once.
func Kinds() []string {
	out := []string{kindAWS}
	for _, rs := range append(slices.Clone(services), places...) {
		if !slices.Contains(out, rs.kind) {
			out = append(out, rs.kind)
		}
	}
	return out
}
