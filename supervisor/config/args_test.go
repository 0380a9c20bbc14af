package config_test

import (
	"fmt"
	"strings"
	"testing"

	"autoreview/supervisor/config"
)

func TestFlagsOfTheSupervisor(t *testing.T) {
	tests := map[string]string{ // :: argument → part of the problem
		"-s": "use the key sandbox", "-sread-only": "use the key sandbox", "--sandbox=read-only": "use the key sandbox",
		"-C": "use the key workdir", "--cd=/x": "use the key workdir", "--worktree": "use the key workdir",
		"-m": "use the key model", "--profile": "use the key profile", "-ca=b": "use the key config",
		"--json": "relies on it", "-o": "relies on it", "--output-schema": "relies on it", "--ephemeral": "relies on it",
		"-a": "relies on it", "--skip-git-repo-check": "relies on it", "-": "relies on it", "--": "relies on it",
		"--full-auto": `use the key sandbox = "workspace-write"`, "--yolo": `use the key sandbox = "bypass"`,
		"--trust": `use the key project_config = "use"`,
		"resume":  "use the key session", "fork": "use the key session", "review": "another mode",
		"hello": "taken for the prompt", "": "taken for the prompt",
	}
	for arg, want := range tests {
		got := problems(t, fmt.Sprintf("[[watch]]\nchannel = \"c\"\nextra_args = [%q]\n", arg))
		if len(got) != 1 || !strings.Contains(got[0], want) || !strings.HasPrefix(got[0], "autoreview.toml:3:1: watch.extra_args: ") {
			t.Errorf("extra_args = [%q]: got %q, want one problem with %q", arg, got, want)
		}
	}
}

func TestFlagsOfTheUser(t *testing.T) {
	for _, args := range []string{
		`["--add-dir", "resume"]`, `["--enable", "x", "--disable", "y"]`, `["--strict-config"]`, `["--oss", "--local-provider", "ollama"]`,
	} {
		if _, _, err := config.Load(write(t, "[[watch]]\nchannel = \"c\"\nextra_args = "+args), environ(t)); err != nil {
			t.Errorf("extra_args = %s: got error %v, want none", args, err)
		}
	}
}

func TestSettingsOfTheSupervisor(t *testing.T) {
	tests := map[string]string{ // :: config → part of the problem, "" for none
		`{ model_reasoning_effort = "high" }`:                               "",
		`{ mcp_servers = { docs = { command = "x" } } }`:                    "",
		`{ sandbox_workspace_write = { writable_roots = [] } }`:             "",
		`{ "projects" = {} }`:                                               "use the key project_config",
		`{ projects = { "/repo" = { trust_level = "trusted" } } }`:          "use the key project_config",
		`{ "mcp_servers.autoreview_relay.url" = "x" }`:                      `use deliver = "mcp"`,
		`{ mcp_servers = { autoreview_relay = { url = "x" }, docs = {} } }`: `use deliver = "mcp"`,
		`{ sandbox_workspace_write = { network_access = true } }`:           "use the key network_access",
		`{ sandbox_mode = "danger-full-access" }`:                           "use the key sandbox",
		`{ model = "x" }`:                   "use the key model",
		`{ features = { plugins = true } }`: "use the key plugins",
		`{ model_providers = { x = { name = "x", base_url = "http://h/v1" } } }`: "",
	}
	for table, want := range tests {
		text := "[[watch]]\nchannel = \"c\"\nconfig = " + table
		if want == "" {
			if _, _, err := config.Load(write(t, text), environ(t)); err != nil {
				t.Errorf("config = %s: got error %v, want none", table, err)
			}
			continue
		}
		if got := problems(t, text); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("config = %s: got %q, want one problem with %q", table, got, want)
		}
	}
}
