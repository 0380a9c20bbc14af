package redact

import (
	"regexp"
	"strings"
)

const kindKey = "private key"

// leastKey is how much base64 makes a key; a marker alone is code about keys.
const leastKey = 16

var (
	keyBegin = regexp.MustCompile(`^-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----`)
	// keyJoin is what code has between the lines of a key in a string.
	keyJoin = regexp.MustCompile(`^(?:\\[nr])*["'` + "`" + `]?[ \t]*[+,\\;).]*[ \t\r]*$`)
	// keyLine is a line of a key: what stands before it (the mark of a diff, an
	// indentation, a comment, a quote), the base64, and what joins it.
	keyLine = regexp.MustCompile(`^[+\- ]?[ \t]*(?:(?://|#|\*|>|\|)[ \t]+)?["'` + "`" + `]?([A-Za-z0-9+/]{1,512}={0,2}|=[A-Za-z0-9+/]{4})((?:\\[nr])*["'` + "`" + `]?[ \t]*[+,\\;).]*[ \t\r]*)$`)
	// keyField is a header inside of a key, or the empty line after it.
	keyField = regexp.MustCompile(`^[+\- ]?[ \t]*(?:[A-Z][A-Za-z-]+: .*)?[ \t\r]*$`)
	// keyText is a key in one line, with escaped line breaks.
	keyText = regexp.MustCompile(`^(?:\\+[nr]|[A-Za-z0-9+/=])+`)
)

// privateKey finds the body of a PEM or PGP private key, also one that was cut
// off before its end, as diffs do. Its lines stay lines.
func privateKey(string) matcher {
	return func(s string, i int) ([]span, int) {
		head := keyBegin.FindString(s[i:min(len(s), i+128)])
		if head == "" {
			return nil, i
		}
		at := i + len(head)
		line := s[at:lineEnd(s, at)]
		if keyJoin.MatchString(line) {
			return keyLines(s, at+len(line))
		}
		return keyInLine(at, line)
	}
}

func lineEnd(s string, i int) int {
	if n := strings.IndexByte(s[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(s)
}

func keyInLine(at int, line string) ([]span, int) {
	body := keyText.FindString(line)
	if end := strings.Index(line, "-----END"); end > len(body) {
		body = line[:end] // with header fields in it
	}
	body = strings.TrimRight(body, " \t")
	if len(body) < leastKey || strings.Contains(body, "[masked") || strings.Contains(body, "...") {
		return nil, at
	}
	return []span{{start: at, end: at + len(body), kind: kindKey}}, at + len(body)
}

// keyLines reads the lines from the line break at i on. All lines of a key but
// the last have the width of the first, so words that follow a key which was cut
// off are not taken for more of it.
func keyLines(s string, i int) (spans []span, next int) {
	width, ended := 0, false
	for next = i; i < len(s); {
		start := i + 1
		i = lineEnd(s, start)
		line := s[start:min(i, start+1024)]
		if width == 0 && keyField.MatchString(line) {
			continue
		}
		m := keyLine.FindStringSubmatchIndex(line)
		if m == nil {
			break
		}
		body := line[m[2]:m[3]]
		if width == 0 {
			if width = len(body); width < leastKey || !isMixed(body, 0.2) {
				break
			}
		} else if ended && body[0] != '=' || len(body) > width {
			break
		}
		ended = len(body) < width
		spans = append(spans, span{start: start + m[2], end: start + m[3], kind: kindKey, again: len(spans) > 0})
	}
	if len(spans) == 0 {
		return nil, next
	}
	return spans, spans[len(spans)-1].end
}
