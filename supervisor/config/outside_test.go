package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"autoreview/supervisor/config"
)

// The folder of a supervisor that runs is found whatever has become of its file.
func TestStateDirOf(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	env := func(name string) string { return map[string]string{"HOME": home, "LOCALAPPDATA": home}[name] }
	path := filepath.Join(dir, "autoreview.toml")
	byDefault := config.DefaultStateDir(env, path)
	tests := []struct{ name, text, want string }{
		{"said", "state_dir = \"s\"\n[[watch]]\nchannel = \"c\"\n", filepath.Join(dir, "s")},
		{"said by a file that has a mistake", "workers = \"two\"\nstate_dir = '~/s' # here\n", filepath.Join(home, "s")},
		{"said by a file that is no toml", "relay = \n state_dir= \"s\"\r\n[[watch\n", filepath.Join(dir, "s")},
		{"said after a byte order mark", "\xef\xbb\xbfstate_dir = \"s\"\n", filepath.Join(dir, "s")},
		{"not said", "[[watch\n", byDefault},
		{"in a place where it means nothing", "[[watch]]\nstate_dir = \"s\"\n", byDefault},
		{"in a comment", "# state_dir = \"s\"\n", byDefault},
		{"of another kind", "state_dir = 7\n", byDefault},
		{"not closed", "state_dir = \"s\n", byDefault},
		{"the home of another", "state_dir = \"~bob/s\"\n", byDefault},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := config.StateDirOf(env, path); got != tt.want {
				t.Errorf("StateDirOf: got %q, want %q", got, tt.want)
			}
		})
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := config.StateDirOf(env, path); got != byDefault {
		t.Errorf("StateDirOf without a file: got %q, want %q", got, byDefault)
	}
}
