package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checker collects what is found while a configuration is read.
type checker struct {
	doc      *document
	env      func(string) string
	base     string // the folder that relative paths start from
	problems []Problem
	warnings []Warning
}

// table reads the keys of one TOML table. Every read notes its key as known;
// finish reports those that were never asked for.
type table struct {
	*checker
	path   []string
	name   string // how the table is called in messages, "" for the top
	values map[string]any
	known  []string
}

func (t *table) key(key string) string {
	if t.name == "" {
		return key
	}
	return t.name + "." + key
}

func (t *table) at(key string) Place {
	return t.doc.place(append(t.path[:len(t.path):len(t.path)], key))
}

func (t *table) problem(key, format string, args ...any) {
	t.problems = append(t.problems, Problem{Place: t.at(key), Key: t.key(key), Text: fmt.Sprintf(format, args...)})
}

func (t *table) warn(key, format string, args ...any) {
	t.warnings = append(t.warnings, Warning{Place: t.at(key), Key: t.key(key), Text: fmt.Sprintf(format, args...)})
}

func (t *table) get(key string) (any, bool) {
	t.known = append(t.known, key)
	v, ok := t.values[key]
	return v, ok
}

// has reports whether the user wrote the key.
func (t *table) has(key string) bool {
	_, ok := t.values[key]
	return ok
}

// read returns the value of a key if it is there and has the wanted type.
func read[T any](t *table, key, want string) (T, bool) {
	v, there := t.get(key)
	typed, ok := v.(T)
	if there && !ok {
		t.problem(key, "want %s, got %s", want, kindOf(v))
	}
	return typed, ok
}

// str reads a string that is not blank.
func (t *table) str(key, def string) string {
	s, ok := read[string](t, key, "a string")
	switch {
	case !ok:
		return def
	case strings.TrimSpace(s) == "":
		t.problem(key, "is blank; want a value, or no such line for the default")
		return def
	}
	return s
}

func (t *table) boolean(key string, def bool) bool {
	if b, ok := read[bool](t, key, "true or false"); ok {
		return b
	}
	return def
}

func (t *table) integer(key string, def, least int64) int64 {
	n, ok := read[int64](t, key, "an integer")
	switch {
	case !ok:
		return def
	case n < least:
		t.problem(key, "want %d or more, got %d", least, n)
		return def
	}
	return n
}

func (t *table) duration(key string, def, least time.Duration) time.Duration {
	const want = `a duration such as "90s", "30m" or "1h30m"`
	s, ok := read[string](t, key, want)
	if !ok {
		return def
	}
	d, err := time.ParseDuration(strings.TrimSpace(s))
	switch {
	case err != nil:
		t.problem(key, "want %s, got %q", want, shorten(s))
		return def
	case d < least:
		t.problem(key, "want %s or more, got %q", least, s)
		return def
	}
	return d
}

// enum reads one of a closed set. near maps what users write by habit to what
// they mean.
func (t *table) enum(key, def string, near map[string]string, names ...string) string {
	s, ok := read[string](t, key, "one of "+quoted(names))
	if !ok || slices.Contains(names, s) {
		if ok {
			return s
		}
		return def
	}
	meant := near[s]
	if meant == "" {
		meant = suggest(s, names)
	}
	t.problem(key, "want one of %s, got %q%s", quoted(names), shorten(s), didYouMean(meant))
	return def
}

// strs reads a list of strings; places of single elements are not kept.
func (t *table) strs(key string, def []string) []string {
	items, ok := read[[]any](t, key, `a list of strings such as ["a", "b"]`)
	if !ok {
		return def
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		s, ok := item.(string)
		if !ok {
			t.problem(key, "want only strings in the list, got %s", kindOf(item))
			continue
		}
		list = append(list, s)
	}
	return list
}

// file reads a path, absolute afterwards: "~" is the home folder, and a
// relative one starts from the folder of the configuration.
func (t *table) file(key, def string) string {
	s := t.str(key, "")
	if s == "" {
		return def
	}
	path, err := expand(t.env, t.base, s)
	if err != nil {
		t.problem(key, "%v", err)
		return def
	}
	return path
}

// finish reports the keys that nothing asked for. elsewhere holds keys of other
// tables with a word on where they belong.
func (t *table) finish(elsewhere map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(t.values)) {
		if slices.Contains(t.known, key) {
			continue
		}
		if where, ok := elsewhere[key]; ok {
			t.problem(key, "%s", where)
			continue
		}
		t.problem(key, "unknown key%s", didYouMean(suggest(key, t.known)))
	}
}

// sort puts problems and warnings into the order of the file.
func (c *checker) sort() {
	slices.SortStableFunc(c.problems, func(a, b Problem) int { return before(a.Place, b.Place) })
	slices.SortStableFunc(c.warnings, func(a, b Warning) int { return before(a.Place, b.Place) })
}

func before(a, b Place) int {
	if a.Line != b.Line {
		return a.Line - b.Line
	}
	return a.Column - b.Column
}

// expand makes a path absolute.
func expand(env func(string) string, base, path string) (string, error) {
	if path == "~" || strings.HasPrefix(path, "~/") || strings.HasPrefix(path, `~\`) {
		home := homeDir(env)
		if home == "" {
			return "", fmt.Errorf("%q needs a home folder and none is known; write an absolute path", path)
		}
		return filepath.Join(home, path[1:]), nil
	}
	if strings.HasPrefix(path, "~") {
		return "", fmt.Errorf("want a path below ~/ or an absolute one, got %q", path)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(base, path)
	}
	return filepath.Clean(path), nil
}

func quoted(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = strconv.Quote(n)
	}
	return strings.Join(q, ", ")
}
