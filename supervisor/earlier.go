package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"autoreview/supervisor/state"
)

// earlier is what the last review of the watch found, for a thread that does not
// know it; "" when it found nothing or there was none.
func (l *launch) earlier(ctx context.Context) string {
	last, ok, err := l.s.state.LastReview(ctx, l.w.Name)
	if err != nil {
		l.s.log.Warn("could not read the last review", "watch", l.w.Name, "err", err)
	}
	if !ok || err != nil {
		return ""
	}
	return earlierText(last)
}

// earlierText is the findings of an answered job, one paragraph each.
func earlierText(j state.Job) string {
	var meta answerMeta
	if j.Answer == nil || json.Unmarshal(j.Answer.Meta, &meta) != nil || len(meta.Findings) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Review of %s: %s\n", about(j), strings.ReplaceAll(string(meta.Verdict), "_", " "))
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
