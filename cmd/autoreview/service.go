package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"autoreview/supervisor/setup"
)

// services are the units and agents among the changes.
func services(r setup.Result) []setup.Change {
	var out []setup.Change
	for _, c := range r.Changes {
		if ext := filepath.Ext(c.Path); ext == ".service" || ext == ".plist" {
			out = append(out, c)
		}
	}
	return out
}

// startCommands and stopCommands are what makes a service known and running,
// and what ends it. A service that was changed is started anew.
func startCommands(c setup.Change, uid int) [][]string {
	if filepath.Ext(c.Path) == ".plist" {
		start := [][]string{{"launchctl", "bootstrap", "gui/" + strconv.Itoa(uid), c.Path}}
		if c.Existed {
			start = append(stopCommands(c.Path, uid), start...)
		}
		return start
	}
	return [][]string{
		{"systemctl", "--user", "daemon-reload"},
		{"systemctl", "--user", "enable", filepath.Base(c.Path)},
		{"systemctl", "--user", "restart", filepath.Base(c.Path)},
	}
}

func stopCommands(path string, uid int) [][]string {
	if filepath.Ext(path) == ".plist" {
		return [][]string{{"launchctl", "bootout", "gui/" + strconv.Itoa(uid), path}}
	}
	return [][]string{{"systemctl", "--user", "disable", "--now", filepath.Base(path)}}
}

// startServices starts what was installed. Where that cannot be done from here,
// as in a session without a bus, the commands are said instead.
func startServices(ctx context.Context, talk io.Writer, changed []setup.Change) {
	for _, c := range changed {
		if runAll(ctx, talk, startCommands(c, os.Getuid())) {
			fmt.Fprintf(talk, "autoreview: the service %s is running, and starts when you log in\n", filepath.Base(c.Path))
			if filepath.Ext(c.Path) == ".service" {
				fmt.Fprintln(talk, "autoreview: \"loginctl enable-linger\" has it run while nobody is logged in")
			}
		}
	}
}

func stopServices(ctx context.Context, talk io.Writer, changed []setup.Change) {
	for _, c := range changed {
		runAll(ctx, talk, stopCommands(c.Path, os.Getuid()))
	}
}

// runAll runs commands up to the first that fails.
func runAll(ctx context.Context, talk io.Writer, commands [][]string) bool {
	for i, args := range commands {
		out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
		if err == nil {
			continue
		}
		if text := strings.TrimSpace(string(out)); text != "" {
			err = fmt.Errorf("%w: %s", err, text)
		}
		fmt.Fprintf(talk, "autoreview: warning: %s: %v\n", strings.Join(args, " "), err)
		for _, left := range commands[i:] {
			fmt.Fprintf(talk, "autoreview: run this yourself: %s\n", strings.Join(left, " "))
		}
		return false
	}
	return true
}
