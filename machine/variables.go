package machine

import (
	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
)

// variables are those of one scope (the run itself, a branch of a Parallel, an iteration of a Map), in the order in which
// they were first assigned. What is in a list never changes: assigning makes a new one.
type variables []*variable

// variable is a name and its value.
type variable struct {
	name string
	value
}

// get returns the variable of that name, or nil. Scopes are small, so a walk is as good as a map.
func (vs variables) get(name string) *variable {
	for _, v := range vs {
		if v.name == name {
			return v
		}
	}
	return nil
}

// bytes is what vs count towards limits.Set.VariableBytes.
func (vs variables) bytes() int {
	n := 0
	for _, v := range vs {
		n += len(v.value.text)
	}
	return n
}

// text is vs as a StateExited event has them: each value as a string of JSON. Nil for none.
func (vs variables) text() []byte {
	if len(vs) == 0 {
		return nil
	}
	out := []byte{'{'}
	for i, v := range vs {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(jsonvalue.AppendString(out, v.name), ':')
		out = jsonvalue.AppendString(out, string(v.value.text))
	}
	return append(out, '}')
}

// variable returns the value of a variable as a state of b sees it: of b's own scope, else of those around it.
func (b *branch) variable(name string) (any, bool) {
	for {
		if v := b.variables.get(name); v != nil {
			tree, err := v.root()
			return tree, err == nil
		}
		if v := b.outer.get(name); v != nil {
			tree, err := v.root()
			return tree, err == nil
		}
		if b.parent == nil {
			return nil, false
		}
		b = b.parent.owner
	}
}

// newVariables are the members of an evaluated Assign, each bounded as a payload is.
func (sc *scope) newVariables(assign any) (variables, *failure) {
	o, _ := assign.(*jsonvalue.Object)
	vs := make(variables, 0, o.Len())
	for name, tree := range o.All() {
		v := &variable{name: name, value: treeValue(tree)}
		if len(v.json(sc.most())) > sc.most() {
			return nil, variablesTooLarge(sc.b, "The value of the variable '%s' exceeds the maximum size of %d bytes.", name, sc.most())
		}
		vs = append(vs, v)
	}
	return vs, nil
}

// assigned evaluates an Assign, which is nil where there is none, and checks what it gives to the variables of b's scope
// against the limits of one Assign and of the run.
func (s *step) assigned(b *branch, sc *scope, t *asl.Template, result value) (variables, *failure) {
	if t == nil {
		return nil, nil
	}
	vs, e := flowOf(b.state).assigned(sc, t, result)
	if e != nil {
		return nil, e
	}
	n := vs.bytes()
	if n > sc.most() {
		return nil, variablesTooLarge(b, "The values of the variables that are assigned exceed the maximum size of %d bytes together.", sc.most())
	}
	for _, v := range vs {
		if old := b.variables.get(v.name); old != nil {
			n -= len(old.value.text)
		}
	}
	if most := s.in.bounds.VariableBytes; s.f.variables+n > most {
		return nil, variablesTooLarge(b, "The variables of the execution exceed the maximum size of %d bytes.", most)
	}
	return vs, nil
}

func variablesTooLarge(b *branch, format string, args ...any) *failure {
	return stateError(b, errDataLimit, format, args...)
}

// assign stores variables in b's scope.
func (f *Frame) assign(b *branch, vs variables) {
	if len(vs) == 0 {
		return
	}
	f.variables -= b.variables.bytes()
	merged := make(variables, 0, len(b.variables)+len(vs))
	for _, old := range b.variables {
		if v := vs.get(old.name); v != nil {
			old = v
		}
		merged = append(merged, old)
	}
	for _, v := range vs {
		if b.variables.get(v.name) == nil {
			merged = append(merged, v)
		}
	}
	b.variables = merged
	f.variables += merged.bytes()
}

// discard forgets the branches of b's Parallel or Map, and what they had in variables.
func (f *Frame) discard(b *branch) {
	if b.fork == nil {
		return
	}
	for _, c := range b.fork.children {
		f.drop(c)
		f.discard(c)
	}
	b.fork = nil
}

// drop forgets the variables of a scope that has ended.
func (f *Frame) drop(b *branch) {
	f.variables -= b.variables.bytes()
	b.variables = nil
}
