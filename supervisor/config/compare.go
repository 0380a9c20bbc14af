package config

import (
	"fmt"
	"strings"
)

// compare checks the watches against each other.
func (c *checker) compare(tables []*table, watches []Watch) {
	names := map[string]bool{}
	replies := map[string][]reply{} // :: channel → who answers whom
	for i, w := range watches {
		t := tables[i]
		if names[w.Name] && w.Name != "" {
			t.problem("name", "%q is the name of two watches; jobs and cursors are kept by it. Want name = \"...\" in one of them", w.Name)
		}
		names[w.Name] = true
		if chain := closes(replies[w.Channel], w); chain != "" {
			t.problem("reply_as", "the reviews would start reviews for ever: %s", chain)
			continue
		}
		c.twins(t, w, watches[:i])
		for _, s := range w.Senders {
			replies[w.Channel] = append(replies[w.Channel], reply{to: s, by: w.ReplyAs})
		}
	}
}

// reply is one edge: messages of to are answered by by.
type reply struct{ to, by string }

// twins warns of watches that readers of the channel cannot tell apart.
func (c *checker) twins(t *table, w Watch, earlier []Watch) {
	for _, e := range earlier {
		if e.Channel == w.Channel && e.ReplyAs == w.ReplyAs {
			t.warn("reply_as", "the watches %q and %q both answer in %q as %q; a reader cannot tell their reviews apart", e.Name, w.Name, w.Channel, w.ReplyAs)
		}
		if e.Session.ID != "" && e.Session.Mode == SessionResume && w.Session == e.Session {
			t.warn("session", "the watches %q and %q share a Codex thread, which only one of them can use at a time", e.Name, w.Name)
		}
	}
}

// closes returns the chain of names by which w closes a cycle over the replies
// so far, or "".
func closes(replies []reply, w Watch) string {
	for _, sender := range w.Senders {
		if chain := walk(replies, w.ReplyAs, sender, map[string]bool{}); chain != nil {
			return fmt.Sprintf("%s in %q", quotedArrows(append([]string{sender}, chain...)), w.Channel)
		}
	}
	return ""
}

// walk finds a way from one name to another over the replies.
func walk(replies []reply, from, to string, seen map[string]bool) []string {
	if from == to {
		return []string{to}
	}
	seen[from] = true
	for _, r := range replies {
		if r.to != from || seen[r.by] {
			continue
		}
		if chain := walk(replies, r.by, to, seen); chain != nil {
			return append([]string{from}, chain...)
		}
	}
	return nil
}

func quotedArrows(names []string) string {
	for i, n := range names {
		names[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(names, " → ")
}
