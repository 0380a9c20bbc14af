package verdict

import (
	"fmt"
	"strings"
)

// findings renders a numbered list that begins with number first.
func findings(list []Finding, first int) string {
	items := make([]string, len(list))
	for i, f := range list {
		items[i] = item(fmt.Sprintf("%d. ", first+i), finding(f))
	}
	return strings.Join(items, "\n")
}

func finding(f Finding) string {
	parts := []string{headline(f)}
	if f.Body != "" {
		parts = append(parts, contain(f.Body))
	}
	if f.Suggestion != "" {
		lang, code := suggestion(f.Suggestion)
		parts = append(parts, "Suggestion:", fence(lang, code))
	}
	return strings.Join(parts, "\n\n")
}

// headline puts what is ours before the model's title, so that a stray
// backtick or star in the title can only spoil the title.
func headline(f Finding) string {
	place := ""
	if f.File != "" {
		place = f.File
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		place = " " + codeSpan(place)
	}
	return fmt.Sprintf("**%s**%s %s", f.Severity, place, f.Title)
}

func bullets(texts []string) string {
	var b strings.Builder
	for _, t := range texts {
		b.WriteString(item("- ", contain(t)))
	}
	return b.String()
}

// item renders text as one list item: what is in it stays in it, for a
// less-indented line ends every block that was begun inside.
func item(marker, text string) string {
	body := indent(text, strings.Repeat(" ", len(marker)))
	return marker + strings.TrimLeft(body, " ") + "\n"
}

// indent puts prefix before each line; empty ones get it without its trailing
// space.
func indent(text, prefix string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = prefix + line
		if line == "" {
			lines[i] = strings.TrimRight(prefix, " ")
		}
	}
	return strings.Join(lines, "\n")
}

// quote renders text as a block quote.
func quote(text string) string { return indent(text, "> ") }

// contain tidies the model's Markdown before it is put into a quote or an item:
// headings, rules and HTML blocks outside of code are escaped, and a fence that
// was left open is closed. It does not follow nested lists, so what is around
// it must hold without it.
func contain(text string) string {
	lines := strings.Split(text, "\n")
	open := ""
	for i, line := range lines {
		bare := strings.TrimLeft(line, " \t")
		marker := fenceMarker(line)
		switch {
		case open != "":
			if closes(line, open) {
				open = ""
			}
		case marker != "":
			open = marker
		case strings.HasPrefix(bare, "#"), strings.HasPrefix(bare, "<"), isUnderline(bare):
			lines[i] = line[:len(line)-len(bare)] + `\` + bare
		}
	}
	if open != "" {
		lines = append(lines, open)
	}
	return strings.Join(lines, "\n")
}

// fenceMarker returns the run of backticks or tildes that opens a code fence on
// this line, or "". As in CommonMark, four spaces before it make it no fence.
func fenceMarker(line string) string {
	line = dedent(line)
	for _, c := range []string{"`", "~"} {
		run := len(line) - len(strings.TrimLeft(line, c))
		if run < 3 {
			continue
		}
		if c == "`" && strings.Contains(line[run:], "`") {
			return "" // a code span, by CommonMark's rule
		}
		return line[:run]
	}
	return ""
}

func closes(line, open string) bool {
	line = strings.TrimRight(dedent(line), " \t")
	return len(line) >= len(open) && strings.Trim(line, open[:1]) == ""
}

// dedent drops up to three leading spaces.
func dedent(line string) string {
	for range 3 {
		line = strings.TrimPrefix(line, " ")
	}
	return line
}

// isUnderline reports whether the line would turn the one above it into a
// heading, or be a rule.
func isUnderline(line string) bool {
	line = strings.TrimRight(line, " \t")
	return line != "" && (strings.Trim(line, "=") == "" || strings.Trim(line, "- ") == "")
}

// suggestion unwraps code that came with a fence of its own, and names its
// language where that is plain.
func suggestion(s string) (lang, code string) {
	s = strings.Trim(s, "\n")
	first, _, _ := strings.Cut(s, "\n")
	if inner := unfence(s); inner != "" {
		return info(strings.TrimLeft(first, "`~")), inner
	}
	if strings.HasPrefix(first, "diff ") || strings.HasPrefix(first, "--- ") || strings.HasPrefix(first, "@@ ") {
		return "diff", s
	}
	return "", s
}

// info returns the word after a fence if it is a plain language name.
func info(s string) string {
	s = strings.TrimSpace(s)
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-#") != "" {
		return ""
	}
	return s
}

// fence wraps code in backticks, one more than the longest run inside.
func fence(lang, code string) string {
	marker := strings.Repeat("`", max(3, longestRun(code)+1))
	return marker + lang + "\n" + code + "\n" + marker
}

func codeSpan(s string) string {
	marker := strings.Repeat("`", longestRun(s)+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return marker + s + marker
}

func longestRun(s string) int {
	longest, run := 0, 0
	for _, c := range s {
		if c != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
