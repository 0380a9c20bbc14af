//go:build unix

package doctor_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"

	"autoreview/supervisor/config"
	"autoreview/supervisor/doctor"
	"autoreview/supervisor/state"
	"autoreview/supervisor/state/sqlite"
)

func TestConfig(t *testing.T) {
	run(t, []situation{
		{"good", "config", nil, doctor.OK, []string{"proj-x for claude"}},
		{"missing", "config", func(p *place) { p.remove("repo/autoreview.toml") }, doctor.Fail, []string{"autoreview init"}},
		{"two problems at once", "config", func(p *place) { p.add("nonsense = 1\nworkers = 0") }, doctor.Fail, []string{"nonsense", "workers"}},
		{"a warning", "config", func(p *place) { p.watch(`sandbox = "bypass"`) }, doctor.Warn, []string{"bypass"}},
		{"a template that cannot be used", "config", func(p *place) {
			p.write("repo/review.tmpl", "{{.Nonsense}}")
			p.watch(`template = "review.tmpl"`)
		}, doctor.Fail, []string{"Nonsense"}},

		{"a repository", "git", nil, doctor.OK, []string{"repo"}},
		{"none", "git", func(p *place) { p.remove("repo/.git") }, doctor.Warn, []string{"git init"}},
		{"no git", "git", func(p *place) { p.set("PATH", p.bin) }, doctor.Warn, []string{"install git"}},
		{"another user's", "git", func(p *place) {
			p.script("git", `echo "fatal: detected dubious ownership in repository at '/x'" >&2; exit 128`)
		}, doctor.Warn, []string{"safe.directory"}},
	})
}

func TestClaude(t *testing.T) {
	mcp := func(entry string) func(p *place) {
		return func(p *place) { p.write("repo/.mcp.json", `{"mcpServers":{"relay":%s}}`, entry) }
	}
	settings := func(text string) func(p *place) {
		return func(p *place) { p.write("repo/.claude/settings.json", "%s", text) }
	}
	trusted := func(p *place) {
		p.write("home/.claude.json", `{"projects":{%q:{"hasTrustDialogAccepted":true}}}`, p.repo)
	}
	const allowed = `"permissions":{"allow":["mcp__relay"]}`
	run(t, []situation{
		{"found", "claude", nil, doctor.OK, []string{"version 2.1.197"}},
		{"missing", "claude", func(p *place) { p.set("PATH", "/usr/bin:/bin"); p.remove("bin/claude") }, doctor.Warn, []string{"npm install"}},
		{"does not run", "claude", func(p *place) { p.script("claude", "exit 3") }, doctor.Warn, []string{"exit status 3"}},

		{"by .mcp.json", "claude_relay", mcp(`{"type":"http","url":"http://127.0.0.1:1/mcp","alwaysLoad":true}`), doctor.OK, []string{".mcp.json"}},
		{"by a variable with a default", "claude_relay", mcp(`{"type":"http","url":"${RELAY_URL:-http://127.0.0.1:1}/mcp"}`), doctor.OK, []string{"alwaysLoad"}},
		{"by the user's state, for this folder", "claude_relay", func(p *place) {
			p.write("home/.claude.json", `{"projects":{%q:{"mcpServers":{"r":{"type":"http","url":"http://localhost:1/mcp"}}}}}`, p.repo)
		}, doctor.OK, []string{"for this folder"}},
		{"not known", "claude_relay", nil, doctor.Warn, []string{"claude mcp add"}},
		{"a variable that is not set", "claude_relay", mcp(`{"type":"http","url":"${RELAY_URL}/mcp"}`), doctor.Warn, []string{"RELAY_URL", ":-"}},
		{"another address", "claude_relay", mcp(`{"type":"http","url":"http://127.0.0.1:2/mcp"}`), doctor.Warn, []string{"http://127.0.0.1:2/mcp"}},
		{"no type", "claude_relay", mcp(`{"url":"http://127.0.0.1:1/mcp"}`), doctor.Warn, []string{`"type": "http"`}},
		{"no JSON", "claude_relay", func(p *place) { p.write("repo/.mcp.json", "{") }, doctor.Fail, []string{".mcp.json cannot be read"}},
		{"refused", "claude_relay", func(p *place) {
			mcp(`{"type":"http","url":"http://127.0.0.1:1/mcp"}`)(p)
			p.write("home/.claude.json", `{"projects":{%q:{"disabledMcpjsonServers":["relay"]}}}`, p.repo)
		}, doctor.Warn, []string{"disabledMcpjsonServers"}},

		{"nothing to look at", "claude_settings", nil, "", nil},
		{"in order", "claude_settings", func(p *place) { settings(`{` + allowed + `}`)(p); trusted(p) }, doctor.OK, nil},
		{"no JSON", "claude_settings", settings(`{"hooks":`), doctor.Fail, []string{"settings.json cannot be read"}},
		{"not allowed", "claude_settings", settings(`{}`), doctor.Warn, []string{"mcp__relay", "-p"}},
		{"denied", "claude_settings", settings(`{"permissions":{"allow":["mcp__relay"],"deny":["mcp__relay__post_message"]}}`), doctor.Warn, []string{"deny"}},
		{"allowed where it is not trusted", "claude_settings", settings(`{` + allowed + `}`), doctor.Warn, []string{"accept"}},
		{"the old hooks file", "claude_settings", func(p *place) { p.write("repo/.claude/hooks.json", "{}") }, doctor.Warn, []string{"is not read"}},
		{"hooks of the old form", "claude_settings", func(p *place) {
			settings(`{` + allowed + `,"hooks":{"post-tool-call":[{"match":"x","run":"y"}]}}`)(p)
			trusted(p)
		}, doctor.Warn, []string{"post-tool-call", "ignore the whole file"}},
		{"hooks of the right form", "claude_settings", func(p *place) {
			settings(`{` + allowed + `,"hooks":{"Stop":[{"hooks":[{"type":"command","command":"true"}]}]}}`)(p)
			trusted(p)
		}, doctor.OK, nil},
		{"a hook whose program is missing", "claude_settings", func(p *place) {
			settings(`{` + allowed + `,"hooks":{"Stop":[{"hooks":[{"type":"command","command":"autoreview-gone","args":["x"]}]}]}}`)(p)
			trusted(p)
		}, doctor.Warn, []string{"autoreview-gone is not in PATH"}},
		{"hooks switched off", "claude_settings", func(p *place) {
			settings(`{` + allowed + `,"disableAllHooks":true}`)(p)
			trusted(p)
		}, doctor.Warn, []string{"disableAllHooks"}},
	})
}

func TestVSCode(t *testing.T) {
	tasks := func(text string) func(p *place) {
		return func(p *place) { p.script("autoreview", ""); p.write("repo/.vscode/tasks.json", "%s", text) }
	}
	const good = `{"version":"2.0.0", // ours
"tasks":[{"label":"autoreview","command":"autoreview","args":["up"],"runOptions":{"runOn":"folderOpen"},},]}`
	run(t, []situation{
		{"not used", "vscode", nil, "", nil},
		{"not used yet, and here", "vscode", func(p *place) { p.set("TERM_PROGRAM", "vscode") }, doctor.Warn, []string{"no task"}},
		{"in order", "vscode", tasks(good), doctor.OK, []string{"folder"}},
		{"no JSON", "vscode", tasks(`{"tasks":`), doctor.Fail, []string{"tasks.json cannot be read"}},
		{"no task", "vscode", tasks(`{"tasks":[{"command":"make"}]}`), doctor.Warn, []string{"autoreview init"}},
		{"not with the folder", "vscode", tasks(`{"tasks":[{"command":"autoreview"}]}`), doctor.Warn, []string{"folderOpen"}},
		{"no program", "vscode", func(p *place) {
			tasks(strings.ReplaceAll(good, `"command":"autoreview"`, `"command":"/nowhere/autoreview"`))(p)
		}, doctor.Warn, []string{"/nowhere/autoreview"}},
		{"switched off", "vscode", func(p *place) {
			tasks(good)(p)
			p.set("XDG_CONFIG_HOME", p.path("home/.config"))
			p.write("home/.config/Code/User/settings.json", `{"task.allowAutomaticTasks":"off"}`)
		}, doctor.Warn, []string{"allowAutomaticTasks"}},
	})
}

// stateDir is where the supervisor of the place keeps its state.
func (p *place) stateDir() string {
	p.t.Helper()
	cfg, _, err := config.Load(p.env.ConfigPath, p.env.Getenv)
	if err != nil {
		p.t.Fatal(err)
	}
	return cfg.StateDir
}

// lock takes the lock of a state folder, as a supervisor does.
func (p *place) lock(dir, config string) {
	p.t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	if ok, err := lock.TryLock(); !ok || err != nil {
		p.t.Fatalf("locking %s: got %v, %v", dir, ok, err)
	}
	p.t.Cleanup(func() { _ = lock.Unlock() })
	for name, text := range map[string]string{"owner": "4711\n", "owner.config": config + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *place) openState(dir string) *sqlite.Store {
	p.t.Helper()
	st, err := sqlite.Open(p.t.Context(), filepath.Join(dir, "state.db"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = st.Close() })
	return st
}

func TestSupervisor(t *testing.T) {
	// other is a second supervisor that runs, with a configuration of its own.
	other := func(channel, sender string) func(p *place) {
		return func(p *place) {
			p.write("other/autoreview.toml", "relay = \"http://localhost:1\"\n[[watch]]\nchannel = %q\nsenders = [%q]\n", channel, sender)
			p.lock(filepath.Join(filepath.Dir(p.stateDir()), "other"), p.path("other/autoreview.toml"))
		}
	}
	run(t, []situation{
		{"none", "supervisor", nil, doctor.OK, []string{"autoreview up"}},
		{"one", "supervisor", func(p *place) { p.lock(p.stateDir(), "") }, doctor.OK, []string{"pid 4711"}},
		{"one that left its name", "supervisor", func(p *place) {
			p.write("home/relay-data/owner.json", `{"pid":4712}`)
		}, doctor.Warn, []string{"4712", "--fix"}},
		{"one that waits for a relay", "relay", func(p *place) { p.lock(p.stateDir(), "") }, doctor.Fail, []string{"pid 4711"}},

		{"not yet", "state", nil, doctor.OK, []string{"no state yet"}},
		{"there", "state", func(p *place) { p.openState(p.stateDir()) }, doctor.OK, []string{"0 reviews"}},
		{"no database", "state", func(p *place) {
			p.openState(p.stateDir()).Close()
			if err := os.WriteFile(filepath.Join(p.stateDir(), "state.db"), []byte(strings.Repeat("no database", 100)), 0o600); err != nil {
				p.t.Fatal(err)
			}
		}, doctor.Fail, []string{"cannot be opened"}},
		{"of a newer autoreview", "state", func(p *place) {
			p.openState(p.stateDir()).Close()
			db, err := sql.Open("sqlite", filepath.Join(p.stateDir(), "state.db"))
			if err != nil {
				p.t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec("PRAGMA user_version = 999"); err != nil {
				p.t.Fatal(err)
			}
		}, doctor.Fail, []string{"newer autoreview", "999"}},
		{"in use", "state", func(p *place) {
			b := state.Batch{Watch: "proj-x", Channel: "proj-x", LogID: "l", Workdir: p.repo, Cursor: 1, Items: []state.Item{{Key: "k", Packet: state.Packet{ID: 1}}}}
			if _, err := p.openState(p.stateDir()).Enqueue(p.t.Context(), b, p.now()); err != nil {
				p.t.Fatal(err)
			}
		}, doctor.OK, []string{"1 reviews"}},

		{"alone", "channels", nil, doctor.OK, nil},
		{"with another on the same channel", "channels", other("proj-x", "claude"), doctor.Fail, []string{"pid 4711", "proj-x", "twice"}},
		{"with another for another sender", "channels", other("proj-x", "gemini"), doctor.OK, nil},
		{"with another on another channel", "channels", other("proj-y", "claude"), doctor.OK, nil},
		{"with one that only its state tells of", "channels", func(p *place) {
			r := p.relay()
			info, err := r.Client().Info(p.t.Context())
			if err != nil {
				p.t.Fatal(err)
			}
			dir := filepath.Join(filepath.Dir(p.stateDir()), "other")
			p.lock(dir, "")
			b := state.Batch{Watch: "proj-x", Channel: "proj-x", LogID: info.LogID, Workdir: p.repo, Cursor: 1}
			if _, err := p.openState(dir).Enqueue(p.t.Context(), b, p.now()); err != nil {
				p.t.Fatal(err)
			}
		}, doctor.Fail, []string{"pid 4711"}},
	})
}

func TestFolders(t *testing.T) {
	run(t, []situation{
		{"not there yet", "folders", nil, doctor.OK, []string{"private and writable"}},
		{"open to others", "folders", func(p *place) {
			p.write("home/relay-data/relay.db", "")
			if err := os.Chmod(p.path("home/relay-data/relay.db"), 0o644); err != nil {
				p.t.Fatal(err)
			}
		}, doctor.Warn, []string{"relay.db", "--fix"}},
		{"a file in its place", "folders", func(p *place) { p.write("home/relay-data", "") }, doctor.Fail, []string{"is a file"}},
		{"room", "disk", nil, doctor.OK, []string{"free in"}},
	})
}

// What --fix does: open files are closed to others, what was left behind goes,
// missing folders are made, and a second examination finds nothing.
func TestRepair(t *testing.T) {
	p := newPlace(t)
	p.write("home/relay-data/relay.db", "")
	p.write("home/relay-data/owner.json", `{"pid":4712}`)
	if err := os.Chmod(p.path("home/relay-data/relay.db"), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := doctor.Examine(t.Context(), p.env, "folders", "supervisor")
	if err != nil {
		t.Fatal(err)
	}
	said := fmt.Sprint(doctor.Repair(r))
	for _, w := range []string{"relay.db", "owner.json", "1 paths"} {
		if !strings.Contains(said, w) {
			t.Errorf("Repair does not say %q: %s", w, said)
		}
	}
	want(t, p.examine("folders"), doctor.OK)
	want(t, p.examine("supervisor"), doctor.OK)
	if info, err := os.Stat(p.path("home/relay-data/relay.db")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("relay.db: got %v, %v, want mode 0600", info.Mode(), err)
	}
}

// A lock that is held again between the look and the repair is left alone.
func TestRepairLeavesALockThatIsHeld(t *testing.T) {
	p := newPlace(t)
	p.write("home/relay-data/owner.json", `{"pid":4712}`)
	r, err := doctor.Examine(t.Context(), p.env, "supervisor")
	if err != nil {
		t.Fatal(err)
	}
	p.lock(p.env.RelayData, "")
	did := doctor.Repair(r)
	if len(did) != 1 || did[0].Fixed != "" || !strings.Contains(did[0].Cause, "in use again") {
		t.Errorf("Repair: got %+v, want a failure that says why", did)
	}
	if _, err := os.Stat(p.path("home/relay-data/owner.json")); err != nil {
		t.Errorf("the owner's file is gone: %v", err)
	}
}

// Setting up again is done for the checks that it can help, and said there.
func TestRepairSetsUpAgain(t *testing.T) {
	p := newPlace(t)
	calls := 0
	p.env.Repair = func() (string, error) { calls++; return "set up again", nil }
	p.set("TERM_PROGRAM", "vscode")
	r, err := doctor.Examine(t.Context(), p.env, "claude_relay", "vscode", "git")
	if err != nil {
		t.Fatal(err)
	}
	did := doctor.Repair(r)
	if calls != 1 || len(did) != 2 || did[0].Fixed != "set up again" {
		t.Errorf("Repair: got %d calls and %+v, want one for both checks", calls, did)
	}
}
