package doctor

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"autoreview/codexrun"
	"autoreview/codexrun/scripted"
	"autoreview/relay"
	"autoreview/supervisor/setup"
	"autoreview/supervisor/verdict"
)

// The canary: a repository with one change, and in the change one bug that
// nobody can miss who reads it. The comparison is turned around, so that whoever
// has enough money gets none, and whoever has not goes into debt.
const (
	canaryFile = "account.go"
	canaryLine = 9

	canaryBefore = `package account

// Account holds money.
type Account struct{ cents int }
`
	canaryAfter = canaryBefore + `
// Withdraw takes cents from the balance and reports whether there was enough.
// A balance never gets below zero.
func (a *Account) Withdraw(cents int) bool {
	` + canaryBug + ` {
		return false
	}
	a.cents -= cents
	return true
}
`
	// canaryBug begins line canaryLine; cents > a.cents is meant.
	canaryBug = "if cents < a.cents"

	canaryText = "**Summary:** `Withdraw` takes money out of an account and refuses when there is not enough.\n\n" +
		"**Tests:** none yet.\n\n**Questions for review:** Is the check for too little money right?\n\n```diff\n%s```\n"
)

// newCanary is a sender that no other proof has: two at the same time must not
// review each other's packets.
func newCanary() string { return "doctor-" + strings.ToLower(rand.Text()[:8]) }

// writeCanary makes the scratch repository, with the change not yet committed,
// and returns the packet about it.
func writeCanary(ctx context.Context, dir string) (packet string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	git := func(args ...string) (out []byte) {
		if err == nil {
			cmd := exec.CommandContext(ctx, "git", append([]string{
				"-C", dir, "-c", "user.name=doctor", "-c", "user.email=doctor@localhost", "-c", "core.hooksPath=" + os.DevNull,
			}, args...)...)
			// The user's own settings have no part in it either.
			cmd.Env = append(withoutGit(os.Environ()), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
			out, err = cmd.Output()
		}
		return out
	}
	write := func(text string) {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, canaryFile), []byte(text), 0o600)
		}
	}
	write(canaryBefore)
	git("init", "--quiet", "--initial-branch=main")
	git("add", ".")
	git("commit", "--quiet", "--message=account")
	write(canaryAfter)
	diff := git("diff")
	return fmt.Sprintf(canaryText, diff), err
}

// judge says whether the review found the bug.
func (p *proof) judge(m relay.Message) Result {
	var meta struct {
		Verdict      verdict.Decision  `json:"verdict"`
		Findings     []verdict.Finding `json:"findings"`
		Unstructured bool              `json:"unstructured"`
	}
	if err := json.Unmarshal(m.Meta, &meta); err != nil {
		return fail("the review has no verdict", err.Error(), "see message #"+fmt.Sprint(m.ID)+" in the channel "+Channel)
	}
	p.facts["review"], p.facts["verdict"] = fmt.Sprintf("#%d", m.ID), string(meta.Verdict)
	found := meta.Verdict == verdict.RequestChanges && pointsAtBug(meta.Findings, m.Text)
	switch {
	case found:
		return ok("the planted bug was found: %s, by message #%d in %s", words(meta.Verdict), m.ID, Channel)
	case meta.Unstructured:
		return fail("a review came, and not in the form that was asked for", "the planted bug may be in its text, and no program can tell", fmt.Sprintf("read message #%d in %s; another model may keep to the form", m.ID, Channel))
	}
	return fail("the loop works, and the planted bug was NOT found", fmt.Sprintf("the verdict is %s, in message #%d in %s", words(meta.Verdict), m.ID, Channel), "try it again, or another model; see also the check sandbox")
}

// pointsAtBug says whether a finding is about the bug. Codex that posts by
// itself gives no findings in a form that programs read, only a text.
func pointsAtBug(findings []verdict.Finding, text string) bool {
	for _, f := range findings {
		near := f.Line == 0 || f.Line >= canaryLine-3 && f.Line <= canaryLine+5
		if filepath.Base(f.File) == canaryFile && near {
			return true
		}
	}
	return len(findings) == 0 && (strings.Contains(text, canaryFile) || strings.Contains(text, "Withdraw"))
}

func words(d verdict.Decision) string { return strings.ReplaceAll(string(d), "_", " ") }

// failed is the result of a proof that did not come to a review. hops show how
// far it got.
func (p *proof) failed(err error) Result {
	fix := "see the checks above; autoreview doctor --prove --verbose shows each step"
	var codex *codexError
	if errors.As(err, &codex) {
		fix = codexFix(codex.res.Class, fix)
	}
	return fail("no review: "+p.reached(), err.Error(), fix)
}

func (p *proof) reached() string {
	hops := p.times.hops()
	if len(hops) == 0 {
		return "the packet could not be posted"
	}
	return fmt.Sprintf("it ended after the hop %q", hops[len(hops)-1].Name)
}

// codexFix is what to do about a failure of Codex.
func codexFix(c codexrun.Class, otherwise string) string {
	switch c {
	case codexrun.Auth:
		return "codex login"
	case codexrun.NoCodex:
		return "npm install -g @openai/codex, or set codex_bin"
	case codexrun.UsageLimit, codexrun.RateLimited:
		return "wait until the limit is reset"
	case codexrun.Quota:
		return "see your plan and billing at OpenAI"
	case codexrun.Network:
		return "see whether this machine reaches the model's service; Codex goes by HTTPS_PROXY"
	case codexrun.BadConfig:
		return "correct Codex's configuration: autoreview doctor codex_config"
	case codexrun.MCPDenied:
		return "approve the tools of mcp_servers." + setup.ServerName + " in Codex's managed configuration, or set deliver = \"supervisor\""
	case codexrun.SandboxUnavailable:
		return sandboxFix()
	}
	return otherwise
}

// canaryScript is the model of an offline proof. It reads the change by a
// command, as a reviewer does, and finds the bug only when the sandbox let it
// read: that it is in the packet does not count.
func canaryScript(r scripted.Request) []scripted.Step {
	outputs := r.ToolOutputs()
	switch {
	case len(outputs) == 0:
		return []scripted.Step{scripted.Think("I read the change itself."), scripted.Shell(r, "git diff")}
	case len(r.Schema()) > 0:
		return []scripted.Step{scripted.Say(canaryAnswer(outputs[0]))}
	case len(outputs) == 1:
		return []scripted.Step{scripted.CallMCP(r, setup.ServerName, "post_message", canaryPost(outputs[0]))}
	}
	return []scripted.Step{scripted.Say("The review is posted.")}
}

// canaryAnswer is the verdict in the form of the output schema.
func canaryAnswer(diff string) string {
	type finding struct {
		verdict.Finding
		File       *string `json:"file"`
		Line       *int    `json:"line"`
		Suggestion *string `json:"suggestion"`
	}
	file, line, suggestion := canaryFile, canaryLine, "if cents > a.cents"
	answer := struct {
		Verdict   verdict.Decision `json:"verdict"`
		Summary   string           `json:"summary"`
		Findings  []finding        `json:"findings"`
		Tests     []string         `json:"tests"`
		Questions []string         `json:"questions"`
	}{Verdict: verdict.Comment, Summary: "The change could not be read: " + diff, Findings: []finding{}, Tests: []string{}, Questions: []string{}}
	if strings.Contains(diff, canaryBug) {
		answer.Verdict, answer.Summary = verdict.RequestChanges, "The check is turned around: whoever has enough money gets none."
		answer.Findings = []finding{{verdict.Finding{Severity: verdict.Blocker, Title: "Withdraw refuses when there is enough",
			Body: "With a balance of 100, `Withdraw(50)` is refused and `Withdraw(200)` makes it negative."}, &file, &line, &suggestion}}
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return "" // plain values always marshal
	}
	return string(b)
}

func canaryPost(diff string) map[string]any {
	v, text := verdict.Comment, "The change could not be read."
	if strings.Contains(diff, canaryBug) {
		v, text = verdict.RequestChanges, "**Verdict: request changes**\n\nWithdraw in "+canaryFile+" refuses when there is enough."
	}
	return map[string]any{"target": Channel, "sender": "codex", "text": text, "meta": map[string]any{"verdict": v}}
}
