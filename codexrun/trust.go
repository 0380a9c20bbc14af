package codexrun

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// TrustKeys are the folders by which Codex may decide whether the project
// configuration that it finds from dir is trusted: dir and every folder above
// it up to the root of its git repository (a user may have trusted any of
// them, and each may have a .codex of its own), by name and by real path, and
// for a worktree the repository it belongs to. Seen on 0.169: a subdirectory
// inherits from the root, a worktree from the main repository, and a link is
// looked up by the path it leads to.
func TrustKeys(dir string) []string {
	keys := trustChain(dir)
	if real, err := filepath.EvalSymlinks(dir); err == nil && real != dir {
		keys = append(keys, trustChain(real)...)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func trustChain(dir string) []string {
	root := gitRoot(dir)
	if root == "" {
		return []string{dir}
	}
	var keys []string
	for d := dir; ; d = filepath.Dir(d) {
		keys = append(keys, d)
		if d == root {
			break
		}
	}
	if main := mainRoot(root); main != "" {
		keys = append(keys, main)
	}
	return keys
}

// gitRoot is the nearest folder at or above dir that has a .git, "" for none.
func gitRoot(dir string) string {
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(filepath.Join(d, ".git")); err == nil {
			return d
		}
		if d == filepath.Dir(d) {
			return ""
		}
	}
}

// mainRoot is the root of the repository that the worktree at root belongs to,
// "" when root is no worktree.
func mainRoot(root string) string {
	data, err := os.ReadFile(filepath.Join(root, ".git"))
	if err != nil {
		return "" // a folder: this is the main repository
	}
	gitDir, ok := strings.CutPrefix(strings.TrimSpace(string(data)), "gitdir:")
	if !ok {
		return ""
	}
	gitDir = absIn(root, strings.TrimSpace(gitDir))
	common, err := os.ReadFile(filepath.Join(gitDir, "commondir"))
	if err != nil {
		return "" // a submodule
	}
	return filepath.Dir(absIn(gitDir, strings.TrimSpace(string(common))))
}

func absIn(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
