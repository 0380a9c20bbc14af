package setup

import (
	"path/filepath"

	"autoreview/templates"
)

// service plans a service that starts the supervisor with the user's session,
// on request.
func (p *planner) service() {
	if !p.Service {
		return
	}
	path, snippet := p.servicePath()
	if path == "" {
		p.problem("--user-service", "there are services for systemd and launchd only; on "+p.GOOS+" have \"autoreview up --standby\" started at login")
		return
	}
	label := p.serviceLabel()
	p.own(p.draft(path), "the supervisor starts with your session (--user-service)", snippet, templates.Service{
		Site: p.Site, Label: label, Program: p.ProgramPath, Config: p.config, Dir: p.Root,
		Log: filepath.Join(p.Home, "Library", "Logs", label+".log"), Env: p.ServiceEnv,
	})
}

func (p *planner) serviceLabel() string { return "autoreview-" + channelOf("/"+p.Site.Channel) }

func (p *planner) servicePath() (path, snippet string) {
	switch {
	case p.GOOS == "linux" && p.ConfigDir != "":
		return filepath.Join(p.ConfigDir, "systemd", "user", p.serviceLabel()+".service"), templates.SnippetUnit
	case p.GOOS == "darwin" && p.Home != "":
		return filepath.Join(p.Home, "Library", "LaunchAgents", p.serviceLabel()+".plist"), templates.SnippetAgent
	}
	return "", ""
}
