package codextest

import (
	"errors"
	"fmt"
	"strings"
)

// fakeArgs are what the fake takes from its command line.
type fakeArgs struct {
	resume, fork string
	config       []string // the values of -c
}

// flagValues says for each flag of `codex exec` that the fake knows whether it
// has a value.
var flagValues = map[string]bool{
	"-c": true, "--config": true, "--enable": true, "--disable": true,
	"-m": true, "--model": true, "-p": true, "--profile": true, "-s": true, "--sandbox": true,
	"-C": true, "--cd": true, "--add-dir": true, "--output-schema": true, "-o": true,
	"--output-last-message": true, "--color": true, "-i": true, "--image": true,
	"--json": false, "--skip-git-repo-check": false, "--strict-config": false, "--ephemeral": false,
	"--dangerously-bypass-approvals-and-sandbox": false, "--ignore-user-config": false, "--trust": false,
}

// beforeSubcommand are the flags that the real one refuses after resume.
var beforeSubcommand = map[string]bool{
	"-s": true, "--sandbox": true, "-C": true, "--cd": true, "--add-dir": true,
	"-p": true, "--profile": true, "--color": true,
}

func parseFakeArgs(argv []string) (fakeArgs, error) {
	var a fakeArgs
	if len(argv) == 0 || argv[0] != "exec" {
		return a, errors.New("the fake codex only knows exec and --version")
	}
	sub := ""
	var words []string
	for i := 1; i < len(argv); i++ {
		arg := argv[i]
		hasValue, known := flagValues[arg]
		switch {
		case !strings.HasPrefix(arg, "-") || arg == "-":
			if len(words) == 0 && sub == "" && (arg == "resume" || arg == "fork") {
				sub = arg
				continue
			}
			words = append(words, arg)
		case !known || sub != "" && beforeSubcommand[arg]:
			return a, fmt.Errorf("unexpected argument '%s' found", arg)
		case hasValue:
			if i++; i == len(argv) {
				return a, fmt.Errorf("a value is required for '%s'", arg)
			}
			if arg == "-c" || arg == "--config" {
				a.config = append(a.config, argv[i])
			}
		}
	}
	return a, a.words(sub, words)
}

// words takes the positional arguments: the thread id and "-".
func (a *fakeArgs) words(sub string, words []string) error {
	if sub != "" && len(words) > 0 {
		id := words[0]
		words = words[1:]
		if sub == "resume" {
			a.resume = id
		} else {
			a.fork = id
		}
	}
	if len(words) != 1 || words[0] != "-" {
		return errors.New("the fake codex takes its prompt from stdin, as -")
	}
	return nil
}
