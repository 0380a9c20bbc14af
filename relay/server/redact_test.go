package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"autoreview/relay"
	"autoreview/relay/config"
	"autoreview/relay/redact"
	"autoreview/relay/relaytest"
	"autoreview/relay/server"
)

// Made up, and in two parts so that nobody's scanner finds it here.
const aToken = "ghp_" + "x7Kq2Lm9Vt4Rz8Wc1Bn6Yp3Hs5Jd0Gf8Ea2Q"

const aDiff = "please review\n```diff\n-GITHUB_TOKEN=old\n+GITHUB_TOKEN=" + aToken + "\n```"

func inMode(mode redact.Mode) func(*config.Config) {
	return func(c *config.Config) { c.Redact = mode }
}

func TestSecretsAreMaskedBeforeTheyAreStored(t *testing.T) {
	r := relaytest.Start(t)
	d := relay.Draft{Target: "proj-x", Sender: "claude", Text: aDiff, Key: "k", Meta: json.RawMessage(`{"note":"` + aToken + `"}`)}
	p, err := r.Client().Post(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.ReplaceAll(aDiff, aToken, "[masked: github token]"); p.Message.Text != want {
		t.Errorf("text: got %q, want %q", p.Message.Text, want)
	}
	const meta = `{"note":"[masked: github token]","masked":[{"type":"github token","count":2}]}`
	if string(p.Message.Meta) != meta {
		t.Errorf("meta: got %s, want %s", p.Message.Meta, meta)
	}
	again, err := r.Log().Post(t.Context(), d)
	if err != nil || !again.Duplicate || again.ID != p.ID || !again.SameText {
		t.Errorf("the same draft again: got %+v, %v, want a duplicate of #%d with the same text", again, err, p.ID)
	}
	plain := r.Post("proj-x", "claude", "nothing to hide")
	if plain.Meta != nil {
		t.Errorf("meta of a message without secrets: got %s, want none", plain.Meta)
	}
	r.Stop()
	holdsNowhere(t, r.Config.Data, aToken)
}

// holdsNowhere fails for each file below dir that has the secret in it.
func holdsNowhere(t *testing.T, dir, secret string) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("%s holds the secret", path)
		}
		seen++
		return err
	})
	if err != nil || seen < 3 {
		t.Fatalf("looked into %d files: %v, want the store and the logs", seen, err)
	}
}

func TestRejectNamesTheKindAndTheLine(t *testing.T) {
	r := relaytest.Start(t, inMode(redact.Reject))
	post := func(kind relay.Kind) (relay.Posted, error) {
		return r.Client().Post(t.Context(), relay.Draft{Target: "proj-x", Sender: "claude", Text: aDiff, Kind: kind})
	}
	for _, kind := range []relay.Kind{"", relay.KindPacket, relay.KindNote} {
		_, err := post(kind)
		var refused *relay.Error
		if !errors.As(err, &refused) || refused.Code != relay.CodeInvalid || refused.Field != "text" {
			t.Fatalf("kind %q: got %v, want a 400 for the text", kind, err)
		}
		if !strings.Contains(refused.Text, "github token (line 4)") || strings.Contains(refused.Text, aToken[4:10]) {
			t.Errorf("kind %q: got %q, want the kind and the line and nothing of the secret", kind, refused.Text)
		}
	}
	_, err := r.Client().Post(t.Context(), relay.Draft{Target: "proj-x", Sender: "claude", Text: "t", Meta: json.RawMessage(`{"a":"` + aToken + `"}`)})
	if err == nil || !strings.Contains(err.Error(), "github token (in meta)") {
		t.Errorf("in meta: got %v, want a refusal that says so", err)
	}
	// A review that was refused would be lost, so what answers is masked.
	for _, kind := range []relay.Kind{relay.KindReview, relay.KindStatus} {
		p, err := post(kind)
		if err != nil || strings.Contains(p.Message.Text, aToken) || !bytes.Contains(p.Message.Meta, []byte(`"masked"`)) {
			t.Errorf("kind %q: got %+v, %v, want it masked", kind, p.Message, err)
		}
	}
}

func TestOffStoresWhatCame(t *testing.T) {
	r := relaytest.Start(t, inMode(redact.Off))
	if m := r.Post("proj-x", "claude", aDiff); m.Text != aDiff || m.Meta != nil {
		t.Errorf("got %q with meta %s, want the text as it was", m.Text, m.Meta)
	}
}

// A mark in a name would make it another channel, sender or key.
func TestSecretsInNamesAreRefused(t *testing.T) {
	for _, mode := range []redact.Mode{redact.Mask, redact.Reject} {
		r := relaytest.Start(t, inMode(mode))
		for field, d := range map[string]relay.Draft{
			"target": {Target: aToken, Sender: "s", Text: "t"},
			"sender": {Target: "t", Sender: aToken, Text: "t"},
			"key":    {Target: "t", Sender: "s", Text: "t", Key: aToken, Kind: relay.KindReview},
		} {
			_, err := r.Client().Post(t.Context(), d)
			var refused *relay.Error
			if !errors.As(err, &refused) || refused.Field != field || strings.Contains(refused.Text, aToken) {
				t.Errorf("%s, %s: got %v, want a refusal of the field without the secret", mode, field, err)
			}
		}
	}
}

func TestMaskedFitsIntoMeta(t *testing.T) {
	r := relaytest.Start(t)
	full := `{"a":"` + strings.Repeat("é ", (relay.MaxMetaBytes-8)/3) + `"}`
	p, err := r.Client().Post(t.Context(), relay.Draft{Target: "t", Sender: "s", Text: aToken, Meta: json.RawMessage(full)})
	if err != nil || string(p.Message.Meta) != full {
		t.Errorf("a meta without room: got %d bytes, %v, want it as it was", len(p.Message.Meta), err)
	}
	p, err = r.Client().Post(t.Context(), relay.Draft{Target: "t", Sender: "s", Text: aToken, Meta: json.RawMessage(`{"masked":"no","z":"b"}`)})
	const want = `{"masked":[{"type":"github token","count":1}],"z":"b"}`
	if err != nil || string(p.Message.Meta) != want {
		t.Errorf("a meta that has the member: got %s, %v, want %s", p.Message.Meta, err, want)
	}
	many := `{"a":[` + strings.Repeat(`"http://u:k7Rw2mQz@h",`, 3000) + `1]}`
	_, err = r.Client().Post(t.Context(), relay.Draft{Target: "t", Sender: "s", Text: "x", Meta: json.RawMessage(many)})
	var refused *relay.Error
	if !errors.As(err, &refused) || refused.Code != relay.CodeTooLarge || refused.Field != "meta" {
		t.Errorf("marks that are longer than the secrets: got %v, want a 413 for meta", err)
	}
}

// The model that posts is told, and a retry of a job whose review was masked is
// still a retry.
func TestMaskingOverMCP(t *testing.T) {
	r := relaytest.Start(t, inMode(redact.Reject))
	packet := r.Post("proj-x", "claude", "packet")
	job := fmt.Sprintf(`{"key":"job/1","target":"proj-x","sender":"codex","reply_to":%d,"packets":[%[1]d]}`, packet.ID)
	for range 2 {
		body := postByTool(t, r.URL, job, "leaks "+aToken)
		if !strings.Contains(body, "masked before it was stored: 1 github token") {
			t.Errorf("post_message: got %s, want to be told what was masked", body)
		}
	}
	p, err := r.Client().Read(t.Context(), relay.Query{Targets: []string{"proj-x"}})
	if err != nil || len(p.Messages) != 2 {
		t.Errorf("channel: got %d messages, %v, want the packet and one review", len(p.Messages), err)
	}
}

// postByTool calls post_message in the name of a job and returns the answer.
func postByTool(t *testing.T, url, job, text string) string {
	t.Helper()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"post_message","arguments":{"target":"proj-x","sender":"x","text":%q}}}`, text)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/mcp", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("X-Relay-Job", base64.RawURLEncoding.EncodeToString([]byte(job)))
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("post_message: got %d %s, %v, want 200", resp.StatusCode, answer, err)
	}
	return string(answer)
}

func TestMaskMessages(t *testing.T) {
	in := []relay.Message{{ID: 1, TS: 2, Target: "t", Sender: "s", Text: aDiff, Key: "k"}, {ID: 2, Text: "plain"}}
	for _, mode := range []redact.Mode{redact.Mask, redact.Reject} {
		out := server.MaskMessages(mode, in)
		if strings.Contains(out[0].Text, aToken) || out[0].Key != "k" || out[0].ID != 1 || out[1].Meta != nil || out[1].Text != "plain" {
			t.Errorf("%s: got %+v, want the secret masked and the rest as it was", mode, out)
		}
	}
	if out := server.MaskMessages(redact.Off, in); out[0].Text != aDiff {
		t.Errorf("off: got %q, want it as it was", out[0].Text)
	}
}
