package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"autoreview/supervisor/setup"
)

// hookEvents are the events of Claude Code that a hook can have. One that it
// does not know makes it ignore the whole file.
var hookEvents = []string{
	"PreToolUse", "PostToolUse", "PostToolUseFailure", "PostToolBatch", "Notification", "UserPromptSubmit",
	"UserPromptExpansion", "SessionStart", "SessionEnd", "Stop", "StopFailure", "SubagentStart", "SubagentStop",
	"PreCompact", "PostCompact", "PermissionRequest", "PermissionDenied", "Setup", "TeammateIdle", "TaskCreated",
	"TaskCompleted", "Elicitation", "ElicitationResult", "ConfigChange", "WorktreeCreate", "WorktreeRemove",
	"InstructionsLoaded", "CwdChanged", "FileChanged", "MessageDisplay",
}

// settingsFile is a settings.json of Claude Code.
type settingsFile struct {
	path string
	root map[string]any
}

// checkClaudeSettings reads Claude Code's settings as it does, for the mistakes
// that it does not tell of.
func checkClaudeSettings(_ context.Context, s *snapshot) Result {
	var files []settingsFile
	var parts []Result
	for _, path := range []string{
		filepath.Join(s.claudeHome(), "settings.json"),
		filepath.Join(s.root(), ".claude", "settings.json"),
		filepath.Join(s.root(), ".claude", "settings.local.json"),
	} {
		root, there, err := readJSON(path)
		switch {
		case err != nil:
			parts = append(parts, fail(path+" cannot be read", err.Error(), "correct it: Claude Code uses nothing of it"))
		case there:
			files = append(files, settingsFile{path, root})
			parts = append(parts, judgeHooks(path, root)...)
		}
	}
	if path := filepath.Join(s.root(), ".claude", "hooks.json"); exists(path) {
		parts = append(parts, warn(path+" is not read", "Claude Code has its hooks in .claude/settings.json; this file never was a format of it", "delete it"))
	}
	if len(files) > 0 || exists(filepath.Join(s.root(), ".mcp.json")) {
		parts = append(parts, s.judgePermission(files))
	}
	if len(parts) == 0 {
		return nothing
	}
	return worst("the settings of Claude Code are in order, and the relay's tools are allowed", parts...)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// judgeHooks finds hooks that Claude Code would not run.
func judgeHooks(path string, root map[string]any) (parts []Result) {
	if root["disableAllHooks"] == true {
		parts = append(parts, warn("hooks are switched off in "+path, `"disableAllHooks": true`, "take it out"))
	}
	hooks, there := root["hooks"]
	if !there {
		return parts
	}
	wrong := func(cause string) {
		parts = append(parts, warn("a hook in "+path+" is not of Claude Code's form", cause+"; it can ignore the whole file then, without a word", "correct or delete it"))
	}
	events, isObject := hooks.(map[string]any)
	if !isObject {
		wrong(`"hooks" is not an object`)
		return parts
	}
	for event, groups := range events {
		if !slices.Contains(hookEvents, event) {
			wrong(fmt.Sprintf("there is no event %q", event))
			continue
		}
		if err := hookGroups(groups); err != nil {
			wrong(event + ": " + err.Error())
		}
	}
	return parts
}

// hookGroups checks the list of an event, and that the programs of ours that
// it names are there.
func hookGroups(groups any) error {
	list, isList := groups.([]any)
	if !isList {
		return errors.New("want a list of groups")
	}
	for _, g := range list {
		group, _ := g.(map[string]any)
		hooks, isList := group["hooks"].([]any)
		if !isList {
			return errors.New(`a group has no list "hooks"`)
		}
		for _, h := range hooks {
			hook, _ := h.(map[string]any)
			kind := text(hook, "type")
			if !slices.Contains([]string{"command", "http", "mcp_tool", "prompt", "agent"}, kind) {
				return fmt.Errorf("there is no type %q", kind)
			}
			if command := text(hook, "command"); kind == "command" && command == "" {
				return errors.New("a command hook has no command")
			} else if err := ourProgram(command); err != nil {
				return err
			}
		}
	}
	return nil
}

// ourProgram looks up a command of ours; those of others are theirs to know.
func ourProgram(command string) error {
	fields := strings.Fields(command)
	if len(fields) == 0 || !strings.HasPrefix(filepath.Base(fields[0]), "autoreview") {
		return nil
	}
	if _, err := exec.LookPath(strings.Trim(fields[0], `"'`)); err != nil {
		return fmt.Errorf("%s is not in PATH", fields[0])
	}
	return nil
}

// judgePermission says whether Claude Code may use the relay's tools without
// asking.
func (s *snapshot) judgePermission(files []settingsFile) Result {
	allowed := ""
	for _, f := range files {
		for _, kind := range []string{"deny", "ask"} {
			if rule := relayRule(f.root, kind); rule != "" {
				return warn(fmt.Sprintf("%s has the relay's tools under %q", f.path, kind), rule+" is stronger than any permission", "take it out")
			}
		}
		if rule := relayRule(f.root, "allow"); rule != "" {
			allowed = f.path
		}
	}
	if allowed == "" {
		return s.repairable(warn("Claude Code asks before each post", `no settings.json has "mcp__relay" under permissions.allow; with -p it is denied without asking`,
			"autoreview init, or add it"))
	}
	inRepository := strings.HasPrefix(allowed, filepath.Join(s.root(), ".claude"))
	if c, err := s.claude(); err == nil && inRepository && c.project["hasTrustDialogAccepted"] != true {
		return warn("Claude Code does not trust this folder yet", "with -p it ignores the permissions in "+allowed+" until it does", "start claude here once and accept")
	}
	return ok("allowed in %s", allowed)
}

// relayRule is the first rule of a kind that is about the relay's tools.
func relayRule(root map[string]any, kind string) string {
	list, _ := object(root, "permissions")[kind].([]any)
	for _, v := range list {
		if rule, _ := v.(string); rule == "mcp__"+setup.ClaudeServer || strings.HasPrefix(rule, "mcp__"+setup.ClaudeServer+"__") {
			return rule
		}
	}
	return ""
}
