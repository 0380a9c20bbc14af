package verdict_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"autoreview/supervisor/verdict"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const full = `{
  "verdict": "request_changes",
  "summary": "Adds a cache. It never expires.",
  "findings": [
    {"severity": "minor", "title": "Name the unit", "body": "ttl of what?", "file": "cache.go", "line": 3, "suggestion": null},
    {"severity": "blocker", "title": "Race on\n entries", "body": "Get writes under RLock.", "file": "cache.go", "line": 12, "suggestion": "c.mu.Lock()"}
  ],
  "tests": ["go test ./... passes", " "],
  "questions": []
}`

var fullVerdict = verdict.Verdict{
	Verdict: verdict.RequestChanges,
	Summary: "Adds a cache. It never expires.",
	Findings: []verdict.Finding{
		{Severity: verdict.Minor, Title: "Name the unit", Body: "ttl of what?", File: "cache.go", Line: 3},
		{Severity: verdict.Blocker, Title: "Race on entries", Body: "Get writes under RLock.", File: "cache.go", Line: 12, Suggestion: "c.mu.Lock()"},
	},
	Tests:     []string{"go test ./... passes"},
	Questions: []string{},
}

func answer(decision string) string {
	return `{"verdict": "` + decision + `", "summary": "s", "findings": [], "tests": [], "questions": []}`
}

func TestParseAccepts(t *testing.T) {
	tests := map[string]string{
		"bare":             full,
		"white space":      "\n\t " + full + "\n\n",
		"fence":            "```json\n" + full + "\n```",
		"long fence":       "~~~~\n" + full + "\n~~~~",
		"prose before":     "Here is my review:\n\n" + full,
		"prose after":      full + "\nLet me know.",
		"fence in prose":   "The review { as asked }:\n```json\n" + full + "\n```\nDone.",
		"windows newlines": strings.ReplaceAll(full, "\n", "\r\n"),
	}
	for name, text := range tests {
		got, err := verdict.Parse(text)
		if err != nil {
			t.Errorf("%s: got error %v", name, err)
			continue
		}
		if diff := cmp.Diff(fullVerdict, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Models that are not held to the schema leave out what may be null, and add.
func TestParseTolerates(t *testing.T) {
	got, err := verdict.Parse(`{"verdict":"comment","summary":"s","confidence":0.9,"tests":[],"questions":["why?"],
		"findings":[{"severity":"nit","title":"t","body":"","line":4,"category":"x"},{"severity":"minor","title":"t","body":"b","file":"a","line":7.0}]}`)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	want := []verdict.Finding{
		{Severity: verdict.Nit, Title: "t"}, // a line of no file is no place
		{Severity: verdict.Minor, Title: "t", Body: "b", File: "a", Line: 7},
	}
	if diff := cmp.Diff(want, got.Findings); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// An approval that stands among other words may be a quotation of what a packet
// asked for, so it does not count; the other verdicts do.
func TestApprovalStandsAlone(t *testing.T) {
	quoted := "The packet wants me to answer\n```json\n" + answer("approve") + "\n```\nand I will not."
	if got, err := verdict.Parse(quoted); err == nil {
		t.Errorf("Parse: got %v, want an error", got)
	} else if !strings.Contains(err.Error(), "verdict: an approval must be the whole answer") {
		t.Errorf("Parse: got error %v, want one about the approval", err)
	}
	for _, text := range []string{answer("approve"), "```\n" + answer("approve") + "\n```", "Well: " + answer("comment")} {
		if _, err := verdict.Parse(text); err != nil {
			t.Errorf("Parse(%q): got error %v, want none", text, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	with := func(old, new string) string { return strings.Replace(full, old, new, 1) }
	tests := map[string]struct {
		text string
		want string // one line of the error
	}{
		"empty":               {" \n", "the answer is empty; want one JSON object"},
		"prose":               {"Looks good to me. Verdict: approve", "want one JSON object, got text without one"},
		"a list":              {"[1]", "want one JSON object, got JSON that is not an object"},
		"cut off":             {full[:len(full)-40], "want one JSON object, got text that begins like one but is not valid JSON"},
		"two answers":         {answer("comment") + "\n" + answer("approve"), "want one JSON object, got 2 of them"},
		"empty object":        {"{}", "verdict: is missing; want a string"},
		"unknown verdict":     {with("request_changes", "LGTM"), `verdict: want one of approve, request_changes, comment, got "LGTM"`},
		"verdict in capitals": {with(`"verdict"`, `"Verdict"`), "verdict: is missing"},
		"verdict is null":     {with(`"request_changes"`, "null"), "verdict: want a string, got null"},
		"two verdicts":        {with(`"summary"`, `"verdict": "approve", "summary"`), "verdict: is there twice; want it once"},
		"blank summary":       {with("Adds a cache. It never expires.", " \\n"), "summary: is blank; want at least a sentence"},
		"summary is a list":   {with(`"Adds a cache. It never expires."`, "[]"), "summary: want a string, got []"},
		"no findings":         {with(`"findings"`, `"finding"`), "findings: is missing; want a list"},
		"findings is null":    {`{"verdict":"comment","summary":"s","findings":null,"tests":[],"questions":[]}`, "findings: want a list, got null"},
		"finding is text":     {`{"verdict":"comment","summary":"s","findings":["x"],"tests":[],"questions":[]}`, `findings[0]: want an object, got "x"`},
		"severity":            {with(`"minor"`, `"critical"`), `findings[0].severity: want one of blocker, major, minor, nit, got "critical"`},
		"no title":            {with(`"title": "Name the unit", `, ""), "findings[0].title: is missing"},
		"line is text":        {with(`"line": 12`, `"line": "12"`), `findings[1].line: want a line number counted from 1, or null, got "12"`},
		"line below zero":     {with(`"line": 12`, `"line": -1`), "findings[1].line: want a line number"},
		"line with fraction":  {with(`"line": 12`, `"line": 1.5`), "findings[1].line: want a line number"},
		"line too large":      {with(`"line": 12`, `"line": 1e300`), "findings[1].line: want a line number"},
		"file is a number":    {with(`"file": "cache.go"`, `"file": 1`), "findings[0].file: want a string, got 1"},
		"test is an object":   {with(`" "`, "{}"), "tests[1]: want a string, got {}"},
		"approved blocker":    {with("request_changes", "approve"), "verdict: approve contradicts findings[1], which is a blocker"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := verdict.Parse(test.text)
			var bad *verdict.Error
			if !errors.As(err, &bad) {
				t.Fatalf("Parse: got error %v, want an *Error", err)
			}
			if !strings.Contains("\n"+err.Error(), "\n"+test.want) {
				t.Errorf("Parse: got error\n%v\nwant a line that begins with\n%s", err, test.want)
			}
		})
	}
}

// The model is told everything at once, for it is asked only once more.
func TestParseReportsAll(t *testing.T) {
	_, err := verdict.Parse(`{"verdict":"ok","findings":[{"severity":"high"}],"tests":"none","questions":[]}`)
	want := []string{
		`verdict: want one of approve, request_changes, comment, got "ok"`,
		"summary: is missing; want a string",
		`tests: want a list, got "none"`,
		`findings[0].severity: want one of blocker, major, minor, nit, got "high"`,
		"findings[0].title: is missing; want a string",
		"findings[0].body: is missing; want a string",
	}
	if err == nil {
		t.Fatal("Parse: got no error")
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// A megabyte of braces must not cost minutes.
func TestParseBraces(t *testing.T) {
	if _, err := verdict.Parse("x" + strings.Repeat("{", 1<<20)); err == nil {
		t.Error("Parse: got no error")
	}
}

// Control characters would act on a terminal that shows the review.
func TestParseDropsControlCharacters(t *testing.T) {
	v, err := verdict.Parse(strings.Replace(answer("comment"), `"s"`, `"a\u001b[2Jb\tc\r\nd"`, 1))
	if want := "a[2Jb\tc\nd"; err != nil || v.Summary != want {
		t.Errorf("Summary: got %q and error %v, want %q", v.Summary, err, want)
	}
}

// What the schema lets through must parse, and what it must refuse it does.
func TestSchemaAgreesWithParse(t *testing.T) {
	schema := compile(t)
	tests := map[string]bool{ // :: answer → valid
		answer("approve"): true,
		answer("ok"):      false,
		full:              true,
		strings.Replace(full, `"questions"`, `"question"`, 1):      false,
		strings.Replace(full, `"line": 12`, `"line": "12"`, 1):     false,
		strings.Replace(full, `"severity": "minor", `, ``, 1):      false,
		strings.Replace(full, `"severity": "minor"`, `"s": 1`, 1):  false,
		strings.Replace(full, `"tests": [`, `"tests": [null, `, 1): false,
	}
	for text, want := range tests {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := schema.Validate(doc) == nil; got != want {
			t.Errorf("schema takes %s: got %v, want %v", text, got, want)
		}
		if _, err := verdict.Parse(text); (err == nil) != want {
			t.Errorf("Parse takes %s: got error %v, want valid %v", text, err, want)
		}
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(verdict.Schema())))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("verdict.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("verdict.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// OpenAI's strict mode refuses a schema with an optional property, an open
// object or a keyword it does not know.
func TestSchemaIsStrict(t *testing.T) {
	var root map[string]any
	if err := json.Unmarshal(verdict.Schema(), &root); err != nil {
		t.Fatal(err)
	}
	checkStrict(t, "root", root)
}

func checkStrict(t *testing.T, path string, node map[string]any) {
	t.Helper()
	for keyword := range node {
		if !strings.Contains(" type enum description properties required additionalProperties items ", " "+keyword+" ") {
			t.Errorf("%s: got keyword %q, want only those of the strict subset", path, keyword)
		}
	}
	if items, ok := node["items"].(map[string]any); ok {
		checkStrict(t, path+"[]", items)
	}
	properties, ok := node["properties"].(map[string]any)
	if !ok {
		return
	}
	required := map[string]bool{}
	for _, name := range node["required"].([]any) {
		required[name.(string)] = true
	}
	if node["additionalProperties"] != false || len(required) != len(properties) {
		t.Errorf("%s: got additionalProperties %v and %d of %d required, want false and all", path, node["additionalProperties"], len(required), len(properties))
	}
	for name, property := range properties {
		if !required[name] {
			t.Errorf("%s.%s: want it required", path, name)
		}
		checkStrict(t, path+"."+name, property.(map[string]any))
	}
}

// What Parse takes renders to text that reads back its packets and whose
// findings survive JSON.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{full, answer("approve"), "```json\n" + full + "\n```", "x " + full, "{", "{{}}", `{"verdict":{"a":1}}`, "```\n```"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := verdict.Parse(text)
		raw := verdict.RenderUnstructured(text, verdict.Facts{Packets: []int64{7}})
		if got := verdict.Packets(raw); len(got) != 1 || got[0] != 7 {
			t.Errorf("Packets of the unstructured review: got %v, want [7]", got)
		}
		if err != nil {
			return
		}
		rendered := verdict.Render(v, verdict.Facts{Packets: []int64{7, 9}})
		if diff := cmp.Diff([]int64{7, 9}, verdict.Packets(rendered)); diff != "" {
			t.Errorf("Packets (-want +got):\n%s", diff)
		}
		checkHeadings(t, rendered)
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		again, err := verdict.Parse(string(encoded))
		if err != nil {
			t.Fatalf("Parse of its own JSON: %v\n%s", err, encoded)
		}
		if diff := cmp.Diff(v, again); diff != "" {
			t.Errorf("Parse of its own JSON (-want +got):\n%s", diff)
		}
	})
}
