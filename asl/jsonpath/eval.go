package jsonpath

import (
	"fmt"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// Get returns what the path names in root, the value of its head: the data, the context object or the
// variable, as IsContext and Variable say. Errors are *MissingError and *EvalError.
func (p *Path) Get(root any) (any, error) {
	if p.definite && p.function == nil {
		return p.one(root)
	}
	w := walk{path: p, root: root, visits: maxVisits}
	return w.get(root)
}

// get evaluates the path on start; inside a filter that is an item of root. A function is applied to each value
// the path finds, as Jayway does, but to all of them at once behind a leading "..".
func (w *walk) get(start any) (any, error) {
	v, err := w.steps(start)
	f := w.path.function
	switch {
	case err != nil || f == nil:
		return v, err
	case w.path.gathers():
		return f.gather(w, w.found)
	case w.path.definite:
		return f.apply(w, v)
	}
	for i, item := range w.found {
		if w.found[i], err = f.apply(w, item); err != nil {
			return nil, err
		}
	}
	return w.found, nil
}

func (w *walk) steps(start any) (any, error) {
	p := w.path
	if p.definite {
		return p.one(start)
	}
	w.found = []any{}
	if err := w.from(0, start, true); err != nil {
		return nil, err
	}
	return w.found, nil
}

// one follows a definite path without collecting.
func (p *Path) one(v any) (any, error) {
	for i := range p.steps {
		s := &p.steps[i]
		if s.kind == stepIndexes {
			items, ok := v.([]any)
			if !ok {
				return nil, p.notArray(i, v)
			}
			n := at(s.indexes[0], len(items))
			if n < 0 {
				return nil, p.missing(i)
			}
			v = items[n]
			continue
		}
		o, ok := v.(*jsonvalue.Object)
		if !ok {
			return nil, p.notObject(i, v)
		}
		if len(s.names) > 1 {
			return pick(o, s.names), nil
		}
		if v, ok = o.Get(s.names[0]); !ok {
			return nil, p.missing(i)
		}
	}
	return v, nil
}

// at returns the place of index n, negative from the end, or -1.
func at(n, length int) int {
	if n < 0 {
		n += length
	}
	if n < 0 || n >= length {
		return -1
	}
	return n
}

// pick returns the members of those names as an object.
func pick(o *jsonvalue.Object, names []string) *jsonvalue.Object {
	out := jsonvalue.NewObject(len(names))
	for _, name := range names {
		if v, ok := o.Get(name); ok {
			out.Set(name, v)
		}
	}
	return out
}

// missing is the error for step i that finds nothing. The last step of a path is reported as a path without
// results, an earlier name as a missing property: so does Step Functions.
func (p *Path) missing(i int) error {
	leaf := i == len(p.steps)-1 && p.function == nil
	detail := "No results for path: " + p.canonical(len(p.steps)) + p.function.fragment()
	if !leaf && p.steps[i].kind == stepNames {
		detail = "Missing property in path " + p.canonical(i+1)
	}
	return &MissingError{Path: p.text, Detail: detail, Step: p.steps[i].word(), PastEnd: leaf && p.steps[i].kind == stepIndexes}
}

func (p *Path) notObject(i int, v any) error {
	one := step{kind: stepNames, names: p.steps[i].names}
	return &MissingError{Path: p.text, Step: one.word(), Detail: fmt.Sprintf("Expected to find an object with property %s in path %s but found '%s'.",
		one.appendTo(nil), p.canonical(i), jsonvalue.KindOf(v))}
}

func (p *Path) notArray(i int, v any) error {
	if v == nil {
		return &MissingError{Path: p.text, Detail: fmt.Sprintf("The path %s is null", p.canonical(i)), Step: p.steps[i].word(), NotArray: true}
	}
	shown := jsonvalue.AppendJava(nil, v, maxShown)
	return &MissingError{Path: p.text, Step: p.steps[i].word(), NotArray: true,
		Detail: fmt.Sprintf("Filter: %s can only be applied to arrays. Current context is: %s", p.steps[i].appendTo(nil), shown)}
}

// walk is one evaluation of an indefinite path.
type walk struct {
	path   *Path
	root   any // what "$" is inside filters
	found  []any
	visits int // left
	// senseless is set by a comparison that makes no sense on the values it met: the whole filter does not hold.
	senseless bool
}

// from applies the steps from the i-th on to v. exact says that every step so far named one place, so a
// missing name is an error; behind a wildcard it only makes the list shorter.
func (w *walk) from(i int, v any, exact bool) error {
	if w.visits--; w.visits < 0 {
		return &EvalError{Path: w.path.text, Detail: fmt.Sprintf("the path visits more than %d values; make it more precise", maxVisits)}
	}
	if i == len(w.path.steps) {
		w.found = append(w.found, v)
		return nil
	}
	if w.path.steps[i].deep {
		return w.everywhere(i, v)
	}
	return w.apply(i, v, exact)
}

// everywhere applies step i to v and to all parts of v, outer ones first.
func (w *walk) everywhere(i int, v any) error {
	if w.visits--; w.visits < 0 {
		return w.from(i, v, false) // reports it
	}
	if w.scans(i, v) {
		if err := w.apply(i, v, false); err != nil {
			return err
		}
	}
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if err := w.everywhere(i, item); err != nil {
				return err
			}
		}
	case *jsonvalue.Object:
		for _, item := range v.All() {
			if err := w.everywhere(i, item); err != nil {
				return err
			}
		}
	}
	return nil
}

// scans reports whether ".." stops at v to apply step i. Names at the end of the path must all be there; a filter
// looks at objects, which it tests themselves, and at the arrays that satisfy it.
func (w *walk) scans(i int, v any) bool {
	s := &w.path.steps[i]
	switch {
	case s.kind == stepFilter:
		return w.holds(s.filter, v)
	case s.kind == stepNames && len(s.names) > 1 && i == len(w.path.steps)-1:
		o, ok := v.(*jsonvalue.Object)
		return ok && pick(o, s.names).Len() == len(s.names)
	}
	return true
}

func (w *walk) apply(i int, v any, exact bool) error {
	switch s := &w.path.steps[i]; s.kind {
	case stepNames:
		return w.applyNames(i, v, exact)
	case stepIndexes, stepSlice:
		items, ok := v.([]any)
		if !ok {
			if exact {
				return w.path.notArray(i, v)
			}
			return nil
		}
		if s.kind == stepSlice {
			return w.applySlice(i, items)
		}
		return w.applyIndexes(i, items, exact)
	case stepFilter:
		return w.applyFilter(i, v, exact)
	default:
		return w.each(v, func(item any) error { return w.from(i+1, item, false) })
	}
}

// each calls do for each item or member's value of v.
func (w *walk) each(v any, do func(any) error) error {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if err := do(item); err != nil {
				return err
			}
		}
	case *jsonvalue.Object:
		for _, item := range v.All() {
			if err := do(item); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walk) applyNames(i int, v any, exact bool) error {
	s := &w.path.steps[i]
	o, ok := v.(*jsonvalue.Object)
	if !ok {
		if exact {
			return w.path.notObject(i, v)
		}
		return nil
	}
	if len(s.names) > 1 && i == len(w.path.steps)-1 {
		w.found = append(w.found, pick(o, s.names))
		return nil
	}
	for _, name := range s.names {
		item, ok := o.Get(name)
		if !ok {
			if exact && len(s.names) == 1 {
				return w.path.missing(i)
			}
			continue
		}
		if err := w.from(i+1, item, exact && len(s.names) == 1); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) applyIndexes(i int, items []any, exact bool) error {
	s := &w.path.steps[i]
	for _, n := range s.indexes {
		k := at(n, len(items))
		if k < 0 {
			continue
		}
		if err := w.from(i+1, items[k], exact && len(s.indexes) == 1); err != nil {
			return err
		}
	}
	return nil
}

// applySlice takes [from:], [:to] or [from:to]. Both bounds count from the end where they are negative and alone; of
// two, only the places between them do, each by itself: [-2:1] is [-2], [-1], [0]. So does Jayway.
func (w *walk) applySlice(i int, items []any) error {
	s := &w.path.steps[i]
	from, to := 0, len(items)
	switch {
	case s.to == nil:
		if from = *s.from; from < 0 {
			from = max(from+len(items), 0)
		}
	case s.from == nil:
		if to = *s.to; to < 0 {
			to += len(items)
		}
	default:
		from, to = max(*s.from, -len(items)), *s.to
	}
	for n := from; n < min(to, len(items)); n++ {
		if k := at(n, len(items)); k >= 0 {
			if err := w.from(i+1, items[k], false); err != nil {
				return err
			}
		}
	}
	return nil
}

// applyFilter keeps the items of an array that satisfy the filter; an object is tested itself.
func (w *walk) applyFilter(i int, v any, exact bool) error {
	s := &w.path.steps[i]
	items, ok := v.([]any)
	if _, object := v.(*jsonvalue.Object); object {
		items, ok = []any{v}, true
	}
	if !ok {
		if exact {
			return &EvalError{Path: w.path.text, Detail: "Filter: [?] can not be applied to primitives. Current context is: " +
				string(jsonvalue.AppendJava(nil, v, maxShown))}
		}
		return nil
	}
	for _, item := range items {
		if w.visits--; w.visits < 0 {
			return w.from(i, item, false) // reports it
		}
		if !w.holds(s.filter, item) {
			continue
		}
		if err := w.from(i+1, item, false); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) holds(c condition, item any) bool {
	w.senseless = false
	return c.holds(w, item) && !w.senseless
}
