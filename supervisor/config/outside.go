package config

import "errors"

// What others than Load need to know of these rules.

// DefaultStateDir is the private folder of the configuration file at an absolute
// path that does not say state_dir, or "" where no home folder is known. The
// file need not be there. env is os.Getenv or a replacement for it.
func DefaultStateDir(env func(string) string, path string) string {
	return stateDir(env, identify(path))
}

// CodexHome is the folder where Codex keeps its configuration, or "" where no
// home folder is known.
func CodexHome(env func(string) string) string { return codexHome(env) }

// HomeDir is the user's home folder by the environment, or "".
func HomeDir(env func(string) string) string { return homeDir(env) }

// CheckRelay returns the base URL of a relay without a trailing slash, or what is
// wrong with it as the key `relay` would say.
func CheckRelay(s string) (string, error) {
	u, wrong := checkURL(s)
	if wrong != "" {
		return "", errors.New(wrong)
	}
	return u, nil
}
