package hostile_test

import (
	"fmt"
	"strings"
	"testing"
)

func field(name, value string) string {
	return fmt.Sprintf(`{"target":"proj-x","sender":"claude","text":"t",%q:%s}`, name, value)
}

func bad(name, body string, status int, says string) hit {
	return hit{name: name, send: postJSON("/api/messages", body), status: status, says: says}
}

// Bodies that are no message.
func TestBadBodies(t *testing.T) {
	r := start(t)
	const notJSON, notObject = "Request body must be valid JSON", "Request body must be a JSON object"
	r.run(t, []hit{
		bad("nothing", "", 400, notJSON),
		bad("white space", " \n", 400, notJSON),
		bad("half an object", `{"target":"proj-x","sender":`, 400, notJSON),
		bad("two objects", draft+draft, 400, notJSON),
		bad("an object and a byte", draft+"x", 400, notJSON),
		bad("a list of messages", "["+draft+"]", 400, notObject),
		bad("null", "null", 400, notObject),
		bad("a number", "1e999999", 400, notObject),
		bad("Python's NaN", field("reply_to", "NaN"), 400, notJSON),
		bad("single quotes", `{'target':'a'}`, 400, notJSON),
		bad("a comment", `{"target":"a"/*,*/}`, 400, notJSON),
		bad("a byte order mark", "\ufeff"+draft, 400, notJSON),
		bad("UTF-16", "\xff\xfe{\x00}\x00", 400, notJSON),
		bad("bad UTF-8 in the text", strings.Replace(draft, "run", "\xff\xfe", 1), 400, notJSON),
		bad("an overlong NUL", strings.Replace(draft, "run", "\xc0\x80", 1), 400, notJSON),
		bad("a raw NUL", strings.Replace(draft, "run", "\x00", 1), 400, notJSON),
		bad("nested 100,000 deep", field("meta", repeated("[", 100_000)+repeated("]", 100_000)), 400, notJSON),
		bad("nested and not closed", repeated(`{"a":`, 50_000), 400, notJSON),
		bad("a huge number", field("reply_to", repeated("9", 10_000)), 400, "reply_to must be an integer"),
		bad("a number past 64 bits", field("reply_to", "9223372036854775808"), 400, "reply_to must be an integer"),
		bad("a number with a huge exponent", field("reply_to", "1e400"), 400, "reply_to must be an integer"),
		bad("a negative id", field("reply_to", "-1"), 400, "reply_to"),
		bad("an id that is not there", field("reply_to", "9007199254740993"), 400, "reply_to"),
		bad("an object as the sender", field("sender", `{"$ne":""}`), 400, "sender must be a string"),
		bad("a list as the target", field("target", `["proj-x"]`), 400, "target must be a string"),
		bad("another kind", field("kind", `"admin"`), 400, "kind must be"),
		bad("a list as meta", field("meta", `[1]`), 400, "meta must be a JSON object"),
		bad("meta over its limit", field("meta", `{"a":"`+repeated("x", 65<<10)+`"}`), 413, "meta"),
		bad("a text over its limit", field("text", `"`+repeated("x", 1<<20+1)+`"`), 413, "limit of 1048576"),
		bad("a key over its limit", field("key", `"`+repeated("k", 513)+`"`), 400, "key"),
		bad("a sender over its limit", field("sender", `"`+repeated("s", 129)+`"`), 400, "sender"),
		bad("a NUL in the target", field("target", `"proj-x\u0000"`), 400, "target"),
		bad("a line break in the sender", field("sender", `"claude\nid: 7"`), 400, "sender"),
		bad("a control character in the key", field("key", `"a\u001bb"`), 400, "key"),
		bad("blank names", `{"target":" \t","sender":"\u00a0","text":"x"}`, 400, "target is required"),
		bad("a blank text", field("text", `"\u2003\n"`), 400, "text is required"),
		bad("names in other letters", `{"Target":"proj-x","SENDER":"claude","Text":"x"}`, 400, "target is required"),
		{"compressed", postJSON("/api/messages", "\x1f\x8b\x08\x00", "Content-Encoding", "gzip"), 400, inJSON, notJSON},
		{"a body with a GET", request("GET", "/api/messages", draft, "Content-Type", "application/json"), 200, noError, ""},
		{"a body with a HEAD", request("HEAD", "/api/messages", draft, "Content-Type", "application/json"), 200, noError, ""},
	})
}

// Bodies that are larger than any message, said so or not.
func TestHugeBodies(t *testing.T) {
	r := start(t)
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 1<<20, repeated("x", 1<<20))
	chunked := []string{"Transfer-Encoding", "chunked"}
	var hits []hit
	for _, path := range []string{"/api/messages", "/mcp", "/nowhere"} {
		hits = append(hits,
			hit{path + ": 100 GB announced", postJSON(path, "x", "Content-Length", "99999999999"), 413, inJSON, "larger than the limit"},
			hit{path + ": 12 MiB in chunks", postJSON(path, strings.Repeat(chunk, 12)+"0\r\n\r\n", chunked...), 413, inJSON, "larger than the limit"},
			hit{path + ": chunks without an end", postJSON(path, strings.Repeat(chunk, 12), chunked...), 413, inJSON, "larger than the limit"},
			hit{path + ": a length past 64 bits", postJSON(path, "x", "Content-Length", "99999999999999999999"), 400, ofHTTP, ""},
			hit{path + ": a negative length", postJSON(path, "x", "Content-Length", "-1"), 400, ofHTTP, ""},
			hit{path + ": chunks of a huge size", postJSON(path, "ffffffffffffffff0\r\nx", chunked...), 400, inJSON, "could not be read"},
			hit{path + ": chunks of no size", postJSON(path, "zz\r\nx", chunked...), 400, inJSON, "could not be read"},
			hit{path + ": from another origin", postJSON(path, "", "Content-Length", "99999999999", "Expect", "100-continue", "Origin", "https://evil.example"), 403, inJSON, "Invalid Origin"},
		)
	}
	r.run(t, hits)
}

// Names that would mean something to a database, a shell, a file system or a
// page are names like any other: what is posted to one channel is in that channel
// and nowhere else, byte for byte.
func TestTricksInNamesAreOnlyNames(t *testing.T) {
	r := start(t)
	names := []string{
		`'; DROP TABLE messages; --`, `" OR ""="`, `' UNION SELECT * FROM meta --`, `%`, `_`, `*`, `proj-%`, `proj_x`, `../../etc/passwd`, `..\..\x`,
		`a/b?c=d&target=e#f`, `%2e%2e%2f`, `$(touch x)`, "`id`", `<script>alert(1)</script>`, `{{7*7}}`, `${jndi:ldap://x}`, `proj-x' --`, `PROJ-X`,
		`рroj-x`, "a\u202eb", `null`, `0`, `__proto__`, `constructor`, "💥",
	}
	for _, name := range names {
		body := fmt.Sprintf(`{"target":%q,"sender":%q,"text":%q,"key":%[1]q}`, name, name, "in "+name)
		if resp, got := r.do(t, postJSON("/api/messages", body)); resp.StatusCode != 201 {
			t.Errorf("%q: got %d %s, want 201", name, resp.StatusCode, got)
		}
	}
	got := r.stored(t)
	if len(got) != len(names) {
		t.Fatalf("stored: got %d messages, want %d", len(got), len(names))
	}
	for i, name := range names {
		if got[i].Target != name || got[i].Sender != name || got[i].Text != "in "+name || got[i].Key != name {
			t.Errorf("stored: got %+v, want %q everywhere", got[i], name)
		}
		for _, path := range []string{"/api/messages?target=", "/api/messages?since_id=0&target=", "/ui/messages?target="} {
			resp, body := r.do(t, get(path+escaped(name)+"&limit=500"))
			if n := strings.Count(body, `"id":`); resp.StatusCode != 200 || n != 1 {
				t.Errorf("GET %s%s: got %d with %d messages, want 200 with 1", path, name, resp.StatusCode, n)
			}
		}
		if resp, body := r.do(t, get("/api/messages?target=proj-x&sender="+escaped(name))); resp.StatusCode != 200 || !strings.Contains(body, `"messages":[]`) {
			t.Errorf("sender %q in another channel: got %d %s, want none", name, resp.StatusCode, body)
		}
	}
	if resp, body := r.do(t, get("/api/messages?target=proj-x")); resp.StatusCode != 200 || !strings.Contains(body, "a secret plan") {
		t.Errorf("the first channel: got %d %s, want its message", resp.StatusCode, body)
	}
}

// escaped writes every byte of s so that it means itself in a query.
func escaped(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, "%%%02x", c)
	}
	return b.String()
}
