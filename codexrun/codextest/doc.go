// Package codextest lets tests and the demo run Codex without a model account.
//
// There are two ways. With Model, the scripted endpoint of package scripted, the
// real Codex CLI runs against answers that a Go func decides.
// With the fake (Fake, RunFake and the program in fakecodex) a small process
// stands in for Codex itself: it takes the same command line, prints the same
// events and can be told to hang, to crash or to fail in every way codexrun
// tells apart.
package codextest
