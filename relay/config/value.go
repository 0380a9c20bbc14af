package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
)

// value is one setting as its source has it: a text from the environment and
// the flags, any type from a file.
type value struct {
	raw any
	// lax takes a text for a number. The original does so with what its
	// config.json has.
	lax bool
	// base is what a relative path is relative to, "" for the data folder;
	// dataBase is the same for the data folder itself.
	base, dataBase string
	env            func(string) (string, bool)
}

func (v value) text() (string, error) {
	s, ok := v.raw.(string)
	if !ok {
		return "", fmt.Errorf("want a text, not %s", shown(v.raw))
	}
	return strings.TrimSpace(s), nil
}

func (v value) whole(low, high int) (int, error) {
	n, ok := v.number()
	if !ok || n < int64(low) || n > int64(high) {
		return 0, fmt.Errorf("want a whole number from %d to %d, not %s", low, high, shown(v.raw))
	}
	return int(n), nil
}

func (v value) number() (int64, bool) {
	switch raw := v.raw.(type) {
	case int64:
		return raw, true
	case json.Number:
		if n, err := raw.Int64(); err == nil {
			return n, true
		}
		f, err := raw.Float64()
		return int64(f), err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53
	case string:
		n, err := strconv.ParseInt(strings.TrimSpace(raw), 10, 64)
		return n, err == nil && v.lax
	}
	return 0, false
}

func (v value) yesNo() (bool, error) {
	switch raw := v.raw.(type) {
	case bool:
		return raw, nil
	case string:
		if b, err := strconv.ParseBool(strings.TrimSpace(raw)); err == nil && v.lax {
			return b, nil
		}
	}
	return false, fmt.Errorf("want true or false, not %s", shown(v.raw))
}

// list is a list of texts, or one text with commas. Empty names are dropped,
// as the original does.
func (v value) list() ([]string, error) {
	out := []string{}
	add := func(s string) {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	switch raw := v.raw.(type) {
	case string:
		for s := range strings.SplitSeq(raw, ",") {
			add(s)
		}
		return out, nil
	case []any:
		for _, item := range raw {
			s, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf("want a list of texts, not one with %s in it", shown(item))
			}
			add(s)
		}
		return out, nil
	}
	return nil, fmt.Errorf("want a list of texts, not %s", shown(v.raw))
}

// path expands ~ and, unless base is "", makes the path absolute.
func (v value) path(base string) (string, error) {
	s, err := v.text()
	if err != nil {
		return "", err
	}
	if s == "" {
		return "", errors.New(`want a path, not ""`)
	}
	if s, err = expandHome(s, v.env); err != nil {
		return "", err
	}
	if base == "" || filepath.IsAbs(s) {
		return s, nil
	}
	return filepath.Abs(filepath.Join(base, s))
}

// shown is a value as the user wrote it, more or less.
func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return strconv.Quote(v)
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	default:
		return fmt.Sprint(v)
	}
}
