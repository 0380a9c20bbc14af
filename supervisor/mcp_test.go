package supervisor_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/relay"
	"autoreview/supervisor/config"
)

// jobOf reads the job that a run tells the relay of.
func jobOf(t *testing.T, spec codexrun.Spec) (d relay.Draft) {
	t.Helper()
	var job struct {
		Key     string  `json:"key"`
		Target  string  `json:"target"`
		Sender  string  `json:"sender"`
		ReplyTo int64   `json:"reply_to"`
		Packets []int64 `json:"packets"`
	}
	for _, env := range spec.Env {
		raw, ok := strings.CutPrefix(env, spec.MCP.HeaderEnv["X-Relay-Job"]+"=")
		if !ok {
			continue
		}
		b, err := base64.RawURLEncoding.DecodeString(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &job); err != nil {
			t.Fatal(err)
		}
	}
	meta, err := json.Marshal(map[string]any{"packets": job.Packets, "verdict": "approve"})
	if err != nil {
		t.Fatal(err)
	}
	return relay.Draft{Target: job.Target, Sender: job.Sender, Key: job.Key, ReplyTo: job.ReplyTo, Meta: meta, Kind: relay.KindReview, Text: "posted by codex"}
}

// postsByItself is a Codex that posts the review through the relay, as the relay
// makes it of the job's header, and then ends with res.
func postsByItself(t *testing.T, w *world, res codexrun.Result) func(context.Context, int, codexrun.Spec) codexrun.Result {
	return func(_ context.Context, _ int, spec codexrun.Spec) codexrun.Result {
		w.post(jobOf(t, spec))
		return res
	}
}

func TestMCPReviewByCodexIsTheAnswer(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.watch().Deliver = config.DeliverMCP
		w.cfg.TokenEnv = "RELAY_TOKEN"
		w.codex.run = postsByItself(t, w, codexrun.Result{Class: codexrun.Completed, Final: "I posted it."})
		w.live(func() { w.packet("p"); w.settle(time.Minute) })
		w.checkAnswered(1)
		if m := w.answers(); len(m) != 1 || m[0].Text != "posted by codex" {
			t.Errorf("got %d messages, want codex's own only", len(m))
		}
		spec := w.codex.runs()[0]
		if spec.MCP == nil || spec.MCP.Name != "autoreview_relay" || spec.MCP.URL != "http://127.0.0.1:8010/mcp" || spec.MCP.TokenEnv != "RELAY_TOKEN" || len(spec.Schema) != 0 {
			t.Errorf("spec: got MCP %+v, schema of %d bytes", spec.MCP, len(spec.Schema))
		}
		if strings.Contains(spec.Prompt, `"p"`) || !strings.Contains(spec.Prompt, "post_message") {
			t.Errorf("prompt: got\n%s", spec.Prompt)
		}
	})
}

// A run that posted and then failed has answered.
func TestMCPReviewOfAFailedRunStands(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.watch().Deliver = config.DeliverMCP
		w.codex.run = postsByItself(t, w, codexrun.Result{Class: codexrun.Crashed, Text: "panic"})
		w.live(func() { w.packet("p"); w.settle(time.Hour) })
		w.checkAnswered(1)
		if n := len(w.codex.runs()); n != 1 {
			t.Errorf("codex ran %d times, want once", n)
		}
	})
}

// A run that completed without posting: its final message is posted for it, as
// a comment.
func TestMCPFinalMessageIsPostedForCodex(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.watch().Deliver = config.DeliverMCP
		w.codex.run = says("I approve, but the tool was denied.")
		w.live(func() { w.packet("p"); w.settle(time.Hour) })
		w.checkAnswered(1)
		m := w.answers()[0]
		if mm := metaOf(t, m); mm.Verdict != "comment" || !mm.Unstructured || !strings.Contains(m.Text, "the tool was denied") {
			t.Errorf("got meta %+v, text %q", mm, m.Text)
		}
	})
}

// A life that died after Codex had posted: the next one finds the review by the
// job's key and does not run again.
func TestMCPReviewIsFoundByTheNextLife(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.watch().Deliver = config.DeliverMCP
		w.codex.run = func(ctx context.Context, _ int, spec codexrun.Spec) codexrun.Result {
			w.post(jobOf(t, spec))
			<-ctx.Done()
			return codexrun.Result{Class: codexrun.Killed}
		}
		broken := &flaky{Relay: w.log}
		w.relay = broken
		w.live(func() {
			w.packet("p")
			w.settle(time.Minute)
		})
		w.live(func() { w.settle(time.Minute) })
		w.checkAnswered(1)
		if n := len(w.codex.runs()); n != 1 {
			t.Errorf("codex ran %d times, want once", n)
		}
	})
}

// The token that this Codex does not need is kept from it.
func TestTokenStaysWithTheSupervisor(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.cfg.TokenEnv = "RELAY_TOKEN"
		w.live(func() { w.packet("p"); w.settle(time.Second) })
		if spec := w.codex.runs()[0]; !slices.Contains(spec.Unset, "RELAY_TOKEN") || !slices.Contains(spec.Unset, "GIT_DIR") {
			t.Errorf("spec.Unset: got %v, want RELAY_TOKEN and what a Git hook sets", spec.Unset)
		}
	})
}
