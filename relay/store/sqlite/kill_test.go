package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"autoreview/relay"
	"autoreview/relay/store/sqlite"
)

// childEnv holds the path of the store that this process, started again as a
// child, fills until it is killed.
const childEnv = "SQLITE_TEST_FILL"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		if err := fillStore(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// fillStore posts from many writers, for ever, and checks now and then. After
// each answer it prints a line with the id and the text.
func fillStore(path string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for w := range 16 {
		go func() {
			for i := 0; ; i++ {
				d := relay.Draft{Target: fmt.Sprint("c", w%5), Sender: fmt.Sprint("s", w), Text: fmt.Sprintf("%d/%d/%d", os.Getpid(), w, i)}
				if i%3 == 0 {
					d.Key = d.Text
				}
				p, err := s.Append(ctx, d)
				if err != nil {
					failed <- err
					return
				}
				// One write for one line: the lines of the writers stay whole.
				fmt.Fprintf(os.Stdout, "%d %s\n", p.ID, d.Text)
				if w == 0 && i%20 == 0 {
					if err := s.Check(ctx); err != nil {
						failed <- err
						return
					}
				}
			}
		}()
	}
	return <-failed
}

// Whatever was acknowledged is there after kill -9, ids only go up, also over
// restarts, and the file is sound.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.db")
	acked := make(map[int64]string)
	var head int64
	for round := range 8 {
		for id, text := range fillAndKill(t, path, 150+50*round) {
			if id <= head {
				t.Fatalf("round %d: id %d was given out, but the head was %d before", round, id, head)
			}
			acked[id] = text
		}
		s := open(t, path, sqlite.Options{})
		wantIntact(t, s)
		head = wantAll(t, s, acked)
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	t.Logf("%d posts acknowledged, head %d", len(acked), head)
}

// fillAndKill runs a child until it has acknowledged so many posts, kills it
// and returns all that it has acknowledged by then.
func fillAndKill(t *testing.T, path string, posts int) map[int64]string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), childEnv+"="+path)
	var stderr strings.Builder
	child.Stderr = &stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	kill := sync.OnceFunc(func() { child.Process.Kill() })
	defer child.Wait()
	defer kill()
	acked := make(map[int64]string)
	for r := bufio.NewReader(out); ; {
		line, err := r.ReadString('\n')
		if err == io.EOF {
			break // what the kill cut off was not acknowledged
		}
		var id int64
		var text string
		if _, scanErr := fmt.Sscan(line, &id, &text); err != nil || scanErr != nil {
			t.Fatalf("line %q: %v, %v", line, err, scanErr)
		}
		if was, ok := acked[id]; ok {
			t.Fatalf("id %d was given to %q and %q", id, was, text)
		}
		if acked[id] = text; len(acked) == posts {
			kill()
		}
	}
	if len(acked) < posts {
		t.Fatalf("the child ended after %d posts: %s", len(acked), stderr.String())
	}
	return acked
}

// wantAll wants every acknowledged post in the store, ids without a gap and
// the counters right. It returns the head.
func wantAll(t *testing.T, s *sqlite.Store, acked map[int64]string) int64 {
	t.Helper()
	stored := make(map[int64]string)
	var since int64
	for {
		p, err := s.Read(t.Context(), relay.Query{Since: since, Limit: relay.MaxLimit})
		if err != nil {
			t.Fatalf("Read: %v", err)
		}
		for _, m := range p.Messages {
			if m.ID != since+1 {
				t.Errorf("after id %d: got %d, want the next", since, m.ID)
			}
			since = m.ID
			stored[m.ID] = m.Text
		}
		if len(p.Messages) == 0 {
			if p.Head != since {
				t.Errorf("Head: got %d, want %d", p.Head, since)
			}
			break
		}
	}
	for id, text := range acked {
		if stored[id] != text {
			t.Errorf("acknowledged post %d: got %q, want %q", id, stored[id], text)
		}
	}
	channels, err := s.Channels(t.Context())
	if err != nil {
		t.Fatalf("Channels: %v", err)
	}
	var count int64
	for _, c := range channels {
		count += c.Count
	}
	if count != int64(len(stored)) {
		t.Errorf("counted messages: got %d, want %d", count, len(stored))
	}
	return since
}
