package codexrun

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tomlValue writes v as one line of TOML, in which tables are inline and have
// their keys sorted. It takes what a TOML or JSON decoder makes (strings,
// booleans, numbers, times, slices, maps with string keys) and refuses the
// rest: what Codex cannot read as TOML it would take as a plain string.
func tomlValue(v any) (string, error) {
	var b strings.Builder
	if err := writeTOML(&b, v); err != nil {
		return "", err
	}
	return b.String(), nil
}

func writeTOML(b *strings.Builder, v any) error {
	switch v := v.(type) {
	case string:
		writeTOMLString(b, v)
		return nil
	case time.Time:
		b.WriteString(v.Format(time.RFC3339Nano))
		return nil
	}
	return writeTOMLReflect(b, reflect.ValueOf(v))
}

func writeTOMLReflect(b *strings.Builder, v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		writeTOMLString(b, v.String())
	case reflect.Bool:
		b.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		b.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.Uint() > math.MaxInt64 {
			return fmt.Errorf("%d is too large for TOML", v.Uint())
		}
		b.WriteString(strconv.FormatUint(v.Uint(), 10))
	case reflect.Float32, reflect.Float64:
		b.WriteString(tomlFloat(v.Float()))
	case reflect.Slice, reflect.Array:
		return writeTOMLArray(b, v)
	case reflect.Map:
		return writeTOMLTable(b, v)
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return fmt.Errorf("TOML has no null")
		}
		return writeTOML(b, v.Elem().Interface())
	case reflect.Invalid:
		return fmt.Errorf("TOML has no null")
	default:
		return fmt.Errorf("a value of type %s has no TOML form", v.Type())
	}
	return nil
}

func writeTOMLArray(b *strings.Builder, v reflect.Value) error {
	b.WriteByte('[')
	for i := range v.Len() {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := writeTOML(b, v.Index(i).Interface()); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}

func writeTOMLTable(b *strings.Builder, v reflect.Value) error {
	if v.Type().Key().Kind() != reflect.String {
		return fmt.Errorf("a table with %s keys has no TOML form", v.Type().Key())
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	b.WriteByte('{')
	for i, key := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		writeTOMLKey(b, key.String())
		b.WriteByte('=')
		if err := writeTOML(b, v.MapIndex(key).Interface()); err != nil {
			return fmt.Errorf("%s: %w", key.String(), err)
		}
	}
	b.WriteByte('}')
	return nil
}

// tomlFloat always has a point, an exponent or a name: TOML would read an
// integer otherwise.
func tomlFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

func writeTOMLKey(b *strings.Builder, key string) {
	if isBareKey(key) {
		b.WriteString(key)
		return
	}
	writeTOMLString(b, key)
}

func isBareKey(key string) bool {
	for _, r := range key {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && !(r >= '0' && r <= '9') && r != '_' && r != '-' {
			return false
		}
	}
	return key != ""
}

// writeTOMLString writes a basic string. Bytes that are not UTF-8, which TOML
// cannot hold, become U+FFFD.
func writeTOMLString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}
