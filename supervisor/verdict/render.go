package verdict

import (
	"fmt"
	"strings"
	"time"
)

// Facts are what the supervisor knows about a review beyond its words. Zero
// fields are left out of the text.
type Facts struct {
	// Packets are the ids that the review answers, at least one unless Schedule
	// is set.
	Packets []int64
	// Schedule names the schedule that asked for the review when no packet did.
	Schedule string
	// Round is which review of the same piece of work this is, from 1.
	Round    int
	Duration time.Duration
	Tokens   int64
	Thread   string
	Commit   string
	// Codex is the version of the Codex that ran.
	Codex string
}

// Render returns the review as Markdown. The first line names the packets
// ("Review of #41, #42: ...") for readers of a log that has no reply_to; the
// sections are always Verdict, Major issues, Minor suggestions, Tests and
// Questions. Blockers and majors are major issues, the rest minor suggestions,
// numbered through in the order of Sorted.
//
// What the model wrote cannot pass for our structure or swallow it: all of it
// stands in a quote or a list item, where every block it opens ends, and its
// headings are escaped.
func Render(v Verdict, f Facts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s: %s**\n", firstLine(f), words(v.Verdict))
	fmt.Fprintf(&b, "\n## Verdict\n\n%s.\n\n%s\n", sentence(v.Verdict), quote(contain(v.Summary)))
	var major, minor []Finding
	for _, finding := range Sorted(v.Findings) {
		if finding.Severity == Blocker || finding.Severity == Major {
			major = append(major, finding)
		} else {
			minor = append(minor, finding)
		}
	}
	section(&b, "Major issues", findings(major, 1))
	section(&b, "Minor suggestions", findings(minor, 1+len(major)))
	section(&b, "Tests", bullets(v.Tests))
	section(&b, "Questions", bullets(v.Questions))
	b.WriteString(footer(f))
	return b.String()
}

// RenderUnstructured returns a review for an answer that Parse refused. It
// reads as a comment, says why, and quotes the answer.
func RenderUnstructured(raw string, f Facts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s: %s (unstructured)**\n", firstLine(f), words(Comment))
	b.WriteString("\n## Verdict\n\nComment. The reviewer's answer did not have the agreed form, " +
		"also when asked again. It stands below as it came and is not an approval, whatever it says.\n")
	raw = strings.TrimSpace(clean(raw))
	switch {
	case raw == "":
		b.WriteString("\nThe answer was empty.\n")
	case strings.HasPrefix(raw, "{") || strings.HasPrefix(raw, "["):
		b.WriteString("\n" + fence("json", raw) + "\n")
	default:
		b.WriteString("\n" + quote(raw) + "\n")
	}
	b.WriteString(footer(f))
	return b.String()
}

// RenderDigest returns a text that judges nothing: what a schedule had summed up.
// Its first line is ours, so that the text cannot pass for a review.
func RenderDigest(text string, f Facts) string {
	return fmt.Sprintf("**%s \"%s\"**\n\n%s\n", digest, f.Schedule, contain(strings.TrimSpace(clean(text)))) + footer(f)
}

// Packets reads the ids back from the first line of a rendered review; nil when
// text is not one.
func Packets(text string) []int64 {
	line, _, _ := strings.Cut(text, "\n")
	rest, ok := strings.CutPrefix(line, "**Review of ")
	if !ok {
		return nil
	}
	list, _, _ := strings.Cut(rest, ":")
	var ids []int64
	for _, item := range strings.Split(list, ", ") {
		var id int64
		if _, err := fmt.Sscanf(item, "#%d", &id); err != nil || id <= 0 || fmt.Sprintf("#%d", id) != item {
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}

// The beginnings of what answers no packet.
const scheduledReview, digest = "Scheduled review", "Digest"

// AnswersNone reports whether a text is rendered for a schedule, and so the answer
// to no packet.
func AnswersNone(text string) bool {
	return strings.HasPrefix(text, "**"+scheduledReview+` "`) || strings.HasPrefix(text, "**"+digest+` "`)
}

func firstLine(f Facts) string {
	if f.Schedule != "" {
		return fmt.Sprintf("%s \"%s\"", scheduledReview, f.Schedule)
	}
	ids := make([]string, len(f.Packets))
	for i, id := range f.Packets {
		ids[i] = fmt.Sprintf("#%d", id)
	}
	return "Review of " + strings.Join(ids, ", ")
}

func words(d Decision) string { return strings.ReplaceAll(string(d), "_", " ") }

func sentence(d Decision) string {
	w := words(d)
	return strings.ToUpper(w[:1]) + w[1:]
}

func section(b *strings.Builder, title, body string) {
	if body == "" {
		body = "None.\n"
	}
	fmt.Fprintf(b, "\n## %s\n\n%s", title, body)
}

// footer is one small line below the review.
func footer(f Facts) string {
	var facts []string
	add := func(format string, set bool, value any) {
		if set {
			facts = append(facts, fmt.Sprintf(format, value))
		}
	}
	add("round %d", f.Round > 1, f.Round)
	add("Codex %s", f.Codex != "", f.Codex)
	add("%s", f.Duration > 0, f.Duration.Round(time.Second))
	add("%d tokens", f.Tokens > 0, f.Tokens)
	add("commit %s", f.Commit != "", f.Commit)
	add("thread %s", f.Thread != "", f.Thread)
	if len(facts) == 0 {
		return ""
	}
	return "\n---\n\n" + oneLine(strings.Join(facts, ", ")) + "\n"
}
