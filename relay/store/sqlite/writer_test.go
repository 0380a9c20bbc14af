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

// Large posts share a commit up to 16 MiB.
func TestLargePostsShareLess(t *testing.T) {
	held(t, func(t *testing.T, s *sqlite.Store, settle, release func()) {
		d := draft(strings.Repeat("x", 4<<20))
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if _, err := s.Append(t.Context(), d); err != nil {
					t.Errorf("Append: %v", err)
				}
			})
		}
		settle()
		before := s.Commits()
		release()
		wg.Wait()
		if got := s.Commits() - before - 1; got != 2 {
			t.Errorf("commits of 5 posts of 4 MiB: got %d, want 2", got)
		}
	})
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
	large := messages(10, strings.Repeat("x", 1<<20))
	imports := func(in []relay.Message) func(*sqlite.Store, context.Context) (int, error) {
		return func(s *sqlite.Store, ctx context.Context) (int, error) { return s.Import(ctx, in) }
	}
	prunes := func(s *sqlite.Store, ctx context.Context) (int, error) {
		return s.Prune(ctx, relay.Retention{MaxMessages: 3})
	}
	for _, tt := range []struct {
		name     string
		before   []relay.Message
		work     func(*sqlite.Store, context.Context) (int, error)
		wantDone int
		wantSeen int64 // messages when the post was committed, with it
	}{
		{"prune 2000", messages(2000, "t"), prunes, 1997, 1501},
		{"prune 10 MiB", large, prunes, 7, 7},
		{"import 2000", nil, imports(messages(2000, "t")), 2000, 501},
		{"import 10 MiB", nil, imports(large), 10, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			held(t, func(t *testing.T, s *sqlite.Store, settle, release func()) {
				release()
				if _, err := s.Import(t.Context(), tt.before); err != nil {
					t.Fatalf("Import: %v", err)
				}
				seen := postDuring(t, s, settle, func() {
					if n, err := tt.work(s, t.Context()); n != tt.wantDone || err != nil {
						t.Errorf("%s: got %d, %v, want %d", tt.name, n, err, tt.wantDone)
					}
				})
				if seen != tt.wantSeen {
					t.Errorf("messages at the post's commit: got %d, want %d", seen, tt.wantSeen)
				}
			})
		})
	}
}

// postDuring starts work, queues a post behind its first step and returns how
// many messages there were when the post was committed.
func postDuring(t *testing.T, s *sqlite.Store, settle, work func()) int64 {
	t.Helper()
	release := s.Hold()
	var wg sync.WaitGroup
	wg.Go(work)
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
