package codexrun

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// runEnv is the environment of a run.
func runEnv(base []string, spec Spec) []string {
	env := slices.DeleteFunc(slices.Clone(base), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(spec.Unset, name)
	})
	env = append(env, "PWD="+spec.Dir)
	env = append(env, spec.Env...)
	if dir := spec.Binary.helperDir(); dir != "" {
		env = append(env, "PATH="+dir+string(os.PathListSeparator)+lookupEnv(env, "PATH"))
	}
	return env
}

// EnvNames returns the names in the environment of a run, sorted.
func EnvNames(spec Spec) []string {
	var names []string
	for _, v := range runEnv(os.Environ(), withRunID(spec)) {
		if name, _, _ := strings.Cut(v, "="); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// withRunID gives the spec an id for the run, unless it has one. One in this
// process's environment is of the run that this process is part of, and does
// not count.
func withRunID(spec Spec) Spec {
	if runID(spec) == "" {
		spec.Env = append(slices.Clip(spec.Env), RunIDEnv+"="+rand.Text())
	}
	return spec
}

func runID(spec Spec) string {
	id, _ := findEnv(spec.Env, RunIDEnv)
	return id
}

// codexHome is where a run with these additions to the environment finds
// Codex's configuration and sessions.
func codexHome(env []string) string {
	if home := lookupEnv(env, "CODEX_HOME"); home != "" {
		return home
	}
	home := lookupEnv(env, "HOME")
	if home == "" {
		home, _ = os.UserHomeDir() // without one Codex does not start either
	}
	return filepath.Join(home, ".codex")
}

// lookupEnv looks in env and then in this process's environment.
func lookupEnv(env []string, name string) string {
	if value, ok := findEnv(env, name); ok {
		return value
	}
	return os.Getenv(name)
}

// findEnv is the last value of the name in env.
func findEnv(env []string, name string) (string, bool) {
	for _, v := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value, true
		}
	}
	return "", false
}
