//go:build unix

package doctor_test

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"autoreview/codexrun/codextest"
	"autoreview/codexrun/scripted"
	"autoreview/supervisor/doctor"
)

var update = flag.Bool("update", false, "write the golden files")

func (p *place) now() time.Time { return time.Now() }

// realCodex gives the place the real Codex with a scripted model.
func (p *place) realCodex(script scripted.Script) *scripted.Model {
	p.t.Helper()
	bin := codextest.Real(p.t)
	model := codextest.Serve(p.t, script)
	env, err := scripted.WriteHome(p.codex, model)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, kv := range env {
		if name, value, _ := strings.Cut(kv, "="); name != "HOME" {
			p.set(name, value)
		}
	}
	p.write("repo/autoreview.toml", "codex_bin = %q\nrelay = \"http://127.0.0.1:1\"\n\n[[watch]]\nchannel = \"proj-x\"\n", bin.Path)
	return model
}

// tree is every path below a folder with its mode and content.
func tree(t *testing.T, dir string) (lines []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		sum := ""
		// A relay that runs writes when it is asked whether it can.
		if info.Mode().IsRegular() && !strings.Contains(path, "relay.db-") {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sum = fmt.Sprintf("%x", sha256.Sum256(b))
		}
		lines = append(lines, fmt.Sprintf("%s %s %s", path, info.Mode(), sum))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// With the real Codex every check has something to say, nothing is wrong, and
// nothing that the user has is changed by looking.
func TestExamineChangesNothing(t *testing.T) {
	p := newPlace(t)
	p.realCodex(codextest.Always("hello"))
	r := p.relay()
	p.openState(p.stateDir()).Close()
	url := r.URL + "/mcp"
	p.write("home/.claude.json", `{"projects":{%q:{"hasTrustDialogAccepted":true}}}`, p.repo)
	p.write("repo/.mcp.json", `{"mcpServers":{"relay":{"type":"http","url":%q}}}`, url)
	p.write("repo/.claude/settings.json", `{"permissions":{"allow":["mcp__relay"]}}`)
	p.write("repo/.vscode/tasks.json", `{"tasks":[{"command":"autoreview","runOptions":{"runOn":"folderOpen"}}]}`)
	p.write("repo/.codex/config.toml", "[mcp_servers.autoreview_relay]\nurl = %q\ndefault_tools_approval_mode = \"approve\"\n", url)
	p.script("autoreview", "")
	old, err := os.ReadFile(filepath.Join(p.codex, "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	p.write("home/.codex/config.toml", "%s\n[projects.%q]\ntrust_level = \"trusted\"\n", old, p.repo)
	home, data := filepath.Dir(p.home), p.env.RelayData
	if err := os.Chmod(data, 0o700); err != nil {
		t.Fatal(err)
	}
	before := append(tree(t, home), tree(t, data)...)
	report, err := doctor.Examine(t.Context(), p.env)
	if err != nil {
		t.Fatal(err)
	}
	if after := append(tree(t, home), tree(t, data)...); !slices.Equal(before, after) {
		t.Errorf("looking changed files (-before +after):\n%s", cmp.Diff(before, after))
	}
	if len(report.LeftOut) > 0 {
		t.Errorf("left out: got %v, want nothing", report.LeftOut)
	}
	for _, res := range report.Results {
		if res.Status != doctor.OK {
			t.Errorf("%s: got %s: %s, %s", res.Name, res.Status, res.Detail, res.Cause)
		}
	}
}

// What the real Codex refuses is told with its own words and the user's path.
func TestRealCodexRefusesItsConfiguration(t *testing.T) {
	p := newPlace(t)
	p.realCodex(codextest.Always("hello"))
	p.write("home/.codex/config.toml", "model = 3\n")
	want(t, p.examine("codex_config"), doctor.Fail, "expected a string", filepath.Join(p.codex, "config.toml"))
}

// A program that hangs costs the time limit, is ended, and leaves the other
// checks alone.
func TestExamineIsBounded(t *testing.T) {
	p := newPlace(t)
	pid := p.path("pid")
	p.fakeCodex("0.169.0", `"mcp list --json") echo $$ > `+pid+`; exec sleep 600 ;;`)
	p.env.Timeout = 2 * time.Second
	report, err := doctor.Examine(t.Context(), p.env, "codex_config", "git", "disk")
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Results) != 3 {
		t.Fatalf("got %d results, want 3: %+v", len(report.Results), report)
	}
	want(t, report.Results[1], doctor.Fail, "")
	want(t, report.Results[0], doctor.OK)
	b, err := os.ReadFile(pid)
	if err != nil {
		t.Fatalf("the hanging program was never started: %v", err)
	}
	if stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(b)) + "/stat"); err == nil && !bytes.Contains(stat, []byte(") Z ")) {
		t.Errorf("the hanging program still runs: %s", stat)
	}
}

func TestUnknownCheck(t *testing.T) {
	p := newPlace(t)
	if _, err := doctor.Examine(t.Context(), p.env, "nonsense"); err == nil || !strings.Contains(err.Error(), `"nonsense"`) {
		t.Errorf("Examine(nonsense): got %v, want an error that names it", err)
	}
}

// The forms that people and programs read.
func TestPrint(t *testing.T) {
	report := doctor.Report{
		Results: []doctor.Result{
			{Name: "codex", Status: doctor.OK, Detail: "/usr/bin/codex, version 0.169.0", Facts: map[string]string{"can fork a thread": "yes"}},
			{Name: "config", Status: doctor.Fail, Detail: "the configuration cannot be used",
				Cause: "autoreview.toml:1:1: nonsense: is unknown\nautoreview.toml:2:1: workers: want at least 1\x1b[2J", Fix: "correct <these> lines"},
			{Name: "folders", Status: doctor.Warn, Detail: "others may read /x", Cause: "modes", Fix: "chmod", Fixed: "took it away"},
			{Name: "proof", Status: doctor.OK, Detail: "the planted bug was found", Hops: []doctor.Hop{
				{Name: "posted", AtMS: 1.5, TookMS: 1.5}, {Name: "delivered", AtMS: 12001.5, TookMS: 12000},
			}},
		},
		LeftOut: []string{"vscode"},
	}
	var text, colour, json strings.Builder
	for _, err := range []error{
		doctor.Print(&text, report, doctor.Style{Verbose: true}),
		doctor.Print(&colour, report, doctor.Style{Colour: true}),
		doctor.PrintJSON(&json, report),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "report.txt", text.String())
	golden(t, "report.json", json.String())
	if !strings.Contains(colour.String(), "\x1b[31mfail\x1b[0m  config") || strings.Contains(colour.String(), "\x1b[2J") {
		t.Errorf("in colour: got %q", colour.String())
	}
	if !report.Failed() {
		t.Error("Failed: got false with a fail")
	}
	var none strings.Builder
	if err := doctor.PrintJSON(&none, doctor.Report{}); err != nil || none.String() != "[]\n" {
		t.Errorf("an empty report: got %q, %v, want an empty list", none.String(), err)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(file), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// docs/operations.md has a line for each check, and for none that there is not.
func TestDocumentationHasEveryCheck(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(b), "\n| check | what it looks at |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var got []string
	for line := range strings.Lines(table) {
		got = append(got, strings.Trim(strings.Split(line, "|")[1], " `"))
	}
	if diff := cmp.Diff(doctor.Names(), got); diff != "" {
		t.Errorf("checks in docs/operations.md (-want +got):\n%s", diff)
	}
}
