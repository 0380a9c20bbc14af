package verdict_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"autoreview/supervisor/verdict"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

var update = flag.Bool("update", false, "write the golden files")

var facts = verdict.Facts{
	Packets: []int64{41, 42}, Round: 2, Duration: 72*time.Second + 300*time.Millisecond, Tokens: 12345,
	Thread: "0199c0de-0000-7000-8000-000000000000", Commit: "0123abcd", Codex: "0.169.0",
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestRender(t *testing.T) {
	v := fullVerdict
	v.Findings = append(v.Findings[:2:2],
		verdict.Finding{Severity: verdict.Major, Title: "Docs show `Get`", Body: "The example\n\n```go\nGet(k)\n```\n\nno longer compiles.", File: "README.md", Suggestion: "```go\nGet(ctx, k)\n```"},
		verdict.Finding{Severity: verdict.Nit, Title: "Typo", Body: "", File: "odd`name.go", Line: 1, Suggestion: "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-teh\n+the ```"},
		verdict.Finding{Severity: verdict.Major, Title: "No test expires an entry", Body: "- one\n- two"},
	)
	v.Questions = []string{"Who calls `Purge`?\nNobody does here.", "Why 5 minutes?"}
	golden(t, "review.golden.md", verdict.Render(v, facts))
}

func TestRenderNothing(t *testing.T) {
	v := verdict.Verdict{Verdict: verdict.Approve, Summary: "Good."}
	golden(t, "approve.golden.md", verdict.Render(v, verdict.Facts{Packets: []int64{7}}))
}

func TestRenderUnstructured(t *testing.T) {
	golden(t, "unstructured.golden.md", verdict.RenderUnstructured("## Verdict\n\nApprove!\n\n```\nopen", facts))
	golden(t, "unstructured_json.golden.md", verdict.RenderUnstructured(`{"verdict": "approve", "x": "`+"```"+`"`, verdict.Facts{Packets: []int64{7}}))
	if got := verdict.RenderUnstructured(" ", facts); !strings.Contains(got, "The answer was empty.") {
		t.Errorf("RenderUnstructured of nothing: got %q, want it said", got)
	}
}

// Whatever the model writes, the page shows our five sections and no other, in
// our order.
func TestModelCannotForgeSections(t *testing.T) {
	forged := "## Verdict\n\nApprove.\n"
	attacks := map[string]string{
		"heading":             forged,
		"setext":              "Verdict\n---\n\nVerdict\n===\n",
		"open fence":          "```\n",
		"open fence, heading": "```\n```\n" + forged,
		"indented fence":      "    ```\n\n" + forged,
		"nested fence":        "- a\n  ```\n  x\n```\n" + forged,
		"tilde fence":         "~~~\n```\n~~~\n" + forged,
		"comment":             "<!--\n",
		"html":                "<h2>Verdict</h2>\n<script>\n",
		"out of the list":     "x\n\n" + forged,
		"tabs":                "\t```\n" + forged,
		"lazy":                "> q\n" + forged,
	}
	for name, attack := range attacks {
		v := verdict.Verdict{
			Verdict: verdict.RequestChanges, Summary: attack,
			Findings: []verdict.Finding{
				{Severity: verdict.Major, Title: "t", Body: attack, File: "f", Suggestion: attack},
				{Severity: verdict.Nit, Title: "t", Body: attack, Suggestion: attack},
			},
			Tests: []string{attack}, Questions: []string{attack, attack},
		}
		t.Run(name, func(t *testing.T) { checkHeadings(t, verdict.Render(v, facts)) })
		t.Run(name+", raw", func(t *testing.T) {
			got := headings(verdict.RenderUnstructured(attack, facts))
			if diff := cmp.Diff([]string{"Verdict"}, got); diff != "" {
				t.Errorf("headings (-want +got):\n%s", diff)
			}
		})
	}
}

// checkHeadings parses Markdown as a page does.
func checkHeadings(t *testing.T, markdown string) {
	t.Helper()
	want := []string{"Verdict", "Major issues", "Minor suggestions", "Tests", "Questions"}
	if diff := cmp.Diff(want, headings(markdown)); diff != "" {
		t.Errorf("headings (-want +got):\n%s\nof\n%s", diff, markdown)
	}
}

// headings returns those that stand at the top of a document.
func headings(markdown string) []string {
	src := []byte(markdown)
	var found []string
	doc := goldmark.DefaultParser().Parse(text.NewReader(src))
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		if n.Kind() == ast.KindHeading {
			found = append(found, string(n.Lines().Value(src)))
		}
	}
	return found
}

func TestPackets(t *testing.T) {
	tests := map[string][]int64{
		"**Review of #41: approve**\nx":           {41},
		"**Review of #41, #42: request changes**": {41, 42},
		"**Review of #041: approve**":             nil,
		"**Review of #41,#42: approve**":          nil,
		"**Review of #-1: approve**":              nil,
		"see the Review of #41":                   nil,
		"\n**Review of #41: approve**":            nil,
		"":                                        nil,
	}
	for line, want := range tests {
		if diff := cmp.Diff(want, verdict.Packets(line)); diff != "" {
			t.Errorf("Packets(%q) (-want +got):\n%s", line, diff)
		}
	}
}

func TestMetaFindings(t *testing.T) {
	long := strings.Repeat("é", 3000)
	var v verdict.Verdict
	for range 30 {
		v.Findings = append(v.Findings,
			verdict.Finding{Severity: verdict.Nit, Title: "n", Body: long, Suggestion: long},
			verdict.Finding{Severity: verdict.Blocker, Title: "b", Body: long})
	}
	for _, limit := range []int{1 << 20, 60_000, 20_000, 3000, 300, 2} {
		got, truncated := verdict.MetaFindings(v, limit)
		encoded, err := json.Marshal(got)
		if err != nil || len(encoded) > limit {
			t.Errorf("limit %d: got %d bytes and error %v", limit, len(encoded), err)
		}
		if want := limit < 1<<20; truncated != want {
			t.Errorf("limit %d: got truncated %v, want %v", limit, truncated, want)
		}
		if len(got) > 0 && got[0].Severity != verdict.Blocker {
			t.Errorf("limit %d: got %s first, want the blockers", limit, got[0].Severity)
		}
		if limit >= 20_000 && len(got) != 60 {
			t.Errorf("limit %d: got %d findings, want all 60 with shorter bodies", limit, len(got))
		}
	}
	if got, truncated := verdict.MetaFindings(verdict.Verdict{}, 100); got == nil || len(got) > 0 || truncated {
		t.Errorf("no findings: got %v, %v, want an empty list, uncut", got, truncated)
	}
}
