package record_test

import (
	"strings"
	"testing"

	"autoreview/relay/redact"
	"autoreview/supervisor/record"
)

// With the masks of the program: what is only known to be a secret by the option
// before it, and what somebody put where only names should be.
func TestExportMasksOptionsAndNames(t *testing.T) {
	const value, key = "ocJ2isAjIhKtJ0RlgLKOmxgJ", "ghp_" + "fS2qHx6kwXoIIXGvOoNZYW2mZp0zVZomHFwU"
	r := sample(t.TempDir())
	r.Argv = []string{"exec", "--api-key", value, "-c", "model=gpt", "-", "plain"}
	r.Env = []string{"PATH", key}
	r.Text = "<script>alert(1)</script> " + key
	dir := t.TempDir()
	if err := record.Write(dir, r); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	mask := func(s string) string { s, _ = redact.Text(s); return s }
	if err := record.Export(&b, dir, mask); err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{value, key, "<script"} {
		if strings.Contains(b.String(), never) {
			t.Errorf("the page has %q in it", never)
		}
	}
	for _, want := range []string{"exec\n--api-key\n[masked: ", "-c\nmodel=gpt\n-\nplain\n", "PATH [masked: "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page has no %q in it:\n%s", want, b.String())
		}
	}
}
