package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"

	"github.com/pelletier/go-toml/v2"
)

// What others than Load need to know of these rules.

// DefaultStateDir is the private folder of the configuration file at an absolute
// path that does not say state_dir, or "" where no home folder is known. The
// file need not be there. env is os.Getenv or a replacement for it.
func DefaultStateDir(env func(string) string, path string) string {
	return stateDir(env, identify(path))
}

// StateDirOf is the private folder of the configuration file at path, whatever
// else is wrong with that file: its state_dir as far as that can be read, and
// DefaultStateDir otherwise. With path "" it is that of DefaultFile in the
// working directory. env is os.Getenv or a replacement for it.
func StateDirOf(env func(string) string, path string) string {
	if path == "" {
		path = DefaultFile
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	if src, err := os.ReadFile(abs); err == nil {
		if said := saidStateDir(src); said != "" {
			if dir, err := expand(env, filepath.Dir(abs), said); err == nil {
				return dir
			}
		}
	}
	return DefaultStateDir(env, abs)
}

var (
	stateDirLine = regexp.MustCompile(`(?m)^[ \t]*state_dir[ \t]*=.*$`)
	tableLine    = regexp.MustCompile(`(?m)^[ \t]*\[`)
)

// saidStateDir returns what a file says for state_dir, "" for nothing. The line
// is read by itself, because a mistake anywhere keeps a parser from giving
// anything of a file.
func saidStateDir(src []byte) string {
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	if at := tableLine.FindIndex(src); at != nil {
		src = src[:at[0]]
	}
	var said struct {
		Dir string `toml:"state_dir"`
	}
	if toml.Unmarshal(bytes.TrimSpace(stateDirLine.Find(src)), &said) != nil {
		return ""
	}
	return said.Dir
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
