package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/relay/config"
	"autoreview/relay/relaytest"
	"autoreview/relay/token"
)

// locked is a relay with tokens on, and their secrets by name.
type locked struct {
	*relaytest.Relay
	t      *testing.T
	secret map[string]string
}

// lock starts a relay with messages 1 to 3 in the channels a, b and c, and then
// makes it one with tokens.
func lock(t *testing.T) locked {
	t.Helper()
	r := relaytest.Start(t, func(c *config.Config) { c.Channels = []string{"a", "d"} })
	for _, target := range []string{"a", "b", "c"} {
		r.Post(target, "claude", "in "+target)
	}
	l := locked{r, t, map[string]string{"none": "", "wrong": "rly_" + strings.Repeat("A", 43)}}
	for _, tok := range []token.Token{
		{Name: "all"},
		{Name: "claude", Senders: []string{"claude"}},
		{Name: "bound", Senders: []string{"claude", "user"}, Channels: []string{"a", "b"}},
		{Name: "reader", ReadOnly: true},
		{Name: "expired", Expires: time.Now().Add(-time.Hour)},
		{Name: "revoked"},
	} {
		l.secret[tok.Name] = mint(t, r.Config, tok)
	}
	l.revoke("revoked")
	return l
}

func (l locked) revoke(name string) {
	l.t.Helper()
	if _, err := token.Open(filepath.Join(l.Config.Data, token.File)).Revoke(name); err != nil {
		l.t.Fatal(err)
	}
}

// send makes a request as the bearer of a token and returns its status and body.
func (l locked) send(who, method, path, body string) (int, string) {
	l.t.Helper()
	resp := l.open(l.t.Context(), who, method, path, body)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func (l locked) open(ctx context.Context, who, method, path, body string) *http.Response {
	l.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, l.URL+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
	}
	if secret := l.secret[who]; secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return resp
}

// call calls a tool and returns its text, and whether that is an error. A status
// other than 200 is returned as it is.
func (l locked) call(who, tool, arguments string) (status int, isError bool, text string) {
	l.t.Helper()
	status, body := l.send(who, http.MethodPost, "/mcp",
		fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, tool, arguments))
	if status != http.StatusOK {
		return status, false, body
	}
	var answer struct {
		Result struct {
			IsError bool `json:"isError"`
			Content []struct{ Text string }
		}
	}
	if _, data, ok := strings.Cut(body, "data: "); ok {
		body = data
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.Result.Content) != 1 {
		l.t.Fatalf("tools/call: got %v, %s", err, body)
	}
	return status, answer.Result.IsError, answer.Result.Content[0].Text
}

// events opens a stream and returns the ids of the messages it brings, up to the
// highest there is.
func (l locked) events(who, query string) (int, []string) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.t.Context())
	defer cancel()
	resp := l.open(ctx, who, http.MethodGet, "/api/stream?since_id=0"+query, "")
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, nil
	}
	// The marks show where what there is ends, for whoever may see which.
	for _, target := range []string{"a", "b", "c"} {
		if _, err := l.Log().Post(l.t.Context(), relay.Draft{Target: target, Sender: "test", Text: "mark", Kind: relay.KindNote}); err != nil {
			l.t.Fatal(err)
		}
	}
	var seen []string
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || !strings.Contains(data, `"target"`) {
			continue
		}
		var m relay.Message
		if err := json.Unmarshal([]byte(data), &m); err != nil {
			l.t.Fatal(err)
		}
		if m.Sender == "test" {
			return resp.StatusCode, seen
		}
		seen = append(seen, m.Target)
	}
	l.t.Fatalf("the stream of %s ended: %v", who, lines.Err())
	return 0, nil
}

// What a token may do is the same by every door.
func TestAccessByEveryDoor(t *testing.T) {
	l := lock(t)
	posts := []struct {
		who, sender, target string
		status              int
		says                string
	}{
		{"none", "claude", "a", 401, "needs a token"},
		{"wrong", "claude", "a", 401, "not known here"},
		{"revoked", "claude", "a", 401, "not known here"},
		{"expired", "claude", "a", 401, "has expired"},
		{"all", "codex", "c", 201, ""},
		{"claude", "claude", "c", 201, ""},
		{"claude", "codex", "a", 403, "may not post as"},
		{"bound", "user", "b", 201, ""},
		{"bound", "user", "c", 403, "may not use channel"},
		{"bound", "codex", "a", 403, "may not post as"},
		{"reader", "claude", "a", 403, "may only read"},
	}
	for _, tt := range posts {
		t.Run(fmt.Sprintf("%s posts as %s to %s", tt.who, tt.sender, tt.target), func(t *testing.T) {
			before := l.head(t)
			body := fmt.Sprintf(`{"target":%q,"sender":%q,"text":"x"}`, tt.target, tt.sender)
			status, answer := l.send(tt.who, http.MethodPost, "/api/messages", body)
			if status != tt.status || !strings.Contains(answer, tt.says) {
				t.Errorf("REST: got %d %s, want %d %s", status, answer, tt.status, tt.says)
			}
			status, isError, text := l.call(tt.who, "post_message", body)
			switch {
			case tt.status == 401:
				if status != 401 {
					t.Errorf("MCP: got %d %s, want 401", status, text)
				}
			case status != 200 || isError != (tt.status == 403) || !strings.Contains(text, tt.says):
				t.Errorf("MCP: got %d, error %v, %s, want error %v, %s", status, isError, text, tt.status == 403, tt.says)
			}
			stored := l.head(t) - before
			if want := map[bool]int64{true: 2}[tt.status == 201]; stored != want {
				t.Errorf("%d messages were stored, want %d", stored, want)
			}
		})
	}
	l = lock(t)
	reads := []struct {
		who, target string
		status      int
		channels    string // of an all-channels stream
	}{
		{"none", "a", 401, ""}, {"revoked", "a", 401, ""}, {"expired", "a", 401, ""},
		{"all", "c", 200, "a b c"},
		{"claude", "c", 200, "a b c"},
		{"reader", "c", 200, "a b c"},
		{"bound", "a", 200, "a b"},
		{"bound", "c", 403, "a b"},
	}
	for _, tt := range reads {
		t.Run(fmt.Sprintf("%s reads %s", tt.who, tt.target), func(t *testing.T) {
			for _, path := range []string{
				"/api/messages?target=" + tt.target, "/api/messages?target=" + tt.target + "&since_id=0", "/api/messages?since_id=0&wait=1&target=" + tt.target,
				"/api/messages?target=a&target=" + tt.target, "/ui/messages?target=" + tt.target,
			} {
				if status, body := l.send(tt.who, http.MethodGet, path, ""); status != tt.status || status != 200 && strings.Contains(body, "in "+tt.target) {
					t.Errorf("GET %s: got %d %s, want %d", path, status, body, tt.status)
				}
			}
			for _, call := range []struct{ tool, arguments string }{
				{"fetch_messages", `{"target":"` + tt.target + `"}`},
				{"wait_for_messages", `{"target":"` + tt.target + `","since_id":0,"timeout_seconds":1}`},
			} {
				status, isError, text := l.call(tt.who, call.tool, call.arguments)
				if wantStatus := min(tt.status, 401); tt.status == 401 && status != wantStatus || tt.status != 401 && (status != 200 || isError != (tt.status == 403)) {
					t.Errorf("%s: got %d, error %v, %s, want %d", call.tool, status, isError, text, tt.status)
				}
			}
			if status, _ := l.events(tt.who, "&target="+tt.target); status != tt.status {
				t.Errorf("stream of %s: got %d, want %d", tt.target, status, tt.status)
			}
			if status, seen := l.events(tt.who, ""); tt.status == 401 && status != 401 || tt.status != 401 && strings.Join(firstOfEach(seen), " ") != tt.channels {
				t.Errorf("stream of all channels: got %d, %v, want %s", status, seen, tt.channels)
			}
		})
	}
	t.Run("lists and single messages", func(t *testing.T) {
		for who, want := range map[string]string{"all": `["a","b","c","d"]`, "bound": `["a","b"]`} {
			for _, path := range []string{"/api/channels", "/api/channels?details=1"} {
				if status, body := l.send(who, http.MethodGet, path, ""); status != 200 || !strings.Contains(body, `"channels":`+want) || who == "bound" && strings.Contains(body, `"c"`) {
					t.Errorf("GET %s as %s: got %d %s, want %s", path, who, status, body, want)
				}
			}
			if _, _, text := l.call(who, "list_channels", `{}`); text != `{"channels":`+want+`}` {
				t.Errorf("list_channels as %s: got %s, want %s", who, text, want)
			}
		}
		for path, want := range map[string]int{"/ui/text/1": 200, "/ui/text/3": 404} {
			if status, body := l.send("bound", http.MethodGet, path, ""); status != want || strings.Contains(body, "in c") {
				t.Errorf("GET %s: got %d %s, want %d", path, status, body, want)
			}
		}
		if status, body := l.send("bound", http.MethodGet, "/api/whoami", ""); status != 200 || body != `{"name":"bound","senders":["claude","user"],"channels":["a","b"],"read_only":false}`+"\n" {
			t.Errorf("whoami: got %d %s", status, body)
		}
	})
}

func firstOfEach(seen []string) (out []string) {
	have := make(map[string]bool)
	for _, s := range seen {
		if !have[s] {
			out = append(out, s)
		}
		have[s] = true
	}
	return out
}

func (l locked) head(t *testing.T) int64 {
	t.Helper()
	info, err := l.Log().Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.Head
}

// A job header lets nobody post as somebody else.
func TestJobHeaderIsBoundByTheToken(t *testing.T) {
	l := lock(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.URL+"/mcp", strings.NewReader(
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"post_message","arguments":{"target":"a","sender":"claude","text":"x"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("Authorization", "Bearer "+l.secret["claude"])
	req.Header.Set("X-Relay-Job", "eyJrZXkiOiJrIiwidGFyZ2V0IjoiYSIsInNlbmRlciI6ImNvZGV4In0") // sender codex
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(b), "may not post as") || l.head(t) != 3 {
		t.Errorf("got %s, %v and head %d, want a refusal and 3", b, err, l.head(t))
	}
}

// What was opened with a token ends with it: not one message more is seen.
func TestRevokedTokenEndsItsStream(t *testing.T) {
	l := lock(t)
	resp := l.open(t.Context(), "claude", http.MethodGet, "/api/stream?target=a", "")
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() && lines.Text() != "" { // hello
	}
	if _, err := l.Log().Post(t.Context(), relay.Draft{Target: "a", Sender: "codex", Text: "seen"}); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() && !strings.Contains(lines.Text(), `"seen"`) {
	}
	c := client.New(client.Options{BaseURL: l.URL, Token: l.secret["claude"]})
	defer c.Close()
	waited := make(chan error, 1)
	go func() {
		_, err := c.Wait(context.WithoutCancel(t.Context()), relay.Query{Targets: []string{"a"}, Since: 4}, time.Minute)
		waited <- err
	}()
	l.revoke("claude")
	if _, err := l.Log().Post(t.Context(), relay.Draft{Target: "a", Sender: "codex", Text: "unseen"}); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(resp.Body)
	if err != nil || strings.Contains(string(rest), "unseen") {
		t.Errorf("the rest of the stream: got %q, %v, want its end", rest, err)
	}
	if err := <-waited; !client.Denied(err) {
		t.Errorf("Wait: got %v, want it denied", err)
	}
}

// No secret, whole or hashed, and no text gets into a log or the owner's file.
func TestLogsHoldNoSecret(t *testing.T) {
	l := lock(t)
	for who := range l.secret {
		l.send(who, http.MethodGet, "/api/messages?target=a", "")
	}
	l.send("claude", http.MethodPost, "/api/messages", `{"target":"a","sender":"claude","text":"hi"}`)
	l.Stop()
	err := filepath.WalkDir(l.Config.Data, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), token.File) {
			return err
		}
		b, err := os.ReadFile(path)
		for who, secret := range l.secret {
			if secret != "" && strings.Contains(string(b), secret) {
				t.Errorf("%s has the secret of %s", path, who)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Past the limits a client is told when to come back, and the relay goes on for
// the others.
func TestLimitsOfAClient(t *testing.T) {
	r := relaytest.Start(t, func(c *config.Config) { c.MaxStreamsPerClient, c.MaxStreams = 2, 10 })
	openStreams(t, r, 2)
	status, h, body := get(t, r.URL+"/api/stream")
	if status != http.StatusTooManyRequests || h.Get("Retry-After") == "" || !strings.Contains(body, "at most 2 for one client") {
		t.Errorf("a third stream: got %d %s, Retry-After %q", status, body, h.Get("Retry-After"))
	}
	if status, _, body := get(t, r.URL+"/api/messages?target=a"); status != http.StatusOK {
		t.Errorf("a read meanwhile: got %d %s, want 200", status, body)
	}
	r = relaytest.Start(t, func(c *config.Config) { c.MaxRequestsPerSecond = 1 })
	for i, want := range []int{200, 200, 429} {
		if status, _, body := get(t, r.URL+"/api/channels"); status != want {
			t.Errorf("request %d of one in a second: got %d %s, want %d", i+1, status, body, want)
		}
	}
}
