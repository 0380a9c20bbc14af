package supervisor_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor/config"
)

// answersInTurn says one final message after the other, "" for a thread that is
// full.
func answersInTurn(finals ...string) func(context.Context, int, codexrun.Spec) codexrun.Result {
	return func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
		if final := finals[min(n, len(finals))-1]; final != "" {
			return says(final)(ctx, n, spec)
		}
		return codexrun.Result{Class: codexrun.ContextFull, Text: "full"}
	}
}

func finding(title string) string {
	return fmt.Sprintf(`{"verdict":"request_changes","summary":"No.","findings":[{"severity":"major","title":%q,"body":"Two writers.","file":"a.go","line":7,"suggestion":null}],"tests":[],"questions":[]}`, title)
}

// on posts a packet of a branch.
func (w *world) on(branch string) {
	w.t.Helper()
	w.post(relay.Draft{Text: "please review", Meta: fmt.Appendf(nil, `{"branch":%q}`, branch)})
	w.settle(time.Minute)
}

// A fresh thread is told what is open of every piece of work in the watch, not
// only of the one that was reviewed last; what a later review has settled is gone.
func TestAFreshThreadIsToldTheOpenFindingsOfAll(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.watch().Session = config.Session{Mode: config.SessionContinue}
		w.codex.run = answersInTurn(finding("Solved later"), finding("Lost update"), finding("Race in b"), approval, approval, "", approval)
		w.live(func() {
			for _, branch := range []string{"a", "a", "b", "c", "d", "a"} {
				w.on(branch)
			}
		})
		runs := w.codex.runs()
		if len(runs) != 7 {
			t.Fatalf("got %d runs, want 7", len(runs))
		}
		last := runs[6]
		if last.Resume != "" {
			t.Errorf("after a full thread: got thread %q, want a fresh one", last.Resume)
		}
		first, second := strings.Index(last.Prompt, "[major] Race in b (a.go:7)"), strings.Index(last.Prompt, "[major] Lost update (a.go:7)")
		if first < 0 || second < first {
			t.Errorf("prompt: got places %d and %d of the open findings, want both, the newest first:\n%s", first, second, last.Prompt)
		}
		if strings.Contains(last.Prompt, "Solved later") {
			t.Errorf("prompt raises what a later review of the same work did not:\n%s", last.Prompt)
		}
		if again := runs[5]; strings.Contains(again.Prompt, "Lost update") || !strings.Contains(again.FreshPrompt, "Lost update") {
			t.Error("want the findings in the prompt for a fresh thread alone")
		}
		w.checkAnswered(1, 3, 5, 7, 9, 11)
	})
}

// A review without a list of findings is told as it was written.
func TestAFreshThreadIsToldAReviewInWords(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.watch().Session = config.Session{Mode: config.SessionContinue}
		const words = "The cache is never emptied."
		w.codex.run = answersInTurn(words, words, words, "", approval)
		w.live(func() {
			w.on("a")
			w.on("a")
		})
		runs := w.codex.runs()
		if last := runs[len(runs)-1]; last.Resume != "" || !strings.Contains(last.Prompt, words) {
			t.Errorf("the fresh thread was not told of the review before:\n%s", last.Prompt)
		}
	})
}

// However much was found, a prompt has room for it.
func TestEarlierFindingsFitIntoAPrompt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.watch().Session = config.Session{Mode: config.SessionContinue}
		big := strings.ReplaceAll(finding("Big"), "Two writers.", strings.Repeat("x", 40_000))
		w.codex.run = answersInTurn(big, big, big, "", approval)
		w.live(func() {
			for _, branch := range []string{"a", "b", "c", "d"} {
				w.on(branch)
			}
		})
		runs := w.codex.runs()
		last := runs[len(runs)-1].Prompt
		if n := len(last); !strings.Contains(last, "[major] Big") || n > 100_000 {
			t.Errorf("prompt: got %d bytes, want the newest findings and at most 100 kB", n)
		}
	})
}
