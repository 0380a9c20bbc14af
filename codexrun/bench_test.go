package codexrun_test

import (
	"testing"
	"time"

	"autoreview/codexrun"
	"autoreview/codexrun/codextest"
)

// BenchmarkStart is the time from the call of Run to the recorded process and
// to the first event, for the fake and for the real Codex CLI. The fake is the
// floor: it costs a process and nothing more.
func BenchmarkStart(b *testing.B) {
	b.Run("fake", func(b *testing.B) { benchmarkStart(b, newFakeRun(b, "answer").spec) })
	b.Run("real", func(b *testing.B) {
		bin := codextest.Real(b)
		_, env := codextest.Home(b, codextest.Serve(b, codextest.Always("done")))
		benchmarkStart(b, codexrun.Spec{Binary: bin, Dir: b.TempDir(), RunDir: b.TempDir(), Prompt: "x", Env: env})
	})
}

func benchmarkStart(b *testing.B, spec codexrun.Spec) {
	var process, event time.Duration
	for b.Loop() {
		began, first := time.Now(), true
		res := codexrun.Run(b.Context(), spec, codexrun.Observer{
			Started: func(codexrun.Process) error { process += time.Since(began); return nil },
			Event: func(codexrun.Event) {
				if first {
					event += time.Since(began)
					first = false
				}
			},
		})
		if res.Class != codexrun.Completed {
			b.Fatalf("class: got %s (%s), want completed", res.Class, res.Text)
		}
	}
	b.ReportMetric(float64(process.Microseconds())/1000/float64(b.N), "ms-to-process")
	b.ReportMetric(float64(event.Microseconds())/1000/float64(b.N), "ms-to-event")
}
