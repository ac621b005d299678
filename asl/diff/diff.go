// Package diff says how two definitions of a state machine differ: states that came and went, and the fields that are
// other than they were, each with its path. The order of states and of fields and how numbers are written make no
// difference.
//
//	for _, c := range diff.Machines(before, after) {
//		fmt.Println(c.Kind, c.Path, string(c.Old), string(c.New)) // changed $.States.Ship.TimeoutSeconds 5 10
//	}
package diff

import (
	"fmt"
	"strings"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
)

// Kind says what became of a value.
type Kind string

// The kinds.
const (
	Added   Kind = "added"
	Removed Kind = "removed"
	Changed Kind = "changed"
)

// Change is one difference.
type Change struct {
	Kind  Kind
	State string // the innermost state the value belongs to; "": the machine's own
	Field string // the way from there, such as Retry[0].MaxAttempts; "": the state itself
	Path  string // the way from the definition: $.States.Ship.Retry[0].MaxAttempts
	Old   []byte // JSON; nil when added
	New   []byte // JSON; nil when removed
}

// Machines returns the changes that make a into b: the machine's own fields first, then state by state in the order of a, those
// that b adds behind. Nil: they mean the same.
func Machines(a, b *asl.Machine) []Change {
	before, after := tree(a), tree(b)
	d := &differ{}
	d.graph(spot{path: "$"}, before, after)
	return d.changes
}

// tree returns a machine's text as a tree. It was parsed before.
func tree(m *asl.Machine) *jsonvalue.Object {
	v, _ := jsonvalue.Parse(m.Text)
	o, _ := v.(*jsonvalue.Object)
	return o
}

// spot is where in the definition the differ is.
type spot struct{ state, field, path string }

func (s spot) key(key string) spot {
	return spot{s.state, strings.TrimPrefix(s.field+step(key), "."), s.path + step(key)}
}

func (s spot) item(i int) spot {
	step := fmt.Sprintf("[%d]", i)
	return spot{s.state, s.field + step, s.path + step}
}

// of is the state of that name in the graph at s.
func (s spot) of(name string) spot { return spot{state: name, path: s.path + ".States" + step(name)} }

// step writes a key as JSONPath does.
func step(key string) string {
	for i, c := range key {
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return "['" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(key) + "']"
		}
	}
	if key == "" {
		return "['']"
	}
	return "." + key
}

type differ struct{ changes []Change }

func (d *differ) add(s spot, kind Kind, before, after any) {
	c := Change{Kind: kind, State: s.state, Field: s.field, Path: s.path}
	if kind != Added {
		c.Old = jsonvalue.Append(nil, before)
	}
	if kind != Removed {
		c.New = jsonvalue.Append(nil, after)
	}
	d.changes = append(d.changes, c)
}

// graph compares two graphs: the machine, a branch or a processor. Fields come before the states.
func (d *differ) graph(s spot, a, b *jsonvalue.Object) {
	d.members(s, a.Without("States"), b.Without("States"), d.value)
	before, okA := states(a)
	after, okB := states(b)
	if !okA || !okB { // no graph in one of them
		d.member(s, "States", a, b, d.value)
		return
	}
	for name, was := range before.All() {
		is, ok := after.Get(name)
		if !ok {
			d.add(s.of(name), Removed, was, nil)
			continue
		}
		d.state(s.of(name), was, is)
	}
	for name, is := range after.All() {
		if _, ok := before.Get(name); !ok {
			d.add(s.of(name), Added, nil, is)
		}
	}
}

func states(graph *jsonvalue.Object) (*jsonvalue.Object, bool) {
	v, _ := graph.Get("States")
	o, ok := v.(*jsonvalue.Object)
	return o, ok
}

// state compares two states: its own fields, then the states of the graphs in it.
func (d *differ) state(s spot, was, is any) {
	a, okA := was.(*jsonvalue.Object)
	b, okB := is.(*jsonvalue.Object)
	if !okA || !okB {
		d.value(s, was, is)
		return
	}
	inner := map[string]bool{"Branches": true, "ItemProcessor": true, "Iterator": true}
	own := func(o *jsonvalue.Object) *jsonvalue.Object {
		for key := range inner {
			o = o.Without(key)
		}
		return o
	}
	d.members(s, own(a), own(b), d.value)
	for _, key := range []string{"Branches", "ItemProcessor", "Iterator"} {
		d.member(s, key, a, b, d.graphs)
	}
}

// graphs compares what holds graphs: one, or a list of them.
func (d *differ) graphs(s spot, was, is any) {
	switch a := was.(type) {
	case *jsonvalue.Object:
		if b, ok := is.(*jsonvalue.Object); ok {
			d.graph(s, a, b)
			return
		}
	case []any:
		if b, ok := is.([]any); ok {
			d.items(s, a, b, d.graphs)
			return
		}
	}
	d.value(s, was, is)
}

// value compares any two values, down to the innermost that differ.
func (d *differ) value(s spot, was, is any) {
	switch a := was.(type) {
	case *jsonvalue.Object:
		if b, ok := is.(*jsonvalue.Object); ok {
			d.members(s, a, b, d.value)
			return
		}
	case []any:
		if b, ok := is.([]any); ok {
			d.items(s, a, b, d.value)
			return
		}
	}
	if !jsonvalue.Equal(was, is) {
		d.add(s, Changed, was, is)
	}
}

type compare func(s spot, was, is any)

func (d *differ) members(s spot, a, b *jsonvalue.Object, with compare) {
	for key := range a.All() {
		d.member(s, key, a, b, with)
	}
	for key := range b.All() {
		if _, ok := a.Get(key); !ok {
			d.member(s, key, a, b, with)
		}
	}
}

func (d *differ) member(s spot, key string, a, b *jsonvalue.Object, with compare) {
	was, before := a.Get(key)
	is, after := b.Get(key)
	switch {
	case before && after:
		with(s.key(key), was, is)
	case before:
		d.add(s.key(key), Removed, was, nil)
	case after:
		d.add(s.key(key), Added, nil, is)
	}
}

// items compares lists: what both begin and end with is left out, then item by item. Items that were removed have their old
// index, all others the new one.
func (d *differ) items(s spot, a, b []any, with compare) {
	first := 0
	for first < len(a) && first < len(b) && jsonvalue.Equal(a[first], b[first]) {
		first++
	}
	endA, endB := len(a), len(b)
	for endA > first && endB > first && jsonvalue.Equal(a[endA-1], b[endB-1]) {
		endA, endB = endA-1, endB-1
	}
	both := min(endA, endB)
	for i := first; i < both; i++ {
		with(s.item(i), a[i], b[i])
	}
	for i := both; i < endA; i++ {
		d.add(s.item(i), Removed, a[i], nil)
	}
	for i := both; i < endB; i++ {
		d.add(s.item(i), Added, nil, b[i])
	}
}
