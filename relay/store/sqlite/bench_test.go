package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"autoreview/relay"
	"autoreview/relay/store/sqlite"
)

var benchText = strings.Repeat("0123456789abcdef", 27) // 432 bytes

// BenchmarkAppend measures durable posts. The floor is one append and fsync of
// the same bytes to a plain file in the same folder, measured in the same run;
// x-floor is how many times faster than that one writer the store is.
func BenchmarkAppend(b *testing.B) {
	var floor float64 // appends per second
	b.Run("floor", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		for b.Loop() {
			if _, err := f.WriteString(benchText); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
		floor = perSecond(b)
		b.ReportMetric(floor, "msg/s")
	})
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint("writers=", writers), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "relay.db"), sqlite.Options{})
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			b.ResetTimer()
			for w := range writers {
				wg.Go(func() {
					d := relay.Draft{Target: fmt.Sprint("c", w%50), Sender: "claude", Text: benchText}
					for left.Add(-1) >= 0 {
						if _, err := s.Append(b.Context(), d); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(perSecond(b), "msg/s")
			b.ReportMetric(float64(b.N)/float64(s.Commits()), "msg/commit")
			if floor > 0 {
				b.ReportMetric(perSecond(b)/floor, "x-floor")
			}
		})
	}
}

func perSecond(b *testing.B) float64 { return float64(b.N) / b.Elapsed().Seconds() }

// BenchmarkRead measures reads of a log of 200,000 messages in 50 channels.
func BenchmarkRead(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "relay.db"), sqlite.Options{})
	const size = 200_000
	in := make([]relay.Message, size)
	for i := range in {
		in[i] = relay.Message{TS: float64(i), Target: fmt.Sprint("c", i%50), Sender: "claude", Text: benchText}
	}
	if _, err := s.Import(b.Context(), in); err != nil {
		b.Fatal(err)
	}
	many := make([]string, 50)
	for i := range many {
		many[i] = fmt.Sprint("c", i)
	}
	for _, bb := range []struct {
		name string
		q    relay.Query
	}{
		{"the newest 100 of a channel", relay.Query{Targets: many[:1], Newest: true, Limit: 100}},
		{"the oldest 100 of a channel", relay.Query{Targets: many[:1], Limit: 100}},
		{"the newest 100 of 50 channels", relay.Query{Targets: many, Newest: true, Limit: 100}},
		{"the newest 100 of all", relay.Query{Newest: true, Limit: 100}},
		{"nothing by a sender from the start", relay.Query{Targets: many[:1], Senders: []string{"codex"}, Limit: 100}},
		{"nothing by a sender after the head", relay.Query{Targets: many[:1], Senders: []string{"claude"}, Since: size, Limit: 100}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				p, err := s.Read(b.Context(), bb.q)
				if err != nil {
					b.Fatal(err)
				}
				if got, want := len(p.Messages), 100; got != want && !strings.HasPrefix(bb.name, "nothing") {
					b.Fatalf("messages: got %d, want %d", got, want)
				}
			}
		})
	}
}
