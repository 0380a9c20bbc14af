package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"autoreview/supervisor/config"

	"github.com/google/go-cmp/cmp"
)

// environ is an environment with a home folder and what is given.
func environ(t testing.TB, pairs ...string) func(string) string {
	t.Helper()
	m := map[string]string{"HOME": t.TempDir()}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return m[name] }
}

// write puts a configuration into a folder of its own and returns its path.
func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), config.DefaultFile)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load reads a configuration that must be without problems.
func load(t testing.TB, path string, env func(string) string) (config.Config, []config.Warning) {
	t.Helper()
	cfg, warnings, err := config.Load(path, env)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return cfg, warnings
}

// problems reads a configuration that must not load, and returns why, without
// the file's folder.
func problems(t testing.TB, text string, pairs ...string) []string {
	t.Helper()
	path := write(t, text)
	_, _, err := config.Load(path, environ(t, pairs...))
	var bad *config.Error
	if !errors.As(err, &bad) {
		t.Fatalf("Load: got error %v, want an *Error", err)
	}
	return strings.Split(strings.ReplaceAll(err.Error(), filepath.Dir(path)+string(filepath.Separator), ""), "\n")
}

func TestDefaults(t *testing.T) {
	path := write(t, "[[watch]]\nchannel = \"proj-x\"\n")
	cfg, warnings := load(t, path, environ(t))
	if len(warnings) > 0 {
		t.Errorf("warnings: got %v, want none", warnings)
	}
	want := config.Config{
		Path: path, Relay: "http://127.0.0.1:8010", StateDir: cfg.StateDir, CodexBin: "codex",
		Workers: 2, Grace: 5 * time.Second, PollInterval: 20 * time.Second,
		RunsKeepDays: 30, RunsKeepMB: 1024,
		Watches: []config.Watch{{
			Name: "proj-x", Channel: "proj-x", Senders: []string{"claude"}, ReplyAs: "codex",
			Workdir: filepath.Dir(path), Sandbox: "read-only",
			Session: config.Session{Mode: config.SessionFresh}, Deliver: config.DeliverSupervisor,
			Timeout: 30 * time.Minute, IdleTimeout: 15 * time.Minute,
			Start: config.Start{Mode: config.StartUnanswered},
		}},
	}
	if diff := cmp.Diff(want, cfg); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

const everyKey = `
relay = "https://relay.example/sub/"
token_env = "RELAY_TOKEN"
state_dir = "~/state"
codex_bin = "./bin/codex"
workers = 5
grace = "20s"
poll_interval = "7s"
last_file = ".codex/last"
runs_keep_days = 7
runs_keep_mb = 0
metrics_addr = "127.0.0.1:9464"
limits = { runs_per_day = 50, tokens_per_round = 1_000_000 }

[[watch]]
name = "n"
channel = "c"
senders = ["claude", "Claude"]
reply_as = "deep"
workdir = "repo"
sandbox = "workspace-write"
network_access = true
session = "fork:0199C0DE-0000-7000-8000-00000000000A"
project_config = "use"
deliver = "mcp"
model = "m"
profile = "deep"
plugins = true
extra_args = ["--add-dir", "review", "--strict-config"]
template = "prompt.tmpl"
timeout = "10m"
coalesce = "3s"
start = 41
isolate = true
[watch.config]
model_reasoning_effort = "high"
[watch.limits]
runs_per_hour = 4
[watch.retry]
auth.do = "give_up"
network = { attempts = 20, first = "1s", limit = "1h" }

[[schedule]]
name = "nightly"
task = "digest"
cron = "30 2 * * 1-5"
timezone = "Europe/Berlin"
watch = "n"
template = "prompt.tmpl"
catch_up = "skip"
`

func TestEveryKey(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"repo/.git/HEAD", "home/.codex"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"prompt.tmpl", "home/.codex/deep.config.toml"} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte("# {{.Channel}}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "a.toml")
	if err := os.WriteFile(path, []byte(everyKey), 0o600); err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(dir, "home")
	cfg, warnings := load(t, path, environ(t, "HOME", home, "RELAY_TOKEN", "s"))
	if len(warnings) > 0 {
		t.Errorf("warnings: got %v, want none", warnings)
	}
	want := config.Config{
		Path: path, Relay: "https://relay.example/sub", TokenEnv: "RELAY_TOKEN",
		StateDir: filepath.Join(home, "state"), CodexBin: filepath.Join(dir, "bin", "codex"),
		Workers: 5, Grace: 20 * time.Second, PollInterval: 7 * time.Second, LastFile: filepath.Join(dir, ".codex", "last"),
		RunsKeepDays: 7, MetricsAddr: "127.0.0.1:9464",
		Watches: []config.Watch{{
			Name: "n", Channel: "c", Senders: []string{"claude", "Claude"}, ReplyAs: "deep",
			Workdir: filepath.Join(dir, "repo"), Sandbox: "workspace-write", NetworkAccess: true,
			Session:          config.Session{Mode: config.SessionFork, ID: "0199c0de-0000-7000-8000-00000000000a"},
			UseProjectConfig: true, Deliver: config.DeliverMCP, Model: "m", Profile: "deep", Plugins: true,
			CodexConfig: map[string]any{"model_reasoning_effort": "high"},
			ExtraArgs:   []string{"--add-dir", "review", "--strict-config"},
			Template:    filepath.Join(dir, "prompt.tmpl"),
			Timeout:     10 * time.Minute, IdleTimeout: 10 * time.Minute, Coalesce: 3 * time.Second,
			Start:   config.Start{Mode: config.StartID, ID: 41},
			Isolate: true, Limits: config.Limits{RunsPerHour: 4},
			Retry: map[string]config.RetryRule{
				"auth": {Do: "give_up"}, "network": {Attempts: 20, First: time.Second, Limit: time.Hour},
			},
		}},
		Limits: config.Limits{RunsPerDay: 50, TokensPerRound: 1_000_000},
		Schedules: []config.Schedule{{
			Name: "nightly", Task: config.TaskDigest, Cron: "30 2 * * 1-5", Timezone: "Europe/Berlin", Watch: "n", Template: filepath.Join(dir, "prompt.tmpl"),
		}},
	}
	if diff := cmp.Diff(want, cfg); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

// Every problem is reported at once, in the order of the file.
func TestEveryProblemAtOnce(t *testing.T) {
	got := problems(t, `wrokers = 3
workers = 0
channel = "x"

[[watch]]
channel = "proj-x"
timeout = 30
session = "abc123"

[[watch]]
relay = "y"
`)
	want := []string{
		`autoreview.toml:1:1: wrokers: unknown key; did you mean "workers"?`,
		`autoreview.toml:2:1: workers: want 1 or more, got 0`,
		`autoreview.toml:3:1: channel: belongs below a [[watch]] line`,
		`autoreview.toml:7:1: watch.timeout: want a duration such as "90s", "30m" or "1h30m", got the integer 30`,
		`autoreview.toml:8:1: watch.session: want "fresh", "continue", a thread id such as "0199c0de-0000-7000-8000-000000000000", or "fork:" and a thread id, got the string "abc123"; ` + "`autoreview threads` lists the ids",
		`autoreview.toml:10:3: watch.channel: is missing; want the channel to watch, such as channel = "proj-x"`,
		`autoreview.toml:11:1: watch.relay: belongs above the first [[watch]] line`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestProblemOfOneKey(t *testing.T) {
	watch := "[[watch]]\nchannel = \"c\"\n"
	tests := map[string]struct{ text, want string }{
		"syntax":            {"relay = \n", "autoreview.toml:1:"},
		"twice":             {"workers = 1\nworkers = 2\n" + watch, "autoreview.toml:2:1: workers: not valid TOML"},
		"no watch":          {"workers = 1\n", "there is no [[watch]]"},
		"single brackets":   {"[watch]\nchannel = \"c\"\n", "1:2: watch: want [[watch]] in double brackets, got a table"},
		"watch of numbers":  {"watch = [1]\n", "1:1: watch: want [[watch]] tables, got the integer 1 in a list"},
		"empty watch":       {"watch = []\n", "1:1: watch: the list is empty"},
		"relay scheme":      {"relay = \"127.0.0.1:8010\"\n" + watch, "1:1: relay: want an address"},
		"relay ftp":         {"relay = \"ftp://h\"\n" + watch, "1:1: relay: want an address"},
		"relay no host":     {"relay = \"http://:8010\"\n" + watch, "1:1: relay: want an address"},
		"relay password":    {"relay = \"http://u:p@h\"\n" + watch, "1:1: relay: want an address such as \"http://127.0.0.1:8010\" without a user"},
		"relay mcp":         {"relay = \"http://h/mcp/\"\n" + watch, "without /mcp at its end"},
		"relay query":       {"relay = \"http://h?a=b\"\n" + watch, "without a query"},
		"token itself":      {"token_env = \"s3cr3t-token\"\n" + watch, "want the name of an environment variable such as \"RELAY_TOKEN\", not the token itself"},
		"workers type":      {"workers = \"2\"\n" + watch, "1:1: workers: want an integer, got the string \"2\""},
		"workers many":      {"workers = 65\n" + watch, "1:1: workers: want at most 64"},
		"blank":             {"codex_bin = \" \"\n" + watch, "1:1: codex_bin: is blank"},
		"home of another":   {"state_dir = \"~bob/x\"\n" + watch, "1:1: state_dir: want a path below ~/"},
		"poll too often":    {"poll_interval = \"1ms\"\n" + watch, "1:1: poll_interval: want 1s or more"},
		"metrics for all":   {"metrics_addr = \"0.0.0.0:9464\"\n" + watch, "1:1: metrics_addr: want an address of this machine"},
		"metrics port":      {"metrics_addr = \"127.0.0.1\"\n" + watch, "1:1: metrics_addr: want an address and a port"},
		"keep less":         {"runs_keep_days = -1\n" + watch, "1:1: runs_keep_days: want 0 or more"},
		"channel control":   {"[[watch]]\nchannel = \"a\\u0007\"\n", "2:1: watch.channel: want no control characters"},
		"channel long":      {"[[watch]]\nchannel = \"" + strings.Repeat("x", 129) + "\"\n", "2:1: watch.channel: want at most 128 characters"},
		"channel spaces":    {"[[watch]]\nchannel = \" c\"\n", "2:1: watch.channel: want no space"},
		"channel type":      {"[[watch]]\nchannel = [\"a\"]\n", "2:1: watch.channel: want a string, got a list"},
		"senders type":      {watch + "senders = \"claude\"", "3:1: watch.senders: want a list of strings"},
		"senders element":   {watch + "senders = [\"a\", 3]", "3:1: watch.senders: want only strings in the list, got the integer 3"},
		"senders empty":     {watch + "senders = []", "3:1: watch.senders: the list is empty"},
		"senders twice":     {watch + "senders = [\"a\", \"a\"]", "3:1: watch.senders: \"a\" is there twice"},
		"senders blank":     {watch + "senders = [\"\"]", "3:1: watch.senders: \"\": is blank"},
		"self review":       {watch + "senders = [\"codex\"]", "1:3: watch.reply_as: the reviews would start reviews for ever: \"codex\" → \"codex\" in \"c\""},
		"workdir missing":   {watch + "workdir = \"nope\"", "3:1: watch.workdir: there is no folder"},
		"workdir file":      {watch + "workdir = \"autoreview.toml\"", "3:1: watch.workdir: want a folder"},
		"sandbox":           {watch + "sandbox = \"readonly\"", "3:1: watch.sandbox: want one of \"read-only\", \"workspace-write\", \"danger-full-access\", \"bypass\", got \"readonly\"; did you mean \"read-only\"?"},
		"sandbox long":      {watch + "sandbox = \"dangerously-bypass-approvals-and-sandbox\"", "did you mean \"bypass\"?"},
		"network read-only": {watch + "network_access = true", "3:1: watch.network_access: Codex can open the network only with sandbox = \"workspace-write\""},
		"network type":      {watch + "network_access = \"yes\"", "3:1: watch.network_access: want true or false"},
		"session path":      {watch + "session = \"/x.jsonl\"", "3:1: watch.session: want"},
		"session fork name": {watch + "session = \"fork:last\"", "3:1: watch.session: want"},
		"project_config":    {watch + "project_config = \"trust\"", "3:1: watch.project_config: want one of \"ignore\", \"use\""},
		"deliver":           {watch + "deliver = \"mpc\"", "3:1: watch.deliver: want one of \"supervisor\", \"mcp\", got \"mpc\"; did you mean \"mcp\"?"},
		"model":             {watch + "model = \"-m x\"", "3:1: watch.model: want one word"},
		"profile missing":   {watch + "profile = \"deep\"", "3:1: watch.profile: Codex would ignore it: there is no file"},
		"profile path":      {watch + "profile = \"../deep\"", "3:1: watch.profile: want the name of a profile"},
		"template missing":  {watch + "template = \"nope\"", "3:1: watch.template: cannot be read"},
		"template broken":   {watch + "template = \"autoreview.toml\"\nmodel = \"{{\"", "3:1: watch.template: is not a template"},
		"timeout zero":      {watch + "timeout = \"0s\"", "3:1: watch.timeout: want 1s or more"},
		"coalesce negative": {watch + "coalesce = \"-1s\"", "3:1: watch.coalesce: want 0s or more"},
		"start word":        {watch + "start = \"41\"", "3:1: watch.start: want \"unanswered\", \"latest\", or the id of a message without quotes, got the string \"41\""},
		"start negative":    {watch + "start = -1", "3:1: watch.start: want"},
		"unknown":           {watch + "sanbox = \"x\"", "3:1: watch.sanbox: unknown key; did you mean \"sandbox\"?"},
		"habit":             {watch + "target = \"x\"", "3:1: watch.target: unknown key; did you mean \"channel\"?"},
		"unknown, far":      {watch + "zzzzzzzzzz = 1", "3:1: watch.zzzzzzzzzz: unknown key"},
		"unknown table":     {watch + "[watch.x]\na = 1", "3:8: watch.x: unknown key"},
		"inline watch":      {"watch = [\n  {channel = \"c\", sanbox = 1},\n]", "2:19: watch.sanbox: unknown key"},
		"name twice":        {watch + "[[watch]]\nchannel = \"d\"\nname = \"c\"", "5:1: watch.name: \"c\" is the name of two watches"},
		"last_file shared":  {"last_file = \"x\"\n" + watch + "[[watch]]\nchannel = \"d\"", "1:1: last_file: keeps the id of one watch"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := problems(t, test.text)
			if len(got) != 1 || !strings.Contains(got[0], test.want) {
				t.Errorf("problems: got %q, want one with %q", got, test.want)
			}
		})
	}
}

// A token that was put in the place of its variable's name is not repeated in a
// message that may end up in a log.
func TestTokenIsNotShown(t *testing.T) {
	got := strings.Join(problems(t, "token_env = \"s3cr3t-token\"\n[[watch]]\nchannel = \"c\"\n"), "\n")
	if strings.Contains(got, "s3cr3t") {
		t.Errorf("problems: got %q, want no token in it", got)
	}
}

// A chain of watches must not review each other's reviews without end.
func TestCyclesOfWatches(t *testing.T) {
	watch := func(channel, sender, replyAs string) string {
		return "[[watch]]\nname = \"" + sender + replyAs + channel + "\"\nchannel = \"" + channel +
			"\"\nsenders = [\"" + sender + "\"]\nreply_as = \"" + replyAs + "\"\n"
	}
	got := problems(t, watch("c", "a", "b")+watch("c", "b", "d")+watch("c", "d", "a"))
	want := []string{`autoreview.toml:15:1: watch.reply_as: the reviews would start reviews for ever: "d" → "a" → "b" → "d" in "c"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	for name, text := range map[string]string{
		"another channel": watch("c", "a", "b") + watch("d", "b", "a"),
		"a chain":         watch("c", "a", "b") + watch("c", "b", "d") + watch("c", "a", "d"),
	} {
		if _, _, err := config.Load(write(t, text), environ(t)); err != nil {
			t.Errorf("%s: got error %v, want none", name, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	watch := "[[watch]]\nchannel = \"c\"\n"
	tests := map[string]struct{ text, want string }{
		"full-auto":      {watch + "sandbox = \"full-auto\"", "3:1: watch.sandbox: \"full-auto\" is taken as \"workspace-write\""},
		"bypass":         {watch + "sandbox = \"bypass\"", "3:1: watch.sandbox: \"bypass\" lets the text of a packet"},
		"idle over wall": {watch + "timeout = \"1m\"\nidle_timeout = \"2m\"", "4:1: watch.idle_timeout: 2m0s never passes"},
		"token unset":    {"token_env = \"NOT_SET\"\n" + watch, "1:1: token_env: the variable NOT_SET is not set"},
		"twins":          {watch + "[[watch]]\nname = \"d\"\nchannel = \"c\"", "watch.reply_as: the watches \"c\" and \"d\" both answer in \"c\" as \"codex\""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg, warnings := load(t, write(t, test.text), environ(t))
			if len(warnings) != 1 || !strings.Contains(warnings[0].String(), test.want) {
				t.Errorf("warnings: got %q, want one with %q", warnings, test.want)
			}
			if name == "full-auto" && cfg.Watches[0].Sandbox != "workspace-write" {
				t.Errorf("Sandbox: got %q, want workspace-write", cfg.Watches[0].Sandbox)
			}
		})
	}
}

func TestFileWins(t *testing.T) {
	path := write(t, "[[watch]]\nchannel = \"c\"\n")
	t.Chdir(filepath.Dir(path))
	cfg, warnings := load(t, "", environ(t, "TARGET", "other", "SESSION_ID", "x"))
	if cfg.Watches[0].Channel != "c" {
		t.Errorf("Channel: got %q, want the file's, c", cfg.Watches[0].Channel)
	}
	want := "autoreview.toml: TARGET, SESSION_ID from the environment not used"
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0].String(), want) {
		t.Errorf("warnings: got %q, want one that begins with %q", warnings, want)
	}
}

func TestNoFile(t *testing.T) {
	t.Chdir(t.TempDir())
	_, _, err := config.Load("", environ(t))
	var bad *config.Error
	if !errors.As(err, &bad) || bad.Hint == "" || err.Error() != "autoreview.toml: there is no such file" {
		t.Errorf("Load: got error %v, want that there is no file, with a hint", err)
	}
	// A file that was named is not replaced by the environment.
	if _, _, err := config.Load("named.toml", environ(t, "TARGET", "x")); !errors.As(err, &bad) {
		t.Errorf("Load(named.toml): got error %v, want an *Error", err)
	}
	cfg, _ := load(t, "", environ(t, "TARGET", "x"))
	if cfg.Path != "" || cfg.Watches[0].Channel != "x" {
		t.Errorf("Load: got path %q and channel %q, want none and x", cfg.Path, cfg.Watches[0].Channel)
	}
}

// Two ways to one file are one supervisor, two files are two.
func TestStateDirOfFile(t *testing.T) {
	env := environ(t)
	path := write(t, "[[watch]]\nchannel = \"c\"\n")
	link := filepath.Join(t.TempDir(), "link.toml")
	if err := os.Symlink(path, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	first, _ := load(t, path, env)
	linked, _ := load(t, link, env)
	other, _ := load(t, write(t, "[[watch]]\nchannel = \"c\"\n"), env)
	if first.StateDir != linked.StateDir {
		t.Errorf("StateDir by a link: got %q, want %q", linked.StateDir, first.StateDir)
	}
	if first.StateDir == other.StateDir {
		t.Errorf("StateDir of two files: got %q for both", first.StateDir)
	}
	if n := len(filepath.Base(first.StateDir)); n > 12 {
		t.Errorf("folder name: got %d characters, want at most 12 for the socket path's limit", n)
	}
}

func TestNoHome(t *testing.T) {
	path := write(t, "[[watch]]\nchannel = \"c\"\n")
	_, _, err := config.Load(path, func(string) string { return "" })
	if err == nil || !strings.Contains(err.Error(), "state_dir: no home folder is known") {
		t.Errorf("Load: got error %v, want one about state_dir", err)
	}
}

// A byte order mark and Windows line ends are what some editors write.
func TestEditorsOfWindows(t *testing.T) {
	got := problems(t, "\xef\xbb\xbfworkers = 1\r\n[[watch]]\r\nchannel = \"c\"\r\nbad = 1\r\n")
	if len(got) != 1 || !strings.HasPrefix(got[0], "autoreview.toml:4:1: watch.bad") {
		t.Errorf("problems: got %q, want one at 4:1", got)
	}
}
