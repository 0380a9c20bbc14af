package tomledit

import (
	"math"
	"reflect"
)

// What a document means, as nested maps, and how an edit changes that.

func lookup(root map[string]any, path []string) (any, bool) {
	var v any = root
	for _, name := range path {
		table, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = table[name]; !ok {
			return nil, false
		}
	}
	return v, true
}

// put sets the value at path, making the tables on the way.
func put(root map[string]any, path []string, value any) {
	for _, name := range path[:len(path)-1] {
		next, ok := root[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			root[name] = next
		}
		root = next
	}
	root[path[len(path)-1]] = value
}

func remove(root map[string]any, path []string) {
	if parent, ok := lookup(root, path[:len(path)-1]); ok {
		if table, ok := parent.(map[string]any); ok {
			delete(table, path[len(path)-1])
		}
	}
}

// prune takes out the tables around path that are empty: a table without a
// header of its own goes with its last key.
func prune(root map[string]any, path []string) {
	for n := len(path) - 1; n > 0; n-- {
		if v, ok := lookup(root, path[:n]); ok {
			if table, ok := v.(map[string]any); ok && len(table) == 0 {
				remove(root, path[:n])
			}
		}
	}
}

// normal is the value as the decoder gives it back.
func normal(v any) any {
	if n, ok := v.(int); ok {
		return int64(n)
	}
	return v
}

// equal is reflect.DeepEqual, except that nan is nan.
func equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			w, ok := b[k]
			if !ok || !equal(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equal(a[i], b[i]) {
				return false
			}
		}
		return true
	case float64:
		b, ok := b.(float64)
		return ok && (a == b || math.IsNaN(a) && math.IsNaN(b))
	}
	return reflect.DeepEqual(a, b)
}
