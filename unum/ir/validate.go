package ir

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Validate returns all that is wrong with an app: what can be told without running it. Of fan-outs whose width is not known
// it tries small ones.
func (a *App) Validate() Problems {
	s, _ := a.Shape()
	if a.Machine == nil {
		for _, f := range a.Functions {
			s.function(f)
		}
		if len(s.ps) == 0 {
			for _, scope := range s.Scopes {
				s.try(scope)
			}
		}
	}
	return s.ps.sorted()
}

// basics checks names, starts and targets.
func (s *Shape) basics() {
	a := s.app
	if a.Version != Version {
		s.ps.add(pos{}, "the app", "", "version %d of the language is not known; this is version %d", a.Version, Version)
	}
	if !isName(a.Name) {
		s.ps.add(pos{}, "the app", "", "%q is no name: a letter, then letters, digits, \"_\" and \"-\", at most %d", a.Name, nameChars)
	}
	if len(a.Functions) == 0 {
		s.ps.add(pos{}, "the app", "", "there are no functions")
		return
	}
	seen := map[string]*Function{}
	var starts []string
	for _, f := range a.Functions {
		if !isName(f.Name) {
			s.ps.add(f.pos, where(f, -1), "", "this is no name: a letter, then letters, digits, \"_\" and \"-\", at most %d", nameChars)
		}
		if first := seen[strings.ToLower(f.Name)]; first != nil {
			s.ps.add(f.pos, where(f, -1), "give it another name, which may have the same code", "there is a function %q already", first.Name)
		}
		seen[strings.ToLower(f.Name)] = f
		if f.Start {
			starts = append(starts, f.Name)
		}
		s.targets(f)
	}
	switch {
	case len(starts) == 0:
		s.ps.add(pos{}, "the app", "give one function start: true", "no function starts the run")
	case len(starts) > 1:
		s.ps.add(a.Function(starts[1]).pos, "the app", "leave start: true with one", "%s each start the run", strings.Join(starts, " and "))
	}
}

func (s *Shape) targets(f *Function) {
	for i := range f.Next {
		c := &f.Next[i]
		if c.Kind < Invoke || c.Kind > Catch {
			s.ps.add(c.pos, where(f, i), "", "the continuation has no kind")
		}
		if s.byName[c.To] == nil {
			s.ps.add(c.pos, where(f, i), s.meant(c.To), "there is no function %q", c.To)
		}
		if s.app.Machine == nil && (c.If.UsesExit() || c.Index.UsesExit() || c.Size.UsesExit()) {
			s.ps.add(c.pos, where(f, i), "use $out", "$exit is of functions that are compiled from a machine")
		}
		for k := range c.Values {
			if v := &c.Values[k]; s.byName[v.Function] == nil {
				s.ps.add(v.pos, where(f, i), s.meant(v.Function), "%s: there is no function %q", v, v.Function)
			}
		}
	}
	if f.Glue != nil && s.app.Machine == nil {
		s.ps.add(f.pos, where(f, -1), "", "there is glue, and the app has no machine")
	}
}

// meant returns which function may be meant by a name, as a fix; "" if none comes near.
func (s *Shape) meant(name string) string {
	if len(s.ps) >= maxProblems {
		return ""
	}
	return meant(name, slices.Sorted(maps.Keys(s.byName)))
}

// reach marks what is reached in a compiled app, whose scopes are its machine's.
func (s *Shape) reach() {
	var visit func(f *Function)
	visit = func(f *Function) {
		if f == nil || s.places[f.Name] != nil {
			return
		}
		s.places[f.Name] = &Place{Function: f}
		for i := range f.Next {
			visit(s.byName[f.Next[i].To])
		}
	}
	visit(s.app.Start())
	s.unreachable()
}

func (s *Shape) unreachable() {
	for _, f := range s.app.Functions {
		if s.app.Start() != nil && s.places[f.Name] == nil {
			s.ps.add(f.pos, where(f, -1), "remove it, or lead there", "nothing leads to the function")
		}
	}
}

// function checks a function in its place.
func (s *Shape) function(f *Function) {
	p := s.places[f.Name]
	if p == nil {
		return
	}
	for i := range f.Next {
		c := &f.Next[i]
		s.expressions(p, i)
		switch c.Kind {
		case FanIn:
			s.fanIn(p, i)
		case Map, Invoke:
			s.fork(p, i)
			if c.Pop || c.Set != "" || c.Values != nil {
				s.ps.add(c.pos, where(f, i), "write fanIn", "only a fan-in has values or a set, and pops")
			}
		case Catch:
			if to := s.places[c.To]; p.Named && to != nil && to.Named && to.Scope == p.Scope {
				s.ps.add(c.pos, where(f, i), "let another function take the error", "the values of %s and %s are both read by name, and what waits for the first would wait for ever", f.Name, c.To)
			}
			if c.If != nil || c.Pop || c.Set != "" || c.Values != nil {
				s.ps.add(c.pos, where(f, i), "", "a catch has errors and nothing else")
			}
		}
	}
	s.sets(p)
}

// expressions checks that frames are there which expressions read.
func (s *Shape) expressions(p *Place, i int) {
	c := &p.Function.Next[i]
	depth := p.Scope.depth()
	left := depth - btoi(c.Pop)
	check := func(e *Expr, frames int, what string) {
		if n := e.Frames(); e != nil && n > frames {
			s.ps.add(c.pos, where(p.Function, i), "", "%s (%s) needs %s around the function, and there are %d%s", what, e, count(n, "fan-out"), frames, map[bool]string{true: " behind pop"}[c.Pop && frames < depth])
		}
	}
	if c.If != nil && c.If.Type() != Boolean && c.If.Type() != Any {
		s.ps.add(c.pos, where(p.Function, i), "", "a guard is a boolean, and %s is %s", c.If, c.If.Type())
	}
	check(c.If, depth, "the guard")
	check(c.Index, left, "$0")
	check(c.Size, left, "$size")
	if left == 0 && (c.Index != nil || c.Size != nil) && c.Kind != Catch {
		s.ps.add(c.pos, where(p.Function, i), "remove it", "$0 or $size is set for %s, which has no fan-out around it", c.To)
	}
	if c.Index.UsesOut() || c.Size.UsesOut() {
		s.ps.add(c.pos, where(p.Function, i), "", "$0 and $size are computed from indices and sizes, not from $out")
	}
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// fork checks an Invoke or a Map beside the others.
func (s *Shape) fork(p *Place, i int) {
	f := p.Function
	c := &f.Next[i]
	if s.opens(p, i) == nil {
		return
	}
	if p.Named {
		s.ps.add(c.pos, where(f, i), "invoke another function, which fans out", "the function's value is read by name, so it cannot fan out itself")
	}
	for j := range f.Next {
		if o := &f.Next[j]; j != i && o.Kind != Catch && (c.Kind == Map || o.Kind == Map) && !exclusive(&f.Next[min(i, j)], &f.Next[max(i, j)]) {
			s.ps.add(c.pos, where(f, i), `make their guards exclude each other (if: otherwise), or invoke a function that maps`, "it may fire together with next[%d]", j)
			return
		}
	}
}

// fanIn checks a fan-in for what it takes.
func (s *Shape) fanIn(p *Place, i int) {
	f := p.Function
	c := &f.Next[i]
	if p.Scope == nil {
		return // said already
	}
	switch {
	case c.Set != "" && c.Values != nil:
		s.ps.add(c.pos, where(f, i), "leave one", "a fan-in has values or a set, not both")
	case c.Set == "" && c.Values == nil:
		s.ps.add(c.pos, where(f, i), "write values: [F-*], or set and size", "the fan-in does not say what it takes")
	case c.Set != "":
		s.set(p, i)
	case c.SetSize != nil:
		s.ps.add(c.pos, where(f, i), "remove it", "size is that of a set; there are %d values", len(c.Values))
	}
	for k := range c.Values {
		s.value(p, i, &c.Values[k])
	}
	if p.Scope.Graph && c.Pop && slices.ContainsFunc(c.Values, func(v Value) bool { return !v.All() && len(v.Indices) > 0 && v.last().Frames() > 0 }) {
		s.ps.add(c.pos, where(f, i), "name the same values on every line, as with F-*", "the fan-in pops, which happens once, and takes other values on each line")
	}
	if p.Scope.Graph && c.Set == "" && (c.If != nil && !c.If.static()) {
		s.ps.add(c.pos, where(f, i), "let the guard read indices alone, and another function choose by $out",
			"whoever comes last of those that are read has to know whether this fan-in fires, and does not have $out of %s", f.Name)
	}
}

func (s *Shape) set(p *Place, i int) {
	f, scope := p.Function, p.Scope
	c := &f.Next[i]
	if scope.Graph {
		s.ps.add(c.pos, where(f, i), "name the values", "a set is of all lines of the fan-out of %s, among which some read each other's values by name, or go on beside the fan-in", scope.Opener.Name)
	}
	if !slices.Contains(scope.Opener.Sets, c.Set) {
		fix := meant(c.Set, scope.Opener.Sets)
		if fix == "" {
			fix = fmt.Sprintf("write sets: [%s] there", c.Set)
		}
		s.ps.add(c.pos, where(f, i), fix, "the set %q is not created where the fan-out begins, by %s", c.Set, scope.Opener.Name)
	}
	n, literal := c.SetSize.Literal()
	switch width := scope.Width(); {
	case c.SetSize == nil:
		s.ps.add(c.pos, where(f, i), "write size: $size", "nobody knows the size of the set %q", c.Set)
	case literal && width > 0 && n != width:
		s.ps.add(c.pos, where(f, i), "write size: $size", "the set has %d members, and %s fans out to %d", n, scope.Opener.Name, width)
	case !literal && c.SetSize.op != size:
		s.ps.add(c.pos, where(f, i), "write size: $size", "the size of a set is a number or $size, not %s", c.SetSize)
	}
}

// value checks the name of a value.
func (s *Shape) value(p *Place, i int, v *Value) {
	f := p.Function
	at := v.pos
	if at == (pos{}) {
		at = f.Next[i].pos
	}
	of := s.places[v.Function]
	if of == nil || len(v.Indices) == 0 {
		return
	}
	if of.Scope != p.Scope {
		s.ps.add(at, where(f, i), "read values of functions with the same fan-outs around them", "%s is in %s, and %s in %s", v.Function, of.Scope.describe(), f.Name, p.Scope.describe())
		return
	}
	depth := p.Scope.Depth
	good := v.proper(depth)
	switch {
	case len(v.Indices) != depth:
		s.ps.add(at, where(f, i), "write "+good.String(), "%s has another number of indices than there are fan-outs around %s, which is %d", v, v.Function, depth)
	case v.String() != good.String():
		s.ps.add(at, where(f, i), "write "+good.String(), "%s: values are read in the reader's own fan-out, and indices come outermost first", v)
	case v.last() != nil && v.last().Frames() > depth:
		s.ps.add(at, where(f, i), "", "%s needs %s around the function, and there are %d", v, count(v.last().Frames(), "fan-out"), depth)
	}
}

// proper returns the name that v may be meant to be, with fan-outs in depth around the function.
func (v *Value) proper(depth int) Value {
	good := Value{Function: v.Function}
	for n := depth - 1; n > 0; n-- {
		good.Indices = append(good.Indices, &Expr{op: index, n: n})
	}
	last := v.last()
	if last != nil && last.Frames() > 1 { // perhaps the innermost comes first
		last = v.Indices[0]
	}
	good.Indices = append(good.Indices, last)
	return good
}

// sets checks that sets are of a fan-out.
func (s *Shape) sets(p *Place) {
	if len(p.Function.Sets) == 0 {
		return
	}
	var inside []*Scope
	for _, scope := range s.Scopes {
		if scope.Opener == p.Function {
			inside = append(inside, scope)
		}
	}
	for _, set := range p.Function.Sets {
		used := slices.ContainsFunc(inside, func(scope *Scope) bool {
			return slices.ContainsFunc(scope.Functions, func(f *Function) bool {
				return slices.ContainsFunc(f.Next, func(c Continuation) bool { return c.Kind == FanIn && c.Set == set })
			})
		})
		switch {
		case len(inside) == 0:
			s.ps.add(p.Function.pos, where(p.Function, -1), "create it where the fan-out begins", "the set %q is created, and the function does not fan out", set)
		case !used:
			s.ps.add(p.Function.pos, where(p.Function, -1), "remove it, or fan in over it", "nothing fans in over the set %q", set)
		}
	}
}
