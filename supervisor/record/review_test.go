package record_test

import (
	"strings"
	"testing"

	"autoreview/supervisor/record"
)

const (
	approval = `{"verdict":"approve","summary":"No problems found.","findings":[],"tests":[],"questions":[]}`
	changes  = `{"verdict":"request_changes","summary":"Two <things> are wrong.","findings":[
{"severity":"nit","title":"Spelling","body":"b","file":null,"line":null,"suggestion":null},
{"severity":"minor","title":"Long","body":"b","file":"b.go","line":null,"suggestion":null},
{"severity":"blocker","title":"Nil map","body":"b","file":"a.go","line":7,"suggestion":null}],
"tests":["go test ./... passes."],"questions":["Why?"]}`
)

// A message that is a verdict is shown as what it says, and any other as it is.
func TestPlain(t *testing.T) {
	tests := []struct {
		name string
		line record.Line
		want string
	}{
		{"an approval", record.Line{Kind: record.Message, Text: approval}, "verdict: approve: No problems found.\nno findings"},
		{"findings", record.Line{Kind: record.Message, Text: changes}, `verdict: request_changes: Two <things> are wrong.
3 findings
  blocker: Nil map (a.go:7)
  minor: Long (b.go)
  nit: Spelling
tests: go test ./... passes.
question: Why?`},
		{"text around a verdict", record.Line{Kind: record.Message, Text: "Here: " + changes}, "Here: " + changes},
		{"another object", record.Line{Kind: record.Message, Text: `{"verdict":"maybe"}`}, `{"verdict":"maybe"}`},
		{"no object", record.Line{Kind: record.Message, Text: "I look at the tests."}, "I look at the tests."},
		{"what a command printed", record.Line{Kind: record.Output, Text: approval}, approval},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.line.Plain(); got != tt.want {
				t.Errorf("Plain: got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// The page shows it in the same way, and masks what it shows.
func TestExportOfAVerdict(t *testing.T) {
	dir := t.TempDir()
	if err := record.Write(dir, sample(dir)); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/events.jsonl", `{"type":"item.completed","item":{"type":"agent_message","text":"{\"verdict\":\"comment\",\"summary\":\"The key is \\u0073k-secret.\",\"findings\":[],\"tests\":[],\"questions\":[]}"}}`+"\n")
	var b strings.Builder
	if err := record.Export(&b, dir, func(s string) string { return strings.ReplaceAll(s, "sk-secret", "[masked]") }); err != nil {
		t.Fatal(err)
	}
	if want := "verdict: comment: The key is [masked].\nno findings"; !strings.Contains(b.String(), want) || strings.Contains(b.String(), "questions") {
		t.Errorf("the page has no %q in it, or the raw verdict as well:\n%s", want, b.String())
	}
}
