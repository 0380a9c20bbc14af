package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor/config"
)

func TestAPacketGetsAReview(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.run = says(`{"verdict":"request_changes","summary":"One bug.","findings":[
			{"severity":"major","title":"Off by one","body":"It is.","file":"a.go","line":3,"suggestion":null}],"tests":["none"],"questions":[]}`)
		var id int64
		w.live(func() {
			id = w.packet("please review this diff")
			w.settle(time.Second)
		})
		w.checkAnswered(id)
		m := w.answers()[0]
		if m.Kind != relay.KindReview || m.ReplyTo != id || m.Sender != "codex" || !strings.HasPrefix(m.Key, "job/main/1/1/") {
			t.Errorf("review: got kind %q, reply_to %d, sender %q, key %q", m.Kind, m.ReplyTo, m.Sender, m.Key)
		}
		for _, want := range []string{"Review of #1: request changes", "## Verdict", "## Major issues", "Off by one", "a.go:3"} {
			if !strings.Contains(m.Text, want) {
				t.Errorf("review lacks %q:\n%s", want, m.Text)
			}
		}
		mm := metaOf(t, m)
		if mm.Verdict != "request_changes" || len(mm.Findings) != 1 || mm.Run.Codex != "0.169.0" || mm.Run.Thread != "thread-1" || mm.Run.Tokens != 120 || mm.Hop != 1 {
			t.Errorf("meta: got %+v", mm)
		}
		spec := w.codex.runs()[0]
		if !strings.Contains(spec.Prompt, "please review this diff") || spec.Sandbox != codexrun.ReadOnly || len(spec.Schema) == 0 || spec.MCP != nil || spec.UseProjectConfig {
			t.Errorf("spec: got %+v", spec)
		}
	})
}

// Only packets by watched senders start a review: never reviews, statuses,
// notes, or messages that have come through too many hands.
func TestWhatIsNoPacketIsNotReviewed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.live(func() {
			w.post(relay.Draft{Text: "by another", Sender: "user"})
			w.post(relay.Draft{Text: "elsewhere", Target: "other"})
			w.post(relay.Draft{Text: "status", Kind: relay.KindStatus})
			w.post(relay.Draft{Text: "note", Kind: relay.KindNote})
			w.post(relay.Draft{Text: "review", Kind: relay.KindReview})
			w.post(relay.Draft{Text: "too far", Meta: []byte(`{"hop":8}`)})
			id := w.post(relay.Draft{Text: "a packet", Kind: relay.KindPacket, Meta: []byte(`{"hop":7}`)})
			w.settle(time.Minute)
			w.checkAnswered(id)
		})
		if n := len(w.codex.runs()); n != 1 {
			t.Errorf("codex ran %d times, want once", n)
		}
	})
}

func TestNothingIsReviewedTwiceOverRestarts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var ids []int64
		for i := range 3 {
			w.live(func() {
				ids = append(ids, w.packet(fmt.Sprint("packet ", i)))
				w.settle(time.Second)
			})
		}
		ids = append(ids, w.packet("while nobody watched"))
		w.live(func() { w.settle(time.Second) })
		w.checkAnswered(ids...)
		if n := len(w.codex.runs()); n != 4 {
			t.Errorf("codex ran %d times, want 4", n)
		}
	})
}

// What arrives during a run becomes one next job.
func TestPacketsDuringARunShareTheNextJob(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			time.Sleep(time.Minute)
			return says(approval)(ctx, n, spec)
		}
		w.live(func() {
			w.packet("one")
			w.settle(time.Second)
			for range 3 {
				w.packet("more")
				w.settle(time.Second)
			}
			w.post(relay.Draft{Text: "another session", Meta: []byte(`{"session":"b"}`)})
			w.settle(time.Hour)
		})
		w.checkAnswered(1, 2, 3, 4, 5)
		var got [][]int64
		for _, m := range w.answers() {
			got = append(got, metaOf(t, m).Packets)
		}
		if diff := cmp.Diff([][]int64{{1}, {2, 3, 4}, {5}}, got); diff != "" {
			t.Errorf("packets by review (-want +got):\n%s", diff)
		}
	})
}

// An idle watch reviews at once. What comes while it is busy waits for more, so
// that it becomes one review.
func TestCoalesceGathersForAWhile(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.watch().Coalesce = 30 * time.Second
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			time.Sleep(5 * time.Second)
			return says(approval)(ctx, n, spec)
		}
		w.live(func() {
			first := w.packet("one")
			w.settle(time.Second)
			if n := len(w.codex.runs()); n != 1 {
				t.Errorf("codex ran %d times for the first packet, want at once", n)
			}
			w.settle(2 * time.Second)
			second := w.packet("two")
			w.settle(10 * time.Second)
			third := w.packet("three")
			w.settle(19 * time.Second)
			if n := len(w.codex.runs()); n != 1 {
				t.Errorf("codex ran %d times before the time was over, want once", n)
			}
			w.settle(20 * time.Second)
			w.checkAnswered(first, second, third)
		})
		if n := len(w.answers()); n != 2 {
			t.Errorf("got %d reviews, want one for the first and one for the other two", n)
		}
	})
}

func TestABadAnswerIsAskedForOnceMore(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			return says([]string{"looks fine to me", approval}[n-1])(ctx, n, spec)
		}
		w.live(func() { w.packet("p"); w.settle(time.Second) })
		w.checkAnswered(1)
		if mm := metaOf(t, w.answers()[0]); mm.Verdict != "approve" || mm.Unstructured || mm.Run.Tokens != 120 {
			t.Errorf("meta: got %+v; want an approval, and the tokens of the thread counted once", mm)
		}
		runs := w.codex.runs()
		if len(runs) != 2 || runs[1].Resume != "thread-1" || !strings.Contains(runs[1].Prompt, "output schema") {
			t.Errorf("second run: got resume %q, prompt %q", runs[1].Resume, runs[1].Prompt)
		}
	})
}

// An answer that is no verdict even when asked again is a comment, never an
// approval, and says so.
func TestAnUnreadableAnswerIsAComment(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.run = says("I approve of everything!")
		w.live(func() { w.packet("p"); w.settle(time.Second) })
		w.checkAnswered(1)
		m := w.answers()[0]
		mm := metaOf(t, m)
		if mm.Verdict != "comment" || !mm.Unstructured || m.Kind != relay.KindReview || !strings.Contains(m.Text, "I approve of everything!") {
			t.Errorf("got kind %q, meta %+v, text:\n%s", m.Kind, mm, m.Text)
		}
		if n := len(w.codex.runs()); n != 2 {
			t.Errorf("codex ran %d times, want 2", n)
		}
	})
}

func TestABrokenThreadIsAskedInAFreshOne(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			switch n {
			case 1:
				return says("the answer in prose")(ctx, n, spec)
			case 2:
				return codexrun.Result{Class: codexrun.BadSession, Text: "no rollout found"}
			}
			return says(approval)(ctx, n, spec)
		}
		w.live(func() { w.packet("the packet's words"); w.settle(time.Second) })
		w.checkAnswered(1)
		last := w.codex.runs()[2]
		if last.Resume != "" || !strings.Contains(last.Prompt, "the packet's words") || !strings.Contains(last.Prompt, "the answer in prose") {
			t.Errorf("third run: resume %q, prompt:\n%s", last.Resume, last.Prompt)
		}
	})
}

// A failure is never a review: it is retried, and after the last attempt a
// plain notice says that there is none.
func TestFailuresAreRetriedThenGivenUp(t *testing.T) {
	tests := []struct {
		class codexrun.Class
		runs  int
	}{
		{codexrun.Crashed, 4}, {codexrun.ModelError, 5}, {codexrun.RateLimited, 6}, {codexrun.Network, 8}, {codexrun.MCPDown, 8},
		{codexrun.Killed, 4}, {codexrun.TimeoutWall, 2}, {codexrun.TimeoutSilent, 3}, {codexrun.BadSession, 4},
		{codexrun.ContextFull, 3}, {codexrun.InputTooLarge, 1}, {codexrun.Class("unheard of"), 4},
	}
	for _, tt := range tests {
		t.Run(string(tt.class), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.codex.run = func(context.Context, int, codexrun.Spec) codexrun.Result {
					return codexrun.Result{Class: tt.class, Text: "because of a reason"}
				}
				w.live(func() { w.packet("p"); w.settle(24 * time.Hour) })
				w.checkAnswered(1)
				if n := len(w.codex.runs()); n != tt.runs {
					t.Errorf("codex ran %d times, want %d", n, tt.runs)
				}
				all := w.answers()
				m := all[len(all)-1]
				if mm := metaOf(t, m); m.Kind != relay.KindStatus || !mm.Terminal || mm.Verdict != "" || mm.Class != string(tt.class) || m.ReplyTo != 1 {
					t.Errorf("notice: got kind %q, reply_to %d, meta %+v", m.Kind, m.ReplyTo, mm)
				}
				// What is not the packet's fault is told of once before.
				want := 1
				if slices.Contains([]codexrun.Class{codexrun.RateLimited, codexrun.Network, codexrun.MCPDown}, tt.class) {
					want = 2
				}
				if !strings.Contains(m.Text, "because of a reason") || len(all) != want {
					t.Errorf("notice: got %d messages, want %d, the last says:\n%s", len(all), want, m.Text)
				}
			})
		})
	}
}

func TestRetryThenReview(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			if n < 3 {
				return codexrun.Result{Class: codexrun.ModelError, Text: "500"}
			}
			return says(approval)(ctx, n, spec)
		}
		w.live(func() { w.packet("p"); w.settle(time.Hour) })
		w.checkAnswered(1)
		if m := w.answers(); len(m) != 1 || m[0].Kind != relay.KindReview {
			t.Errorf("got %d messages, the first of kind %q; want one review", len(m), m[0].Kind)
		}
	})
}

// What only the user can mend is waited for, said once, and costs no attempt.
func TestParkedUntilMended(t *testing.T) {
	for _, class := range []codexrun.Class{codexrun.Auth, codexrun.UsageLimit, codexrun.Quota, codexrun.BadConfig, codexrun.SandboxUnavailable, codexrun.NoCodex} {
		t.Run(string(class), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				mended := time.Now().Add(3 * time.Hour)
				w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
					if time.Now().Before(mended) {
						return codexrun.Result{Class: class, Text: "log in first"}
					}
					return says(approval)(ctx, n, spec)
				}
				w.live(func() { w.packet("p"); w.settle(2 * time.Hour) })
				w.live(func() { w.settle(2 * time.Hour) })
				w.checkAnswered(1)
				m := w.answers()
				if len(m) != 3 || m[0].Kind != relay.KindStatus || metaOf(t, m[0]).Terminal {
					t.Fatalf("got %d messages, want a status without a terminal mark, another, and the review", len(m))
				}
				if text := m[1].Text + m[2].Text; !strings.Contains(text, "Reviews are going again") {
					t.Errorf("got %q, want a word that it is going again", text)
				}
				if !strings.Contains(m[0].Text, "log in first") || !strings.Contains(m[0].Text, "#1") {
					t.Errorf("status: got %q", m[0].Text)
				}
			})
		})
	}
}

// Codex's own word on when to try again is kept to.
func TestUsageLimitWaitsForTheRecordedTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		reset := time.Now().Add(150 * time.Minute)
		var reviewed time.Time
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			if time.Now().Before(reset) {
				return codexrun.Result{Class: codexrun.UsageLimit, Text: "limit", RetryAt: reset}
			}
			reviewed = time.Now()
			return says(approval)(ctx, n, spec)
		}
		w.live(func() { w.packet("p"); w.settle(4 * time.Hour) })
		if reviewed.Before(reset) || reviewed.After(reset.Add(time.Second)) {
			t.Errorf("reviewed at %v, want at %v", reviewed, reset)
		}
		if n := len(w.codex.runs()); n != 4 {
			t.Errorf("codex ran %d times, want at once, after one hour, after two, and at the reset", n)
		}
		w.checkAnswered(1)
	})
}

func TestMissingCodexIsParked(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.codex.find = errors.New("codex is not installed")
		w.live(func() {
			w.packet("p")
			w.settle(time.Hour)
			w.codex.mu.Lock()
			w.codex.find = nil
			w.codex.mu.Unlock()
			w.settle(time.Hour)
		})
		w.checkAnswered(1)
		if m := w.answers(); len(m) != 3 || !strings.Contains(m[0].Text, "codex is not installed") {
			t.Errorf("got %d messages, want two statuses and one review", len(m))
		}
	})
}

func TestARelayThatComesAndGoes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		broken := &flaky{Relay: w.log}
		w.relay = broken
		var ids []int64
		w.live(func() {
			for range 5 {
				ids = append(ids, w.packet("p"))
				broken.failReads(true)
				w.settle(time.Minute)
				ids = append(ids, w.packet("while it is away"))
				broken.failReads(false)
				w.settle(time.Minute)
			}
		})
		w.checkAnswered(ids...)
	})
}

func TestAnAnswerThatTheRelayRefuses(t *testing.T) {
	t.Run("reply_to", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.relay = &flaky{Relay: w.log, refuse: func(d relay.Draft) error {
				if d.ReplyTo != 0 {
					return &relay.Error{Code: relay.CodeInvalid, Field: "reply_to", Text: "reply_to 1 is not a message"}
				}
				return nil
			}}
			w.live(func() { w.packet("p"); w.settle(time.Second) })
			w.checkAnswered(1)
			if m := w.answers()[0]; m.Kind != relay.KindReview || m.ReplyTo != 0 {
				t.Errorf("got kind %q, reply_to %d; want the review without a reply_to", m.Kind, m.ReplyTo)
			}
		})
	})
	t.Run("too large", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.log = relay.New(w.store, relay.Options{Limits: relay.Limits{TextBytes: 300}})
			w.relay = w.log
			w.codex.run = says(strings.Repeat("long answer ", 100))
			w.live(func() { w.packet("p"); w.settle(time.Second) })
			w.checkAnswered(1)
			if m := w.answers()[0]; m.Kind != relay.KindStatus || !strings.Contains(m.Text, "more than the limit of 300") {
				t.Errorf("got kind %q, text %q", m.Kind, m.Text)
			}
		})
	})
}

func TestSessions(t *testing.T) {
	const given = "01a205b9-9d42-7330-8c02-b4d6e7a255fa"
	tests := []struct {
		name    string
		session config.Session
		want    []string // resume and fork of each run
	}{
		{"fresh", config.Session{Mode: config.SessionFresh}, []string{"|", "|", "|"}},
		{"continue", config.Session{Mode: config.SessionContinue}, []string{"|", "thread-1|", "thread-1|"}},
		{"resume", config.Session{Mode: config.SessionResume, ID: given}, []string{given + "|", given + "|", given + "|"}},
		{"fork", config.Session{Mode: config.SessionFork, ID: given}, []string{"|" + given, "thread-1|", "thread-1|"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.watch().Session = tt.session
				for range 3 {
					w.live(func() { w.packet("p"); w.settle(time.Second) })
				}
				var got []string
				for _, s := range w.codex.runs() {
					got = append(got, s.Resume+"|"+s.Fork)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("threads (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestAFullThreadIsLeftForAFreshOne(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.watch().Session = config.Session{Mode: config.SessionContinue}
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			if n == 2 {
				return codexrun.Result{Class: codexrun.ContextFull, Text: "full"}
			}
			return says(approval)(ctx, n, spec)
		}
		w.live(func() {
			w.packet("one")
			w.settle(time.Second)
			w.packet("two")
			w.settle(time.Second)
		})
		w.checkAnswered(1, 3)
		runs := w.codex.runs()
		if len(runs) != 3 || runs[1].Resume != "thread-1" || runs[2].Resume != "" {
			t.Errorf("got %d runs; want the third one fresh", len(runs))
		}
	})
}

func TestTokensAreCountedOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.watch().Session = config.Session{Mode: config.SessionContinue}
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			res := says(approval)(ctx, n, spec)
			res.ThreadUsage = codexrun.Usage{InputTokens: int64(100 * n), OutputTokens: int64(10 * n)}
			return res
		}
		w.live(func() {
			for range 3 {
				w.packet("p")
				w.settle(time.Second)
			}
		})
		for i, m := range w.answers() {
			if got := metaOf(t, m).Run.Tokens; got != 110 {
				t.Errorf("review %d: got %d tokens, want 110", i, got)
			}
		}
	})
}

func TestLargePacketsGoToAFile(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.live(func() { w.packet("BEGINNING " + strings.Repeat("diff ", 200_000)); w.settle(time.Second) })
		w.checkAnswered(1)
		spec := w.codex.runs()[0]
		if len(spec.Prompt) > 100_000 {
			t.Fatalf("the prompt has %d bytes", len(spec.Prompt))
		}
		path := filepath.Join(spec.RunDir, "packets.md")
		b, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(b), "BEGINNING diff") || !strings.Contains(spec.Prompt, path) {
			t.Errorf("packet file: %d bytes, %v; the prompt names it: %v", len(b), err, strings.Contains(spec.Prompt, path))
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("packet file: mode %v, %v; want 600", st.Mode(), err)
		}
	})
}

// An idle supervisor sleeps: it asks the relay again only when a wait of ten
// minutes is over, and nothing else happens.
func TestIdleSupervisorSleeps(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		counting := &countingRelay{Relay: w.log}
		w.relay = counting
		w.live(func() {
			w.settle(time.Second)
			before := counting.calls.Load()
			w.settle(time.Hour)
			if n := counting.calls.Load() - before; n != 6 {
				t.Errorf("the relay was asked %d times in an idle hour, want 6", n)
			}
		})
	})
}
