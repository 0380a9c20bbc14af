package supervisor_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"autoreview/relay"
	"autoreview/relay/store/memory"
	"autoreview/supervisor/config"
)

// reviewedPackets are the ids that the run prompts asked about, in order.
func (w *world) reviewedPackets() []string {
	var out []string
	for _, m := range w.answers() {
		if m.Kind == relay.KindReview && strings.HasPrefix(m.Text, "**Review of ") {
			ids, _, _ := strings.Cut(strings.TrimPrefix(m.Text, "**Review of "), ":")
			out = append(out, ids)
		}
	}
	return out
}

func TestWhereAWatchStarts(t *testing.T) {
	review := func(w *world, meta string, replyTo int64) {
		w.post(relay.Draft{Sender: "codex", Kind: relay.KindReview, Text: "an earlier review", ReplyTo: replyTo, Meta: []byte(meta)})
	}
	tests := []struct {
		name    string
		history func(w *world)
		start   config.Start
		want    []string
	}{
		{"empty channel", func(*world) {}, config.Start{Mode: config.StartUnanswered}, nil},
		{"no review yet: only the newest packet", func(w *world) {
			w.packet("1")
			w.packet("2")
			w.packet("3")
			w.post(relay.Draft{Sender: "user", Text: "4"})
			w.post(relay.Draft{Kind: relay.KindNote, Text: "5"})
		}, config.Start{Mode: config.StartUnanswered}, []string{"#3"}},
		{"what came after the last review", func(w *world) {
			w.packet("1")
			w.packet("2")
			review(w, `{"packets":[1,2]}`, 2)
			w.packet("4")
		}, config.Start{Mode: config.StartUnanswered}, []string{"#4"}},
		{"what came during the last review", func(w *world) {
			w.packet("1")
			w.packet("2")
			review(w, `{"packets":[1]}`, 1)
		}, config.Start{Mode: config.StartUnanswered}, []string{"#2"}},
		{"what a later review passed over", func(w *world) {
			w.packet("1")
			w.packet("2")
			w.packet("3")
			review(w, `{"packets":[1]}`, 1)
			review(w, `{"packets":[3]}`, 3)
		}, config.Start{Mode: config.StartUnanswered}, []string{"#2"}},
		{"a review without meta", func(w *world) {
			w.packet("1")
			w.packet("2")
			review(w, ``, 1)
		}, config.Start{Mode: config.StartUnanswered}, []string{"#2"}},
		{"the original's plain messages", func(w *world) {
			w.packet("1")
			w.post(relay.Draft{Sender: "codex", Text: "I think it is fine"})
			w.packet("3")
		}, config.Start{Mode: config.StartUnanswered}, []string{"#3"}},
		{"a status is no answer", func(w *world) {
			w.packet("1")
			w.post(relay.Draft{Sender: "codex", Kind: relay.KindStatus, Text: "waiting"})
		}, config.Start{Mode: config.StartUnanswered}, []string{"#1"}},
		{"a notice is one", func(w *world) {
			w.packet("1")
			w.post(relay.Draft{Sender: "codex", Kind: relay.KindStatus, Text: "none", ReplyTo: 1, Meta: []byte(`{"terminal":true,"packets":[1]}`)})
		}, config.Start{Mode: config.StartUnanswered}, nil},
		{"latest", func(w *world) { w.packet("1") }, config.Start{Mode: config.StartLatest}, nil},
		{"id", func(w *world) {
			w.packet("1")
			w.packet("2")
			w.packet("3")
		}, config.Start{Mode: config.StartID, ID: 1}, []string{"#2, #3"}},
		{"id past the head", func(w *world) { w.packet("1") }, config.Start{Mode: config.StartID, ID: 99}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				tt.history(w)
				w.watch().Start = tt.start
				w.live(func() { w.settle(time.Minute) })
				if diff := cmp.Diff(tt.want, w.reviewedPackets()); diff != "" {
					t.Errorf("reviewed (-want +got):\n%s", diff)
				}
				// The start counts once: from here on the cursor does.
				id := w.packet("later")
				w.live(func() { w.settle(time.Minute) })
				if diff := cmp.Diff(append(tt.want, fmt.Sprintf("#%d", id)), w.reviewedPackets()); diff != "" {
					t.Errorf("reviewed after a restart (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// LASTFILE is imported once and then holds the id up to which all is answered.
func TestLastFile(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.cfg.LastFile = filepath.Join(w.dir, "sub", "last_id")
		for range 3 {
			w.packet("p")
		}
		if err := os.MkdirAll(filepath.Dir(w.cfg.LastFile), 0o700); err != nil {
			t.Fatal(err)
		}
		write := func(s string) {
			if err := os.WriteFile(w.cfg.LastFile, []byte(s), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("1\n")
		w.live(func() { w.settle(time.Minute) })
		if diff := cmp.Diff([]string{"#2, #3"}, w.reviewedPackets()); diff != "" {
			t.Errorf("reviewed (-want +got):\n%s", diff)
		}
		if b, err := os.ReadFile(w.cfg.LastFile); err != nil || strings.TrimSpace(string(b)) != "3" {
			t.Errorf("LASTFILE: got %q, %v; want 3", b, err)
		}
		write("0\n") // from now on the state is what counts
		w.live(func() { w.settle(time.Minute) })
		if n := len(w.reviewedPackets()); n != 1 {
			t.Errorf("got %d reviews after LASTFILE went back, want still 1", n)
		}
	})
}

// D1: a log whose ids begin again is noticed, and what is in it is reviewed.
func TestANewLogIsNotMetWithDeafness(t *testing.T) {
	for name, replace := range map[string]func(w *world){
		"another log": func(w *world) { w.store = memory.New(nil) },
		"the same log restored from a backup": func(w *world) {
			w.store = memory.New(nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				swap := &swappable{log: w.log, sameID: name != "another log"}
				w.relay = swap
				w.live(func() {
					for range 5 {
						w.packet("old")
						w.settle(time.Second)
					}
					replace(w)
					w.log = relay.New(w.store, relay.Options{})
					swap.set(w.log)
					w.settle(time.Minute)
					w.packet("new 1")
					w.settle(time.Hour)
				})
				w.checkAnswered(1)
				w.live(func() { w.packet("new 2"); w.settle(time.Minute) })
				if n := len(w.codex.runs()); n != 7 {
					t.Errorf("codex ran %d times, want 7", n)
				}
			})
		})
	}
}

// Messages that were pruned before they were read are not passed over in
// silence.
func TestAGapIsReported(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.live(func() { w.packet("p"); w.settle(time.Second) })
		for range 10 {
			w.packet("p")
		}
		if _, err := w.store.Prune(t.Context(), relay.Retention{MaxMessages: 3}); err != nil {
			t.Fatal(err)
		}
		w.live(func() { w.settle(time.Minute) })
		var said []string
		for _, m := range w.answers() {
			if m.Kind == relay.KindStatus {
				said = append(said, m.Text)
			}
		}
		if len(said) != 1 || !strings.Contains(said[0], "before #10") {
			t.Errorf("statuses: got %q, want one about the messages before #10", said)
		}
		if diff := cmp.Diff([]string{"#10, #11, #12"}, w.reviewedPackets()); diff != "" {
			t.Errorf("reviewed (-want +got):\n%s", diff)
		}
	})
}
