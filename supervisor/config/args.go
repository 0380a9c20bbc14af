package config

import (
	"maps"
	"slices"
	"strings"
)

// owned are the flags of `codex exec` that the supervisor sets itself, with what
// to use instead. Codex refuses most of them when they are given twice.
var owned = map[string]string{
	"-s": "sandbox", "--sandbox": "sandbox",
	"-C": "workdir", "--cd": "workdir",
	"-m": "model", "--model": "model",
	"-p": "profile", "--profile": "profile",
	"-c": "config", "--config": "config",
	"--full-auto": `sandbox = "workspace-write"`,
	"--dangerously-bypass-approvals-and-sandbox": `sandbox = "bypass"`,
	"--yolo": `sandbox = "bypass"`,
	"-a":     "", "--ask-for-approval": "", "--approve-for-me": "",
	"--json": "", "--color": "", "-o": "", "--output-last-message": "", "--output-schema": "",
	"--skip-git-repo-check": "", "--ephemeral": "", "--worktree": "workdir",
	"--trust": `project_config = "use"`,
	"-h":      "", "--help": "", "-V": "", "--version": "", "--": "",
	"-": "",
}

// valued are the remaining flags that take a value in an argument of its own.
var valued = []string{"--enable", "--disable", "-i", "--image", "--local-provider", "--add-dir", "--thread-source", "--cyber-access-program"}

// extraArgs reads flags to pass on verbatim.
func (t *table) extraArgs() []string {
	args := t.strs("extra_args", nil)
	if len(args) == 0 {
		return nil
	}
	for i, arg := range args {
		if i > 0 && takesValue(args[i-1]) && !strings.HasPrefix(arg, "-") {
			continue
		}
		if wrong := checkArg(arg); wrong != "" {
			t.problem("extra_args", "%q %s", shorten(arg), wrong)
		}
	}
	return args
}

// takesValue reports whether the next argument may belong to this one. A word
// after a flag of ours has been reported with the flag.
func takesValue(arg string) bool {
	_, ours := owned[arg]
	return ours || slices.Contains(valued, arg)
}

// checkArg returns why an argument cannot be passed on, or "".
func checkArg(arg string) string {
	flag := arg
	if long, _, ok := strings.Cut(arg, "="); ok && strings.HasPrefix(arg, "--") {
		flag = long
	} else if len(arg) > 2 && arg[0] == '-' && arg[1] != '-' {
		flag = arg[:2] // -sread-only
	}
	instead, taken := owned[flag]
	switch {
	case taken && instead != "":
		return "is set by the supervisor; use the key " + instead
	case taken:
		return "is set by the supervisor, which relies on it"
	case arg == "resume" || arg == "fork":
		return "is set by the supervisor; use the key session"
	case arg == "review":
		return "is another mode of Codex, whose answer has no form that can be checked; change the prompt with the key template"
	case !strings.HasPrefix(arg, "-"):
		return "would be taken for the prompt, which the supervisor gives; use the key template"
	case strings.ContainsRune(arg, 0):
		return "holds a zero byte"
	}
	return ""
}

// ownedConfig are the settings of Codex that the supervisor passes by -c, with
// what to use instead.
var ownedConfig = map[string]string{
	"projects":                               `use the key project_config`,
	"mcp_servers.autoreview_relay":           `use deliver = "mcp"`,
	"sandbox_mode":                           `use the key sandbox`,
	"sandbox_workspace_write.network_access": `use the key network_access`,
	"approval_policy":                        `nobody is there to approve anything`,
	"model":                                  `use the key model`,
	"profile":                                `use the key profile`,
	"features.plugins":                       `use the key plugins`,
}

// codexConfig reads the table config.
func (t *table) codexConfig() map[string]any {
	m, ok := read[map[string]any](t, "config", "a table of Codex settings")
	if !ok || len(m) == 0 {
		return nil
	}
	for _, leaf := range slices.Sorted(maps.Keys(leaves("", m))) {
		for key, instead := range ownedConfig {
			if leaf == key || strings.HasPrefix(leaf, key+".") {
				t.problem("config", "%s is set by the supervisor; %s", shorten(leaf), instead)
			}
		}
	}
	return m
}

// leaves returns the dotted paths of a table, whether they were written as
// sub-tables or as one quoted key. A path that ends in an empty table counts.
func leaves(prefix string, m map[string]any) map[string]bool {
	paths := map[string]bool{}
	for key, value := range m {
		path := prefix + strings.TrimSpace(key)
		sub, ok := value.(map[string]any)
		if !ok || len(sub) == 0 {
			paths[path] = true
			continue
		}
		maps.Copy(paths, leaves(path+".", sub))
	}
	return paths
}
