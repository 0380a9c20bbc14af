package codextest_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/codexrun/codextest"
)

func TestMain(m *testing.M) {
	codextest.MainIfFake()
	os.Exit(m.Run())
}

// TestPinnedVersion: the pinned version is the one that runs.
func TestPinnedVersion(t *testing.T) {
	want := codextest.PinnedVersion()
	if want == "" {
		t.Fatal("PinnedVersion: got none")
	}
	if fake, err := codexrun.Find(t.Context(), codextest.Fake(t).Path); err != nil || fake.Version != want {
		t.Errorf("version of the fake: got %q, %v, want %q", fake.Version, err, want)
	}
	if os.Getenv(codextest.RealEnv) != "" {
		return
	}
	if real := codextest.Real(t); real.Version != want {
		t.Errorf("version of the real one: got %q, want %q (`make tools` installs it)", real.Version, want)
	}
}

// TestFakeIsAsStrictAsTheRealOne: a command line that the real one refuses
// fails against the fake too.
func TestFakeIsAsStrictAsTheRealOne(t *testing.T) {
	bin := codextest.Fake(t)
	const id = "01a205c0-a69e-7163-ad62-3e537adf6728"
	tests := []struct {
		args string
		exit int
	}{
		{"exec --json -s read-only -C . -", 0},
		{"exec --json -s read-only resume " + id + " -", 0},
		{"exec --json resume -s read-only " + id + " -", 2},
		{"exec --full-auto -", 2},
		{"exec -c", 2},
		{"exec --json", 2},
		{"review", 2},
	}
	for _, tt := range tests {
		cmd := exec.CommandContext(t.Context(), bin.Path, strings.Fields(tt.args)...)
		cmd.Stdin = strings.NewReader("prompt")
		out, _ := cmd.CombinedOutput() // the exit code is looked at
		if got := cmd.ProcessState.ExitCode(); got != tt.exit {
			t.Errorf("codex %s: got exit code %d, want %d\n%s", tt.args, got, tt.exit, out)
		}
	}
}

// TestFakePlans: each run has its plan, and the file do stands for the
// variable.
func TestFakePlans(t *testing.T) {
	dir := t.TempDir()
	spec := codexrun.Spec{
		Binary: codextest.Fake(t), Dir: t.TempDir(), Prompt: "p", Timeout: time.Minute,
		Env: []string{codextest.FakeDir + "=" + dir, codextest.FakeDo + "=fail:auth|answer"},
	}
	want := []codexrun.Class{codexrun.Auth, codexrun.Completed, codexrun.Completed}
	for i, class := range want {
		if res := codexrun.Run(t.Context(), spec, codexrun.Observer{}); res.Class != class {
			t.Errorf("run %d: got %s (%s), want %s", i+1, res.Class, res.Text, class)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "do"), []byte("fail:quota"), 0o600); err != nil {
		t.Fatal(err)
	}
	if res := codexrun.Run(t.Context(), spec, codexrun.Observer{}); res.Class != codexrun.Quota {
		t.Errorf("run by the file do: got %s (%s), want quota", res.Class, res.Text)
	}
}

// TestFakePosts: the fake reads the server, the token and the job from where
// the real one gets them.
func TestFakePosts(t *testing.T) {
	type call struct {
		auth, target, sender, text string
	}
	calls := make(chan call, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			Params struct {
				Arguments struct{ Target, Sender, Text string }
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			t.Error(err)
		}
		a := req.Params.Arguments
		calls <- call{r.Header.Get("Authorization"), a.Target, a.Sender, a.Text}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}\n\n"))
	}))
	defer server.Close()
	job := base64.RawURLEncoding.EncodeToString([]byte(`{"key":"k","target":"#dev","sender":"codex"}`))
	var status string
	res := codexrun.Run(t.Context(), codexrun.Spec{
		Binary: codextest.Fake(t), Dir: t.TempDir(), Prompt: "p", Timeout: time.Minute,
		Env: []string{codextest.FakeDo + "=post:all_good answer", "TOK=t", "JOB=" + job},
		MCP: &codexrun.MCPServer{Name: "autoreview_relay", URL: server.URL, TokenEnv: "TOK", HeaderEnv: map[string]string{"X-Relay-Job": "JOB"}},
	}, codexrun.Observer{Event: func(e codexrun.Event) {
		if item, ok := e.Item(); ok && item.Type == "mcp_tool_call" {
			status = item.Status + item.Error.Message
		}
	}})
	if res.Class != codexrun.Completed || status != "completed" {
		t.Fatalf("run: got %s (%s), call %q", res.Class, res.Text, status)
	}
	if got, want := <-calls, (call{"Bearer t", "#dev", "codex", "all good"}); got != want {
		t.Errorf("call: got %+v, want %+v", got, want)
	}
}

// What codexrun calls the newest version that it was tried with is the pinned
// one, so that raising the pin cannot be forgotten there.
func TestNewestVersionIsThePinnedOne(t *testing.T) {
	if got, want := codexrun.NewestVersion, codextest.PinnedVersion(); got != want {
		t.Errorf("codexrun.NewestVersion: got %s, want the pinned %s", got, want)
	}
}
