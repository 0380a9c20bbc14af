package redact_test

import (
	"os"
	"strings"
	"testing"

	"autoreview/relay/redact"
)

const mib4 = 4 << 20

// filled is a text of 4 MiB that repeats part.
func filled(part string) string { return strings.Repeat(part, mib4/len(part)+1)[:mib4] }

// The largest message there is by default. What a post of it costs besides, to
// decode its JSON and to sync it, is several times the time of the code here.
func BenchmarkText(b *testing.B) {
	code, err := os.ReadFile("assign.go")
	if err != nil {
		b.Fatal(err)
	}
	secret, _ := corpus(b)
	var secrets strings.Builder
	for _, l := range secret {
		secrets.WriteString(l.text + "\n")
	}
	for _, bb := range []struct{ name, text string }{
		{"code", filled(string(code))},
		{"secrets", filled(secrets.String())},
		{"one word", filled("a")},
		{"hostile tokens", filled("eyJ-")},
		{"hostile names", filled("token=")},
		{"hostile keys", filled("-----BEGIN PRIVATE KEY-----\n")},
		{"hostile slack", filled("xoxb-")},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(bb.text)))
			for b.Loop() {
				redact.Text(bb.text)
			}
		})
	}
}
