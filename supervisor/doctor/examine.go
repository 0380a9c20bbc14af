package doctor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// checkTime bounds one check, and so, as all run at the same time, the
	// examination.
	checkTime = 8 * time.Second
	// askTime bounds one request to the relay.
	askTime = 3 * time.Second
)

// check is one thing to look at. It returns the zero Result when there is
// nothing to look at.
type check struct {
	name string
	run  func(context.Context, *snapshot) Result
}

// checks are all of them, in the order they are reported in.
var checks = []check{
	{"config", checkConfig},
	{"git", checkGit},
	{"codex", checkCodex},
	{"codex_home", checkCodexHome},
	{"codex_login", checkLogin},
	{"codex_config", checkCodexConfig},
	{"codex_stale", checkStale},
	{"codex_servers", checkServers},
	{"codex_trust", checkTrust},
	{"codex_relay", checkCodexRelay},
	{"codex_approval", checkApproval},
	{"sandbox", checkSandbox},
	{"relay", checkRelay},
	{"relay_port", checkPort},
	{"relay_version", checkVersion},
	{"relay_clock", checkClock},
	{"relay_store", checkStore},
	{"relay_token", checkToken},
	{"relay_mcp", checkMCP},
	{"claude", checkClaude},
	{"claude_relay", checkClaudeRelay},
	{"claude_settings", checkClaudeSettings},
	{"vscode", checkVSCode},
	{"supervisor", checkSupervisor},
	{"state", checkState},
	{"channels", checkChannels},
	{"folders", checkFolders},
	{"disk", checkDisk},
}

// Names are the names of all checks, in the order of a report.
func Names() []string {
	names := make([]string, len(checks))
	for i, c := range checks {
		names[i] = c.name
	}
	return names
}

// Examine runs the named checks, or all when there are no names. It takes at
// most Environment.Timeout and a second more. The error says that there is no check of a name.
func Examine(ctx context.Context, e Environment, names ...string) (Report, error) {
	for _, name := range names {
		if !slices.Contains(Names(), name) {
			return Report{}, fmt.Errorf("there is no check %q", name)
		}
	}
	if e.Timeout <= 0 {
		e.Timeout = checkTime
	}
	if e.Now == nil {
		e.Now = time.Now
	}
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	s := look(ctx, e)
	results := make([]Result, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		if len(names) == 0 || slices.Contains(names, c.name) {
			wg.Go(func() { results[i] = bounded(ctx, s, c) })
		}
	}
	wg.Wait()
	var r Report
	for i, c := range checks {
		results[i].Name = c.name
		switch {
		case results[i].Status != "":
			r.Results = append(r.Results, results[i])
		case len(names) == 0 || slices.Contains(names, c.name):
			r.LeftOut = append(r.LeftOut, c.name)
		}
	}
	return r, nil
}

// bounded runs a check until ctx ends. What hangs in the file system then is
// left behind: nothing can interrupt it, and the program is about to end.
func bounded(ctx context.Context, s *snapshot, c check) Result {
	done := make(chan Result, 1)
	go func() { done <- c.run(ctx, s) }()
	select {
	case r := <-done:
		return r
	case <-ctx.Done():
	}
	// What ends because of ctx says more.
	select {
	case r := <-done:
		return r
	case <-time.After(time.Second):
		return fail(fmt.Sprintf("no answer within %s", s.Timeout), "something that was asked does not answer, or the machine is very busy", "run `autoreview doctor "+c.name+"` again")
	}
}
