package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"autoreview/supervisor/state"
	"autoreview/supervisor/verdict"
)

const (
	// A fresh thread is told the last review of each of the latest pieces of work,
	// the newest first: so many, of so many reviews that are looked through, and in
	// all so much as fits into a prompt beside packets of maxPromptBytes.
	earlierReviews, earlierSpan, earlierBytes = 5, 100, 64 << 10
)

// earlier is what the reviews of the watch have found that no later one has
// settled, for a thread that does not know it; "" for nothing. The reviews of one
// piece of work each raise again what is not solved, so its last one has all that
// is open.
func (l *launch) earlier(ctx context.Context) string {
	text, err := l.openFindings(ctx)
	if err != nil {
		l.s.log.Warn("could not read the earlier reviews", "watch", l.w.Name, "err", err)
	}
	return text
}

func (l *launch) openFindings(ctx context.Context) (string, error) {
	done, err := l.s.state.Summaries(ctx, state.Filter{Watch: l.w.Name, States: []state.JobState{state.Done}, Limit: earlierSpan})
	if err != nil {
		return "", err
	}
	var texts []string
	room := earlierBytes
	seen := make(map[string]bool) // :: piece of work → its last review was looked at
	for _, j := range done {
		if j.Schedule != "" || seen[j.Group] {
			continue
		}
		seen[j.Group] = true
		full, ok, err := l.s.state.Job(ctx, j.ID)
		if err != nil {
			return strings.Join(texts, "\n\n"), err
		}
		text := ""
		if ok {
			text = earlierText(full)
		}
		if text == "" {
			continue
		}
		text = truncate(text, earlierBytes)
		if room -= len(text); room < 0 {
			break
		}
		if texts = append(texts, text); len(texts) == earlierReviews {
			break
		}
	}
	return strings.Join(texts, "\n\n"), nil
}

// earlierText is the findings of an answered job, one paragraph each, or the
// review itself where it has findings that are not listed.
func earlierText(j state.Job) string {
	var meta answerMeta
	if j.Answer == nil || json.Unmarshal(j.Answer.Meta, &meta) != nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Review of %s: %s\n", about(j), strings.ReplaceAll(string(meta.Verdict), "_", " "))
	if len(meta.Findings) == 0 {
		if !meta.Unstructured && meta.Verdict != verdict.RequestChanges {
			return ""
		}
		fmt.Fprintf(&b, "\n%s\n", j.Answer.Text)
	}
	for i, f := range meta.Findings {
		fmt.Fprintf(&b, "\n%d. [%s] %s", i+1, f.Severity, f.Title)
		if f.File != "" {
			fmt.Fprintf(&b, " (%s", f.File)
			if f.Line > 0 {
				fmt.Fprintf(&b, ":%d", f.Line)
			}
			b.WriteString(")")
		}
		if f.Body != "" {
			fmt.Fprintf(&b, "\n%s", f.Body)
		}
		b.WriteString("\n")
	}
	if meta.FindingsTruncated {
		b.WriteString("\nThere was more than is kept.\n")
	}
	return strings.TrimSpace(b.String())
}

// truncate cuts a text to at most so many bytes.
func truncate(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
