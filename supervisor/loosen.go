package supervisor

import (
	"fmt"
	"reflect"
	"slices"

	"autoreview/supervisor/config"
)

// The configuration usually lies in the repository under review, where a branch
// that is checked out, or a model that may write, can change it. So a reload
// never gives Codex more than it had at the start: for that somebody has to
// start the supervisor again.

// sandboxes are the sandboxes from the strictest on.
var sandboxes = []string{"read-only", "workspace-write", "danger-full-access", "bypass"}

// loosened names what the new configuration would let Codex do beyond the old
// one, by watch and key.
func loosened(old, new config.Config) (keys []string) {
	if old.CodexBin != new.CodexBin {
		keys = append(keys, "codex_bin")
	}
	before := byName(old.Watches)
	for _, w := range new.Watches {
		was, ok := before[w.Name]
		if !ok {
			was = strictest(w)
		}
		for _, key := range looser(was, w) {
			keys = append(keys, fmt.Sprintf("%s of watch %q", key, w.Name))
		}
	}
	return keys
}

// strictest is the watch with the least that Codex can be given: what a watch
// that is new may be without anybody having started it.
func strictest(w config.Watch) config.Watch {
	return config.Watch{Name: w.Name, Workdir: w.Workdir, Sandbox: sandboxes[0], Isolate: w.Isolate}
}

// looser names the keys by which a watch gives Codex more than before.
func looser(was, w config.Watch) (keys []string) {
	writes := slices.Index(sandboxes, w.Sandbox) > 0
	for _, k := range []struct {
		key    string
		looser bool
	}{
		{"sandbox", slices.Index(sandboxes, w.Sandbox) > slices.Index(sandboxes, was.Sandbox)},
		{"network_access", w.NetworkAccess && !was.NetworkAccess},
		{"project_config", w.UseProjectConfig && !was.UseProjectConfig},
		{"plugins", w.Plugins && !was.Plugins},
		{"profile", w.Profile != was.Profile},
		{"config", len(w.CodexConfig) > 0 && !reflect.DeepEqual(w.CodexConfig, was.CodexConfig)},
		{"extra_args", len(w.ExtraArgs) > 0 && !slices.Equal(w.ExtraArgs, was.ExtraArgs)},
		{"workdir", writes && w.Workdir != was.Workdir},
		{"isolate", writes && was.Isolate && !w.Isolate},
	} {
		if k.looser {
			keys = append(keys, k.key)
		}
	}
	return keys
}
