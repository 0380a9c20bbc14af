package doctor

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// automaticTasks is VS Code's setting that lets tasks run when a folder opens.
const automaticTasks = "task.allowAutomaticTasks"

// checkVSCode looks at the task that starts the supervisor with the folder. It
// looks at nothing where VS Code is not used.
func checkVSCode(_ context.Context, s *snapshot) Result {
	dir := filepath.Join(s.root(), ".vscode")
	if !exists(dir) && s.Getenv("TERM_PROGRAM") != "vscode" {
		return nothing
	}
	path := filepath.Join(dir, "tasks.json")
	root, _, err := readJSON(path)
	if err != nil {
		return fail(path+" cannot be read", err.Error(), "correct it: VS Code has none of its tasks")
	}
	task := ourTask(root)
	command := text(task, "command")
	switch {
	case task == nil:
		return s.repairable(warn("no task starts autoreview", path+" has none", "autoreview init"))
	case text(object(task, "runOptions"), "runOn") != "folderOpen":
		return s.repairable(warn("the task does not start with the folder", path+` has no "runOptions": {"runOn": "folderOpen"} for it`, "autoreview init"))
	case !runs(command):
		return warn("the task's program is not there", fmt.Sprintf("%q is not in PATH here", command), "make install, or write its whole path into "+path)
	}
	return s.judgeAutomatic(path)
}

// ourTask is the task that runs the supervisor, nil for none.
func ourTask(root map[string]any) map[string]any {
	tasks, _ := root["tasks"].([]any)
	i := slices.IndexFunc(tasks, func(v any) bool {
		task, _ := v.(map[string]any)
		fields := strings.Fields(text(task, "command"))
		return len(fields) > 0 && strings.TrimSuffix(filepath.Base(fields[0]), ".exe") == "autoreview"
	})
	if i < 0 {
		return nil
	}
	task, _ := tasks[i].(map[string]any)
	return task
}

func runs(command string) bool {
	fields := strings.Fields(command)
	if strings.Contains(command, "${") { // a variable of VS Code's
		return true
	}
	_, err := exec.LookPath(fields[0])
	return err == nil
}

// judgeAutomatic says whether VS Code was told to start no tasks by itself. Until
// 1.108 the folder's setting counts, since then the user's alone.
func (s *snapshot) judgeAutomatic(tasks string) Result {
	var allowed bool
	for _, path := range []string{s.vscodeSettings(), filepath.Join(filepath.Dir(tasks), "settings.json")} {
		root, _, err := readJSON(path)
		if err != nil {
			return warn(path+" cannot be read", err.Error(), "correct it")
		}
		switch root[automaticTasks] {
		case "on":
			allowed = true
		case "off":
			return warn("VS Code starts no tasks by itself", fmt.Sprintf("%q is \"off\" in %s", automaticTasks, path), `set it to "on", or run the task autoreview by hand`)
		}
	}
	if allowed {
		return ok("%s starts autoreview with the folder", tasks)
	}
	return ok("%s starts autoreview with the folder, once VS Code has asked and was told \"Allow\"", tasks)
}

func (s *snapshot) vscodeSettings() string {
	dir := filepath.Join(s.home(), ".config")
	switch runtime.GOOS {
	case "darwin":
		dir = filepath.Join(s.home(), "Library", "Application Support")
	case "windows":
		dir = s.Getenv("APPDATA")
	default:
		if xdg := s.Getenv("XDG_CONFIG_HOME"); xdg != "" {
			dir = xdg
		}
	}
	return filepath.Join(dir, "Code", "User", "settings.json")
}
