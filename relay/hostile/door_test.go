package hostile_test

import (
	"encoding/base64"
	"fmt"
	"testing"
)

// Cursors and filters that are none, for pages and streams.
func TestBadQueries(t *testing.T) {
	r := start(t)
	var hits []hit
	for _, query := range []string{
		"since_id=abc", "since_id=-1", "since_id=1e3", "since_id=0x10", "since_id=9223372036854775808", "since_id=1%00", "since_id=1'--", "since_id=+1+",
		"target=a&target=", "target=%ff%fe", "target=a%0d%0aid:7", "target=a%00", "sender=", "sender=%0a", "target=%zz", "a=1;target=b", "target=" + repeated("a&target=", 200) + "a",
	} {
		for _, path := range []string{"/api/messages?", "/api/stream?"} {
			hits = append(hits, hit{name: path + query[:min(len(query), 30)], send: get(path + query), status: 400})
		}
	}
	for _, query := range []string{"limit=abc", "limit=", "before_id=0", "before_id=-5", "since_id=1&before_id=3", "wait=5", "since_id=0&wait=NaN", "since_id=0&wait=soon", "key="} {
		hits = append(hits, hit{name: "/api/messages?" + query, send: get("/api/messages?" + query), status: 400})
	}
	for _, id := range []string{"abc", "-1", "1.5", "99999999999999999999", "1, 2", "'; --", "\xff", "0x1"} {
		hits = append(hits, hit{name: fmt.Sprintf("Last-Event-ID %q", id), send: get("/api/stream", "Last-Event-ID", id), status: 400, says: "Last-Event-ID"})
	}
	hits = append(hits,
		hit{"Last-Event-ID with a NUL", get("/api/stream", "Last-Event-ID", "1\x00"), 400, ofHTTP, ""},
		hit{"Last-Event-ID of another log", get("/api/stream", "Last-Event-ID", "999999"), 200, noError, "event: hello"},
		hit{"details=maybe", get("/api/channels?details=maybe"), 400, inJSON, "details"},
	)
	r.run(t, hits)
}

func rpc(name, body string, status int, says string, header ...string) hit {
	return hit{name: name, send: postJSON("/mcp", body, header...), status: status, form: inRPC, says: says}
}

func call(name, tool, arguments, says string, header ...string) hit {
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, tool, arguments)
	return rpc(name, body, 200, says, header...)
}

// What is not the protocol, and calls of tools that say nothing sensible.
func TestBadMCP(t *testing.T) {
	r := start(t)
	const list = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	b64 := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	job := func(s string) []string { return []string{"X-Relay-Job", b64(s)} }
	r.run(t, []hit{
		rpc("nothing", "", 400, ""),
		rpc("half an object", `{"jsonrpc":"2.0","id":1,`, 400, ""),
		rpc("not JSON-RPC", draft, 200, ""),
		rpc("null", "null", 200, ""),
		rpc("another version of JSON-RPC", `{"jsonrpc":"1.0","id":1,"method":"tools/list"}`, 200, ""),
		rpc("a batch", "["+list+","+list+"]", 400, ""),
		rpc("an empty batch", "[]", 400, ""),
		rpc("nested 100,000 deep", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":`+repeated("[", 100_000), 400, ""),
		rpc("a method that is not there", `{"jsonrpc":"2.0","id":1,"method":"messages/delete"}`, 200, "not found"),
		rpc("a tool that is not there", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_messages","arguments":{}}}`, 200, ""),
		rpc("resources, of which there are none", `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///etc/passwd"}}`, 200, ""),
		{"a protocol that is not there", postJSON("/mcp", list, "MCP-Protocol-Version", "1999-01-01"), 400, ofHTTP, "protocol version"},
		{"a protocol with a trick", postJSON("/mcp", list, "MCP-Protocol-Version", "2025-06-18, 2024-11-05"), 400, ofHTTP, "protocol version"},
		call("no arguments", "post_message", `{}`, "target is required"),
		call("arguments that are a list", "post_message", `["proj-x"]`, ""),
		call("a number as the target", "post_message", `{"target":1,"sender":"claude","text":"x"}`, "target must be"),
		call("an object as the text", "post_message", `{"target":"proj-x","sender":"claude","text":{"a":1}}`, "text must be"),
		call("a NUL in the target", "post_message", `{"target":"a\u0000","sender":"claude","text":"x"}`, "control characters"),
		call("a huge id", "post_message", `{"target":"a","sender":"claude","text":"x","reply_to":1e400}`, "1e400"),
		call("a text over its limit", "post_message", `{"target":"a","sender":"claude","text":"`+repeated("x", 1<<20+1)+`"}`, "limit of 1048576"),
		call("a cursor that is none", "fetch_messages", `{"target":"proj-x","since_id":"abc"}`, "since_id"),
		call("a wait that is none", "wait_for_messages", `{"target":"proj-x","since_id":0,"timeout_seconds":"long"}`, "timeout_seconds"),
		call("a job that is not base64", "post_message", draft, "X-Relay-Job", "X-Relay-Job", "$$$"),
		call("a job with padding", "post_message", draft, "X-Relay-Job", "X-Relay-Job", "e30="),
		call("a job that is not JSON", "post_message", draft, "X-Relay-Job", job("{{{")...),
		call("an empty job", "post_message", draft, "needs key, target and sender", job("{}")...),
		call("a job of other types", "post_message", draft, "X-Relay-Job", job(`{"key":1,"target":[],"sender":{}}`)...),
		call("a job of another channel", "post_message", draft, "this job answers in channel", job(`{"key":"k","target":"other","sender":"codex","reply_to":1}`)...),
		call("a job that answers nothing", "post_message", draft, "reply_to", job(`{"key":"k","target":"proj-x","sender":"codex","reply_to":999}`)...),
		call("a job with a control character", "post_message", draft, "control characters", job(`{"key":"k","target":"proj-x","sender":"co\u0000dex"}`)...),
		{"a stream of it", get("/mcp", "Accept", "text/event-stream"), 405, inJSON, "takes POST only"},
		{"a notification", postJSON("/mcp", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`), 202, noError, ""},
		{"an answer nobody asked for", postJSON("/mcp", `{"jsonrpc":"2.0","id":9,"result":{}}`), 202, noError, ""},
		{"a session that is not there", postJSON("/mcp", list, "Mcp-Session-Id", "../../x"), 200, noError, "post_message"},
	})
}
