package ir

import (
	"fmt"
	"slices"
	"strings"
)

// What try tries.
const (
	tryWidth      = 6      // lines of a fan-out, at most, when it is not known how many
	tryIterations = 4      // of a loop
	tryInstances  = 10_000 // in one trial
)

// try follows the lines of a scope for small widths, with what is known without outputs: which instances there may be, what
// waits for what can never be, and what ends the run.
func (s *Shape) try(scope *Scope) {
	widths := []int64{scope.Width()}
	if widths[0] == 0 {
		widths = nil
		most := int64(tryWidth)
		if scope.Edge == Invokes {
			most = int64(len(scope.Heads))
		}
		for w := int64(1); w <= most; w++ {
			widths = append(widths, w)
		}
	}
	for _, w := range widths {
		t := &attempt{shape: s, scope: scope, width: w, all: map[instance]bool{}, from: map[instance]string{}}
		t.run()
		if scope.Graph {
			t.judgeGraph()
		} else {
			t.judgeLines()
		}
		if len(s.ps) > 0 {
			return
		}
	}
}

// instance is a function on a line.
type instance struct {
	f         *Function
	line      int64 // that it is on, or -1 in a graph
	index     int64
	size      int64
	iteration int64
}

// attempt is a scope of a width.
type attempt struct {
	shape *Shape
	scope *Scope
	width int64
	all   map[instance]bool // that there may be; true: that there are, if all goes well
	order []instance
	from  map[instance]string // what is certain to start it, of those that have a line of their own
	moved bool                // all has changed
	cut   bool                // there are more than have been looked at
}

func (t *attempt) env(i instance) *Env {
	frames := make([]Frame, t.scope.Depth+1)
	frames[t.scope.Depth] = Frame{i.index, i.size, i.iteration}
	return &Env{Frames: frames}
}

func (t *attempt) add(i instance, certain bool) {
	was, there := t.all[i]
	switch {
	case there:
		t.moved = t.moved || certain && !was
		t.all[i] = was || certain
	case len(t.order) == tryInstances || i.iteration > tryIterations:
		t.cut = true
	default:
		t.all[i], t.moved = certain, true
		t.order = append(t.order, i)
	}
}

// run finds all instances that there may be.
func (t *attempt) run() {
	for line := range t.width {
		for k, head := range t.scope.Heads {
			p := t.shape.places[head]
			if p == nil || t.scope.Edge == Invokes && t.scope.Width() > 0 && int64(k) != line {
				continue
			}
			head := t.on(line, instance{p.Function, 0, line, t.width, 0})
			t.add(head, t.scope.Edge != Invokes || t.scope.Width() > 0)
			t.from[head] = t.scope.Opener.Name
		}
	}
	for t.moved = true; t.moved; {
		t.moved = false
		for k := 0; k < len(t.order); k++ {
			t.follow(t.order[k])
		}
	}
}

// on puts an instance on a line, which means nothing in a graph.
func (t *attempt) on(line int64, i instance) instance {
	if i.line = line; t.scope.Graph {
		i.line = -1
	}
	return i
}

// follow adds what may follow an instance in the scope.
func (t *attempt) follow(i instance) {
	p := t.shape.places[i.f.Name]
	for k := range i.f.Next {
		c := &i.f.Next[k]
		can, certain := c.If.may(t.env(i))
		certain = certain && c.Kind != Catch && t.all[i]
		if !can || c.Kind == FanIn && c.Pop {
			continue
		}
		if c.Kind == FanIn {
			filled, surely := t.filled(i, c)
			if certain = certain && surely; !filled {
				continue
			}
		}
		if inside := t.shape.opens(p, k); inside != nil {
			if c = inside.Join(); c == nil {
				continue
			}
		}
		t.target(i, c, k, certain)
	}
}

// target adds what a continuation leads to, and says if its index leaves the range.
func (t *attempt) target(i instance, c *Continuation, k int, certain bool) {
	to := t.shape.places[c.To]
	if to == nil || to.Scope != t.scope {
		return
	}
	next := i
	next.f = to.Function
	if c.Next {
		next.iteration++
	}
	for _, set := range []struct {
		e  *Expr
		to *int64
	}{{c.Index, &next.index}, {c.Size, &next.size}} {
		if set.e == nil {
			continue
		}
		if set.e.Frames() > 1 {
			t.cut = true
			return // depends on the fan-outs around
		}
		n, err := set.e.Int(t.env(i))
		if err != nil {
			t.problem(i, k, "", "%v", err)
			return
		}
		*set.to = n
	}
	if next.index < 0 || next.index >= next.size {
		if certain {
			t.problem(i, k, "guard it, as with if: $0 < $size - 1", "%s would be number %d of %d: %s", c.To, next.index, next.size, rangeOf(next.size))
		}
		return
	}
	if certain && t.scope.Graph && !t.once(i, next, c, k) {
		return
	}
	t.add(next, certain)
}

// once reports whether nothing else is certain to start the line of next.
func (t *attempt) once(i, next instance, c *Continuation, k int) bool {
	from := i.name()
	switch p, to := t.shape.places[i.f.Name], t.shape.places[c.To]; {
	case c.Kind == FanIn:
		reads, _ := t.shape.Reads(i.f, c, t.env(i))
		from = fmt.Sprint(reads)
	case !p.Named && !to.Named:
		return true // the line goes on
	}
	if first := t.from[next]; first != "" && first != from {
		t.problem(i, k, "guard one of them, or count rounds with next: true", "%s starts %s, which %s starts, too: it runs once for both", from, next.name(), first)
		return false
	}
	t.from[next] = from
	return true
}

func (i instance) name() string { return fmt.Sprintf("%s-%d", i.f.Name, i.index) }

func rangeOf(size int64) string {
	if size <= 0 {
		return "there are none"
	}
	return fmt.Sprintf("there are 0 to %d", size-1)
}

func (t *attempt) problem(i instance, k int, fix, format string, args ...any) {
	at := i.f.pos
	if k >= 0 {
		at = i.f.Next[k].pos
	}
	t.shape.ps.add(at, where(i.f, k), fix, "with %s, in %s-%d: %s", count(int(t.width), "line"), i.f.Name, i.index, fmt.Sprintf(format, args...))
}

// missing returns the first of the values of a fan-in that no instance gives; certain says whether all of them will be there.
func (t *attempt) missing(i instance, c *Continuation) (name string, certain bool) {
	reads, err := t.shape.Reads(i.f, c, t.env(i))
	if err != nil {
		return err.Error(), false
	}
	certain = true
	for _, r := range reads {
		sure, there := t.all[instance{t.shape.byName[r.Function], -1, r.Index, t.shape.sizeOf(i.f, r.Function, i.size), i.iteration}]
		if certain = certain && sure; !there {
			return r.String(), false
		}
	}
	return "", certain
}

func (t *attempt) filled(i instance, c *Continuation) (filled, certain bool) {
	if outer(c) {
		return false, false
	}
	name, certain := t.missing(i, c)
	return name == "", certain
}

// outer reports whether the last index of a value depends on the fan-outs around.
func outer(c *Continuation) bool {
	return slices.ContainsFunc(c.Values, func(v Value) bool {
		last := v.last()
		return last != nil && last.Frames() > 1
	})
}

// judgeGraph says what waits in vain, and whether several lines end the run.
func (t *attempt) judgeGraph() {
	var ends []string
	popped, pops := false, map[string]bool{}
	for _, i := range t.order {
		p := t.shape.places[i.f.Name]
		ending := true
		for k := range i.f.Next {
			c := &i.f.Next[k]
			can, must := c.If.may(t.env(i))
			if c.Kind == Catch || !can {
				continue
			}
			ending = false
			if c.Kind != FanIn || outer(c) {
				continue
			}
			popped = popped || c.Pop
			if c.Pop && must && t.all[i] {
				pops[c.Goal()] = true
			}
			if !t.readsItself(i, c) {
				t.problem(i, k, "read it, too", "the function is not among the values of its own fan-in, so whoever comes last would not know of it")
				return
			}
			if name, _ := t.missing(i, c); name != "" && must && t.all[i] && !t.cut {
				t.problem(i, k, "see that it is started, or guard the fan-in", "it waits for %s, which is never there", name)
				return
			}
		}
		if ending && t.all[i] && !(p.Named && t.isRead(i)) {
			ends = append(ends, i.name())
		}
	}
	if len(pops) > 1 {
		t.shape.ps.add(t.scope.Opener.pos, where(t.scope.Opener, max(t.scope.Edge, -1)), "let all come to one, which fans out again",
			"with %s, %s each end the fan-out, and the first that does decides", count(int(t.width), "line"), strings.Join(keys(pops), " and "))
	}
	if len(ends) > 1 && !t.cut {
		t.shape.ps.add(t.scope.Opener.pos, where(t.scope.Opener, max(t.scope.Edge, -1)), "let them fan in",
			"with %s, %s each end the run, and the first that does decides", count(int(t.width), "line"), strings.Join(ends, " and "))
	}
	if len(ends) > 0 && popped && len(t.order) > 0 && !t.cut && t.width > 1 {
		t.shape.ps.add(t.scope.Opener.pos, where(t.scope.Opener, max(t.scope.Edge, -1)), "let it fan in, too",
			"with %s, %s ends the run while others fan in", count(int(t.width), "line"), ends[0])
	}
}

func (t *attempt) readsItself(i instance, c *Continuation) bool {
	values, err := t.shape.Reads(i.f, c, t.env(i))
	return err != nil || slices.Contains(values, Read{i.f.Name, i.index})
}

// isRead reports whether a fan-in of some instance reads the value of i.
func (t *attempt) isRead(i instance) bool {
	for _, o := range t.order {
		for k := range o.f.Next {
			c := &o.f.Next[k]
			if c.Kind != FanIn || o.iteration != i.iteration {
				continue
			}
			if can, _ := c.If.may(t.env(o)); !can {
				continue
			}
			if values, err := t.shape.Reads(o.f, c, t.env(o)); outer(c) || err == nil && slices.Contains(values, Read{i.f.Name, i.index}) {
				return true
			}
		}
	}
	return false
}

// judgeLines says which lines end without the fan-in, and whether all can meet in one.
func (t *attempt) judgeLines() {
	meet := make([]map[string]bool, t.width) // fan-ins that each line may come to
	for n := range meet {
		meet[n] = map[string]bool{}
	}
	for _, i := range t.order {
		ending := true
		for k := range i.f.Next {
			c := &i.f.Next[k]
			if can, _ := c.If.may(t.env(i)); c.Kind == Catch || !can {
				continue
			}
			ending = false
			if c.Kind != FanIn {
				continue
			}
			if name := t.named(i, c); name != "" {
				t.problem(i, k, "name it there, or use a set", "the line ends here, and the fan-in takes %s of it", name)
				return
			}
			meet[i.line][c.Goal()] = true
		}
		if ending {
			t.problem(i, -1, "let it fan in as the others do", "the line ends here without a fan-in, which would end the run")
			return
		}
	}
	if t.cut {
		return
	}
	for n := range meet {
		for m := range n {
			if !slices.ContainsFunc(keys(meet[n]), func(goal string) bool { return meet[m][goal] }) {
				t.shape.ps.add(t.scope.Opener.pos, where(t.scope.Opener, max(t.scope.Edge, -1)), "let all lines come to one",
					"with %s, line %d comes to %s and line %d to %s: neither can ever be full", count(int(t.width), "line"), m, either(meet[m]), n, either(meet[n]))
				return
			}
		}
	}
}

// named returns which value a fan-in of the whole takes of the line of i, if that is not the one of i.
func (t *attempt) named(i instance, c *Continuation) string {
	for k := range c.Values {
		v := &c.Values[k]
		if n, ok := v.Literal(); (v.All() || ok && n == i.line) && v.Function != i.f.Name {
			return v.String()
		}
	}
	return ""
}

// Goal says what a fan-in leads to and of what: lines with the same one meet.
func (c *Continuation) Goal() string {
	names := make([]string, len(c.Values))
	for i := range c.Values {
		names[i] = c.Values[i].String()
	}
	return c.To + " over [" + strings.Join(names, ", ") + "]" + c.Set
}

func keys(m map[string]bool) []string {
	all := make([]string, 0, len(m))
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

func either(m map[string]bool) string {
	if len(m) == 0 {
		return "no fan-in"
	}
	return strings.Join(keys(m), " or ")
}

// Read is the value of a function on a line.
type Read struct {
	Function string
	Index    int64
}

// String returns "F-3".
func (r Read) String() string { return fmt.Sprintf("%s-%d", r.Function, r.Index) }

// Reads returns the values that a fan-in of f takes, of which env is the environment: f's size in it says how many "*" are.
func (s *Shape) Reads(f *Function, c *Continuation, env *Env) ([]Read, error) {
	var reads []Read
	for i := range c.Values {
		v := &c.Values[i]
		if v.All() {
			for n := range s.sizeOf(f, v.Function, env.Frames[len(env.Frames)-1].Size) {
				reads = append(reads, Read{v.Function, n})
			}
			continue
		}
		n, err := v.last().Int(env)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v, err)
		}
		reads = append(reads, Read{v.Function, n})
	}
	return reads, nil
}

// size0 returns $size of a function in the graph of f, whose own $size is given.
func (s *Shape) sizeOf(f *Function, of string, size int64) int64 {
	from, to := s.places[f.Name], s.places[of]
	if from == nil || to == nil {
		return size
	}
	return size - from.sizeShift + to.sizeShift
}
