package codexrun

import (
	"path/filepath"
	"strconv"
	"strings"
)

// Binary is a codex that can be started.
type Binary struct {
	// Path is what is executed: the native binary where it could be found,
	// else what was asked for.
	Path string
	// Version is as `codex --version` prints it, e.g. "0.169.0".
	Version string
}

// MinVersion is the oldest Codex that this package supports: the versions
// before it start a new thread without a word when the one to resume is
// unknown, or hang on a tool call that nobody can approve.
const MinVersion = "0.120.0"

// NewestVersion is the newest Codex that this package was tried with. A newer
// one is expected to work and may have changed something.
const NewestVersion = "0.169.0"

// Supported says whether the version is MinVersion or newer.
func (b Binary) Supported() bool { return b.AtLeast(0, 120) }

// Capabilities are the differences between versions that the command line has
// to know. There are few because it keeps to what every supported version
// takes: all flags before the subcommand, features switched by -c (where an
// unknown one is ignored, while --disable refuses it), and approval given both
// by default and for each tool.
type Capabilities struct {
	// Fork: `codex exec fork ID` exists. Seen in 0.150.0, not in 0.145.0.
	Fork bool
	// ProfileFiles: a profile is a file NAME.config.toml in CODEX_HOME and no
	// longer a table of config.toml. Seen in 0.136.0.
	ProfileFiles bool
}

// Capabilities looks the version up.
func (b Binary) Capabilities() Capabilities {
	return Capabilities{
		Fork:         b.AtLeast(0, 150),
		ProfileFiles: b.AtLeast(0, 136),
	}
}

// AtLeast compares major and minor. A build from source calls itself 0.0.0 and
// counts as newer than every release.
func (b Binary) AtLeast(major, minor int) bool {
	gotMajor, gotMinor, ok := parseVersion(b.Version)
	if !ok {
		return false
	}
	if strings.HasPrefix(b.Version, "0.0.0") {
		return true
	}
	return gotMajor > major || gotMajor == major && gotMinor >= minor
}

func parseVersion(v string) (major, minor int, ok bool) {
	parts := strings.SplitN(v, ".", 3)
	if len(parts) < 3 {
		return 0, 0, false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return major, minor, err1 == nil && err2 == nil
}

// helperDir is the folder of programs (ripgrep) that the npm wrapper of older
// versions put on PATH for a binary in .../vendor/TRIPLE/codex/codex; "" where
// there is none. Newer binaries find theirs by themselves.
func (b Binary) helperDir() string {
	dir := filepath.Dir(b.Path)
	if filepath.Base(dir) != "codex" {
		return ""
	}
	helpers := filepath.Join(filepath.Dir(dir), "path")
	if !isDir(helpers) {
		return ""
	}
	return helpers
}
