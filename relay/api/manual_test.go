package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"autoreview/relay/guard"
)

// example is one command of docs/api.md and what it prints.
type example struct{ command, output string }

// examples lists what stands in the console blocks of a Markdown text.
func examples(text string) []example {
	var all []example
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(text, -1) {
		for _, part := range strings.Split("\n"+block[1], "\n$ ")[1:] {
			command, output, _ := strings.Cut(part, "\n")
			all = append(all, example{command, output})
		}
	}
	return all
}

// curl makes the request of a curl command. It knows what the manual uses.
func curl(t *testing.T, command string) *http.Request {
	t.Helper()
	method, body, url := http.MethodGet, "", ""
	header := http.Header{}
	words := regexp.MustCompile(`'[^']*'|\S+`).FindAllString(command, -1)
	for i := range words {
		words[i] = strings.Trim(words[i], "'")
	}
	for i := 1; i < len(words); i++ {
		switch words[i] {
		case "-s", "-sN":
		case "-H":
			i++
			name, value, _ := strings.Cut(words[i], ": ")
			header.Set(name, value)
		case "-d":
			i++
			method, body = http.MethodPost, words[i]
			if header.Get("Content-Type") == "" {
				header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
		case "-X":
			i++
			method = words[i]
		default:
			url = words[i]
		}
	}
	if words[0] != "curl" || !strings.HasPrefix(url, "http://127.0.0.1:8010/") {
		t.Fatalf("the manual's command cannot be run: %s", command)
	}
	req := httptest.NewRequest(method, url, strings.NewReader(body))
	req.Header = header
	if host := header.Get("Host"); host != "" {
		req.Host = host
	}
	return req
}

// jq prints JSON as jq does.
func jq(t *testing.T, in []byte) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, in, "", "  "); err != nil {
		t.Fatalf("%s: %v", in, err)
	}
	return out.String()
}

// run does what a shell would do with a command of the manual.
func run(t *testing.T, f fixture, ex example) string {
	t.Helper()
	command, piped := strings.CutSuffix(ex.command, " | jq")
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	rec := httptest.NewRecorder()
	// A stream never ends by itself: this reader leaves when it has seen as
	// many events as the manual shows.
	w := &reader{rec, strings.Count(ex.output, "event: "), leave}
	f.h.ServeHTTP(w, curl(t, command).WithContext(ctx))
	if piped {
		return jq(t, rec.Body.Bytes())
	}
	return rec.Body.String()
}

type reader struct {
	*httptest.ResponseRecorder
	events int
	leave  func()
}

func (r *reader) Write(b []byte) (int, error) {
	n, err := r.ResponseRecorder.Write(b)
	if r.events > 0 && bytes.Count(r.Body.Bytes(), []byte("event: ")) >= r.events {
		r.leave()
	}
	return n, err
}

// The manual's examples, in its order, against a relay that starts empty.
func TestManualExamples(t *testing.T) {
	raw, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, nil)
	f.h = guard.New(guard.Options{})(f.h)
	info, err := f.log.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Git may have checked the manual out with the line ends of Windows.
	manual := strings.ReplaceAll(string(raw), "\r\n", "\n")
	manual = regexp.MustCompile(`QW5PK3JMD7XOGNL2T4VYB6CEHA`).ReplaceAllString(manual, info.LogID)
	all := examples(manual)
	if got, want := len(all), strings.Count(manual, "\n$ "); got != want || got == 0 {
		t.Fatalf("found %d examples of %d", got, want)
	}
	for _, ex := range all {
		got, want := strings.TrimRight(run(t, f, ex), "\n"), strings.TrimRight(ex.output, "\n")
		if got != want {
			t.Errorf("$ %s\ngot:\n%s\nwant:\n%s", ex.command, got, want)
		}
	}
}

// Each route, parameter and status of the contract is in the manual.
func TestManualIsComplete(t *testing.T) {
	raw, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	c := loadContract(t, open(t, nil).get("/openapi.json").Body.Bytes())
	want := map[string]bool{}
	for path, item := range at(c.doc, "paths") {
		for method, op := range item.(map[string]any) {
			want["`"+strings.ToUpper(method)+" "+path+"`"] = true
			parameters, _ := op.(map[string]any)["parameters"].([]any)
			for _, p := range parameters {
				want["`"+p.(map[string]any)["name"].(string)] = true
			}
			for status := range at(op, "responses") {
				if status >= "400" {
					want["| "+status+" |"] = true
				}
			}
		}
	}
	for _, schema := range []string{"Message", "Page"} {
		for name := range at(c.doc, "components", "schemas", schema, "properties") {
			want["`"+name+"`"] = true
		}
	}
	for s := range want {
		route := strings.TrimSuffix(strings.TrimPrefix(s, "`GET "), "`")
		if !strings.Contains(string(raw), s) && !strings.Contains(string(raw), "`"+route+"`") {
			t.Errorf("docs/api.md says nothing of %s", s)
		}
	}
}
