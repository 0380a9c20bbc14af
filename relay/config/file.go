package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// entry is one key of a file with its place.
type entry struct {
	key   string
	line  int
	value any
}

// readFile returns the entries of a file, in order. What cannot be parsed at
// all is a problem and yields no entries.
func readFile(path string) ([]entry, []Problem) {
	data, err := os.ReadFile(path)
	if err != nil {
		// The path is said by the problem's place.
		if pe, ok := errors.AsType[*os.PathError](err); ok {
			err = pe.Err
		}
		return nil, []Problem{{Path: path, Text: fmt.Sprintf("reading the file: %v", err)}}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	parse := parseTOML
	if strings.EqualFold(filepath.Ext(path), ".json") {
		parse = parseJSON
	}
	entries, problems := parse(data)
	for i := range problems {
		problems[i].Path = path
	}
	return entries, problems
}

// parseTOML takes the values from the decoder and the lines from the parser:
// the decoder alone would report one wrong type and stop.
func parseTOML(data []byte) ([]entry, []Problem) {
	var values map[string]any
	if err := toml.Unmarshal(data, &values); err != nil {
		p := Problem{Text: "not valid TOML: " + err.Error()}
		if de, ok := errors.AsType[*toml.DecodeError](err); ok {
			p.Line, _ = de.Position()
			p.Key = strings.Join(de.Key(), ".")
		}
		return nil, []Problem{p}
	}
	var entries []entry
	var parser unstable.Parser
	parser.Reset(data)
	for parser.NextExpression() {
		e := parser.Expression()
		key := joinKey(e.Key())
		if e.Kind != unstable.KeyValue {
			// There are no tables in relay.toml: what stands below one has
			// nothing to say.
			line := lineOf(&parser, e)
			return append(entries, entry{key: "[" + key + "]", line: line}), nil
		}
		entries = append(entries, entry{key: key, line: lineOf(&parser, e), value: values[key]})
	}
	return entries, nil
}

func joinKey(it unstable.Iterator) string {
	var parts []string
	for it.Next() {
		parts = append(parts, string(it.Node().Data))
	}
	return strings.Join(parts, ".")
}

func lineOf(p *unstable.Parser, e *unstable.Node) int {
	it := e.Key()
	if !it.Next() {
		return 0
	}
	return p.Shape(it.Node().Raw).Start.Line
}

func parseJSON(data []byte) ([]entry, []Problem) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	fail := func(text string, offset int64) ([]entry, []Problem) {
		return nil, []Problem{{Line: lineAt(data, offset), Text: text}}
	}
	broken := func(err error) ([]entry, []Problem) {
		offset := dec.InputOffset()
		if se, ok := errors.AsType[*json.SyntaxError](err); ok {
			offset = se.Offset
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			offset, err = int64(len(data)), errors.New("it ends too early")
		}
		return fail("not valid JSON: "+err.Error(), offset)
	}
	first, err := dec.Token()
	if err != nil {
		return broken(err)
	}
	if first != json.Delim('{') {
		return fail("want a JSON object", dec.InputOffset())
	}
	var entries []entry
	seen := make(map[string]bool)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return broken(err)
		}
		e := entry{key: token.(string), line: lineAt(data, dec.InputOffset())}
		if err := dec.Decode(&e.value); err != nil {
			return broken(err)
		}
		if seen[e.key] {
			return fail(fmt.Sprintf("the key %q is there twice", e.key), dec.InputOffset())
		}
		seen[e.key] = true
		entries = append(entries, e)
	}
	if _, err := dec.Token(); err != nil {
		return broken(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return fail("want one JSON object and nothing after it", dec.InputOffset())
	}
	return entries, nil
}

// lineAt is the line of an offset, counted from 1.
func lineAt(data []byte, offset int64) int {
	offset = min(max(offset, 0), int64(len(data)))
	return 1 + bytes.Count(data[:offset], []byte("\n"))
}
