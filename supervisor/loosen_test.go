package supervisor

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"autoreview/supervisor/config"
)

// A file in the repository under review cannot give Codex more by being changed
// while the supervisor runs; it can give it less.
func TestReloadNeverLoosens(t *testing.T) {
	base := config.Watch{Name: "w", Workdir: "/repo", Sandbox: "workspace-write", NetworkAccess: true, Isolate: true, Profile: "p", CodexConfig: map[string]any{"a": 1}, ExtraArgs: []string{"-x"}}
	tests := []struct {
		name string
		edit func(c *config.Config)
		want []string
	}{
		{"nothing", func(*config.Config) {}, nil},
		{"stricter", func(c *config.Config) {
			w := &c.Watches[0]
			w.Sandbox, w.NetworkAccess, w.CodexConfig, w.ExtraArgs = "read-only", false, nil, nil
		}, nil},
		{"codex_bin", func(c *config.Config) { c.CodexBin = "./x.sh" }, []string{"codex_bin"}},
		{"sandbox", func(c *config.Config) { c.Watches[0].Sandbox = "bypass" }, []string{`sandbox of watch "w"`}},
		{"project_config", func(c *config.Config) { c.Watches[0].UseProjectConfig = true }, []string{`project_config of watch "w"`}},
		{"plugins", func(c *config.Config) { c.Watches[0].Plugins = true }, []string{`plugins of watch "w"`}},
		{"profile", func(c *config.Config) { c.Watches[0].Profile = "q" }, []string{`profile of watch "w"`}},
		{"config", func(c *config.Config) { c.Watches[0].CodexConfig = map[string]any{"a": 2} }, []string{`config of watch "w"`}},
		{"extra_args", func(c *config.Config) { c.Watches[0].ExtraArgs = []string{"-y"} }, []string{`extra_args of watch "w"`}},
		{"workdir", func(c *config.Config) { c.Watches[0].Workdir = "/" }, []string{`workdir of watch "w"`}},
		{"isolate", func(c *config.Config) { c.Watches[0].Isolate = false }, []string{`isolate of watch "w"`}},
		{"renamed", func(c *config.Config) { c.Watches[0].Name = "v" }, []string{
			`sandbox of watch "v"`, `network_access of watch "v"`, `profile of watch "v"`, `config of watch "v"`, `extra_args of watch "v"`}},
		{"a new strict watch", func(c *config.Config) {
			c.Watches = append(c.Watches, config.Watch{Name: "n", Workdir: "/other", Sandbox: "read-only"})
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			old := config.Config{CodexBin: "codex", Watches: []config.Watch{base}}
			new := config.Config{CodexBin: "codex", Watches: []config.Watch{base}}
			tt.edit(&new)
			if diff := cmp.Diff(tt.want, loosened(old, new)); diff != "" {
				t.Errorf("loosened (-want +got):\n%s", diff)
			}
		})
	}
}
