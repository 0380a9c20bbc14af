package codexrun

// Binary is a codex that can be started.
type Binary struct {
	// Path is what is executed: the native binary where it could be found,
	// else what was asked for.
	Path string
	// Version is as `codex --version` prints it, e.g. "0.169.0".
	Version string
}
