package config

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"runtime"
)

// homeDir is the user's home folder by the environment, or "".
func homeDir(env func(string) string) string {
	if h := env("HOME"); h != "" {
		return h
	}
	return env("USERPROFILE")
}

// stateHome is the folder where programs keep their state, or "".
func stateHome(env func(string) string) string {
	variable, belowHome := "XDG_STATE_HOME", ".local/state"
	switch runtime.GOOS {
	case "darwin":
		variable, belowHome = "", "Library/Application Support"
	case "windows":
		variable, belowHome = "LOCALAPPDATA", "AppData/Local"
	}
	if dir := env(variable); variable != "" && filepath.IsAbs(dir) {
		return dir
	}
	if home := homeDir(env); home != "" {
		return filepath.Join(home, filepath.FromSlash(belowHome))
	}
	return ""
}

// stateDir is the default of state_dir for what identity names. The hash is
// short because the path of a control socket in it is limited to 104 bytes.
func stateDir(env func(string) string, identity string) string {
	home := stateHome(env)
	if home == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(identity))
	return filepath.Join(home, "autoreview", hex.EncodeToString(sum[:])[:12])
}

// identify returns a name for a file that is the same by whichever links it is
// reached, so that two ways to it are not two supervisors.
func identify(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// codexHome is where Codex keeps its configuration, or "".
func codexHome(env func(string) string) string {
	if dir := env("CODEX_HOME"); dir != "" {
		return dir
	}
	if home := homeDir(env); home != "" {
		return filepath.Join(home, ".codex")
	}
	return ""
}
