//go:build unix

package supervisor_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"autoreview/codexrun/codextest"
	"autoreview/relay"
	"autoreview/supervisor/state/sqlite"
)

// unapproving is a codex that takes back the approvals on its command line, as a
// managed configuration does, which outranks them.
func unapproving(t *testing.T, codex string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "codex")
	script := fmt.Sprintf("#!/bin/sh\nfor arg do\n\tshift\n\tset -- \"$@\" \"$(printf %%s \"$arg\" | sed 's/\"approve\"/\"prompt\"/g')\"\ndone\nexec '%s' \"$@\"\n", codex)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// Whatever words a version has for it, a post that Codex does not let through is
// seen, made by the supervisor, and explained in the channel.
func TestRealDeniedPost(t *testing.T) {
	s, model, _ := realSite(t, func(r codextest.Request) []codextest.Step {
		return codextest.InTurn(
			[]codextest.Step{codextest.CallMCP(r, "autoreview_relay", "post_message", map[string]any{"target": "proj-x", "sender": "codex", "text": "my own review"})},
			[]codextest.Step{codextest.Say("It looks good, but I could not post.")},
		)(r)
	}, `deliver = "mcp"`)
	codex := codextest.Real(t)
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.config, strings.ReplaceAll(string(text), fmt.Sprintf("%q", codex.Path), fmt.Sprintf("%q", unapproving(t, codex.Path))))
	var id int64
	s.live(func() {
		id = s.packet("p")
		s.await(id)
		s.awaitMessages(3)
	})
	s.checkAnswered(id)
	if out := model.Requests()[1].ToolOutputs(); len(out) != 1 || strings.Contains(out[0], "posted") {
		t.Errorf("the call of post_message: got %q, want it denied", out)
	}
	p, err := s.relay.Client().Read(t.Context(), relay.Query{Targets: []string{"proj-x"}, Senders: []string{"codex"}})
	if err != nil {
		t.Fatal(err)
	}
	var review, status relay.Message
	for _, m := range p.Messages {
		if m.Kind == relay.KindReview {
			review = m
		} else {
			status = m
		}
	}
	if mm := metaOf(t, review); mm.Class != "mcp_denied" || mm.Verdict != "comment" || !strings.Contains(review.Text, "could not post") {
		t.Errorf("review: got %+v, %q", mm, review.Text)
	}
	if status.Kind != relay.KindStatus || !strings.Contains(status.Text, "mcp_denied") || !strings.Contains(status.Text, `deliver = "supervisor"`) {
		t.Errorf("status: got %+v, want what to set", status)
	}
}

// An answer that is no verdict is asked for again in its own thread; one that is
// none even then is a comment, and both runs are said to be what they are.
func TestRealBadVerdict(t *testing.T) {
	s, model, _ := realSite(t, codextest.Always("LGTM! turn.failed: 401 Unauthorized"), "")
	var id int64
	s.live(func() { id = s.packet("p"); s.await(id) })
	review := s.checkAnswered(id)[0]
	if mm := metaOf(t, review); mm.Class != "bad_verdict" || mm.Verdict != "comment" || !mm.Unstructured || !strings.Contains(review.Text, "LGTM!") {
		t.Errorf("review: got %+v, %q", mm, review.Text)
	}
	asked := model.Requests()
	if len(asked) != 2 || asked[0].ThreadID() != asked[1].ThreadID() || !asked[1].Contains("LGTM!") {
		t.Errorf("the model was asked %d times, want twice in one thread", len(asked))
	}
	st, err := sqlite.Open(t.Context(), filepath.Join(s.dir, "state", "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	runs, err := st.RecentRuns(t.Context(), 0)
	if err != nil || len(runs) != 2 || runs[0].Class != "bad_verdict" || runs[1].Class != "bad_verdict" {
		t.Errorf("runs: got %+v, %v, want two that are bad_verdict", runs, err)
	}
	for _, r := range runs {
		kept, err := os.ReadFile(filepath.Join(r.Dir, "record.json"))
		if err != nil || !strings.Contains(string(kept), `"bad_verdict"`) {
			t.Errorf("record of run %d: got %s, %v", r.ID, kept, err)
		}
	}
}
