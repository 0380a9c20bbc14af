package setup

import (
	"encoding/json"
	"fmt"
	"strings"

	"autoreview/supervisor/setup/jsonedit"
)

// The lines of `autoreview up` by which VS Code sees what it is doing.
const (
	// BeginsPattern is the first line of one that stood by and starts to work.
	BeginsPattern = `^autoreview: taking over`
	// EndsPattern is the line by which it is up, or stands by.
	EndsPattern = `^autoreview: (watching|standing by)`
	// ErrorPattern is a problem of the configuration with its place.
	ErrorPattern = `^(?:autoreview: error: )?(\S.*\.toml):(\d+):(\d+): (.*)$`
)

// task is the entry of .vscode/tasks.json.
func (p *planner) task() jsonedit.Object {
	pattern := jsonedit.Object{
		{Name: "regexp", Value: ErrorPattern},
		{Name: "file", Value: 1}, {Name: "line", Value: 2}, {Name: "column", Value: 3}, {Name: "message", Value: 4},
	}
	matcher := jsonedit.Object{
		{Name: "owner", Value: TaskLabel},
		{Name: "fileLocation", Value: jsonedit.List{"autoDetect", "${workspaceFolder}"}},
		{Name: "pattern", Value: pattern},
		{Name: "background", Value: jsonedit.Object{
			{Name: "activeOnStart", Value: true},
			{Name: "beginsPattern", Value: BeginsPattern},
			{Name: "endsPattern", Value: EndsPattern},
		}},
	}
	return jsonedit.Object{
		{Name: "label", Value: TaskLabel},
		{Name: "detail", Value: "Codex reviews what is posted to the relay. A second window stands by."},
		{Name: "type", Value: "process"},
		{Name: "command", Value: p.Program},
		{Name: "args", Value: jsonedit.List{"up", "--standby"}},
		{Name: "options", Value: jsonedit.Object{{Name: "cwd", Value: "${workspaceFolder}"}}},
		{Name: "isBackground", Value: true},
		{Name: "problemMatcher", Value: matcher},
		{Name: "presentation", Value: jsonedit.Object{
			{Name: "reveal", Value: "never"}, {Name: "panel", Value: "dedicated"}, {Name: "focus", Value: false},
		}},
		{Name: "runOptions", Value: jsonedit.Object{{Name: "runOn", Value: "folderOpen"}, {Name: "instanceLimit", Value: 1}}},
	}
}

// vscode plans the task that starts the supervisor when the folder is opened.
func (p *planner) vscode() {
	if p.VSCodeSettings {
		p.setJSON(p.draft(p.at(".vscode", "settings.json")),
			"VS Code up to 1.108 starts the task without asking (--vscode-settings)", "on", "task.allowAutomaticTasks")
		p.note("VS Code 1.109 and later do not take task.allowAutomaticTasks from a folder: they ask once, answer \"Allow and Run\"")
	}
	if p.NoVSCode {
		return
	}
	d := p.draft(p.at(".vscode", "tasks.json"))
	root, _, err := jsonedit.Get(d.cur)
	if err != nil {
		p.block(d, err)
		return
	}
	have, _ := root.(map[string]any)
	if version, ok := have["version"]; ok && version != "2.0.0" {
		p.problem(d.path, fmt.Sprintf("has tasks of version %v; the task needs 2.0.0", version))
		return
	}
	p.vscodeTask(d, have)
}

func (p *planner) vscodeTask(d *draft, have map[string]any) {
	const why = "VS Code starts the supervisor when the folder is opened; a second window stands by"
	list, _ := have["tasks"].([]any)
	for _, item := range list {
		old, _ := item.(map[string]any)
		text, _ := json.Marshal(item)
		if strings.Contains(string(text), "auto-review-loop.sh") {
			p.note("%s starts the bash loop in the task %v: with both, every packet is reviewed twice", p.name(d.path), old["label"])
		}
		if old["label"] != TaskLabel {
			continue
		}
		last, ok := p.Record.last(d.path, partElement, "tasks")
		switch {
		case same(item, jsonedit.Plain(p.task())):
		case ok && same(item, last.Value):
			d.do("", Part{Kind: partRemoved, Key: []string{"tasks"}},
				func(src []byte) ([]byte, error) { return jsonedit.Remove(src, last.Value, "tasks") })
		default:
			p.note("%s has a task %s already, with other content: left as it is", p.name(d.path), TaskLabel)
			return
		}
	}
	d.do("", Part{Kind: partJSON, Key: []string{"version"}, Value: "2.0.0", Weak: true},
		func(src []byte) ([]byte, error) { return jsonedit.Set(src, "2.0.0", "version") })
	p.appendJSON(d, why, p.task(), "tasks")
}

// same compares two decoded values, whichever decoder they come from.
func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
