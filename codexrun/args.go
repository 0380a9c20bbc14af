package codexrun

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// schemaFile is the name of the answer's schema in RunDir.
const schemaFile = "schema.json"

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// Args is the command line of a run without the program's name. Every flag
// stands before the subcommand, which is the one order that all supported
// versions take, and the prompt comes from stdin. It starts nothing and writes
// nothing; it reads the .git entries at and above Dir, to know by which names
// Codex would trust the repository, and looks whether the profile exists. An
// error means that the spec cannot be run.
func Args(spec Spec) ([]string, error) {
	if err := checkSpec(spec); err != nil {
		return nil, err
	}
	t, err := settings(spec, TrustKeys(spec.Dir))
	if err != nil {
		return nil, err
	}
	config, err := t.flags()
	if err != nil {
		return nil, err
	}
	args := []string{"exec", "--json", "--color", "never", "--skip-git-repo-check", "-C", spec.Dir}
	args = append(args, sandboxFlags(spec.Sandbox)...)
	if spec.Model != "" {
		args = append(args, "-m", spec.Model)
	}
	if spec.Profile != "" {
		args = append(args, "-p", spec.Profile)
	}
	if len(spec.Schema) > 0 {
		args = append(args, "--output-schema", filepath.Join(spec.RunDir, schemaFile))
	}
	// Of two -c for one key the last holds, so ours come after the user's.
	args = append(args, spec.ExtraArgs...)
	args = append(args, config...)
	return append(args, subcommand(spec)...), nil
}

// sandboxFlags always names the mode: without it a repository that the user
// trusts would be writable, and a resumed thread does not remember its own.
func sandboxFlags(s Sandbox) []string {
	switch s {
	case Bypass:
		return []string{"--dangerously-bypass-approvals-and-sandbox"}
	case "":
		return []string{"-s", string(ReadOnly)}
	}
	return []string{"-s", string(s)}
}

func subcommand(spec Spec) []string {
	switch {
	case spec.Resume != "":
		return []string{"resume", spec.Resume, "-"}
	case spec.Fork != "":
		return []string{"fork", spec.Fork, "-"}
	}
	return []string{"-"}
}

func checkSpec(spec Spec) error {
	if !filepath.IsAbs(spec.Dir) {
		return fmt.Errorf("the working directory %q is not absolute", spec.Dir)
	}
	if len(spec.Schema) > 0 && spec.RunDir == "" {
		return errors.New("a schema needs a folder for the run's files")
	}
	for _, arg := range spec.ExtraArgs {
		if arg == "--" {
			return errors.New(`extra_args must not hold "--": what follows would be taken for the prompt`)
		}
	}
	for _, check := range []func(Spec) error{checkSandbox, checkThread, checkMCP, checkProfile} {
		if err := check(spec); err != nil {
			return err
		}
	}
	return nil
}

func checkSandbox(spec Spec) error {
	switch spec.Sandbox {
	case "", ReadOnly:
		if spec.Network {
			return errors.New("network access needs the sandbox workspace-write: codex has no switch for it in read-only")
		}
	case WorkspaceWrite, DangerFullAccess, Bypass:
	default:
		return fmt.Errorf("unknown sandbox %q", spec.Sandbox)
	}
	return nil
}

// checkThread refuses ids that are no UUIDs: Codex takes them for names and,
// when it knows none, starts a new thread without a word.
func checkThread(spec Spec) error {
	if spec.Resume != "" && spec.Fork != "" {
		return errors.New("a thread can be resumed or forked, not both")
	}
	for _, id := range []string{spec.Resume, spec.Fork} {
		if id != "" && !uuid.MatchString(id) {
			return fmt.Errorf("thread id %q is not a UUID", id)
		}
	}
	if spec.Fork != "" && !spec.Binary.Capabilities().Fork {
		return fmt.Errorf("codex %s cannot fork a thread", spec.Binary.Version)
	}
	return nil
}

func checkMCP(spec Spec) error {
	m := spec.MCP
	if m == nil {
		return nil
	}
	if !isBareKey(m.Name) {
		return fmt.Errorf("the MCP server name %q is not made of letters, digits, - and _", m.Name)
	}
	for _, name := range m.secrets() {
		if !isBareKey(name) {
			return fmt.Errorf("%q is no name for an environment variable", name)
		}
	}
	return nil
}

// checkProfile exists because Codex runs without a word when a profile's file
// is missing.
func checkProfile(spec Spec) error {
	if spec.Profile == "" {
		return nil
	}
	if !isBareKey(spec.Profile) {
		return fmt.Errorf("the profile name %q is not made of letters, digits, - and _", spec.Profile)
	}
	home := codexHome(spec.Env)
	file := filepath.Join(home, spec.Profile+".config.toml")
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	if !spec.Binary.Capabilities().ProfileFiles && hasProfileTable(home, spec.Profile) {
		return nil
	}
	return fmt.Errorf("profile %q: there is no %s", spec.Profile, file)
}

func hasProfileTable(home, profile string) bool {
	data, err := os.ReadFile(filepath.Join(home, "config.toml"))
	if err != nil {
		return false
	}
	header := regexp.MustCompile(`(?m)^\s*\[\s*profiles\s*\.\s*"?` + regexp.QuoteMeta(profile) + `"?\s*[.\]]`)
	return header.Match(data)
}
