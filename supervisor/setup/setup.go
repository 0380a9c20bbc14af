// Package setup puts what the review loop needs into the files of a repository
// and its user, and takes it out again.
//
// Plan and Undo only look: they return each change as the bytes before and
// after, for a person to see, and every file that is left alone with the reason.
// Apply then writes. A file is never laid out anew: what the user wrote stays to
// the byte, and a second Plan has no changes. What was put in is kept in a
// Record, so that Undo gives back the same bytes as long as nobody has changed
// the file since, and otherwise takes out the meant parts alone.
package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"unicode"

	"autoreview/templates"
)

// The names under which the agents know the relay.
const (
	// ServerName is the relay's name in Codex's configuration. It is an unlikely
	// one, because a server of the user's by the same name would clash.
	ServerName = "autoreview_relay"
	// ClaudeServer is the relay's name in Claude Code's configuration; it is
	// part of the names of the tools.
	ClaudeServer = "relay"
	// TaskLabel is the label of the task in .vscode/tasks.json.
	TaskLabel = "autoreview"
)

// Options says what to set up, and where. All paths are absolute.
type Options struct {
	// Root is the folder of the repository, without symbolic links.
	Root string
	// Repository says that Root is one of git.
	Repository bool
	// Home is the user's home folder, CodexHome the one of Codex.
	Home, CodexHome string
	// GOOS is the operating system, as runtime.GOOS.
	GOOS string
	// ConfigDir is where programs of this user keep their configuration, as
	// os.UserConfigDir.
	ConfigDir string
	// Read returns the content of a file, fs.ErrNotExist for none.
	Read func(path string) ([]byte, error)

	// Program is how a task starts autoreview: a name to look up in PATH, or a
	// path. ProgramPath and RelayPath are the paths of autoreview and of relay.
	Program, ProgramPath, RelayPath string
	// ServiceEnv is what a service has to be told, as NAME=value.
	ServiceEnv []string

	// Channel, Relay and TokenEnv are what a new autoreview.toml says. One that
	// is there is followed; saying something else is a problem. "" is the
	// default: the repository's name, DefaultRelay, no token.
	Channel, Relay, TokenEnv string
	// ClaudeTokenEnv names the variable with Claude Code's own token, which may
	// post as claude and not as the reviewer; "" is what its file says already,
	// or else TokenEnv.
	ClaudeTokenEnv string

	// What is not always wanted.
	Network, Trust, RemoveStale        bool
	Copilot, Desktop, Service          bool
	NoVSCode, VSCodeSettings, NoClaude bool

	// Record is what earlier runs put in.
	Record Record
}

// Change is a file that is to be written or removed.
type Change struct {
	// Path is the file as it is known to its readers; Name is shorter, for
	// people.
	Path, Name string
	// Before and After are its content. Existed says that there is a file, and
	// Remove that there is to be none.
	Before, After   []byte
	Existed, Remove bool
	// Private files are readable by the user alone when they are made.
	Private bool
	// Why has one line for each thing that is changed.
	Why []string

	edit *Edit
}

// Problem is a file, or a part of it, that was left as it is.
type Problem struct {
	// Name is the file, as in Change.
	Name string
	Text string
}

// String returns "name: text".
func (p Problem) String() string { return p.Name + ": " + p.Text }

// Result is what Plan and Undo found.
type Result struct {
	Changes  []Change
	Problems []Problem
	// Notes are worth knowing, and change nothing.
	Notes []string
	// Site is what the agents are told.
	Site templates.Site
	// Stale are settings of the original's that no program reads, and that
	// RemoveStale takes out.
	Stale []string

	// Kept is the record as Apply leaves it.
	Kept Record
	undo bool
}

// planner collects a Result.
type planner struct {
	Options
	Result
	drafts []*draft
	// present are the parts that were there already.
	present []located
	config  string // of the repository: autoreview.toml
}

// Plan finds out what has to be changed so that the loop works. It writes
// nothing.
func Plan(o Options) Result {
	p := newPlanner(o)
	p.planAll()
	return p.finish()
}

func newPlanner(o Options) *planner {
	return &planner{Options: o, config: filepath.Join(o.Root, "autoreview.toml")}
}

func (p *planner) planAll() {
	if strings.ContainsFunc(p.Root, unicode.IsControl) {
		p.problem(p.Root, "has a control character in its path, which configuration files cannot hold")
		return
	}
	p.site()
	p.codexProject()
	p.codexUser()
	p.claude()
	p.vscode()
	p.copilot()
	p.desktop()
	p.ignore()
	p.service()
}

func (p *planner) finish() Result {
	p.Kept = p.Record
	for _, d := range p.drafts {
		if c, ok := d.change(); ok {
			p.Changes = append(p.Changes, c)
			p.Kept.Edits = append(p.Kept.Edits, c.edit)
		}
	}
	return p.Result
}

func (p *planner) problem(path, text string) {
	found := Problem{Name: p.name(path), Text: text}
	for _, have := range p.Problems {
		if have == found {
			return
		}
	}
	p.Problems = append(p.Problems, found)
}

func (p *planner) note(format string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, args...))
}

func (p *planner) at(elem ...string) string {
	return filepath.Join(append([]string{p.Root}, elem...)...)
}

// name is a path for people: below the repository or the home folder.
func (p *planner) name(path string) string {
	if rel, err := filepath.Rel(p.Root, path); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	if rel, err := filepath.Rel(p.Home, path); err == nil && p.Home != "" && filepath.IsLocal(rel) {
		return "~/" + filepath.ToSlash(rel)
	}
	return path
}

// maxFile is more than any file that people write by hand.
const maxFile = 4 << 20

func (p *planner) read(path string) (content []byte, exists bool, err error) {
	content, err = p.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case len(content) > maxFile:
		return nil, false, fmt.Errorf("is larger than %d MB", maxFile>>20)
	}
	return content, true, nil
}
