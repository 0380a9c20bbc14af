// Package redact finds secrets in texts (keys and tokens of well-known services,
// private keys, passwords in addresses and assignments) and puts a mark in their
// place, such as [masked: github token].
//
//	text, found := redact.Text(diff)
//	meta, more := redact.Meta(meta)
//	counts := redact.Tally(append(found, more...))
//
// A mark names the kind and shows nothing of the secret: the last four
// characters that others show are half of a short password, and the place in
// the text says which secret it was. Marks are put inside of lines, so that a
// diff stays the same diff line by line, and masking twice is masking once.
//
// It is a net for accidents, not a wall: a secret that looks like a word, or is
// cut in pieces, gets through. What it catches and what it leaves alone is
// measured on the lines in testdata. It imports nothing else of this module.
package redact

import (
	"slices"
	"strings"
)

// Mode says what becomes of a message that holds a secret.
type Mode string

// The closed set of modes.
const (
	Off    Mode = "off"    // store it as it is
	Mask   Mode = "mask"   // put a mark in the secret's place
	Reject Mode = "reject" // refuse the message
)

// Found is one secret that was found.
type Found struct {
	// Kind is one of a small set of names, as in "github token".
	Kind string
	// Line is the line of the text it begins in, from 1; 0 in what has no lines.
	Line int
}

// Count is how many secrets of one kind there were.
type Count struct {
	Type  string `json:"type"`
	Count int    `json:"count"`
}

// Tally counts by kind, in the order in which the kinds first appear. It returns
// nil for nothing.
func Tally(found []Found) []Count {
	var counts []Count
	for _, f := range found {
		i := slices.IndexFunc(counts, func(c Count) bool { return c.Type == f.Kind })
		if i < 0 {
			counts = append(counts, Count{Type: f.Kind})
			i = len(counts) - 1
		}
		counts[i].Count++
	}
	return counts
}

// Text returns s with a mark in the place of each secret, and what was found in
// the order of the text. It returns s itself when there is nothing. Its time is
// linear in the length of s, whatever s is.
func Text(s string) (string, []Found) {
	spans := find(s)
	if len(spans) == 0 {
		return s, nil
	}
	var b strings.Builder
	b.Grow(len(s))
	var found []Found
	line, at := 1, 0
	for _, p := range spans {
		before := s[at:p.start]
		line += strings.Count(before, "\n")
		b.WriteString(before)
		b.WriteString(p.mark())
		if !p.again {
			found = append(found, Found{Kind: p.kind, Line: line})
		}
		line += strings.Count(s[p.start:p.end], "\n")
		at = p.end
	}
	b.WriteString(s[at:])
	return b.String(), found
}

// span is a part of a text that is masked. The parts of one secret that goes
// over lines are spans of their own, of which all but the first have again set.
type span struct {
	start, end int
	kind       string
	again      bool
}

func (p span) mark() string {
	if p.again {
		return "[masked]"
	}
	return "[masked: " + p.kind + "]"
}

// find returns the spans of s in order; they do not overlap.
func find(s string) []span {
	var spans []span
	for i := 0; i < len(s); {
		if known[s[i]] == nil && placed[s[i]] == nil {
			i++
			continue
		}
		found, next := try(known[s[i]], s, i)
		if next == i {
			found, next = try(placed[s[i]], s, i)
		}
		spans = append(spans, found...)
		i = max(next, i+1)
	}
	return spans
}

// try is the first of the rules that has something to say about what begins at
// i, as a matcher.
func try(rules []rule, s string, i int) ([]span, int) {
	for _, r := range rules {
		if !r.startsAt(s, i) {
			continue
		}
		if found, next := r.match(s, i); next > i {
			return found, next
		}
	}
	return nil, i
}

// boundary reports whether a word can begin at i. The n of an escaped line
// break, as in "\nword", is not a part of the word.
func boundary(s string, i int) bool {
	if i == 0 || !isWord(s[i-1]) {
		return true
	}
	return i > 1 && s[i-2] == '\\' && strings.IndexByte("nrt", s[i-1]) >= 0
}

func isWord(c byte) bool {
	return isLower(c) || isUpper(c) || isDigit(c) || c == '_'
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
