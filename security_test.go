package autoreview_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/security.md names a test for each claim, as `package: Test`; a name alone
// is of the package before it. What it names must be there.
func TestSecurityDocNamesTestsThatExist(t *testing.T) {
	doc, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(?:([a-z/]+): )?((?:Test|Fuzz)[A-Za-z0-9]+)`")
	pkg, seen := "", make(map[string]bool)
	for _, m := range named.FindAllStringSubmatch(string(doc), -1) {
		if m[1] != "" {
			pkg = m[1]
		}
		seen[pkg] = true
		if !hasTest(t, pkg, m[2]) {
			t.Errorf("docs/security.md: there is no %s in %s", m[2], pkg)
		}
	}
	if len(seen) < 8 {
		t.Fatalf("found tests of %d packages: the reading of the page is broken", len(seen))
	}
}

func hasTest(t *testing.T, pkg, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.FromSlash(pkg), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}
