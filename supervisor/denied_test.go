package supervisor_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"autoreview/relay"
	"autoreview/supervisor"
)

// tokenRelay is a relay as the bearer of a token sees it.
type tokenRelay struct {
	supervisor.Relay

	mu     sync.Mutex
	access relay.Access // guarded by mu
}

func (r *tokenRelay) set(a relay.Access) { r.mu.Lock(); defer r.mu.Unlock(); r.access = a }

func (r *tokenRelay) with(ctx context.Context) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	return relay.WithAccess(ctx, r.access)
}

func (r *tokenRelay) Post(ctx context.Context, d relay.Draft) (relay.Posted, error) {
	return r.Relay.Post(r.with(ctx), d)
}

func (r *tokenRelay) Read(ctx context.Context, q relay.Query) (relay.Page, error) {
	return r.Relay.Read(r.with(ctx), q)
}

func (r *tokenRelay) Wait(ctx context.Context, q relay.Query, d time.Duration) (relay.Page, error) {
	return r.Relay.Wait(r.with(ctx), q, d)
}

// A relay that does not let the supervisor in is said once, with what to do, and
// the review is made when it does.
func TestDeniedSupervisorSaysSoOnceAndRecovers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var out bytes.Buffer
		w.said = slog.New(slog.NewTextHandler(&out, nil))
		r := &tokenRelay{Relay: w.log, access: relay.Access{Name: "codex", Ended: func() bool { return true }}}
		w.relay = r
		w.live(func() {
			w.packet("p")
			w.settle(time.Hour)
			r.set(relay.Access{Name: "codex"})
			w.settle(time.Minute)
		})
		w.checkAnswered(1)
		log := out.String()
		if n := strings.Count(log, "relay cannot be read"); n != 1 {
			t.Errorf("the refusal is said %d times, want once:\n%s", n, log)
		}
		for _, want := range []string{"hint=", "relay token new --name codex --senders codex", "token_env", "was revoked or has expired", "relay is back"} {
			if !strings.Contains(log, want) {
				t.Errorf("log lacks %q:\n%s", want, log)
			}
		}
	})
}

// A relay that was away and then wants a token says two things.
func TestUnreachableThenDeniedIsSaidTwice(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var out bytes.Buffer
		w.said = slog.New(slog.NewTextHandler(&out, nil))
		w.cfg.TokenEnv = "SUPERVISOR_TEST_NO_SUCH_TOKEN"
		r := &tokenRelay{Relay: w.log, access: relay.Access{Name: "codex", Channels: []string{"elsewhere"}}}
		line := &flaky{Relay: r}
		line.failReads(true)
		w.relay = line
		w.live(func() {
			w.settle(time.Minute)
			line.failReads(false)
			w.settle(time.Hour)
		})
		if n := strings.Count(out.String(), "relay cannot be read"); n != 2 || !strings.Contains(out.String(), "SUPERVISOR_TEST_NO_SUCH_TOKEN that token_env names is empty") {
			t.Errorf("said %d times, want twice, with the empty variable:\n%s", n, out.String())
		}
	})
}

// A token that may not post as the reviewer costs nothing of the review: it
// waits, unchanged, until the token may.
func TestDeniedAnswerWaitsUnchanged(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var out bytes.Buffer
		w.said = slog.New(slog.NewTextHandler(&out, nil))
		r := &tokenRelay{Relay: w.log, access: relay.Access{Name: "wrong", Senders: []string{"claude"}}}
		w.relay = r
		w.live(func() {
			w.packet("p")
			w.settle(time.Hour)
			if n := len(w.answers()); n != 0 {
				t.Errorf("%d answers by a token that may not post them", n)
			}
			r.set(relay.Access{Name: "right", Senders: []string{"codex"}})
			w.settle(time.Minute)
		})
		w.checkAnswered(1)
		if m := w.answers()[0]; m.Kind != relay.KindReview || m.ReplyTo != 1 || metaOf(t, m).Verdict != "approve" {
			t.Errorf("answer: got %+v, want the review as it was", m)
		}
		if n := strings.Count(out.String(), "answer cannot be posted"); n != 1 || !strings.Contains(out.String(), "hint=") {
			t.Errorf("said %d times, want once with a hint:\n%s", n, out.String())
		}
		if n := len(w.codex.runs()); n != 1 {
			t.Errorf("codex ran %d times, want once", n)
		}
	})
}
