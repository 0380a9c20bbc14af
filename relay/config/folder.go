package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// home is the user's home folder. The environment is asked through env, so
// that a test can have one of its own.
func home(env func(string) (string, bool)) (string, error) {
	name := "HOME"
	if runtime.GOOS == "windows" {
		name = "USERPROFILE"
	}
	if dir, _ := env(name); filepath.IsAbs(dir) {
		return dir, nil
	}
	return "", fmt.Errorf("%s is not set", name)
}

// under joins the first of an absolute folder named by a variable and one
// below the home folder with this product's own folder.
func under(env func(string) (string, bool), variable, belowHome string) (string, error) {
	if dir, _ := env(variable); variable != "" && filepath.IsAbs(dir) {
		return filepath.Join(dir, "autoreview"), nil
	}
	dir, err := home(env)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.FromSlash(belowHome), "autoreview"), nil
}

func configDir(env func(string) (string, bool)) (string, error) {
	switch runtime.GOOS {
	case "windows":
		return under(env, "AppData", "AppData/Roaming")
	case "darwin":
		return under(env, "", "Library/Application Support")
	default:
		return under(env, "XDG_CONFIG_HOME", ".config")
	}
}

func stateDir(env func(string) (string, bool)) (string, error) {
	var dir string
	var err error
	switch runtime.GOOS {
	case "windows":
		dir, err = under(env, "LocalAppData", "AppData/Local")
	case "darwin":
		dir, err = under(env, "", "Library/Application Support")
	default:
		dir, err = under(env, "XDG_STATE_HOME", ".local/state")
	}
	return filepath.Join(dir, "relay"), err
}

// expandHome replaces a leading ~ by the home folder.
func expandHome(path string, env func(string) (string, bool)) (string, error) {
	if !strings.HasPrefix(path, "~") {
		return path, nil
	}
	rest := path[1:]
	if rest != "" && rest[0] != '/' && rest[0] != filepath.Separator {
		return "", fmt.Errorf("want a path, not %q: only your own ~/ can be expanded", path)
	}
	dir, err := home(env)
	if err != nil {
		return "", errors.New("~ cannot be expanded: " + err.Error())
	}
	return filepath.Join(dir, rest), nil
}
