package redact

import (
	"math"
	"regexp"
	"strings"
)

// standIn are words that stand in for a secret in examples and tests. None is so
// short that a random secret is likely to contain it.
var standIn = []string{
	"example", "sample", "dummy", "placeholder", "changeme", "change-me", "change_me", "redacted", "masked",
	"your-", "your_", "yourpass", "yourtoken", "yourkey", "yoursecret", "xxxx", "****", "....", "fake", "insert", "replace",
	"todo", "foobar", "test-", "-test", "test_", "_test", "testing",
}

// standInValue are words that nobody's real secret contains though an assigned
// value of a program often does.
var standInValue = []string{"password", "passwd", "passphrase", "secret", "token", "apikey", "api-key", "api_key", "credential", "test", "mock", "null", "undefined"}

// reference is how a value begins that names where the secret is.
var reference = regexp.MustCompile(`^(?:[<\[(/~!]|\./|\$[{(A-Za-z_]|%[A-Za-z{(]|https?://|file:|-?0[xX]|arn:|urn:|op://|vault:|ref\+|env[:.(]|process\.|os\.|secrets\.|ENC\()`)

// templated are the signs of a value that is put in later.
var templated = []string{"${", "{{", "$(", "%s", "%v", "%d", "%(", "<%", "#{"}

// hashed is a password that is stored as it should be.
var hashed = regexp.MustCompile(`^(?:\$(?:2[abxy]|argon2(?:id?|d)|[156y]|pbkdf2[a-z0-9-]*|scrypt)\$|\{?(?:bcrypt|sha\d+|ssha|pbkdf2)[}$:_-]|(?:sha(?:1|256|384|512)|md5|h1)[:-])`)

func isPlaceholder(s string) bool {
	lower := strings.ToLower(s)
	return containsAny(lower, standIn) || containsAny(s, templated) || hasRun(s) || reference.MatchString(s)
}

func containsAny(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// isDefault reports whether s is a password that every manual prints.
func isDefault(s string) bool {
	switch strings.ToLower(s) {
	case "password", "passwd", "passw0rd", "secret", "postgres", "mysecretpassword", "mypassword", "admin123", "rabbitmq", "minioadmin", "mongodb", "username":
		return true
	}
	return strings.Contains(strings.ToLower(s), "password")
}

// hasRun reports whether s has six times the same byte in a row or eight that
// count up, as in 12345678 and abcdefgh: somebody made it up.
func hasRun(s string) bool {
	same, up := 1, 1
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case s[i-1]:
			same, up = same+1, 1
		case s[i-1] + 1:
			same, up = 1, up+1
		default:
			same, up = 1, 1
		}
		if same >= 6 || up >= 8 {
			return true
		}
	}
	return false
}

// entropy is Shannon's, in bits per byte of s.
func entropy(s string) float64 {
	var count [256]int
	for i := range len(s) {
		count[s[i]]++
	}
	var h float64
	n := float64(len(s))
	for _, c := range count {
		if c > 0 {
			p := float64(c) / n
			h -= p * math.Log2(p)
		}
	}
	return h
}

// isMixed reports whether letters, capitals and digits change places as often as
// they do in random bytes and not in words: per pair of neighbours at least so
// often. A capital that begins a word is no change.
func isMixed(s string, least float64) bool {
	changes := 0
	for i := 1; i < len(s); i++ {
		a, b := classOf(s[i-1]), classOf(s[i])
		if a != b && a != 0 && b != 0 && (a != 'A' || b != 'a') {
			changes++
		}
	}
	return float64(changes) >= least*float64(len(s)-1)
}

// classOf is 'a', 'A' or '0', and 0 for what is neither letter nor digit.
func classOf(c byte) byte {
	switch {
	case isLower(c):
		return 'a'
	case isUpper(c):
		return 'A'
	case isDigit(c):
		return '0'
	}
	return 0
}
