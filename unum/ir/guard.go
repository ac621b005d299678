package ir

import (
	"math"
	"slices"
)

// exclusive reports whether b, which is written behind a, never fires when a does. What it does not see it takes for possible:
// guards over $out exclude each other when one says not what the other says, or both compare the same with constants.
func exclusive(a, b *Continuation) bool {
	if slices.ContainsFunc(conjuncts(b.If, false), func(e *Expr) bool { return e.op == otherwise }) {
		return true
	}
	atoms := b.If.atoms(a.If.atoms(nil))
	if len(atoms) == 0 || len(atoms) > atomsMost {
		return impossibleTogether(append(conjuncts(a.If, false), conjuncts(b.If, false)...))
	}
	for truths := range 1 << len(atoms) {
		if !a.If.given(atoms, truths) || !b.If.given(atoms, truths) {
			continue
		}
		var said []*Expr
		for n, atom := range atoms {
			said = append(said, conjuncts(atom, truths>>n&1 == 0)...)
		}
		if !impossibleTogether(said) {
			return false
		}
	}
	return true
}

// atomsMost bounds the combinations of true and false that are tried.
const atomsMost = 6

// atoms appends the parts of a guard that "and", "or" and "not" combine, each once.
func (e *Expr) atoms(found []*Expr) []*Expr {
	switch {
	case e == nil:
		return found
	case e.op == and || e.op == or || e.op == not:
		for _, a := range e.args {
			found = a.atoms(found)
		}
		return found
	case slices.ContainsFunc(found, e.Equal):
		return found
	}
	return append(found, e)
}

// given returns what a guard is if bit n of truths says what atom n is.
func (e *Expr) given(atoms []*Expr, truths int) bool {
	switch {
	case e == nil:
		return true
	case e.op == not:
		return !e.args[0].given(atoms, truths)
	case e.op == and:
		return e.args[0].given(atoms, truths) && e.args[1].given(atoms, truths)
	case e.op == or:
		return e.args[0].given(atoms, truths) || e.args[1].given(atoms, truths)
	}
	return truths>>slices.IndexFunc(atoms, e.Equal)&1 == 1
}

// impossibleTogether reports whether two of es contradict each other, or no indices make all hold that read nothing else.
func impossibleTogether(es []*Expr) bool {
	var static []*Expr
	for i, x := range es {
		for _, y := range es[:i] {
			if contradict(x, y) {
				return true
			}
		}
		if x.static() {
			static = append(static, x)
		}
	}
	return len(static) > 0 && impossible(static)
}

// conjuncts returns what e, negated or not, says: expressions that all hold.
func conjuncts(e *Expr, negated bool) []*Expr {
	switch {
	case e == nil:
		return nil
	case e.op == not:
		return conjuncts(e.args[0], !negated)
	case e.op == and && !negated, e.op == or && negated:
		return append(conjuncts(e.args[0], negated), conjuncts(e.args[1], negated)...)
	case !negated:
		return []*Expr{e}
	case opposites[e.op] != 0:
		return []*Expr{{op: opposites[e.op], args: e.args}}
	}
	return []*Expr{{op: not, args: []*Expr{e}}}
}

var opposites = map[op]op{equal: unequal, unequal: equal, less: greaterEqual, greaterEqual: less, greater: lessEqual, lessEqual: greater}

// contradict reports whether a and b never hold together, as far as can be told without knowing what they read.
func contradict(a, b *Expr) bool {
	if a.op == not && a.args[0].Equal(b) || b.op == not && b.args[0].Equal(a) {
		return true
	}
	la, oka := a.bound()
	lb, okb := b.bound()
	return oka && okb && la.of.Equal(lb.of) && la.apart(lb)
}

// bound is a comparison with a constant.
type bound struct {
	of *Expr
	op op
	to any
}

// swapped are comparisons whose operands change sides.
var swapped = map[op]op{equal: equal, unequal: unequal, less: greater, greater: less, lessEqual: greaterEqual, greaterEqual: lessEqual}

func (e *Expr) bound() (bound, bool) {
	if swapped[e.op] == 0 {
		return bound{}, false
	}
	l, r := e.args[0], e.args[1]
	if v, ok := r.constant(); ok {
		return bound{l, e.op, v}, true
	}
	if v, ok := l.constant(); ok {
		return bound{r, swapped[e.op], v}, true
	}
	return bound{}, false
}

func (e *Expr) constant() (any, bool) {
	if n, ok := e.Literal(); ok {
		return n, true
	}
	return e.lit, e.op == literal
}

// apart reports whether no value meets both.
func (a bound) apart(b bound) bool {
	if a.op == equal && b.op == equal {
		return !same(a.to, b.to)
	}
	ta, tb := typeOf(a.to), typeOf(b.to)
	if ta != tb || ta != Number && ta != Text {
		return a.op == unequal && b.op == equal && same(a.to, b.to) || a.op == equal && b.op == unequal && same(a.to, b.to)
	}
	// Each is tried on the constants; between or beyond them other values may be as good.
	low, high := a, b
	if isLower(b.op) || isUpper(a.op) {
		low, high = b, a
	}
	switch c := rank(low.to, high.to); {
	case isLower(low.op) && isUpper(high.op):
		return c > 0 || c == 0 && (low.op == greater || high.op == less)
	case low.op == equal || high.op == equal:
		fixed, other := low, high
		if high.op == equal {
			fixed, other = high, low
		}
		ok, err := (&Expr{op: other.op, args: []*Expr{{op: literal, lit: fixed.to}, {op: literal, lit: other.to}}}).compare(nil)
		return err == nil && !ok
	}
	return false
}

func isLower(o op) bool { return o == greater || o == greaterEqual }
func isUpper(o op) bool { return o == less || o == lessEqual }

// rank compares two numbers or two texts.
func rank(l, r any) int {
	is := func(o op) bool {
		ok, _ := (&Expr{op: o, args: []*Expr{{op: literal, lit: l}, {op: literal, lit: r}}}).compare(nil)
		return ok
	}
	return btoi(is(greater)) - btoi(is(less))
}

// static reports whether e reads nothing but indices, sizes and iterations.
func (e *Expr) static() bool {
	return !e.uses(func(e *Expr) bool { return e.op == out || e.op == exit || e.op == otherwise })
}

// impossible reports whether no indices, sizes and iterations make all of es hold. It tries small ones and those near the
// constants that es have, which is all that matters to comparisons of sums.
func impossible(es []*Expr) bool {
	near := []int64{0, 1, 2, 3, 4, 5}
	frames, sizes, iterations := 0, false, false
	for _, e := range es {
		frames = max(frames, e.Frames())
		e.uses(func(e *Expr) bool {
			if n, ok := e.lit.(int64); ok && n < 1<<40 {
				near = append(near, n-1, n, n+1, n+2)
			}
			sizes = sizes || e.op == size
			iterations = iterations || e.op == iteration
			return false
		})
	}
	if frames > 2 || len(near) > 40 {
		return false // too many to try
	}
	slices.Sort(near)
	t := trial{es: es, near: slices.Compact(near), size: sizes, iterations: iterations, env: Env{Frames: make([]Frame, frames+1)}}
	return !t.frame(len(t.env.Frames) - 1)
}

// trial looks for an environment in which all of es hold.
type trial struct {
	es               []*Expr
	near             []int64
	size, iterations bool
	env              Env
}

// frame tries values for the frame at i and those before it.
func (t *trial) frame(i int) (found bool) {
	innermost := i == len(t.env.Frames)-1
	iterations := []int64{0}
	if innermost && t.iterations {
		iterations = t.near
	}
	for _, n := range iterations {
		if t.env.Frames[i].Iteration = n; n >= 0 && t.indices(i, innermost) {
			return true
		}
	}
	return false
}

func (t *trial) indices(i int, innermost bool) bool {
	if i == 0 {
		return t.holds()
	}
	sizes := []int64{math.MaxInt64} // larger than every index tried
	if innermost && t.size {
		sizes = t.near
	}
	f := &t.env.Frames[i]
	for _, size := range sizes {
		f.Size = size
		for _, index := range t.near {
			if f.Index = index; index >= 0 && index < size && t.frame(i-1) {
				return true
			}
		}
	}
	return false
}

func (t *trial) holds() bool {
	for _, e := range t.es {
		if ok, err := e.Holds(&t.env); err != nil || !ok {
			return false
		}
	}
	return true
}

// may evaluates a guard of which only indices are known, those of frames beyond $0 not even that: can is whether it may hold, must
// whether it cannot but hold.
func (e *Expr) may(env *Env) (can, must bool) {
	switch {
	case e == nil:
		return true, true
	case e.op == and || e.op == or:
		can1, must1 := e.args[0].may(env)
		can2, must2 := e.args[1].may(env)
		if e.op == and {
			return can1 && can2, must1 && must2
		}
		return can1 || can2, must1 || must2
	case e.op == not:
		can, must = e.args[0].may(env)
		return !must, !can
	case !e.static() || e.Frames() > 1:
		return true, false
	}
	ok, err := e.Holds(env)
	return ok && err == nil, ok && err == nil
}
