package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"autoreview/relay"
	"autoreview/relay/store/sqlite"
)

// held runs a test with a store whose writer is stopped. After settle all
// goroutines that post are in the queue.
func held(t *testing.T, run func(t *testing.T, s *sqlite.Store, settle, release func())) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, filepath.Join(t.TempDir(), "relay.db"), sqlite.Options{})
		run(t, s, synctest.Wait, s.Hold())
	})
}

func draft(text string) relay.Draft { return relay.Draft{Target: "a", Sender: "s", Text: text} }

// Writers that wait together share one commit, at most 256 of them.
func TestQueuedPostsShareACommit(t *testing.T) {
	for posts, want := range map[int]int64{1: 1, 64: 1, 256: 1, 300: 2} {
		t.Run(fmt.Sprint(posts), func(t *testing.T) {
			held(t, func(t *testing.T, s *sqlite.Store, settle, release func()) {
				var wg sync.WaitGroup
				for i := range posts {
					wg.Go(func() {
						if _, err := s.Append(t.Context(), draft(fmt.Sprint(i))); err != nil {
							t.Errorf("Append: %v", err)
						}
					})
				}
				settle()
				before := s.Commits()
				release()
				wg.Wait()
				// The task that held the writer has a commit of its own.
				if got := s.Commits() - before - 1; got != want {
					t.Errorf("commits of %d posts: got %d, want %d", posts, got, want)
				}
			})
		})
	}
}

// A refused draft fails nobody else in its batch.
func TestBadDraftFailsAlone(t *testing.T) {
	held(t, func(t *testing.T, s *sqlite.Store, settle, release func()) {
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				d := draft(fmt.Sprint(i))
				if i == 5 {
					d.ReplyTo = 1000
				}
				_, err := s.Append(t.Context(), d)
				if refused := err != nil; refused != (i == 5) {
					t.Errorf("Append %d: got %v", i, err)
				}
			})
		}
		settle()
		release()
		wg.Wait()
		if info, err := s.Info(t.Context()); err != nil || info.Head != 9 {
			t.Errorf("Info: got %+v, %v, want head 9", info, err)
		}
	})
}

// A queued post is stored and answered, whatever becomes of its request.
func TestQueuedPostOutlivesItsRequest(t *testing.T) {
	held(t, func(t *testing.T, s *sqlite.Store, settle, release func()) {
		ctx, cancel := context.WithCancel(t.Context())
		answered := make(chan error, 1)
		go func() {
			_, err := s.Append(ctx, draft("t"))
			answered <- err
		}()
		settle()
		cancel()
		settle()
		select {
		case err := <-answered:
			t.Fatalf("Append was answered before its commit: %v", err)
		default:
		}
		release()
		if err := <-answered; err != nil {
			t.Errorf("Append: %v", err)
		}
		if info, err := s.Info(t.Context()); err != nil || info.Head != 1 {
			t.Errorf("Info: got %+v, %v, want head 1", info, err)
		}
	})
}

// A check that is queued behind a slow disk ends with its request.
func TestCheckEndsWithItsRequest(t *testing.T) {
	held(t, func(t *testing.T, s *sqlite.Store, settle, release func()) {
		defer release()
		cause := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		answered := make(chan error, 1)
		go func() { answered <- s.Check(ctx) }()
		settle()
		cancel(cause)
		if err := <-answered; !errors.Is(err, cause) {
			t.Errorf("Check: got %v, want the cause", err)
		}
	})
}

// Close answers what is queued and refuses what comes later.
func TestCloseDrains(t *testing.T) {
	held(t, func(t *testing.T, s *sqlite.Store, settle, release func()) {
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := s.Append(t.Context(), draft("t")); err != nil {
					t.Errorf("queued Append: %v", err)
				}
			})
		}
		settle()
		wg.Go(func() {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		settle()
		var refusal *relay.Error
		if _, err := s.Append(t.Context(), draft("t")); !errors.As(err, &refusal) || refusal.Code != relay.CodeUnavailable {
			t.Errorf("Append after Close began: got %v, want an unavailable error", err)
		}
		release()
		wg.Wait()
	})
}

// A post that arrives while the log is pruned waits for one small transaction,
// not for all of it; so it does while another log is imported.
func TestPostGoesBetweenSteps(t *testing.T) {
	t.Run("prune", func(t *testing.T) {
		held(t, func(t *testing.T, s *sqlite.Store, settle, release func()) {
			release()
			if _, err := s.Import(t.Context(), messages(2000, "t")); err != nil {
				t.Fatalf("Import: %v", err)
			}
			count := postDuring(t, s, settle, func() error {
				n, err := s.Prune(t.Context(), relay.Retention{MaxMessages: 10})
				if n != 1991 { // of the 2000, and the post came before the end
					t.Errorf("Prune: got %d, want 1991", n)
				}
				return err
			})
			if count != 1501 {
				t.Errorf("messages at the post's commit: got %d, want 1501", count)
			}
		})
	})
	t.Run("import", func(t *testing.T) {
		held(t, func(t *testing.T, s *sqlite.Store, settle, release func()) {
			release()
			count := postDuring(t, s, settle, func() error {
				// The fourth text fills the first transaction.
				_, err := s.Import(t.Context(), messages(10, strings.Repeat("x", 1<<20)))
				return err
			})
			if count != 5 {
				t.Errorf("messages at the post's commit: got %d, want 5", count)
			}
		})
	})
}

// postDuring starts work, queues a post behind its first step and returns how
// many messages there were when the post was committed.
func postDuring(t *testing.T, s *sqlite.Store, settle func(), work func() error) int64 {
	t.Helper()
	release := s.Hold()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := work(); err != nil {
			t.Errorf("work: %v", err)
		}
	})
	settle()
	wg.Go(func() {
		if _, err := s.Append(t.Context(), draft("posted meanwhile")); err != nil {
			t.Errorf("Append: %v", err)
		}
	})
	settle()
	count := s.Probe()
	release()
	wg.Wait()
	return count()
}

func messages(n int, text string) []relay.Message {
	out := make([]relay.Message, n)
	for i := range out {
		out[i] = relay.Message{
			ID: int64(i + 1), TS: float64(i), Target: fmt.Sprint("c", i%7), Sender: fmt.Sprint("s", i%3),
			Text: text, Key: fmt.Sprint("import/", i),
		}
	}
	return out
}
