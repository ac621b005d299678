package jsonpath

import (
	"fmt"
	"slices"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// Reference is a compiled reference path: names and non-negative indexes only, one place in a value. It is
// immutable and safe for concurrent use.
type Reference struct{ path *Path }

// MatchError says that a value cannot be written where a reference path points: the States Language's
// States.ResultPathMatchFailure, which Step Functions calls States.ReferencePathConflict.
type MatchError struct {
	Path   string // as written
	Step   string // the name or index that did not fit the value
	Detail string
}

// Error returns "reference path $.a.b cannot be applied: ...".
func (e *MatchError) Error() string {
	return "reference path " + e.Path + " cannot be applied: " + e.Detail
}

// ParseReference compiles a reference path. It starts at the data. Errors are *SyntaxError.
func ParseReference(text string) (*Reference, error) {
	p, err := Parse(text)
	if err != nil {
		return nil, err
	}
	fail := func(why string) (*Reference, error) {
		return nil, &SyntaxError{Path: text, Msg: "a reference path names one place, " + why}
	}
	if p.head != atData {
		return fail("in the data: start it with '$.'")
	}
	if p.function != nil {
		return fail("so it has no functions")
	}
	for i := range p.steps {
		s := &p.steps[i]
		if !s.single() || s.kind == stepIndexes && s.indexes[0] < 0 {
			return fail("so it is made of .name, ['name'] and [0] only")
		}
	}
	return &Reference{p}, nil
}

// String returns the path as written.
func (r *Reference) String() string { return r.path.text }

// IsRoot reports whether the path is "$".
func (r *Reference) IsRoot() bool { return len(r.path.steps) == 0 }

// Get returns the value at that place, or a *MissingError.
func (r *Reference) Get(root any) (any, error) { return r.path.Get(root) }

// Set returns root with value at that place. Objects that are missing on the way are made; root and what it
// shares with the result stay as they are. A *MatchError when something other than an object or array is in
// the way, or an index lies outside its array.
func (r *Reference) Set(root, value any) (any, error) { return r.set(0, root, true, value) }

func (r *Reference) set(i int, old any, present bool, value any) (any, error) {
	if i == len(r.path.steps) {
		return value, nil
	}
	s := &r.path.steps[i]
	if s.kind == stepIndexes {
		return r.setItem(i, old, value)
	}
	o, ok := old.(*jsonvalue.Object)
	if !ok && present {
		return nil, r.fail(i, "%s is a %s, not an object", r.path.canonical(i), jsonvalue.KindOf(old))
	}
	child, has := o.Get(s.names[0])
	child, err := r.set(i+1, child, has, value)
	if err != nil {
		return nil, err
	}
	return o.With(s.names[0], child), nil
}

func (r *Reference) setItem(i int, old, value any) (any, error) {
	items, ok := old.([]any)
	if !ok {
		return nil, r.fail(i, "%s is not an array", r.path.canonical(i))
	}
	n := r.path.steps[i].indexes[0]
	if n >= len(items) {
		return nil, r.fail(i, "%s has %d items", r.path.canonical(i), len(items))
	}
	item, err := r.set(i+1, items[n], true, value)
	if err != nil {
		return nil, err
	}
	items = slices.Clone(items)
	items[n] = item
	return items, nil
}

func (r *Reference) fail(i int, format string, args ...any) error {
	return &MatchError{Path: r.path.text, Step: r.path.steps[i].word(), Detail: fmt.Sprintf(format, args...)}
}
