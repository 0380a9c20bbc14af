package mcptools_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"autoreview/relay"
	"autoreview/relay/mcptools"
)

var update = flag.Bool("update", false, "write the golden files anew")

func ask(t *testing.T, url, method, params string) json.RawMessage {
	t.Helper()
	resp, err := http.DefaultClient.Do(request(t.Context(), url,
		`{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":`+params+`}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return answer(t, resp)
}

const hello = `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}`

// What every client loads into its model's context: read the diff before it is
// committed.
func TestToolsListIsGolden(t *testing.T) {
	raw := ask(t, listen(t, mcptools.Options{Log: newLog()}), "tools/list", `{}`)
	var got bytes.Buffer
	if err := json.Indent(&got, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	golden := filepath.Join("testdata", "tools_list.json")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("tools/list (-want +got); write it anew with -update:\n%s", diff)
	}
}

// The tools are in the context of every session, used or not: they stay under
// 1,500 tokens, at four bytes a token.
func TestToolsListIsSmall(t *testing.T) {
	raw := ask(t, listen(t, mcptools.Options{Log: newLog()}), "tools/list", `{}`)
	tokens := len(raw) / 4
	t.Logf("tools/list has %d bytes, about %d tokens", len(raw), tokens)
	if tokens >= 1500 {
		t.Errorf("tools/list: got about %d tokens, want less than 1500", tokens)
	}
}

func TestInitializeTellsNameVersionAndInstructions(t *testing.T) {
	raw := ask(t, listen(t, mcptools.Options{Log: newLog(), Version: "1.2.3"}), "initialize", hello)
	var got struct {
		ServerInfo   struct{ Name, Version string }
		Instructions string
		Capabilities map[string]any
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if got.ServerInfo.Name != "claude-codex-relay" || got.ServerInfo.Version != "1.2.3" {
		t.Errorf("serverInfo: got %+v, want claude-codex-relay 1.2.3", got.ServerInfo)
	}
	// Claude Code cuts instructions and descriptions at 2,048 characters.
	if n := utf8.RuneCountInString(got.Instructions); n == 0 || n >= 2048 {
		t.Errorf("instructions: got %d characters, want 1 to 2047", n)
	}
	if diff := cmp.Diff(map[string]any{"tools": map[string]any{}}, got.Capabilities); diff != "" {
		t.Errorf("capabilities (-want +got):\n%s", diff)
	}
}

type toolInfo struct {
	Name         string
	Description  string
	InputSchema  json.RawMessage
	OutputSchema json.RawMessage
	Annotations  map[string]bool
	Meta         map[string]any `json:"_meta"`
}

func listTools(t *testing.T, url string) map[string]toolInfo {
	t.Helper()
	var got struct{ Tools []toolInfo }
	if err := json.Unmarshal(ask(t, url, "tools/list", `{}`), &got); err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]toolInfo)
	for _, tool := range got.Tools {
		byName[tool.Name] = tool
	}
	return byName
}

// With these hints codex exec runs every tool without approval keys, and with
// this _meta Claude Code shows them without a tool search.
func TestToolsCarryHints(t *testing.T) {
	reading := map[string]bool{"readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false}
	posting := map[string]bool{"readOnlyHint": false, "destructiveHint": false, "idempotentHint": false, "openWorldHint": false}
	load := map[string]any{"anthropic/alwaysLoad": true}
	large := map[string]any{"anthropic/alwaysLoad": true, "anthropic/maxResultSizeChars": float64(mcptools.InlineChars)}
	want := map[string]struct {
		hints map[string]bool
		meta  map[string]any
	}{
		"post_message":      {posting, load},
		"fetch_messages":    {reading, large},
		"wait_for_messages": {reading, large},
		"list_channels":     {reading, load},
	}
	tools := listTools(t, listen(t, mcptools.Options{Log: newLog()}))
	if len(tools) != len(want) {
		t.Errorf("got %d tools, want %d", len(tools), len(want))
	}
	for name, w := range want {
		if diff := cmp.Diff(w.hints, tools[name].Annotations); diff != "" {
			t.Errorf("%s annotations (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(w.meta, tools[name].Meta); diff != "" {
			t.Errorf("%s _meta (-want +got):\n%s", name, diff)
		}
		if n := utf8.RuneCountInString(tools[name].Description); n == 0 || n >= 2048 {
			t.Errorf("%s description: got %d characters, want 1 to 2047", name, n)
		}
	}
}

// The schemas are written by hand: every result must be what they promise, and
// text and structured content the same.
func TestResultsMatchTheirSchemas(t *testing.T) {
	l := newLog()
	packet := post(t, l, "proj-x", "claude", "a packet")
	_, err := l.Post(t.Context(), relay.Draft{Target: "proj-x", Sender: "codex", Text: "<b> & more", Kind: relay.KindReview,
		ReplyTo: packet, Key: "k", Meta: json.RawMessage(`{"verdict":"approve"}`)})
	if err != nil {
		t.Fatal(err)
	}
	url := listen(t, mcptools.Options{Log: l})
	tools := listTools(t, url)
	for _, c := range []struct {
		tool string
		args object
	}{
		{"post_message", object{"target": "other", "sender": "claude", "text": "t", "key": "once"}},
		{"post_message", object{"target": "other", "sender": "claude", "text": "t", "key": "once", "extra": 1}},
		{"fetch_messages", object{"target": "proj-x"}},
		{"fetch_messages", object{"target": "nobody"}},
		{"fetch_messages", object{"target": "proj-x", "since_id": 99}},
		{"wait_for_messages", object{"target": "proj-x", "since_id": 0}},
		{"wait_for_messages", object{"target": "proj-x", "since_id": 3, "timeout_seconds": 0}},
		{"list_channels", object{}},
	} {
		got := call(t, url, c.tool, c.args)
		if got.IsError {
			t.Errorf("%s %v: got the error %q, want a result", c.tool, c.args, got.text())
			continue
		}
		validate(t, tools[c.tool].InputSchema, mustJSON(t, c.args))
		validate(t, tools[c.tool].OutputSchema, got.Structured)
		var text, structured any
		if json.Unmarshal([]byte(got.text()), &text) != nil || json.Unmarshal(got.Structured, &structured) != nil {
			t.Fatalf("%s: the text %q or the structure %s is no JSON", c.tool, got.text(), got.Structured)
		}
		if diff := cmp.Diff(structured, text); diff != "" {
			t.Errorf("%s: text differs from structured content:\n%s", c.tool, diff)
		}
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func validate(t *testing.T, schema, document []byte) {
	t.Helper()
	s, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatalf("schema %s: %v", schema, err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:///schema.json", s); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("mem:///schema.json")
	if err != nil {
		t.Fatalf("schema %s: %v", schema, err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatalf("document %s: %v", document, err)
	}
	if err := compiled.Validate(v); err != nil {
		t.Errorf("%s does not match its schema: %v", document, err)
	}
}
