package codexrun

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	defaultStartupTimeout = 15 * time.Second
	defaultToolTimeout    = 120 * time.Second
)

// tree is a configuration as nested tables; every table in it is a tree.
type tree map[string]any

// settings are all the settings that a run passes by -c, as one tree: of two
// -c for the same table, Codex would take only the last.
func settings(spec Spec, trust []string) (tree, error) {
	t, err := userSettings(spec.Config)
	if err != nil {
		return nil, err
	}
	if !spec.Plugins {
		t.fill(false, "analytics", "enabled")
		t.fill(false, "features", "plugins")
	}
	if spec.Network {
		t.put(true, "sandbox_workspace_write", "network_access")
	}
	if !spec.UseProjectConfig {
		for _, key := range trust {
			t.put("untrusted", "projects", key, "trust_level")
		}
	}
	if spec.MCP != nil {
		t.put(mcpSettings(*spec.MCP), "mcp_servers", spec.MCP.Name)
		hideSecrets(t, spec.MCP.secrets())
	}
	return t, nil
}

// hideSecrets empties the variables for the model's shell. They are set to
// nothing and not excluded, since a list given by -c replaces the one in the
// user's configuration, which would lay open what the user excludes; tables
// merge. Until 0.155 the shell snapshot would bring the values back.
func hideSecrets(t tree, names []string) {
	if len(names) == 0 {
		return
	}
	for _, name := range names {
		t.put("", "shell_environment_policy", "set", name)
	}
	t.put(false, "features", "shell_snapshot")
}

func mcpSettings(m MCPServer) tree {
	t := tree{
		"url":                         m.URL,
		"required":                    true,
		"startup_timeout_sec":         seconds(m.StartupTimeout, defaultStartupTimeout),
		"tool_timeout_sec":            seconds(m.ToolTimeout, defaultToolTimeout),
		"default_tools_approval_mode": "approve",
	}
	for _, name := range m.Tools {
		t.put("approve", "tools", name, "approval_mode")
	}
	if m.TokenEnv != "" {
		t["bearer_token_env_var"] = m.TokenEnv
	}
	if len(m.HeaderEnv) > 0 {
		t["env_http_headers"] = m.HeaderEnv
	}
	return t
}

// seconds rounds up: a shorter time-out than asked for would be a surprise.
func seconds(d, fallback time.Duration) int64 {
	if d <= 0 {
		d = fallback
	}
	return int64((d + time.Second - 1) / time.Second)
}

// secrets are the names of the variables that the model's shell must not see.
func (m MCPServer) secrets() []string {
	var names []string
	if m.TokenEnv != "" {
		names = append(names, m.TokenEnv)
	}
	for _, name := range m.HeaderEnv {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// userSettings makes one tree of settings whose keys may be dotted paths.
func userSettings(config map[string]any) (tree, error) {
	t := make(tree)
	for _, key := range slices.Sorted(maps.Keys(config)) {
		path := strings.Split(key, ".")
		for _, part := range path {
			if !isBareKey(part) {
				return nil, fmt.Errorf("config key %q: only letters, digits, - and _ between dots", key)
			}
		}
		if err := t.merge(nested(path, config[key])); err != nil {
			return nil, fmt.Errorf("config key %q: %w", key, err)
		}
	}
	return t, nil
}

func nested(path []string, value any) tree {
	for i := len(path) - 1; i > 0; i-- {
		value = tree{path[i]: value}
	}
	return tree{path[0]: value}
}

func (t tree) merge(other tree) error {
	for key, value := range other {
		table, isTable := asTree(value)
		old, exists := t[key]
		if !exists {
			if isTable {
				copied := make(tree, len(table))
				if err := copied.merge(table); err != nil {
					return err
				}
				value = copied
			}
			t[key] = value
			continue
		}
		oldTable, wasTable := old.(tree)
		if !isTable || !wasTable {
			return fmt.Errorf("%s is given twice", key)
		}
		if err := oldTable.merge(table); err != nil {
			return err
		}
	}
	return nil
}

func asTree(v any) (tree, bool) {
	switch v := v.(type) {
	case tree:
		return v, true
	case map[string]any:
		return v, true
	}
	return nil, false
}

// put sets the value at path, over whatever stands in its way.
func (t tree) put(value any, path ...string) {
	for _, key := range path[:len(path)-1] {
		next, ok := t[key].(tree)
		if !ok {
			next = make(tree)
			t[key] = next
		}
		t = next
	}
	t[path[len(path)-1]] = value
}

// fill sets the value at path unless something is there.
func (t tree) fill(value any, path ...string) {
	sub := t
	for i, key := range path {
		v, ok := sub[key]
		if !ok {
			t.put(value, path...)
			return
		}
		if sub, ok = v.(tree); !ok || i == len(path)-1 {
			return
		}
	}
}

// flags are the -c flags of the tree, one for each top-level key, sorted. A
// table with one entry becomes a dotted path, as a person would write it.
func (t tree) flags() ([]string, error) {
	var flags []string
	for _, key := range slices.Sorted(maps.Keys(t)) {
		path, value := key, t[key]
		for {
			inner, only, ok := single(value)
			if !ok {
				break
			}
			path, value = path+"."+inner, only
		}
		text, err := tomlValue(value)
		if err != nil {
			return nil, fmt.Errorf("config key %q: %w", path, err)
		}
		flags = append(flags, "-c", path+"="+text)
	}
	return flags, nil
}

// single is the entry of a table that has just one, with a key that may stand
// in a dotted path: Codex knows no quoted keys there.
func single(v any) (key string, value any, ok bool) {
	t, isTable := v.(tree)
	if !isTable || len(t) != 1 {
		return "", nil, false
	}
	for key, value = range t {
	}
	return key, value, isBareKey(key)
}
