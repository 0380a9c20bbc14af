package codextest

import (
	"testing"

	"autoreview/codexrun/scripted"
)

// The scripted model under the names that tests use; see package scripted.
type (
	// Model is scripted.Model.
	Model = scripted.Model
	// Script is scripted.Script.
	Script = scripted.Script
	// Request is scripted.Request.
	Request = scripted.Request
	// Step is scripted.Step.
	Step = scripted.Step
	// Usage is scripted.Usage.
	Usage = scripted.Usage
)

// The funcs of package scripted.
var (
	NewModel   = scripted.NewModel
	WriteHome  = scripted.WriteHome
	Always     = scripted.Always
	InTurn     = scripted.InTurn
	Say        = scripted.Say
	SayWords   = scripted.SayWords
	Think      = scripted.Think
	Call       = scripted.Call
	CallMCP    = scripted.CallMCP
	Shell      = scripted.Shell
	Use        = scripted.Use
	Fail       = scripted.Fail
	UsageLimit = scripted.UsageLimit
	FailStream = scripted.FailStream
	Hang       = scripted.Hang
	HangAfter  = scripted.HangAfter
	Cut        = scripted.Cut
	Wait       = scripted.Wait
)

// Serve is NewModel for a test, closed at its end.
func Serve(t testing.TB, script Script) *Model {
	t.Helper()
	m, err := NewModel(script)
	if err != nil {
		t.Fatalf("NewModel: %v", err)
	}
	t.Cleanup(m.Close)
	return m
}

// Home is WriteHome for a test, in a folder that is removed at its end.
func Home(t testing.TB, m *Model) (codexHome string, env []string) {
	t.Helper()
	codexHome = t.TempDir()
	env, err := WriteHome(codexHome, m)
	if err != nil {
		t.Fatalf("WriteHome: %v", err)
	}
	return codexHome, env
}
