package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor/config"
	"autoreview/supervisor/state"
	"autoreview/supervisor/verdict"
)

// answerMeta is the meta of a terminal message. Readers find the packets that
// are answered in Packets, whatever the kind.
type answerMeta struct {
	Verdict           verdict.Decision  `json:"verdict,omitempty"`
	Findings          []verdict.Finding `json:"findings,omitzero"`
	FindingsTruncated bool              `json:"findings_truncated,omitempty"`
	Unstructured      bool              `json:"unstructured,omitempty"`
	Terminal          bool              `json:"terminal,omitempty"`
	// Class is why there is no review, or none in the agreed form.
	Class   string  `json:"class,omitempty"`
	Packets []int64 `json:"packets"`
	// Log is the log that Packets are the ids of.
	Log      string   `json:"log,omitempty"`
	Watch    string   `json:"watch"`
	Schedule string   `json:"schedule,omitempty"`
	Hop      int      `json:"hop"`
	Run      *runMeta `json:"run,omitempty"`
}

type runMeta struct {
	ID      int64   `json:"id"`
	Codex   string  `json:"codex,omitempty"`
	Thread  string  `json:"thread,omitempty"`
	Tokens  int64   `json:"tokens"`
	Seconds float64 `json:"seconds"`
	Commit  string  `json:"commit,omitempty"`
}

// findingsBytes leaves room in a message's meta for everything else.
const findingsBytes = 48 << 10

// reviewed is what a job's runs came to.
type reviewed struct {
	final   string // the last answer
	verdict verdict.Verdict
	err     error // why final is no verdict; nil if it is one
	class   codexrun.Class
	why     string // what went wrong, "" for codexrun.Completed
	run     runMeta
	took    time.Duration
}

// reviewDraft is the message that answers the job's packets. An answer that is
// no verdict becomes a comment that quotes it, never an approval.
func reviewDraft(w config.Watch, j state.Job, r reviewed) relay.Draft {
	facts := verdict.Facts{
		Packets: j.PacketIDs(), Schedule: j.Schedule, Duration: r.took, Tokens: r.run.Tokens,
		Thread: r.run.Thread, Commit: short(r.run.Commit), Codex: r.run.Codex,
	}
	meta := answerMeta{Packets: j.PacketIDs(), Log: j.LogID, Watch: w.Name, Schedule: j.Schedule, Hop: nextHop(j.Packets), Run: &r.run}
	if r.class != codexrun.Completed {
		meta.Class = string(r.class)
	}
	var text string
	switch {
	case r.err == nil:
		meta.Verdict = r.verdict.Verdict
		meta.Findings, meta.FindingsTruncated = verdict.MetaFindings(r.verdict, findingsBytes)
		text = verdict.Render(r.verdict, facts)
	case errors.Is(r.err, errNotPosted):
		meta.Verdict, meta.Unstructured, meta.Findings = verdict.Comment, true, []verdict.Finding{}
		text = fmt.Sprintf("**Review of %s: comment**\n\nThe reviewer did not post its review by itself. This is its final message; it is not an approval, whatever it says.\n\n%s\n", list(j.PacketIDs()), r.final)
	default:
		meta.Verdict, meta.Unstructured, meta.Findings = verdict.Comment, true, []verdict.Finding{}
		text = verdict.RenderUnstructured(r.final, facts)
	}
	return relay.Draft{
		Target: j.Channel, Sender: w.ReplyAs, Text: text, Kind: relay.KindReview,
		ReplyTo: j.Newest(), Key: j.Key, Meta: encodeMeta(meta), Source: source,
	}
}

// noticeDraft is the message that says that there will be no review.
func noticeDraft(w config.Watch, j state.Job, class codexrun.Class, reason string) relay.Draft {
	meta := answerMeta{Terminal: true, Class: string(class), Packets: j.PacketIDs(), Log: j.LogID, Watch: w.Name, Schedule: j.Schedule, Hop: nextHop(j.Packets)}
	text := fmt.Sprintf("**Review of %s: none.** I gave up after %s: %s (%s).\n\nNothing was reviewed, so this is neither an approval nor a finding. To have it reviewed, post the packet again.",
		about(j), times(j.Attempt), sentence(reason), class)
	if j.Schedule != "" {
		text = fmt.Sprintf("**Nothing from the schedule %q.** I gave up after %s: %s (%s).\n\nIt goes on with its next time.",
			j.Schedule, times(j.Attempt), sentence(reason), class)
	}
	return relay.Draft{
		Target: j.Channel, Sender: w.ReplyAs, Text: text, Kind: relay.KindStatus,
		ReplyTo: j.Newest(), Key: j.Key, Meta: encodeMeta(meta), Source: source,
	}
}

// about names what a job is about, for a reader.
func about(j state.Job) string {
	if j.Schedule != "" {
		return fmt.Sprintf("the schedule %q", j.Schedule)
	}
	return list(j.PacketIDs())
}

func encodeMeta(m answerMeta) json.RawMessage {
	b, err := json.Marshal(m)
	if err != nil {
		return nil // strings, numbers and bools always marshal
	}
	return b
}

func list(ids []int64) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = fmt.Sprintf("#%d", id)
	}
	return strings.Join(out, ", ")
}

func times(n int) string {
	if n == 1 {
		return "1 attempt"
	}
	return fmt.Sprintf("%d attempts", n)
}

// sentence makes a reason fit into a line: without line breaks, without a full
// stop, and not endless.
func sentence(s string) string {
	s = strings.TrimRight(strings.Join(strings.Fields(s), " "), ".")
	if r := []rune(s); len(r) > 300 {
		s = string(r[:299]) + "…"
	}
	if s == "" {
		return "no reason was given"
	}
	return s
}
