package redact_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"autoreview/relay/redact"
)

// The lines of testdata are written so that no scanner takes them for secrets:
// ¦ is dropped, and ⏎ stands for a line break. In a line of true cases «» marks
// the secret and the line begins with its kind.
var unwritten = strings.NewReplacer("¦", "", "⏎", "\n")

type line struct {
	file, kind, text string
	want             string // what masking makes of it
	n                int    // secrets in it
}

// corpus reads testdata: files named secret*.txt hold a secret in each line, all
// others hold none.
func corpus(t testing.TB) (secret, plain []line) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 4 {
		t.Fatalf("testdata: got %v, %v, want the files of the corpus", files, err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, written := range strings.Split(strings.ReplaceAll(string(raw), "\r\n", "\n"), "\n") {
			if written == "" || strings.HasPrefix(written, "## ") {
				continue
			}
			text := unwritten.Replace(written)
			if !strings.HasPrefix(filepath.Base(file), "secret") {
				plain = append(plain, line{file: file, text: text, want: text})
				continue
			}
			secret = append(secret, parseSecret(t, file, text))
		}
	}
	return secret, plain
}

func parseSecret(t testing.TB, file, text string) line {
	t.Helper()
	kind, text, ok := strings.Cut(text, " | ")
	l := line{file: file, kind: kind}
	for ok {
		before, rest, more := strings.Cut(text, "«")
		l.text += before
		l.want += before
		if !more {
			break
		}
		secret, after, closed := strings.Cut(rest, "»")
		if !closed {
			t.Fatalf("%s: %q has a mark that is not closed", file, text)
		}
		l.text += secret
		if l.n == 0 || kind != "private key" {
			l.want += "[masked: " + kind + "]"
		} else {
			l.want += "[masked]"
		}
		l.n++
		text = after
	}
	if l.n == 0 {
		t.Fatalf("%s: %q marks no secret", file, text)
	}
	return l
}

// The floors of what is promised. The lines that are got wrong are printed, so
// that the numbers can be read for what they are.
const (
	leastLines     = 120
	leastPrecision = 0.97
	leastRecall    = 0.93
)

func TestCorpus(t *testing.T) {
	secret, plain := corpus(t)
	if n := len(secret) + len(plain); n < leastLines || len(secret) < 50 || len(plain) < 50 {
		t.Fatalf("corpus: got %d lines with and %d without secrets, want at least %d in all and 50 of each", len(secret), len(plain), leastLines)
	}
	var hit, missed, wrong int
	for _, l := range secret {
		switch got, _ := redact.Text(l.text); got {
		case l.want:
			hit++
		case l.text:
			missed++
			t.Logf("missed: %s: %s", l.file, l.text)
		default:
			missed, wrong = missed+1, wrong+1
			t.Logf("masked wrongly: %s:\n got %s\nwant %s", l.file, got, l.want)
		}
	}
	for _, l := range plain {
		if got, found := redact.Text(l.text); got != l.text {
			wrong++
			t.Logf("masked without need: %s: %s as %v", l.file, l.text, found)
		}
	}
	precision, recall := float64(hit)/float64(hit+wrong), float64(hit)/float64(hit+missed)
	t.Logf("%d lines with a secret, %d without: precision %.3f, recall %.3f", len(secret), len(plain), precision, recall)
	if precision < leastPrecision || recall < leastRecall {
		t.Errorf("got precision %.3f and recall %.3f, want at least %.2f and %.2f", precision, recall, leastPrecision, leastRecall)
	}
}

// The floors above are no use if the corpus could not tell: with nothing masked
// and with everything masked they are not reached.
func TestCorpusCanFail(t *testing.T) {
	secret, plain := corpus(t)
	for _, l := range secret {
		if l.text == l.want {
			t.Errorf("%s: %q is counted as found when nothing is masked", l.file, l.text)
		}
	}
	if all := float64(len(secret)) / float64(len(secret)+len(plain)); all >= leastPrecision {
		t.Errorf("masking every line has a precision of %.2f", all)
	}
}

func TestEveryKindIsInTheCorpus(t *testing.T) {
	secret, _ := corpus(t)
	seen := make(map[string]int)
	for _, l := range secret {
		seen[l.kind]++
	}
	for _, kind := range redact.Kinds() {
		if seen[kind] == 0 {
			t.Errorf("no line of the corpus is a %s", kind)
		}
		delete(seen, kind)
	}
	for kind := range seen {
		t.Errorf("the corpus has the unknown kind %q", kind)
	}
}

func TestTextKeepsItsLines(t *testing.T) {
	secret, _ := corpus(t)
	var all []string
	for _, l := range secret {
		all = append(all, l.text)
	}
	text := strings.Join(all, "\n--\n")
	masked, found := redact.Text(text)
	if got, want := strings.Count(masked, "\n"), strings.Count(text, "\n"); got != want {
		t.Errorf("line breaks: got %d, want %d", got, want)
	}
	lines, was := strings.Split(masked, "\n"), strings.Split(text, "\n")
	for _, f := range found {
		if f.Line < 1 || f.Line > len(lines) || lines[f.Line-1] == was[f.Line-1] {
			t.Errorf("%s is said to be in line %d, which was not masked", f.Kind, f.Line)
		}
	}
	for i := range lines {
		for _, prefix := range []string{"+", "-", " ", "@@", "diff "} {
			if strings.HasPrefix(was[i], prefix) != strings.HasPrefix(lines[i], prefix) {
				t.Errorf("line %d lost its %q: got %q", i+1, prefix, lines[i])
			}
		}
	}
}

func TestTally(t *testing.T) {
	got := redact.Tally([]redact.Found{{Kind: "b", Line: 1}, {Kind: "a", Line: 2}, {Kind: "b", Line: 3}})
	if len(got) != 2 || got[0] != (redact.Count{Type: "b", Count: 2}) || got[1] != (redact.Count{Type: "a", Count: 1}) {
		t.Errorf("Tally: got %v, want two of b and one of a", got)
	}
	if got := redact.Tally(nil); got != nil {
		t.Errorf("Tally of nothing: got %v, want nil", got)
	}
}

func TestMeta(t *testing.T) {
	gh := "ghp_" + "x7Kq2Lm9Vt4Rz8Wc1Bn6Yp3Hs5Jd0Gf8Ea2Q"
	tests := []struct{ name, in, want string }{
		{"nothing", `{"verdict":"approve","n":1.50,"big":123456789012345678901,"a":[1,null,true]}`, ``},
		{"value", `{"a":"` + gh + `","n":1.50}`, `{"a":"[masked: github token]","n":1.50}`},
		{"nested, with escapes", `{"f":[{"body":"line\n` + gh + ` <b>\u00e9"}],"z":0}`, `{"f":[{"body":"line\n[masked: github token] <b>é"}],"z":0}`},
		{"name of a member", `{"` + gh + `":1}`, `{"[masked: github token]":1}`},
		{"by the name", `{"api_key":"q8Zr2Lw7Kp4Vx9Tn","note":"q8Zr2Lw7Kp4Vx9Tn"}`, `{"api_key":"[masked: secret value]","note":"q8Zr2Lw7Kp4Vx9Tn"}`},
		{"a name does not reach further", `{"api_key":1,"a":"q8Zr2Lw7Kp4Vx9Tn","api_key":["q8Zr2Lw7Kp4Vx9Tn"]}`, ``},
		{"spaces", `{ "password" : "Zx8!kq92Lw" }`, `{ "password" : "[masked: password]" }`},
		{"not JSON", `{"a":"` + gh, ``},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if want == "" {
				want = tt.in
			}
			got, found := redact.Meta([]byte(tt.in))
			if string(got) != want || len(found) > 0 != (tt.want != "") {
				t.Errorf("Meta(%s): got %s and %v, want %s", tt.in, got, found, want)
			}
		})
	}
}

func FuzzText(f *testing.F) {
	secret, plain := corpus(f)
	for _, l := range append(secret, plain...) {
		f.Add(l.text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		masked, found := redact.Text(s)
		if (masked == s) != (len(found) == 0) {
			t.Errorf("%q: got %v though the text became %q", s, found, masked)
		}
		if strings.Count(s, "\n") != strings.Count(masked, "\n") {
			t.Errorf("%q became %q: another number of lines", s, masked)
		}
		if again, more := redact.Text(masked); again != masked {
			t.Errorf("%q became %q and then %q with %v", s, masked, again, more)
		}
	})
}

func FuzzMeta(f *testing.F) {
	f.Add([]byte(`{"token":"q8Zr2Lw7Kp4Vx9Tn","a":["\"\\",{"b":"\u0000"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, found := redact.Meta(raw)
		if json.Valid(got) != json.Valid(raw) || len(found) == 0 && string(got) != string(raw) {
			t.Errorf("%q became %q with %v", raw, got, found)
		}
	})
}
