// Fakecodex stands in for the Codex CLI where the real one is not to be had:
// the demo without npm uses it and says so. It takes the command line of
// `codex exec` and behaves as the variables of package codextest say.
package main

import "autoreview/codexrun/codextest"

func main() { codextest.FakeMain() }
