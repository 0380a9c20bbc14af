//go:build unix

package doctor_test

import (
	"os"
	"path/filepath"
	"testing"

	"autoreview/supervisor/doctor"
)

// situation is a place made good or bad, and what a check has to say there.
type situation struct {
	name    string
	check   string
	arrange func(p *place)
	status  doctor.Status
	words   []string
}

func run(t *testing.T, situations []situation) {
	t.Helper()
	for _, s := range situations {
		t.Run(s.check+": "+s.name, func(t *testing.T) {
			p := newPlace(t)
			if s.arrange != nil {
				s.arrange(p)
			}
			want(t, p.examine(s.check), s.status, s.words...)
		})
	}
}

func TestCodex(t *testing.T) {
	run(t, []situation{
		{"found", "codex", nil, doctor.OK, []string{"version 0.169.0"}},
		{"missing", "codex", func(p *place) { p.remove("bin/codex") }, doctor.Fail, []string{"npm", "codex_bin"}},
		{"does not run", "codex", func(p *place) { p.script("codex", "exit 3") }, doctor.Fail, []string{"exit status 3"}},
		{"too old", "codex", func(p *place) { p.fakeCodex("0.110.0", "") }, doctor.Warn, []string{"0.120.0", "@latest"}},
		{"too new", "codex", func(p *place) { p.fakeCodex("0.170.0", "") }, doctor.Warn, []string{"newer", "--prove"}},
		{"a new patch of the newest", "codex", func(p *place) { p.fakeCodex("0.169.9", "") }, doctor.OK, nil},
		{"built from source", "codex", func(p *place) { p.fakeCodex("0.0.0", "") }, doctor.OK, nil},

		{"usual and there", "codex_home", nil, doctor.OK, nil},
		{"usual and not there yet", "codex_home", func(p *place) { p.remove("home/.codex") }, doctor.OK, []string{"Codex makes it"}},
		{"named and missing", "codex_home", func(p *place) { p.set("CODEX_HOME", p.path("nowhere")) }, doctor.Fail, []string{"CODEX_HOME", "mkdir"}},
		{"a file", "codex_home", func(p *place) { p.write("file", ""); p.set("CODEX_HOME", p.path("file")) }, doctor.Fail, []string{"is a file"}},

		{"by ChatGPT", "codex_login", nil, doctor.OK, []string{"ChatGPT"}},
		{"by a key in a variable", "codex_login", func(p *place) {
			p.fakeCodex("0.169.0", `"login status") echo "Not logged in" >&2; exit 1 ;;`)
			p.set("CODEX_API_KEY", "sk-secret")
		}, doctor.OK, []string{"CODEX_API_KEY"}},
		{"not logged in", "codex_login", func(p *place) {
			p.fakeCodex("0.169.0", `"login status") echo "Not logged in" >&2; exit 1 ;;`)
		}, doctor.Fail, []string{"codex login"}},
		{"a key that Codex does not use", "codex_login", func(p *place) {
			p.fakeCodex("0.169.0", `"login status") echo "Not logged in" >&2; exit 1 ;;`)
			p.set("OPENAI_API_KEY", "sk-secret")
		}, doctor.Fail, []string{"--with-api-key"}},
		{"a provider of the watch's own", "codex_login", func(p *place) {
			p.fakeCodex("0.169.0", `"login status") echo "Not logged in" >&2; exit 1 ;;`)
			p.watch("config = { model_provider = \"own\" }")
		}, doctor.Warn, []string{`"proj-x"`, "not known"}},
		{"a provider that needs none", "codex_login", func(p *place) {
			p.write("home/.codex/config.toml", "model_provider = \"local\"\n[model_providers.local]\nname = \"local\"\n")
		}, doctor.OK, []string{"needs no login"}},
		{"a provider with its key", "codex_login", func(p *place) {
			p.write("home/.codex/config.toml", "model_provider = \"own\"\n[model_providers.own]\nenv_key = \"OWN_KEY\"\n")
			p.set("OWN_KEY", "sk-secret")
		}, doctor.OK, []string{"OWN_KEY"}},
		{"a provider without its key", "codex_login", func(p *place) {
			p.write("home/.codex/config.toml", "model_provider = \"own\"\n[model_providers.own]\nenv_key = \"OWN_KEY\"\n")
		}, doctor.Fail, []string{"OWN_KEY", "export"}},
	})
}

func TestCodexConfig(t *testing.T) {
	trusted := func(p *place) {
		p.write("home/.codex/config.toml", "[projects.%q]\ntrust_level = \"trusted\"\n", p.repo)
	}
	ours := func(p *place) { p.write("repo/.codex/config.toml", "model = \"m\"\n") }
	run(t, []situation{
		{"none", "codex_config", nil, doctor.OK, []string{"defaults"}},
		{"good", "codex_config", trusted, doctor.OK, nil},
		{"no TOML", "codex_config", func(p *place) { p.write("home/.codex/config.toml", "model = \"m\"\nx = [\n") }, doctor.Fail, []string{"line 2"}},
		{"the repository's is no TOML", "codex_config", func(p *place) { p.write("repo/.codex/config.toml", "x = [\n") }, doctor.Fail, []string{"repo/.codex/config.toml"}},
		{"Codex refuses it", "codex_config", func(p *place) {
			p.fakeCodex("0.169.0", `"mcp list --json") printf 'WARNING: x\nError: failed to load bootstrap configuration\n\nCaused by:\n    invalid type: integer\n' >&2; exit 1 ;;`)
		}, doctor.Fail, []string{"invalid type: integer"}},
		{"an older Codex refuses it", "codex_config", func(p *place) {
			p.fakeCodex("0.145.0", `"mcp list --json") printf 'Error: failed to load configuration\n\nCaused by:\n    0: /x/config.toml:1:9: invalid type: integer\n    1: invalid\n' >&2; exit 1 ;;`)
		}, doctor.Fail, []string{"config.toml:1:9: invalid type: integer"}},

		{"nothing stale", "codex_stale", trusted, doctor.OK, nil},
		{"stale in the user's", "codex_stale", func(p *place) { p.write("home/.codex/config.toml", "[mcp.claudecodex]\nurl = \"x\"\n") }, doctor.Warn, []string{"[mcp.claudecodex]", "mcp_servers"}},
		{"stale in the repository's", "codex_stale", func(p *place) { p.write("repo/.codex/config.toml", "[mcp.claudecodex]\nurl = \"x\"\n") }, doctor.Warn, []string{"repo/.codex"}},

		{"no servers", "codex_servers", nil, doctor.OK, []string{"no MCP servers"}},
		{"some servers", "codex_servers", func(p *place) {
			p.write("home/.codex/config.toml", "[mcp_servers.one]\ncommand = \"x\"\n[mcp_servers.off]\ncommand = \"x\"\nenabled = false\n")
		}, doctor.OK, []string{"every review: one"}},
		{"a required server", "codex_servers", func(p *place) {
			p.write("home/.codex/config.toml", "[mcp_servers.one]\ncommand = \"x\"\nrequired = true\n")
		}, doctor.Warn, []string{`"one" is required`}},
		{"one in the way of ours", "codex_servers", func(p *place) {
			p.write("home/.codex/config.toml", "[mcp_servers.autoreview_relay]\ncommand = \"x\"\n")
			p.watch(`deliver = "mcp"`)
		}, doctor.Fail, []string{"rename"}},

		{"not needed", "codex_trust", nil, doctor.OK, []string{"not needed"}},
		{"trusted", "codex_trust", func(p *place) { ours(p); trusted(p) }, doctor.OK, []string{"trusts"}},
		{"not decided", "codex_trust", ours, doctor.Warn, []string{"--trust"}},
		{"untrusted, and used", "codex_trust", func(p *place) {
			ours(p)
			p.write("home/.codex/config.toml", "[projects.%q]\ntrust_level = \"untrusted\"\n", p.repo)
			p.watch(`project_config = "use"`)
		}, doctor.Warn, []string{`"untrusted"`, "project_config"}},
	})
}

// listing makes `codex mcp list --json` answer with the relay at an address.
func listing(p *place, url, extra string) {
	p.fakeCodex("0.169.0", `"mcp list --json") echo '[{"name":"autoreview_relay","enabled":true,"transport":{"type":"streamable_http","url":"`+url+`","bearer_token_env_var":null}`+extra+`}]' ;;`)
}

func TestCodexRelay(t *testing.T) {
	inUser := func(p *place, lines string) {
		p.write("home/.codex/config.toml", "[mcp_servers.autoreview_relay]\nurl = \"http://127.0.0.1:1/mcp\"\n%s", lines)
	}
	run(t, []situation{
		{"not there", "codex_relay", nil, doctor.OK, []string{"reviews do not need it"}},
		{"listed", "codex_relay", func(p *place) { listing(p, "http://localhost:1/mcp", "") }, doctor.OK, []string{"Codex lists the relay"}},
		{"another address", "codex_relay", func(p *place) { listing(p, "http://127.0.0.1:2/mcp", "") }, doctor.Warn, []string{"http://127.0.0.1:2/mcp", "http://127.0.0.1:1/mcp"}},
		{"disabled", "codex_relay", func(p *place) { listing(p, "http://127.0.0.1:1/mcp", `,"enabled":false`) }, doctor.Warn, []string{"disabled"}},
		{"written and not trusted", "codex_relay", func(p *place) {
			p.write("repo/.codex/config.toml", "[mcp_servers.autoreview_relay]\nurl = \"http://127.0.0.1:1/mcp\"\n")
		}, doctor.Warn, []string{"--trust"}},

		{"no table", "codex_approval", nil, "", nil},
		{"by default", "codex_approval", func(p *place) { inUser(p, "default_tools_approval_mode = \"approve\"\n") }, doctor.OK, []string{"approved"}},
		{"by default is not known to an old one", "codex_approval", func(p *place) {
			p.fakeCodex("0.120.0", "")
			inUser(p, "default_tools_approval_mode = \"approve\"\n")
		}, doctor.Warn, []string{"post_message"}},
		{"none, and nobody to say that they are harmless", "codex_approval", func(p *place) { inUser(p, "") }, doctor.Warn, []string{"post_message", "list_channels"}},
		{"none, with our relay", "codex_approval", func(p *place) { inUser(p, ""); p.relay() }, doctor.OK, []string{"harmless"}},
	})
}

func TestSandbox(t *testing.T) {
	run(t, []situation{
		{"works", "sandbox", nil, doctor.OK, nil},
		{"of an older version", "sandbox", func(p *place) {
			p.fakeCodex("0.120.0", `"sandbox --help") printf 'Commands:\n  macos  x\n  linux  x\n' ;;
"sandbox -- "*) exit 1 ;;
"sandbox linux -- "*|"sandbox macos -- "*) shift 3; exec "$@" ;;`)
		}, doctor.OK, nil},
		{"is not allowed here", "sandbox", func(p *place) {
			p.fakeCodex("0.169.0", `"sandbox -- "*) echo "bwrap: No permissions to create new namespace" >&2; exit 1 ;;`)
		}, doctor.Fail, []string{"No permissions to create new namespace", "cannot read the code"}},
		{"says nothing", "sandbox", func(p *place) { p.fakeCodex("0.169.0", `"sandbox -- "*) ;;`) }, doctor.Fail, nil},
		{"has no such command", "sandbox", func(p *place) { p.fakeCodex("0.169.0", `"sandbox --help") exit 2 ;;`) }, doctor.Warn, []string{"--prove"}},
		{"is not used", "sandbox", func(p *place) {
			p.fakeCodex("0.169.0", `"sandbox -- "*) exit 1 ;;`)
			p.watch(`sandbox = "danger-full-access"`)
		}, doctor.OK, []string{"not used"}},
	})
}

// A fix that can be done is done, and then nothing is wrong any more.
func TestRepairMakesCodexHome(t *testing.T) {
	p := newPlace(t)
	dir := p.path("new/codex")
	p.set("CODEX_HOME", dir)
	r, err := doctor.Examine(t.Context(), p.env, "codex_home")
	if err != nil {
		t.Fatal(err)
	}
	did := doctor.Repair(r)
	if len(did) != 1 || did[0].Fixed != "made "+dir {
		t.Errorf("Repair: got %+v, want the folder made", did)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%s: got %v, %v, want a folder of mode 0700", dir, info, err)
	}
	want(t, p.examine("codex_home"), doctor.OK)
}

func (p *place) remove(name string) {
	p.t.Helper()
	if err := os.RemoveAll(filepath.Join(p.path(name))); err != nil {
		p.t.Fatal(err)
	}
}
