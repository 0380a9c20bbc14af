// Package tomledit changes single keys of a TOML file and leaves every other
// byte as it is: comments, order, blank lines, CRLF, a byte order mark, dotted
// keys and inline tables.
//
// Each edit is checked before it is returned: the result is parsed again, and
// the edit is refused unless the meant keys are all that differs. So a bug here,
// or a form of TOML that was not thought of, is an error and not a broken file.
package tomledit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Entry is one key to be set.
type Entry struct {
	// Path is the key with its tables, such as mcp_servers, relay, url.
	Path []string
	// Value is a string, a bool or an int.
	Value any
}

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

var bom = []byte("\xef\xbb\xbf")

// Get returns the value at path as the TOML decoder sees it; ok is false when
// there is none. The error is an *Error when src is not TOML.
func Get(src []byte, path ...string) (value any, ok bool, err error) {
	root, err := decode(bytes.TrimPrefix(src, bom))
	if err != nil {
		return nil, false, err
	}
	value, ok = lookup(root, path)
	return value, ok, nil
}

// Set sets keys, adding the ones that are missing where they fit best. comment
// is put above the table of the first key when that has to be added, each line
// of it with a #; "" is none. Keys that have their value already are not touched. The error is
// an *Error when src is not TOML or has something else than a table in the way.
func Set(src []byte, comment string, entries ...Entry) ([]byte, error) {
	return edit(src, nil, func(body []byte, want map[string]any) ([]byte, error) {
		for _, e := range entries {
			d, err := parse(body)
			if err != nil {
				return nil, err
			}
			if body, err = d.set(e, comment); err != nil {
				return nil, err
			}
			comment = ""
			put(want, e.Path, normal(e.Value))
		}
		return body, nil
	})
}

// Delete takes out the key or table at path, with all that is below it. Tables
// that it leaves empty stay when they have a header of their own. What is not
// there is no error.
func Delete(src []byte, path ...string) ([]byte, error) {
	return edit(src, path, func(body []byte, want map[string]any) ([]byte, error) {
		for range maxParts {
			d, err := parse(body)
			if err != nil {
				return nil, err
			}
			next, found := d.deleteOne(path)
			if !found {
				break
			}
			body = next
		}
		remove(want, path)
		return body, nil
	})
}

// maxParts bounds the pieces that one table may be written in.
const maxParts = 10_000

// edit runs change on the text without its byte order mark, and accepts the
// result when it means what change made of the decoded document. Whether the
// tables around gone are there when they are empty makes no difference.
func edit(src []byte, gone []string, change func(body []byte, want map[string]any) ([]byte, error)) ([]byte, error) {
	body, marked := bytes.CutPrefix(src, bom)
	want, err := decode(body)
	if err != nil {
		return nil, err
	}
	out, err := change(body, want)
	if err != nil {
		return nil, err
	}
	got, err := decode(out)
	prune(got, gone)
	prune(want, gone)
	if err != nil || !equal(got, want) {
		return nil, &Error{Text: "cannot be changed without changing more than was meant; please edit it by hand"}
	}
	if marked {
		out = slices.Concat(bom, out)
	}
	return out, nil
}

func decode(src []byte) (map[string]any, error) {
	root := map[string]any{}
	if err := toml.Unmarshal(src, &root); err != nil {
		return nil, syntaxError(err)
	}
	return root, nil
}

func syntaxError(err error) *Error {
	e := &Error{Text: "not valid TOML: " + strings.TrimPrefix(err.Error(), "toml: ")}
	var at *toml.DecodeError
	if errors.As(err, &at) {
		e.Line, _ = at.Position()
	}
	return e
}
