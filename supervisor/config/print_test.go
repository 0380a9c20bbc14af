package config_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"autoreview/supervisor/config"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write the golden files")

// reload prints a configuration and loads what was printed.
func reload(t testing.TB, cfg config.Config, env func(string) string) config.Config {
	t.Helper()
	text := config.Print(cfg)
	again, _, err := config.Load(write(t, text), env)
	if err != nil {
		t.Fatalf("Load of what was printed: %v\n%s", err, text)
	}
	return again
}

const odd = `
relay = "https://h.example"
[[watch]]
channel = "päck\"age\\ 🦊"
name = "a"
sandbox = "workspace-write"
network_access = true
session = "0199c0de-0000-7000-8000-00000000000a"
project_config = "use"
start = 7
timeout = "90s"
limits = { tokens_per_day = 7 }
retry = { crashed = { do = "park", first = "1m30s" }, quota = { do = "retry", attempts = 3 } }
extra_args = ["--add-dir", "C:\\x"]
[watch.config]
a = 1.0
b = [1, 1e300, "x\ny\u0001", true, inf, -inf]
"c.d" = { e = 2026-01-02T03:04:05.5Z, f = 2026-01-02, g = 03:04:05, h = 2026-01-02T03:04:05 }
[[watch]]
channel = "b"
start = "latest"
deliver = "mcp"
session = "fork:0199c0de-0000-7000-8000-00000000000a"
[[schedule]]
name = "digest"
cron = "@daily"
watch = "b"
[[schedule]]
name = "n"
cron = "0 3 * * *"
timezone = "UTC"
watch = "a"
catch_up = "skip"
[[schedule]]
name = "m"
task = "digest"
cron = "0 8 * * *"
watch = "a"
[[schedule]]
name = "r"
task = "retention"
cron = "@weekly"
keep_days = 30
`

func TestPrintRoundTrip(t *testing.T) {
	env := environ(t)
	for name, text := range map[string]string{"minimal": "[[watch]]\nchannel = \"c\"\n", "odd": odd} {
		cfg, _ := load(t, write(t, text), env)
		again := reload(t, cfg, env)
		if diff := cmp.Diff(cfg, again, cmpopts.IgnoreFields(config.Config{}, "Path")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What the bash loop's environment means can be saved as a file.
func TestPrintEnvironment(t *testing.T) {
	env := environ(t)
	cfg, _, err := config.FromEnv(environ(t, "HOME", env("HOME"), "LASTFILE", "x", "SESSION_ID", thread, "INTERVAL", "7"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(cfg, reload(t, cfg, env), cmpopts.IgnoreFields(config.Config{}, "Path")); diff != "" {
		t.Errorf("round trip (-want +got):\n%s", diff)
	}
}

func TestPrintGolden(t *testing.T) {
	path := write(t, "workers = 3\n[[watch]]\nchannel = \"proj-x\"\nmodel = \"m\"\n")
	cfg, _ := load(t, path, environ(t))
	got := strings.ReplaceAll(config.Print(cfg), filepath.Dir(path), "DIR")
	got = strings.ReplaceAll(got, cfg.StateDir, "STATE")
	golden := filepath.Join("testdata", "print.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("Print (-want +got):\n%s", diff)
	}
}

// Whatever bytes there are, Load says where each problem is or prints to
// something that loads as the same.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		odd, "[[watch]]\nchannel = \"c\"\n", "watch = [{channel = \"c\"}]", "a.b.c = 1\n[a]\nd = 2", "[[watch]]\n[[watch.x]]\n[watch.x.y]\nz = 1",
		"\xef\xbb\xbf[[watch]]", "x = [[{a = {b = 1}}]]", "[[watch]]\nconfig = {\"\" = {}}", "'' = 1",
	} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	env := environ(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		path := filepath.Join(dir, "a.toml")
		if err := os.WriteFile(path, src, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, _, err := config.Load(path, env)
		if err != nil {
			checkPlaces(t, path, src, err)
			return
		}
		text := config.Print(cfg)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		again, _, err := config.Load(path, env)
		if err != nil {
			t.Fatalf("Load of what was printed: %v\n%s", err, text)
		}
		// The text and not the value, for a NaN is not equal to itself.
		if got := config.Print(again); got != text {
			t.Errorf("Print: got\n%s\nthe second time, want\n%s", got, text)
		}
	})
}

func checkPlaces(t *testing.T, path string, src []byte, err error) {
	t.Helper()
	bad, ok := err.(*config.Error)
	if !ok || len(bad.Problems) == 0 {
		t.Fatalf("Load: got error %v, want an *Error with problems", err)
	}
	lines := 1 + strings.Count(string(src), "\n")
	for _, p := range bad.Problems {
		if p.Place.File != path || p.Place.Line < 0 || p.Place.Line > lines || p.Text == "" {
			t.Errorf("problem %q: got place %+v, want one of %d lines", p, p.Place, lines)
		}
	}
}
