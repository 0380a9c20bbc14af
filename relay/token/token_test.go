package token_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"autoreview/relay"
	"autoreview/relay/token"
)

func file(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "data", token.File)
}

func mint(t *testing.T, s *token.Store, tok token.Token) string {
	t.Helper()
	secret, err := s.New(tok)
	if err != nil {
		t.Fatalf("New(%+v): %v", tok, err)
	}
	return secret
}

// denied checks that a secret lets nobody in, and returns what is said of it.
func denied(t *testing.T, s *token.Store, secret string) string {
	t.Helper()
	a, err := s.Access(secret)
	e, ok := errors.AsType[*relay.Error](err)
	if !ok || e.Code != relay.CodeUnauthorized || a != nil {
		t.Fatalf("Access: got %+v, %v, want unauthorized", a, err)
	}
	return e.Text
}

func allowed(t *testing.T, s *token.Store, secret string) relay.Access {
	t.Helper()
	a, err := s.Access(secret)
	if err != nil || a == nil {
		t.Fatalf("Access: got %+v, %v, want an access", a, err)
	}
	return *a
}

func TestLifeOfAToken(t *testing.T) {
	path := file(t)
	admin, running := token.Open(path), token.Open(path) // two processes
	if a, err := running.Access("anything"); a != nil || err != nil {
		t.Fatalf("Access without a file: got %+v, %v, want tokens to be off", a, err)
	}
	claude := mint(t, admin, token.Token{Name: "claude", Senders: []string{"claude", "user"}, Channels: []string{"proj-x"}})
	wall := mint(t, admin, token.Token{Name: "wall", ReadOnly: true})
	if !regexp.MustCompile(`^rly_[A-Za-z0-9_-]{43}$`).MatchString(claude) || claude == wall {
		t.Errorf("secrets: got %q and %q, want 256 random bits each", claude, wall)
	}
	want := relay.Access{Name: "claude", Senders: []string{"claude", "user"}, Channels: []string{"proj-x"}}
	a := allowed(t, running, claude)
	if diff := cmp.Diff(want, a, cmpopts.IgnoreFields(relay.Access{}, "Ended"), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Access (-want +got):\n%s", diff)
	}
	if !allowed(t, running, wall).ReadOnly {
		t.Error("wall may post")
	}
	if got := denied(t, running, ""); !strings.Contains(got, "needs a token") {
		t.Errorf("without a token: got %q", got)
	}
	for _, wrong := range []string{"rly_", claude[:len(claude)-1], claude + "A", strings.ToLower(claude), "claude", strings.Repeat("x", 1<<20)} {
		if got := denied(t, running, wrong); !strings.Contains(got, "not known") || len(wrong) > 4 && strings.Contains(got, wrong) {
			t.Errorf("a wrong token: got %.200q", got)
		}
	}
	if a.Ended() {
		t.Error("Ended while the token is good")
	}
	if left, err := admin.Revoke("claude"); left != 1 || err != nil {
		t.Fatalf("Revoke: got %d, %v, want one to be left", left, err)
	}
	denied(t, running, claude)
	if !a.Ended() {
		t.Error("Ended: got false after the token was revoked")
	}
	if left, err := admin.Revoke("wall"); left != 0 || err != nil {
		t.Fatalf("Revoke: got %d, %v, want none to be left", left, err)
	}
	// Nothing opens because the last one went.
	denied(t, running, wall)
	denied(t, running, "")
	if tokens, on, err := running.List(); len(tokens) != 0 || !on || err != nil {
		t.Errorf("List: got %v, on %v, %v, want none and on", tokens, on, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if a, err := running.Access(""); a != nil || err != nil {
		t.Errorf("Access after the file is gone: got %+v, %v, want tokens to be off", a, err)
	}
	running.Require = true
	denied(t, running, "")
	if !a.Ended() {
		t.Error("Ended: got false after a file that is required went")
	}
}

func TestExpiry(t *testing.T) {
	path := file(t)
	synctest.Test(t, func(t *testing.T) {
		s := token.Open(path)
		secret := mint(t, s, token.Token{Name: "brief", Expires: time.Now().Add(time.Hour)})
		a := allowed(t, s, secret)
		time.Sleep(time.Hour - time.Nanosecond)
		if allowed(t, s, secret); a.Ended() {
			t.Error("Ended before the time")
		}
		time.Sleep(time.Nanosecond)
		if got := denied(t, s, secret); !strings.Contains(got, `"brief" has expired`) {
			t.Errorf("an expired token: got %q", got)
		}
		if !a.Ended() {
			t.Error("Ended: got false after the time")
		}
		// It still counts as one, and its name is taken.
		denied(t, s, "")
		if _, err := s.New(token.Token{Name: "brief"}); !errors.Is(err, token.ErrNameTaken) {
			t.Errorf("New: got %v, want ErrNameTaken", err)
		}
	})
}

// A change is seen whatever the file system's clock can tell apart: these come
// within one tick, and have the same size.
func TestChangesInARowAreAllSeen(t *testing.T) {
	path := file(t)
	admin, running := token.Open(path), token.Open(path)
	for i := range 50 {
		secret := mint(t, admin, token.Token{Name: "x"})
		allowed(t, running, secret)
		if _, err := admin.Revoke("x"); err != nil {
			t.Fatal(err)
		}
		if denied(t, running, secret); t.Failed() {
			t.Fatalf("round %d", i)
		}
	}
}

func TestFileHoldsNoSecretAndIsPrivate(t *testing.T) {
	path := file(t)
	s := token.Open(path)
	secret := mint(t, s, token.Token{Name: "claude"})
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), secret[len(token.Prefix):]) || strings.Contains(string(b), token.Prefix) {
		t.Errorf("the file holds the secret:\n%s", b)
	}
	var doc struct {
		Version int
		Tokens  []map[string]any
	}
	if err := json.Unmarshal(b, &doc); err != nil || doc.Version != 1 || len(doc.Tokens) != 1 {
		t.Errorf("the file: got %v, %s", err, b)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.tmp"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for path, want := range map[string]os.FileMode{path: 0o600, path + ".lock": 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("mode of %s: got %v, %v, want %v", path, info.Mode().Perm(), err, want)
		}
	}
}

// A misread file lets nobody in, and nobody writes over it.
func TestUnreadableFile(t *testing.T) {
	const good = `{"name":"a","senders":["a"],"channels":[],"read_only":false,"created":"2026-01-01T00:00:00Z","hash":"sha256:` + "%064x" + `"}`
	one := fmt.Sprintf(good, 7)
	for name, content := range map[string]string{
		"empty":                  "",
		"cut":                    `{"version":1,"tokens":[` + one,
		"something after it":     `{"version":1,"tokens":[]}{}`,
		"a newer version":        `{"version":2,"tokens":[]}`,
		"an unknown restriction": `{"version":1,"tokens":[` + strings.Replace(one, `"read_only"`, `"hours":"9-17","read_only"`, 1) + `]}`,
		"no hash":                `{"version":1,"tokens":[{"name":"a"}]}`,
		"a hash of nothing":      `{"version":1,"tokens":[` + fmt.Sprintf(good, 0) + `]}`,
		"a short hash":           `{"version":1,"tokens":[` + strings.Replace(one, "sha256:00", "sha256:", 1) + `]}`,
		"another hash":           `{"version":1,"tokens":[` + strings.Replace(one, "sha256:", "sha1:", 1) + `]}`,
		"an empty sender":        `{"version":1,"tokens":[` + strings.Replace(one, `["a"]`, `["a",""]`, 1) + `]}`,
		"one name twice":         `{"version":1,"tokens":[` + one + "," + fmt.Sprintf(good, 8) + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), token.File)
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			s := token.Open(path)
			if a, err := s.Access(""); a != nil || err == nil || errors.As(err, new(*relay.Error)) {
				t.Errorf("Access: got %+v, %v, want an error that is not the client's", a, err)
			}
			if _, _, err := s.List(); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("List: got %v, want an error that names the file", err)
			}
			if _, err := s.New(token.Token{Name: "b"}); err == nil {
				t.Error("New: wrote over a file that it could not read")
			}
			if b, err := os.ReadFile(path); err != nil || string(b) != content {
				t.Errorf("the file: got %q, %v, want it as it was", b, err)
			}
		})
	}
}

func TestWhatCannotBeMade(t *testing.T) {
	s := token.Open(file(t))
	mint(t, s, token.Token{Name: "taken"})
	for name, tok := range map[string]token.Token{
		"no name":            {},
		"a control in it":    {Name: "a\nb"},
		"no UTF-8":           {Name: "a\xff"},
		"too long":           {Name: strings.Repeat("x", relay.MaxNameChars+1)},
		"the same name":      {Name: " taken "},
		"an empty sender":    {Name: "x", Senders: []string{""}},
		"an empty channel":   {Name: "x", Channels: []string{"a", " "}},
		"a sender with bell": {Name: "x", Senders: []string{"\a"}},
	} {
		if _, err := s.New(tok); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if _, err := s.Revoke("nobody"); !errors.Is(err, token.ErrNoSuchToken) {
		t.Errorf("Revoke: got %v, want ErrNoSuchToken", err)
	}
	if all, _, err := s.List(); len(all) != 1 || err != nil {
		t.Errorf("List: got %v, %v, want one token", all, err)
	}
}

// Processes that make tokens at the same time lose none of them.
func TestConcurrentChanges(t *testing.T) {
	path := file(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			s := token.Open(path)
			secret, err := s.New(token.Token{Name: fmt.Sprint("t", i)})
			if err != nil {
				t.Errorf("New: %v", err)
				return
			}
			if _, err := s.Access(secret); err != nil {
				t.Errorf("Access right after New: %v", err)
			}
		})
	}
	wg.Wait()
	if all, on, err := token.Open(path).List(); len(all) != 20 || !on || err != nil {
		t.Errorf("List: got %d tokens, %v, want 20", len(all), err)
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"version":1,"tokens":[]}`))
	f.Add([]byte(`{"version":1,"tokens":[{"name":"a","hash":"sha256:` + strings.Repeat("ab", 32) + `"}]}`))
	f.Add([]byte(`{"version":1,"tokens":[{"name":"a","hash":null,"expires":"x"}]}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(dir, token.File)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		s := token.Open(path)
		if a, err := s.Access("rly_guess"); a != nil || err == nil {
			t.Errorf("Access of %q: got %+v, %v, want nobody let in", content, a, err)
		}
	})
}
