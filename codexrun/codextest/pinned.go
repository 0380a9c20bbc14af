package codextest

import (
	_ "embed"
	"encoding/json"
)

//go:embed npm/package.json
var npmPackage []byte

// PinnedVersion is the version of the Codex CLI that the tests and the demo
// are made for, such as "0.169.0". It is read from npm/package.json, the one
// place that says it.
func PinnedVersion() string {
	var p struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	if err := json.Unmarshal(npmPackage, &p); err != nil {
		return ""
	}
	return p.Dependencies["@openai/codex"]
}
