package ir

import (
	"fmt"
	"slices"
	"strconv"
)

// Shape is what the graph of an app is like: which fan-outs are around each function, and how what they open comes
// together again. Apps that are compiled have none: their machine says it.
type Shape struct {
	app    *App
	byName map[string]*Function
	places map[string]*Place
	Scopes []*Scope // outer ones before those inside
	ps     Problems
}

// Place is where a function is.
type Place struct {
	Function *Function
	Scope    *Scope // the innermost that the function is in; nil: the run
	// FansOut says that the function's Invokes may fire together, and open a scope. Else they exclude each other.
	FansOut bool
	// Named says that others in its Scope, a graph, read its value by name.
	Named bool
	// sizeShift is what $size is for the function beyond the number of lines of Scope, a graph; known once sized.
	sizeShift int64
	sized     bool
}

// Scope is what a fan-out opens: as many lines as invocations.
type Scope struct {
	Outer  *Scope // nil: the run
	Depth  int    // frames around the functions in it
	Opener *Function
	Edge   int      // in Opener.Next of a Map; Invokes for all of these
	Heads  []string // what the invocations are of; of a Map one
	// Graph says that its functions read each other's values by name. Else each line ends with the fan-in of the whole scope.
	Graph bool
	// Functions are those in it, but not those in scopes inside, in the order of the text.
	Functions []*Function
}

// Invokes is the Edge of a Scope that Invokes open.
const Invokes = -1

// Shape finds the shape of an app. Problems are what keeps it from having one.
func (a *App) Shape() (*Shape, Problems) {
	s := &Shape{app: a, byName: make(map[string]*Function, len(a.Functions)), places: map[string]*Place{}}
	for _, f := range a.Functions {
		s.byName[f.Name] = f
	}
	s.basics()
	if a.Machine != nil {
		s.reach()
		return s, s.ps
	}
	if start := a.Start(); start != nil {
		s.place(start, nil, "")
	}
	for _, f := range a.Functions {
		if p := s.places[f.Name]; p != nil && p.Function == f && p.Scope != nil {
			p.Scope.Functions = append(p.Scope.Functions, f)
		}
	}
	for _, scope := range s.Scopes {
		s.classify(scope)
	}
	s.unreachable()
	return s, s.ps
}

// Place returns where the function of that name is; nil for one that is not reached.
func (s *Shape) Place(name string) *Place { return s.places[name] }

// Opened returns the scope that a continuation of f opens, Invokes for those; nil if it opens none.
func (s *Shape) Opened(f *Function, edge int) *Scope {
	for _, scope := range s.Scopes {
		if scope.Opener == f && scope.Edge == edge {
			return scope
		}
	}
	return nil
}

// Join returns the first fan-in that ends the scope, in the order of the text; nil if none does.
func (scope *Scope) Join() *Continuation {
	for _, f := range scope.Functions {
		for i := range f.Next {
			if c := &f.Next[i]; c.Kind == FanIn && c.Pop {
				return c
			}
		}
	}
	return nil
}

// Width returns how many lines the scope has if that is the same in every run, else 0.
func (scope *Scope) Width() int64 {
	if scope.Edge != Invokes {
		return 0
	}
	for i := range scope.Opener.Next {
		if c := &scope.Opener.Next[i]; c.Kind == Invoke && c.If != nil {
			return 0
		}
	}
	return int64(len(scope.Heads))
}

// SizeShift returns by how much $size differs, for a function in a graph, from the number of lines of its scope.
func (p *Place) SizeShift() int64 { return p.sizeShift }

// place puts f into a scope, and what follows it where that leads.
func (s *Shape) place(f *Function, scope *Scope, from string) {
	type visit struct {
		f     *Function
		scope *Scope
		from  string
	}
	for todo := []visit{{f, scope, from}}; len(todo) > 0; todo = todo[1:] {
		v := todo[0]
		if p := s.places[v.f.Name]; p != nil {
			if p.Scope != v.scope {
				s.ps.add(v.f.pos, where(v.f, -1), "give one of the two another name and the same code",
					"the function is reached from %s with %s around it, and from elsewhere with %s", v.from, v.scope.describe(), p.Scope.describe())
			}
			continue
		}
		s.places[v.f.Name] = &Place{Function: v.f, Scope: v.scope}
		s.ways(v.f, func(to *Function, in *Scope) { todo = append(todo, visit{to, in, v.f.Name}) })
	}
}

// ways calls visit with each function that follows f, and the scope it is in then.
func (s *Shape) ways(f *Function, visit func(to *Function, in *Scope)) {
	p := s.places[f.Name]
	p.FansOut = fansOut(f)
	var fork *Scope
	for i := range f.Next {
		c := &f.Next[i]
		to, in := s.byName[c.To], p.Scope
		switch {
		case c.Kind == Map:
			in = s.open(f, i, c.To)
		case c.Kind == Invoke && p.FansOut:
			if fork == nil {
				fork = s.open(f, Invokes)
			}
			fork.Heads = append(fork.Heads, c.To)
			in = fork
		case c.Kind == FanIn && in == nil:
			s.ps.add(c.pos, where(f, i), "fan out before, with map or several invokes", "there is no fan-out around the function, so nothing to fan in")
			continue
		case c.Kind == FanIn && c.Pop:
			in = in.Outer
		}
		if to != nil {
			visit(to, in)
		}
	}
}

func (s *Shape) open(f *Function, edge int, heads ...string) *Scope {
	outer := s.places[f.Name].Scope
	scope := &Scope{Outer: outer, Depth: outer.depth() + 1, Opener: f, Edge: edge, Heads: heads}
	s.Scopes = append(s.Scopes, scope)
	return scope
}

func (scope *Scope) depth() int {
	if scope == nil {
		return 0
	}
	return scope.Depth
}

// describe says which fan-outs are around a function.
func (scope *Scope) describe() string {
	if scope == nil {
		return "no fan-out"
	}
	if scope.Outer == nil {
		return "that of " + scope.Opener.Name
	}
	return scope.Outer.describe() + " and that of " + scope.Opener.Name
}

// where names a function, and a continuation of it unless i is -1.
func where(f *Function, i int) string {
	text := "function " + strconv.Quote(f.Name)
	if i >= 0 {
		text += fmt.Sprintf(", next[%d]", i)
	}
	return text
}

// fansOut reports whether two Invokes of f may fire together.
func fansOut(f *Function) bool {
	for i := range f.Next {
		for j := range i {
			if f.Next[i].Kind == Invoke && f.Next[j].Kind == Invoke && !exclusive(&f.Next[j], &f.Next[i]) {
				return true
			}
		}
	}
	return false
}

// classify finds out whether a scope is a graph, and whose values are read in it.
func (s *Shape) classify(scope *Scope) {
	for _, f := range scope.Functions {
		for i := range f.Next {
			scope.Graph = scope.Graph || f.Next[i].Kind == FanIn && !s.wholly(scope, f, i)
		}
	}
	if !scope.Graph {
		return
	}
	for _, f := range scope.Functions {
		for i := range f.Next {
			for k := range f.Next[i].Values {
				if p := s.places[f.Next[i].Values[k].Function]; p != nil && p.Scope == scope {
					p.Named = true
				}
			}
		}
	}
	s.sizes(scope)
}

// wholly reports whether a fan-in ends its line and takes all lines of the scope.
func (s *Shape) wholly(scope *Scope, f *Function, at int) bool {
	c := &f.Next[at]
	if !c.Pop {
		return false
	}
	for i := range f.Next {
		o := &f.Next[i]
		if i != at && o.Kind != Catch && !exclusive(&f.Next[min(i, at)], &f.Next[max(i, at)]) {
			return false
		}
	}
	if c.Set != "" || len(c.Values) == 1 && c.Values[0].All() {
		return true
	}
	return c.order(scope.Width()) != nil
}

// Order returns which line of a scope of width lines gives each of the values, nil if Values do not name each line once.
func (c *Continuation) order(width int64) []int64 {
	var order []int64
	for i := range c.Values {
		v := &c.Values[i]
		if v.All() || len(v.Indices) == 0 {
			return nil
		}
		n, ok := v.Literal()
		if !ok || n < 0 || n >= width || slices.Contains(order, n) {
			return nil
		}
		order = append(order, n)
	}
	if int64(len(order)) != width {
		return nil
	}
	return order
}

// Ends returns what ends holds of the lines of a scope, in the order in which a fan-in of the whole takes it.
func Ends[T any](c *Continuation, ends []T) []T {
	order := c.order(int64(len(ends)))
	if order == nil {
		return ends
	}
	sorted := make([]T, len(order))
	for i, n := range order {
		sorted[i] = ends[n]
	}
	return sorted
}

// sizes finds $size for the functions of a graph.
func (s *Shape) sizes(scope *Scope) {
	for _, head := range scope.Heads {
		s.size(scope, head, 0, scope.Opener, max(scope.Edge, 0))
	}
}

// size notes $size of a function that continuation at of from leads to, and finds that of those that follow it.
func (s *Shape) size(scope *Scope, name string, shift int64, from *Function, at int) {
	p := s.places[name]
	switch {
	case p == nil || p.Scope != scope || p.sized && p.sizeShift == shift:
		return
	case p.sized:
		s.ps.add(from.Next[at].pos, where(from, at), "functions that read each other's values have one $size, however they are reached",
			"this gives %s another $size than another way does", name)
		return
	}
	p.sized, p.sizeShift = true, shift
	for i := range p.Function.Next {
		c := &p.Function.Next[i]
		if inside := s.opens(p, i); inside != nil { // its join has this one's frame
			if c = inside.Join(); c == nil {
				continue
			}
		} else if c.Kind == FanIn && c.Pop {
			continue
		}
		by := int64(0)
		if c.Size != nil {
			var ok bool
			if by, ok = c.Size.SizeShift(); !ok {
				s.ps.add(c.pos, where(p.Function, i), "write $size - 1, or another number", "$size of functions that read each other's values is $size and a number, not %s", c.Size)
			}
		}
		s.size(scope, c.To, shift+by, p.Function, i)
	}
}

// opens returns the scope that continuation i opens; nil if it opens none.
func (s *Shape) opens(p *Place, i int) *Scope {
	switch c := &p.Function.Next[i]; {
	case c.Kind == Map:
		return s.Opened(p.Function, i)
	case c.Kind == Invoke && p.FansOut:
		return s.Opened(p.Function, Invokes)
	}
	return nil
}
