package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"autoreview/codexrun/codextest"
	"autoreview/supervisor/verdict"
)

// The repository: a price calculation, and a change to it with a planted bug.
// A discount in percent is applied to an integer number of cents, and the
// change divides before it multiplies, so that every discount becomes zero.
const (
	before = `package shop

// Total is the price of n items in cents.
func Total(cents, n int) int {
	return cents * n
}
`
	after = `package shop

// Total is the price of n items in cents, less a discount in percent.
func Total(cents, n, percent int) int {
	sum := cents * n
	return sum - sum*(percent/100)
}
`
	tests = `package shop

import "testing"

func TestTotal(t *testing.T) {
	if got := Total(250, 4, 0); got != 1000 {
		t.Errorf("Total: got %d, want 1000", got)
	}
}
`
	packetText = "**Summary:** `Total` takes a discount in percent now.\n\n" +
		"**Tests:** `go test ./...` passes.\n\n" +
		"**Questions for review:** Is the rounding all right?\n\n" +
		"```diff\n%s```\n"
)

// makeRepo makes the repository, with the change not yet committed, and the
// packet that a coding agent would post about it.
func makeRepo(ctx context.Context, dir string) (repo, packet string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", err
	}
	write := func(name, text string) {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)
		}
	}
	git := func(args ...string) (out []byte) {
		if err == nil {
			id := []string{"-C", dir, "-c", "user.name=demo", "-c", "user.email=demo@localhost", "-c", "commit.gpgsign=false"}
			cmd := exec.CommandContext(ctx, "git", append(id, args...)...)
			cmd.Stderr = os.Stderr
			out, err = cmd.Output()
		}
		return out
	}
	write("go.mod", "module shop\n\ngo 1.26\n")
	write("total.go", before)
	git("init", "--quiet", "--initial-branch=main")
	git("add", ".")
	git("commit", "--quiet", "--message=prices")
	write("total.go", after)
	write("total_test.go", tests)
	git("add", "--intent-to-add", "total_test.go")
	diff := git("diff")
	return dir, fmt.Sprintf(packetText, diff), err
}

// reviewer is the scripted model: it looks at the change and at the file, as a
// reviewer would, and then gives its verdict.
func reviewer(r codextest.Request) []codextest.Step {
	return codextest.InTurn(
		[]codextest.Step{codextest.Think("The packet shows a diff. I read the change itself."), codextest.Shell(r, "git diff --stat && cat -n total.go")},
		[]codextest.Step{codextest.Shell(r, "git log --oneline && grep -rn 'Total(' --include=*.go .")},
		[]codextest.Step{codextest.Say(answer())},
	)(r)
}

// answer is the verdict in the form of the output schema.
func answer() string {
	suggestion := "return sum - sum*percent/100"
	type finding struct {
		verdict.Finding
		File       *string `json:"file"`
		Line       *int    `json:"line"`
		Suggestion *string `json:"suggestion"`
	}
	file, line := "total.go", 6
	testFile, testLine := "total_test.go", 6
	b, err := json.Marshal(struct {
		Verdict   verdict.Decision `json:"verdict"`
		Summary   string           `json:"summary"`
		Findings  []finding        `json:"findings"`
		Tests     []string         `json:"tests"`
		Questions []string         `json:"questions"`
	}{
		Verdict: verdict.RequestChanges,
		Summary: "The change adds a discount that is never given: `percent/100` is an integer division and is 0 for every discount below 100. The test passes because it only tries a discount of 0. About the question: rounding towards zero is fine for cents, once the multiplication comes first.",
		Findings: []finding{
			{verdict.Finding{Severity: verdict.Blocker, Title: "Every discount below 100% is dropped",
				Body: "`Total(250, 4, 20)` returns 1000 instead of 800, because `20/100` is 0 in integers."}, &file, &line, &suggestion},
			{verdict.Finding{Severity: verdict.Minor, Title: "No test has a discount",
				Body: "A case such as `Total(250, 4, 20) == 800` fails today and would hold the fix."}, &testFile, &testLine, nil},
		},
		Tests:     []string{"Read the code and its callers; the sandbox is read-only, so `go test` was not run.", "Missing: a discount other than 0, and one that does not divide evenly."},
		Questions: []string{"May a discount be above 100%? The result is negative then."},
	})
	if err != nil {
		panic(err) // plain values always marshal
	}
	return string(b)
}
