package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"autoreview/relay"
	"autoreview/relay/store/sqlite"

	"github.com/google/go-cmp/cmp"
)

// An imported log keeps its order and times; a second import adds nothing.
func TestImport(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "relay.db"), sqlite.Options{})
	if _, err := s.Append(t.Context(), draft("was there")); err != nil {
		t.Fatalf("Append: %v", err)
	}
	in := messages(1200, "t")
	for _, want := range []int{1200, 0} {
		if n, err := s.Import(t.Context(), in); n != want || err != nil {
			t.Errorf("Import: got %d, %v, want %d", n, err, want)
		}
	}
	for first := range 3 {
		p, err := s.Read(t.Context(), relay.Query{Since: int64(1 + 400*first), Limit: 400})
		if err != nil {
			t.Fatalf("Read: %v", err)
		}
		want := in[400*first:][:400]
		for i := range want {
			want[i].ID++
		}
		if diff := cmp.Diff(want, p.Messages); diff != "" {
			t.Fatalf("messages (-want +got):\n%s", diff)
		}
	}
}

// A reply follows its message to the new id, and names nothing otherwise.
func TestImportReplies(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "relay.db"), sqlite.Options{})
	if _, err := s.Append(t.Context(), draft("moves all ids by one")); err != nil {
		t.Fatalf("Append: %v", err)
	}
	in := []relay.Message{
		{ID: 10, Target: "a", Sender: "s", Text: "packet", Key: "1"},
		{ID: 11, Target: "a", Sender: "s", Text: "review", Key: "2", ReplyTo: 10},
		{ID: 12, Target: "b", Sender: "s", Text: "of another channel", Key: "3", ReplyTo: 10},
		{ID: 13, Target: "a", Sender: "s", Text: "of what is not here", Key: "4", ReplyTo: 1},
		{ID: 0, Target: "a", Sender: "s", Text: "without an id"},
		{ID: 0, Target: "a", Sender: "s", Text: "replies to nothing"},
	}
	if n, err := s.Import(t.Context(), in[:1]); n != 1 || err != nil {
		t.Fatalf("Import: got %d, %v, want 1", n, err)
	}
	if n, err := s.Import(t.Context(), in); n != 5 || err != nil {
		t.Fatalf("second Import: got %d, %v, want 5", n, err)
	}
	p, err := s.Read(t.Context(), relay.Query{Since: 1, Limit: 10})
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	var got []int64
	for _, m := range p.Messages {
		got = append(got, m.ReplyTo)
	}
	if diff := cmp.Diff([]int64{0, 2, 0, 0, 0, 0}, got); diff != "" {
		t.Errorf("replies (-want +got):\n%s", diff)
	}
}

// Old messages are pruned by their own time, their keys are kept from now.
func TestImportedMessagesAge(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "relay.db"), sqlite.Options{})
	in := messages(3, "t")
	in[2].TS = float64(time.Now().Unix())
	if _, err := s.Import(t.Context(), in); err != nil {
		t.Fatalf("Import: %v", err)
	}
	if n, err := s.Prune(t.Context(), relay.Retention{MaxAge: time.Hour}); n != 2 || err != nil {
		t.Errorf("Prune: got %d, %v, want 2", n, err)
	}
	if n, err := s.Import(t.Context(), in); n != 0 || err != nil {
		t.Errorf("Import of what was pruned: got %d, %v, want 0", n, err)
	}
}
