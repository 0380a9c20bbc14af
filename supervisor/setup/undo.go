package setup

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"autoreview/supervisor/setup/jsonedit"
	"autoreview/supervisor/setup/tomledit"
)

// Undo finds out how to take out what earlier runs put in. A file that nobody
// has changed since gets its bytes back, or goes when it was made by a run. In
// another one only the meant parts are taken out, and those that somebody has
// changed stay. Without a record it goes by what Plan would put in, if a section
// or a file in the repository shows that init was there.
func Undo(o Options) Result {
	p := newPlanner(o)
	p.undo = true
	if len(o.Record.Edits) == 0 {
		return p.undoPresent()
	}
	after := map[string]*leaving{}
	var order []string
	for _, e := range slices.Backward(o.Record.Edits) {
		l := after[e.Path]
		if l == nil {
			l = p.leave(e.Path)
			after[e.Path] = l
			order = append(order, e.Path)
		}
		if l.blocked || !p.undoEdit(l, e) {
			p.Kept.Edits = append(p.Kept.Edits, e)
		}
	}
	slices.Reverse(p.Kept.Edits)
	for _, path := range order {
		p.addLeaving(after[path])
	}
	return p.Result
}

// leaving is a file that parts are taken out of.
type leaving struct {
	*draft
	gone bool     // there is to be no file
	dirs []string // that were made for it
}

func (p *planner) leave(path string) *leaving {
	l := &leaving{draft: p.draft(path)}
	l.gone = !l.exists
	return l
}

// undoEdit takes one edit back; done is false when something of it stays.
func (p *planner) undoEdit(l *leaving, e *Edit) (done bool) {
	switch now := sum(l.cur, !l.gone); {
	case l.gone || now == e.Before:
		return true
	case now == e.After && e.Created:
		l.gone, l.cur, l.dirs = true, nil, e.Dirs
	case now == e.After:
		l.cur = revert(l.cur, e.Splices)
	default:
		return p.takeOut(l, e)
	}
	l.why = append(l.why, "as it was before")
	return true
}

// takeOut takes the parts of an edit out of a file that has changed since.
func (p *planner) takeOut(l *leaving, e *Edit) (done bool) {
	done = true
	out := l.cur
	for _, part := range slices.Backward(e.Parts) {
		next, kept, err := part.takeOut(out)
		switch {
		case err != nil:
			p.problem(l.path, err.Error())
			return false
		case kept:
			p.note("%s: %s was changed by somebody and stays", p.name(l.path), part.describe())
			done = false
		default:
			out = next
		}
	}
	if text, ok := takeOutText(l.cur, e.Splices); ok && done && means(e.Parts, text, out) {
		out = text
	}
	if e.Created && done && nothingLeft(e.Parts, out) {
		l.gone, out, l.dirs = true, nil, e.Dirs
	}
	if !bytes.Equal(out, l.cur) || l.gone {
		l.cur = out
		l.why = append(l.why, "without what init put in; later changes stay")
	}
	return done
}

// takeOutText takes the pieces out where they still stand as they were put in,
// each in one place only. That keeps comments and blank lines right.
func takeOutText(text []byte, splices []Splice) (out []byte, ok bool) {
	for _, s := range slices.Backward(splices) {
		if len(s.Inserted) == 0 {
			continue // what was removed is not put back into a changed file
		}
		if bytes.Count(text, s.Inserted) != 1 {
			return nil, false
		}
		at := bytes.Index(text, s.Inserted)
		text = slices.Concat(text[:at], s.Removed, text[at+len(s.Inserted):])
	}
	return text, true
}

// means says that two texts mean the same, apart from tables that are empty.
func means(parts []Part, a, b []byte) bool {
	for _, part := range parts {
		var x, y any
		var errX, errY error
		switch part.Kind {
		case partTOML:
			x, _, errX = tomledit.Get(a)
			y, _, errY = tomledit.Get(b)
		case partJSON, partElement:
			x, _, errX = jsonedit.Get(a)
			y, _, errY = jsonedit.Get(b)
		default:
			continue
		}
		if errX != nil || errY != nil || !same(withoutEmpty(x), withoutEmpty(y)) {
			return false
		}
	}
	return true
}

func withoutEmpty(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			if e = withoutEmpty(e); e != nil {
				out[k] = e
			}
		}
		if len(out) > 0 {
			return out
		}
		return nil
	case []any:
		if len(v) == 0 {
			return nil
		}
	}
	return v
}

// nothingLeft says that a file holds nothing but what goes with everything else.
func nothingLeft(parts []Part, text []byte) bool {
	if len(bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))) == 0 {
		return true
	}
	for _, part := range parts {
		if part.Weak {
			if out, kept, err := part.delete(text); err == nil && !kept {
				text = out
			}
		}
	}
	for _, part := range parts {
		switch part.Kind {
		case partJSON, partElement:
			v, _, err := jsonedit.Get(text)
			return err == nil && withoutEmpty(v) == nil && !bytes.Contains(text, []byte("/"))
		}
	}
	return false
}

func (p *planner) addLeaving(l *leaving) {
	if l.blocked || !l.exists || bytes.Equal(l.before, l.cur) && !l.gone {
		return
	}
	slices.Sort(l.why)
	p.Changes = append(p.Changes, Change{
		Path: l.path, Name: p.name(l.path), Before: l.before, After: l.cur, Existed: true, Remove: l.gone,
		Why: slices.Compact(l.why), edit: &Edit{Dirs: l.dirs},
	})
}

// undoPresent takes out the parts that Plan would put in and that are there.
func (p *planner) undoPresent() Result {
	plan := newPlanner(p.Options)
	plan.planAll()
	p.Site = plan.Site
	if !slices.ContainsFunc(plan.present, p.marks) {
		return p.Result // after an undo, say: what is there is somebody else's
	}
	p.sayBroken(plan)
	after := map[string]*leaving{}
	for _, found := range plan.present {
		l := after[found.path]
		if l == nil {
			l = p.leave(found.path)
			after[found.path] = l
		}
		if found.part.Kind == partFile {
			l.gone, l.cur = true, nil
			l.why = append(l.why, "is what init makes")
			continue
		}
		part := found.part
		part.Made = 0 // not known: what is empty goes
		out, kept, err := part.takeOut(l.cur)
		if err == nil && !kept && !bytes.Equal(out, l.cur) {
			l.cur = out
			l.why = append(l.why, "without what init puts in")
		}
	}
	for _, d := range p.drafts {
		if l := after[d.path]; l != nil {
			p.addLeaving(l)
		}
	}
	return p.Result
}

// sayBroken reports the files of which nobody can tell what init put into them.
func (p *planner) sayBroken(plan *planner) {
	for _, d := range plan.drafts {
		for _, found := range plan.Problems {
			if d.broken && found.Name == p.name(d.path) {
				p.problem(d.path, found.Text)
			}
		}
	}
}

// marks says that nobody but init can have put a part into the repository.
func (p *planner) marks(found located) bool {
	return below(p.Root, found.path) && (found.part.Kind == partSection || found.part.Kind == partFile)
}

// takeOut takes a part out of a file; kept says that somebody has changed it.
func (part Part) takeOut(src []byte) (out []byte, kept bool, err error) {
	if part.Weak {
		return src, false, nil
	}
	return part.delete(src)
}

func (part Part) delete(src []byte) (out []byte, kept bool, err error) {
	switch part.Kind {
	case partTOML:
		return part.deleteTOML(src)
	case partJSON:
		return part.deleteJSON(src)
	case partElement:
		out, err := jsonedit.Remove(src, part.Value, part.Key...)
		if err != nil || bytes.Equal(out, src) {
			return src, false, err
		}
		return part.pruneJSON(out, len(part.Key)), false, nil
	case partSection:
		return comment{part.Key[0], part.Key[1]}.cut(src)
	case partFile:
		return src, true, nil
	}
	return src, false, nil
}

func (part Part) deleteTOML(src []byte) (out []byte, kept bool, err error) {
	have, ok, err := tomledit.Get(src, part.Key...)
	switch {
	case err != nil || !ok:
		return src, false, err
	case !same(have, part.Value):
		return src, true, nil
	}
	if part.Old != nil {
		out, err = tomledit.Set(src, "", tomledit.Entry{Path: part.Key, Value: part.Old})
		return out, false, err
	}
	if out, err = tomledit.Delete(withoutComment(src), part.Key...); err != nil {
		return src, false, err
	}
	for n := len(part.Key) - 1; n > part.Made; n-- {
		v, _, err := tomledit.Get(out, part.Key[:n]...)
		if table, ok := v.(map[string]any); err == nil && ok && len(table) == 0 {
			if next, err := tomledit.Delete(out, part.Key[:n]...); err == nil {
				out = next
			}
		}
	}
	return out, false, nil
}

// withoutComment takes out the comment that the server's table was given.
func withoutComment(src []byte) []byte {
	for _, newline := range []string{"\n", "\r\n"} {
		var lines []byte
		for line := range strings.SplitSeq(codexComment, "\n") {
			lines = append(lines, "# "+line+newline...)
		}
		out := bytes.Replace(src, lines, nil, 1)
		before, _, errBefore := tomledit.Get(src)
		after, _, errAfter := tomledit.Get(out)
		if errBefore == nil && errAfter == nil && same(before, after) {
			src = out
		}
	}
	return src
}

func (part Part) deleteJSON(src []byte) (out []byte, kept bool, err error) {
	have, ok, err := jsonedit.Get(src, part.Key...)
	switch {
	case err != nil || !ok:
		return src, false, err
	case !same(have, part.Value):
		return src, true, nil
	}
	if part.Old != nil {
		out, err = jsonedit.Set(src, part.Old, part.Key...)
		return out, false, err
	}
	if out, err = jsonedit.Delete(src, part.Key...); err != nil {
		return src, false, err
	}
	return part.pruneJSON(out, len(part.Key)-1), false, nil
}

// pruneJSON takes out what is empty now and was made for the part.
func (part Part) pruneJSON(src []byte, n int) []byte {
	for ; n > part.Made; n-- {
		v, ok, err := jsonedit.Get(src, part.Key[:n]...)
		if err != nil || !ok || withoutEmpty(v) != nil {
			break
		}
		out, err := jsonedit.Delete(src, part.Key[:n]...)
		if err != nil {
			break
		}
		src = out
	}
	return src
}

// describe names a part for people.
func (part Part) describe() string {
	switch part.Kind {
	case partSection:
		return "the section of autoreview"
	case partFile:
		return "the file"
	case partElement:
		b, _ := json.Marshal(part.Value)
		return string(b)
	}
	return filepath.ToSlash(filepath.Join(part.Key...))
}
