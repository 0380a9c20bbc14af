//go:build unix

package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"autoreview/codexrun/codextest"
)

// The same promise with the real Codex CLI, whose wrapper, native program and
// sandboxed commands are processes of their own, and with a model on loopback
// that is slow, silent and out of order at times. Every fault is a kill.
func TestNothingIsLostWithTheRealCodex(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for a while; left out by -short")
	}
	bin := codextest.Real(t)
	set := readSetting(t, 3)
	var m storyteller
	model := codextest.Serve(t, m.tell)
	_, env := codextest.Home(t, model)
	play(t, set, kit{
		codex: func(w *world) string {
			m.rng = w.random("model")
			return bin.Path
		},
		env:    env,
		calm:   func(*world) { model.SetScript(quick) },
		faults: kills, pause: 3 * time.Second, open: 10,
		settle: 3 * time.Minute, timeout: time.Minute, idle: 15 * time.Second,
	})
	t.Logf("chaos: codex %s asked the model %d times", bin.Version, len(model.Requests()))
}

// storyteller is the model of a storm.
type storyteller struct {
	mu  sync.Mutex
	rng *rand.Rand // guarded by mu
}

func (m *storyteller) number(below int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rng.IntN(below)
}

func (m *storyteller) tell(r codextest.Request) []codextest.Step {
	slow := codextest.Wait(time.Duration(m.number(1200)) * time.Millisecond)
	switch n := m.number(100); {
	case n < 5:
		return []codextest.Step{codextest.Fail(500, "server_error", "out of order")}
	case n < 10:
		return []codextest.Step{codextest.Cut()}
	case n < 12:
		return []codextest.Step{codextest.HangAfter()}
	case n < 45 && len(r.ToolOutputs()) == 0:
		// Something that outlives the command unless it is ended.
		return []codextest.Step{slow, codextest.Shell(r, "sleep 600 & sleep 0.5; echo looked")}
	case n < 80:
		return append([]codextest.Step{slow}, posts(r)...)
	}
	return append([]codextest.Step{slow}, quick(r)...)
}

const seen = `{"verdict":"comment","summary":"Seen.","findings":[],"tests":[],"questions":[]}`

// quick is an answer at once.
func quick(codextest.Request) []codextest.Step { return []codextest.Step{codextest.Say(seen)} }

// posts has Codex post by itself, where it can and has not done so.
func posts(r codextest.Request) []codextest.Step {
	can := slices.ContainsFunc(r.Tools(), func(name string) bool {
		return strings.Contains(name, "autoreview_relay") && strings.HasSuffix(name, "post_message")
	})
	if !can || len(r.ToolOutputs()) > 1 {
		return quick(r)
	}
	return []codextest.Step{codextest.CallMCP(r, "autoreview_relay", "post_message", map[string]any{
		"target": byItself, "sender": "codex", "text": fmt.Sprintf("the review, asked for the %d. time", r.N),
	})}
}
