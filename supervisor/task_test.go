package supervisor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor"
	"autoreview/supervisor/config"
)

// digests gives the world a daily digest at 08:00 UTC.
func (w *world) digests() {
	w.cfg.Schedules = []config.Schedule{{Name: "morning", Task: config.TaskDigest, Cron: "0 8 * * *", Timezone: "UTC", Watch: "main", CatchUp: true}}
}

const digestText = "- #1 was reviewed: approve\n- nobody waits for anything"

// A digest is a note: plain words, by nobody's wish, that answer nothing.
func TestADigestIsANote(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.digests()
		w.watch().Session = config.Session{Mode: config.SessionContinue}
		w.codex.run = func(ctx context.Context, n int, spec codexrun.Spec) codexrun.Result {
			if strings.Contains(spec.Prompt, "the digest `morning`") {
				return says(digestText)(ctx, n, spec)
			}
			return says(approval)(ctx, n, spec)
		}
		w.live(func() {
			w.packet("an earlier packet")
			w.settle(48 * time.Hour)
			w.packet("a later packet")
			w.settle(time.Hour)
		})
		m := w.answers()
		if len(m) != 4 {
			t.Fatalf("got %d messages, want a review, two digests and a review", len(m))
		}
		var meta struct {
			Task, Schedule, Verdict string
			Packets                 []int64
		}
		if err := json.Unmarshal(m[1].Meta, &meta); err != nil {
			t.Fatal(err)
		}
		if meta.Task != "digest" || meta.Schedule != "morning" || meta.Verdict != "" || meta.Packets == nil || len(meta.Packets) > 0 {
			t.Errorf("meta of the digest: got %s", m[1].Meta)
		}
		if want := "**Digest \"morning\"**\n\n" + digestText + "\n"; m[1].Kind != relay.KindNote || m[1].ReplyTo != 0 || !strings.HasPrefix(m[1].Text, want) {
			t.Errorf("digest: got kind %q, reply to %d and %q, want a note that begins with %q", m[1].Kind, m[1].ReplyTo, m[1].Text, want)
		}
		w.checkAnswered(1, m[3].ReplyTo)
		runs := w.codex.runs()
		if d := runs[1]; !strings.Contains(d.Prompt, "an earlier packet") || len(d.Schema) > 0 || d.Resume != "" {
			t.Errorf("run of the digest: got schema %q and thread %q, want neither, and the day's messages in\n%s", d.Schema, d.Resume, d.Prompt)
		}
		if again := runs[3]; again.Resume != "thread-1" {
			t.Errorf("thread of the next review: got %q, want that of the review before", again.Resume)
		}
	})
}

// Whatever dies when, each due time has one digest.
func TestADigestIsPostedOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.digests()
		w.codex.run = says(digestText)
		times := w.firing()
		lossy := &lossyPosts{Log: w.log}
		w.relay = lossy
		w.live(func() { w.settle(8*time.Hour - time.Millisecond) })
		for range 5 {
			w.live(func() { w.settle(time.Millisecond) })
		}
		w.live(func() { w.settle(10 * time.Hour) })
		w.checkFired(times, "01-01T08:00")
		if m := w.answers(); len(m) != 1 || lossy.posts < 3 {
			t.Errorf("got %d messages by %d posts, want one message by several", len(m), lossy.posts)
		}
	})
}

// lossyPosts loses the relay's answer to every first post of a life, and again.
type lossyPosts struct {
	*relay.Log
	posts int
}

func (l *lossyPosts) Post(ctx context.Context, d relay.Draft) (relay.Posted, error) {
	p, err := l.Log.Post(ctx, d)
	if l.posts++; l.posts < 3 && err == nil {
		return relay.Posted{}, fmt.Errorf("the connection was cut")
	}
	return p, err
}

// A missed digest and the day where clocks change follow the rules of any
// schedule. In Berlin 2000-03-26 02:00 becomes 03:00.
func TestADigestFollowsTheCalendar(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		time.Sleep(time.Until(time.Date(2000, 3, 24, 0, 0, 0, 0, time.UTC)))
		w.cfg.Schedules = []config.Schedule{{Name: "morning", Task: config.TaskDigest, Cron: "30 2 * * *", Timezone: "Europe/Berlin", Watch: "main"}}
		w.codex.run = says(digestText)
		times := w.firing()
		w.live(func() { w.settle(time.Hour) })
		w.settle(25 * time.Hour) // missed, and to be left out
		w.live(func() { w.settle(48 * time.Hour) })
		w.checkFired(times, "03-26T01:00", "03-27T00:30")
	})
}

// A digest that comes to nothing ends in a notice that is no review's.
func TestADigestThatFails(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.digests()
		w.codex.run = says(" \n")
		w.live(func() { w.settle(12 * time.Hour) })
		m := w.answers()
		if len(m) != 1 || m[0].Kind != relay.KindStatus || !metaOf(t, m[0]).Terminal {
			t.Fatalf("got %d messages, want one notice", len(m))
		}
		if want := `**Nothing from the schedule "morning".** I gave up after 4 attempts: Codex ended without a digest`; !strings.HasPrefix(m[0].Text, want) {
			t.Errorf("notice: got %q, want it to begin with %q", m[0].Text, want)
		}
	})
}

func TestADigestCancelled(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.digests()
		w.codex.run = takes(time.Hour)
		w.lives(func(s *supervisor.Supervisor) {
			w.settle(8*time.Hour + time.Minute)
			if _, err := s.Cancel(t.Context(), 1); err != nil {
				t.Error(err)
			}
			w.settle(time.Minute)
		})
		if m := w.answers(); len(m) != 1 || !strings.Contains(m[0].Text, "autoreview retry 1") || m[0].Kind != relay.KindStatus {
			t.Errorf("got %+v, want one notice that says how to have it made", m)
		}
	})
}
