package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"autoreview/relay"
)

// line is a piece of a diff: quotes, brackets and tabs cost the encoder what
// real packets cost it.
const line = "+\tif got := f(\"a<b\"); got != want { // 100 characters of a diff, more or less, as agents write them\n"

var tenKiB = strings.Repeat(line, 10<<10/len(line)+1)[:10<<10]

func BenchmarkPost10KiB(b *testing.B) {
	f := open(b, nil)
	srv := httptest.NewServer(f.h)
	defer srv.Close()
	quoted := strings.NewReplacer("\t", `\t`, "\n", `\n`, `"`, `\"`).Replace(tenKiB)
	body := `{"target":"proj-x","sender":"claude","text":"` + quoted + `"}`
	b.SetBytes(10 << 10)
	for b.Loop() {
		resp, err := http.Post(srv.URL+"/api/messages", "application/json", strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		drain(b, resp, http.StatusCreated)
	}
}

func BenchmarkGet200Of10KiB(b *testing.B) {
	f := open(b, nil)
	for range 200 {
		f.post(relay.Draft{Target: "proj-x", Sender: "claude", Text: tenKiB})
	}
	srv := httptest.NewServer(f.h)
	defer srv.Close()
	b.SetBytes(200 * 10 << 10)
	for b.Loop() {
		resp, err := http.Get(srv.URL + "/api/messages?limit=200")
		if err != nil {
			b.Fatal(err)
		}
		drain(b, resp, http.StatusOK)
	}
}

func drain(b *testing.B, resp *http.Response, status int) {
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != status {
		b.Fatalf("got %d, %v, want %d", resp.StatusCode, err, status)
	}
	resp.Body.Close()
}
