// Package jsonpath is JSONPath as Step Functions speaks it, which is Jayway's dialect, and the reference
// paths by which results are written.
//
// A Path starts at the data ("$"), at the context object ("$$") or at a variable ("$name") and goes on with
// names (.name ['name'] ['a','b']), indexes ([0] [-1] [0,2]), slices ([1:3] [1:] [:-1]), wildcards (.* [*]),
// filters ([?(@.price < 10 && @.tag in ['a','b'])]), any of them at every depth (..), and may end in a
// function (.length() .min() .max() .avg() .sum() .stddev() .keys() .first() .last() .index(n) .concat() .append()),
// which is applied to each value found, behind a leading ".." to all of them at once.
//
// Filters compare with == != === !== < <= > >= =~ (the whole text, against /pattern/flags), in, nin, subsetof, anyof,
// noneof, contains, size and empty. A number equals the string that holds it, but not under ===. What is missing
// equals nothing, not even null; a path alone holds where it leads somewhere, and where it gives a list.
//
// Where Jayway is odd, so is this package, as definitions have been written against it: the third part of a slice
// does nothing, and of [-2:1] each place counts by itself.
//
// A definite path names one place: its value, or a *MissingError. Any other path gives a list, which may be
// empty. Values are jsonvalue trees and are never changed.
//
//	p, err := jsonpath.Parse("$.orders[?(@.total > 100)].id")
//	ids, err := p.Get(data) // []any
//
//	r, err := jsonpath.ParseReference("$.result.id")
//	data, err = r.Set(data, "x1") // a new tree; the old one is as it was
package jsonpath

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxNesting bounds filters and function arguments inside each other.
	maxNesting = 32
	// maxVisits bounds how many values one evaluation looks at: chained ".." grow with a power of the
	// data, and no useful path comes near it.
	maxVisits = 10_000_000
	// maxShown bounds what a message shows of a value, in bytes.
	maxShown = 1 << 10
	// maxConcat bounds what concat() makes of one item, in bytes; every payload limit is below it.
	maxConcat = 16 << 20
)

// Path is a compiled path. "$" starts at the data, "$$" at the context object. It is immutable and safe for
// concurrent use.
type Path struct {
	text     string
	head     head
	variable string // of a head that is a variable
	steps    []step
	function *function // applied to what the steps give; nil: none
	definite bool      // the steps name one place
}

// head is where a path starts.
type head uint8

const (
	atData head = iota
	atContext
	atVariable
	atItem // "@", inside filters
)

type stepKind uint8

const (
	stepNames stepKind = iota
	stepIndexes
	stepSlice
	stepWildcard
	stepFilter
)

// step goes from one value to some of its parts.
type step struct {
	kind     stepKind
	deep     bool // ".." before it: also from every part of the value
	names    []string
	indexes  []int
	from, to *int // of a slice, one of them at least
	filter   condition
	text     string // of a filter, as written
}

func (s *step) single() bool {
	return !s.deep && (s.kind == stepNames && len(s.names) == 1 || s.kind == stepIndexes && len(s.indexes) == 1)
}

// appendTo appends the step in the form that Step Functions' own messages use: ['name'], [0], [*].
func (s *step) appendTo(b []byte) []byte {
	if s.deep {
		b = append(b, ".."...)
	}
	switch s.kind {
	case stepNames:
		return append(append(append(b, "['"...), strings.Join(s.names, "','")...), "']"...)
	case stepIndexes:
		b = append(b, '[')
		for i, n := range s.indexes {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(n), 10)
		}
		return append(b, ']')
	case stepSlice:
		b = append(b, '[')
		if s.from != nil {
			b = strconv.AppendInt(b, int64(*s.from), 10)
		}
		b = append(b, ':')
		if s.to != nil {
			b = strconv.AppendInt(b, int64(*s.to), 10)
		}
		return append(b, ']')
	case stepFilter:
		return append(b, s.text...)
	}
	return append(b, "[*]"...)
}

// String returns the path as written.
func (p *Path) String() string { return p.text }

// IsDefinite reports whether the path gives one value rather than a list.
func (p *Path) IsDefinite() bool { return p.definite || p.gathers() }

// scans reports whether there is a ".." in the path.
func (p *Path) scans() bool { return slices.ContainsFunc(p.steps, func(s step) bool { return s.deep }) }

// gathers reports whether the path ends in a function that takes all that a leading ".." finds.
func (p *Path) gathers() bool { return p.function != nil && len(p.steps) > 0 && p.steps[0].deep }

// IsContext reports whether the path starts at the context object.
func (p *Path) IsContext() bool { return p.head == atContext }

// IsRoot reports whether the path is its head alone ("$", "$$", "$name").
func (p *Path) IsRoot() bool { return len(p.steps) == 0 && p.function == nil }

// IsReference reports whether the path is a reference path: names and indexes from the start only, one place
// (States Language, Reference Paths).
func (p *Path) IsReference() bool {
	for i := range p.steps {
		if s := &p.steps[i]; !s.single() || s.kind == stepIndexes && s.indexes[0] < 0 {
			return false
		}
	}
	return p.function == nil
}

// Variable returns the name of the variable the path starts at, or "".
func (p *Path) Variable() string { return p.variable }

// Simple returns the names of a path that consists of nothing but single names ($.a['b']), and whether it does.
func (p *Path) Simple() (names []string, ok bool) {
	if p.function != nil {
		return nil, false
	}
	for i := range p.steps {
		if !p.steps[i].single() || p.steps[i].kind != stepNames {
			return nil, false
		}
		names = append(names, p.steps[i].names[0])
	}
	return names, true
}

// canonical returns head and the first n steps as Step Functions' messages write them: $['a'][0].
func (p *Path) canonical(n int) string {
	b := []byte{'$'}
	switch p.head {
	case atContext:
		b = append(b, '$')
	case atVariable:
		b = append(b, p.variable...)
	case atItem:
		b[0] = '@'
	}
	for i := range p.steps[:n] {
		b = p.steps[i].appendTo(b)
	}
	return string(b)
}

// word returns a step of one name or index bare: a, 0.
func (s *step) word() string {
	if s.kind == stepIndexes {
		return strconv.Itoa(s.indexes[0])
	}
	return strings.Join(s.names, ",")
}

// SyntaxError says where a path stops making sense.
type SyntaxError struct {
	Path   string
	Offset int // bytes before the place
	Msg    string
}

// Error returns "path $.a[: at offset 4: ...".
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("path %s: at offset %d: %s", e.Path, e.Offset, e.Msg)
}

// MissingError says that data lacks what a path names. Its text is worded as Step Functions words it, for
// use behind "Invalid path '$.no.such' : ".
type MissingError struct {
	Path   string // as written
	Detail string // "No results for path: $['a']" or "Missing property in path $['a']"
	Step   string // the name or index that did not fit the value, as Step Functions names it
	// PastEnd says that the path ends in an index that its array does not have.
	PastEnd bool
	// NotArray says that an index met something else than an array.
	NotArray bool
}

// Error returns Detail.
func (e *MissingError) Error() string { return e.Detail }

// EvalError says that a path makes no sense on the data it met.
type EvalError struct {
	Path   string // as written
	Detail string
}

// Error returns Detail.
func (e *EvalError) Error() string { return e.Detail }
