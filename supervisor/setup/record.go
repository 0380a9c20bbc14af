package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// Record is what was put in, oldest first. It holds nothing of the files but
// the pieces that were changed.
type Record struct {
	Edits []*Edit `json:"edits"`
}

// Edit is one change of one file.
type Edit struct {
	Path string `json:"path"`
	// Created says that there was no file, Dirs which folders were made for it.
	Created bool     `json:"created,omitempty"`
	Dirs    []string `json:"dirs,omitempty"`
	// Before and After identify the content; Before is "" for no file.
	Before  string   `json:"before,omitempty"`
	After   string   `json:"after"`
	Splices []Splice `json:"splices"`
	Parts   []Part   `json:"parts"`
}

// The kinds of parts.
const (
	partTOML    = "toml"    // a key or table of a TOML file
	partJSON    = "json"    // a member of a JSON file
	partElement = "element" // an element of an array in a JSON file
	partSection = "section" // a section between markers
	partFile    = "file"    // the whole file
	partRemoved = "removed" // something that was taken out
)

// Part is what an edit meant, for taking it out of a file that has changed.
type Part struct {
	Kind string   `json:"kind"`
	Key  []string `json:"key,omitempty"`
	// Value is what was put in; Old is the plain value that it replaced.
	Value any `json:"value,omitempty"`
	Old   any `json:"old,omitempty"`
	// Made says how much of Key was there before.
	Made int `json:"made,omitempty"`
	// Weak parts go only together with everything else.
	Weak bool `json:"weak,omitempty"`
}

// located is a part with its file.
type located struct {
	path string
	part Part
}

// ReadRecord reads a record; no file is an empty one.
func ReadRecord(path string) (Record, error) {
	src, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, nil
	}
	if err != nil {
		return Record{}, fmt.Errorf("reading the record of changes: %w", err)
	}
	var r Record
	if err := json.Unmarshal(src, &r); err != nil {
		return Record{}, fmt.Errorf("reading the record of changes %s: %w", path, err)
	}
	return r, nil
}

// last returns the newest part of this kind and key that was put into a file.
func (r Record) last(path, kind string, key ...string) (Part, bool) {
	for i := len(r.Edits) - 1; i >= 0; i-- {
		e := r.Edits[i]
		if e.Path != path {
			continue
		}
		for j := len(e.Parts) - 1; j >= 0; j-- {
			if part := e.Parts[j]; part.Kind == kind && slices.Equal(part.Key, key) {
				return part, true
			}
		}
	}
	return Part{}, false
}
