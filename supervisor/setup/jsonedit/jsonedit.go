// Package jsonedit changes single members of a JSON file with comments and
// trailing commas, as VS Code reads it, and leaves every other byte as it is.
//
// Each edit is checked before it is returned: the result is parsed again, and
// the edit is refused unless the meant value is all that differs. Plain JSON
// stays plain JSON.
package jsonedit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tailscale/hujson"
)

// Object is a JSON object with its members in order.
type Object []Member

// Member is a member of an Object. A value is an Object, a List, a string, a
// bool or an int.
type Member struct {
	Name  string
	Value any
}

// List is a JSON array.
type List []any

// Error says why a file cannot be edited, and where.
type Error struct {
	// Line counts from 1; 0 is the file as a whole.
	Line int
	Text string
}

// Error returns "line N: text".
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Text
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Text)
}

// Get returns the value at path as encoding/json decodes it, numbers as
// json.Number; ok is false when there is none, as in an empty file. The error is
// an *Error when src cannot be read.
func Get(src []byte, path ...string) (value any, ok bool, err error) {
	d, err := parse(src)
	if err != nil || d.empty {
		return nil, false, err
	}
	value = d.meaning
	for _, name := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil, false, nil
		}
		if value, ok = object[name]; !ok {
			return nil, false, nil
		}
	}
	return value, true, nil
}

// Plain returns v as Get would: for comparing.
func Plain(v any) any {
	var out any
	dec := json.NewDecoder(strings.NewReader(render(v, style{})))
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		return nil
	}
	return out
}

// Set sets the member at path and makes the objects on the way that are not
// there. An empty file becomes one object. A member with this value already is
// not touched.
func Set(src []byte, value any, path ...string) ([]byte, error) {
	return edit(src, func(d *document) ([]byte, error) {
		if err := d.set(path, value); err != nil {
			return nil, err
		}
		return d.apply(), nil
	}, func(root any) any { return with(root, path, Plain(value)) })
}

// Append adds an element at the end of the array at path, which is made when it
// is not there. An array that has such an element already is not touched.
func Append(src []byte, element any, path ...string) ([]byte, error) {
	have, ok, err := Get(src, path...)
	if err != nil {
		return nil, err
	}
	list, isList := have.([]any)
	switch {
	case !ok:
		return Set(src, List{element}, path...)
	case isList && index(list, Plain(element)) >= 0:
		return src, nil
	}
	return edit(src, func(d *document) ([]byte, error) {
		if err := d.push(path, element); err != nil {
			return nil, err
		}
		return d.apply(), nil
	}, func(root any) any { return with(root, path, append(slices.Clone(list), Plain(element))) })
}

// Delete takes out the member at path. What is not there is no error.
func Delete(src []byte, path ...string) ([]byte, error) {
	if _, ok, err := Get(src, path...); err != nil || !ok {
		return src, err
	}
	return edit(src, func(d *document) ([]byte, error) {
		if err := d.delete(path); err != nil {
			return nil, err
		}
		return d.apply(), nil
	}, func(root any) any { return without(root, path) })
}

// Remove takes the first element that equals the given one out of the array at
// path. What is not there is no error.
func Remove(src []byte, element any, path ...string) ([]byte, error) {
	have, _, err := Get(src, path...)
	if err != nil {
		return nil, err
	}
	list, _ := have.([]any)
	i := index(list, Plain(element))
	if i < 0 {
		return src, nil
	}
	return edit(src, func(d *document) ([]byte, error) {
		if err := d.cutElement(path, i); err != nil {
			return nil, err
		}
		return d.apply(), nil
	}, func(root any) any { return with(root, path, slices.Delete(slices.Clone(list), i, i+1)) })
}

func index(list []any, element any) int {
	return slices.IndexFunc(list, func(v any) bool { return reflect.DeepEqual(v, element) })
}

// edit runs change, and accepts the result when it means what meant makes of
// the decoded document.
func edit(src []byte, change func(*document) ([]byte, error), meant func(any) any) ([]byte, error) {
	d, err := parse(src)
	if err != nil {
		return nil, err
	}
	if err := d.checkRoot(); err != nil {
		return nil, err
	}
	want := meant(d.meaning)
	if reflect.DeepEqual(want, d.meaning) && !d.empty {
		return src, nil
	}
	out, err := change(d)
	if err != nil {
		return nil, err
	}
	got, err := parse(out)
	if err != nil || !reflect.DeepEqual(got.meaning, want) {
		return nil, &Error{Text: "cannot be changed without changing more than was meant; please edit it by hand"}
	}
	return out, nil
}

// with returns root with the value at path; what it shares with root is not
// changed.
func with(root any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	out := map[string]any{}
	if object, ok := root.(map[string]any); ok {
		for k, v := range object {
			out[k] = v
		}
	}
	out[path[0]] = with(out[path[0]], path[1:], value)
	return out
}

func without(root any, path []string) any {
	object, ok := root.(map[string]any)
	if !ok {
		return root
	}
	out := map[string]any{}
	for k, v := range object {
		switch {
		case k != path[0]:
			out[k] = v
		case len(path) > 1:
			out[k] = without(v, path[1:])
		}
	}
	return out
}

var place = regexp.MustCompile(`^hujson: line (\d+), column (\d+): `)

func syntaxError(err error) *Error {
	e := &Error{Text: err.Error()}
	if m := place.FindStringSubmatch(e.Text); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		e.Text = e.Text[len(m[0]):]
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		e.Text = "the file ends too early"
	}
	e.Text = "not valid JSON: " + e.Text
	return e
}

// decode returns what a parsed value means.
func decode(v hujson.Value) (any, error) {
	v = v.Clone()
	v.Standardize()
	dec := json.NewDecoder(bytes.NewReader(v.Pack()))
	dec.UseNumber()
	var out any
	if err := dec.Decode(&out); err != nil {
		return nil, &Error{Text: "not valid JSON: " + err.Error()}
	}
	return out, nil
}
