package compile

import (
	"slices"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/unum/glue"
	"github.com/weftworks/weft/unum/ir"
)

// walk finds everything that a line may come to in the glue, from somewhere on.
type walk struct {
	c     *compiler
	at    where
	seen  map[visit]bool
	edges []edge
	ends  bool         // the run may end
	rests bool         // something is left to the function without code
	forks []*asl.State // at the heads of branches
}

// where a line is, seen from where the walk began.
type where struct {
	joined *asl.State // a fork whose last branch the line was when the walk began; nil: none
	heads  *asl.State // a fork of which it is a head; nil: none
	branch int        // of heads
	later  bool       // it has waited, and no function was called since
}

type visit struct {
	st *asl.State
	at where
}

// edge is an invocation that may follow.
type edge struct {
	kind  ir.Kind
	to    *ir.Function
	guard string
	set   *asl.State // of a FanIn
	limit int64      // Concurrency of a Map
}

func (c *compiler) walk(from func(*walk)) *walk {
	w := &walk{c: c, seen: map[visit]bool{}}
	from(w)
	return w
}

// follow gives f the continuations that a walk finds.
func (c *compiler) follow(f *ir.Function, from func(*walk)) {
	w := c.walk(from)
	for _, e := range w.edges {
		n := ir.Continuation{Kind: e.kind, To: e.to.Name, If: ir.ExitIs(e.guard), Concurrency: e.limit}
		if e.set != nil {
			n.Set = c.setName(e.set.Name)
			n.Pop = true
		}
		if e.kind == ir.Map || e.guard != e.to.Name && e.kind == ir.Invoke {
			if set := c.setName(e.guard); !slices.Contains(f.Sets, set) {
				f.Sets = append(f.Sets, set)
			}
		}
		f.Next = append(f.Next, n)
	}
}

// fromRest walks from what is left to the function without code: the start of the run, unless a Task is that, and lines
// that end without a Task or after a Wait.
func (c *compiler) fromRest(w *walk) {
	if c.rest.Start {
		w.enter(c.def.Graph.Start)
	}
	for _, st := range c.def.AllStates {
		if !c.glue.Leaves(st) {
			continue
		}
		for _, g := range glue.Branches(st) {
			in := c.walk(func(in *walk) { in.head(st, g, 0) })
			if in.rests {
				w.finished(g)
			}
			for _, inner := range in.forks {
				w.fork(inner)
			}
		}
		if st.Task != nil {
			if after := c.walk(func(after *walk) { after.answered(st) }); after.rests {
				w.finished(st.Graph)
			}
		}
	}
}

// answered walks from a Task whose function has been called.
func (w *walk) answered(st *asl.State) {
	w.next(st.NextState, st.Graph)
	w.erred(st)
	w.finished(st.Graph) // with the error, if nothing covers it
}

// erred walks from an error of a state that its retriers or catchers cover.
func (w *walk) erred(st *asl.State) {
	if len(st.Retry) > 0 {
		w.later(func() { w.enter(st) })
	}
	for i := range st.Catch {
		w.enter(st.Catch[i].To)
	}
}

// later walks on after a time that passes.
func (w *walk) later(on func()) {
	was := w.at
	w.at.later = true
	on()
	w.at = was
}

// next walks to the next state; nil: to the end of the graph.
func (w *walk) next(st *asl.State, g *asl.Graph) {
	if st == nil {
		w.finished(g)
		return
	}
	w.enter(st)
}

// enter walks from the beginning of a state.
func (w *walk) enter(st *asl.State) {
	v := visit{st, w.at}
	if w.seen[v] {
		return
	}
	w.seen[v] = true
	w.work(st)
}

func (w *walk) work(st *asl.State) {
	switch st.Type {
	case asl.Task:
		for _, f := range w.c.functions[st] {
			w.reach(f)
		}
		w.unprepared(st)
	case asl.Choice:
		for i := range st.Choice.Rules {
			w.enter(st.Choice.Rules[i].To)
		}
		if st.Choice.DefaultState != nil { // else the run fails
			w.enter(st.Choice.DefaultState)
		}
	case asl.Wait:
		if w.at.later && w.c.loops(st) {
			w.left() // it may wait so often that it pauses
		}
		w.later(func() { w.next(st.NextState, st.Graph) })
	case asl.Parallel, asl.Map:
		w.fork(st)
	default:
		w.next(st.NextState, st.Graph)
	}
}

// unprepared walks from a Task whose arguments cannot be made: its retriers and catchers may cover that, and the function
// is not called then.
func (w *walk) unprepared(st *asl.State) {
	if !fallible(st) {
		return
	}
	covers := func(names []string) bool {
		return slices.ContainsFunc(names, func(n string) bool {
			return n == "States.ALL" || n == "States.TaskFailed" || n == "States.QueryEvaluationError"
		})
	}
	for i := range st.Retry {
		if covers(st.Retry[i].ErrorEquals) {
			w.later(func() { w.finished(st.Graph) }) // once it is tried no more
		}
	}
	for i := range st.Catch {
		if covers(st.Catch[i].ErrorEquals) {
			w.enter(st.Catch[i].To)
		}
	}
}

// fallible reports whether a Task's expressions are in JSONata, whose failures can be caught.
func fallible(st *asl.State) bool {
	return st.QueryLanguage == asl.JSONata && (len(st.Queries) > 0 || st.Arguments != nil && queries(&st.Arguments.Root))
}

func queries(n *asl.Node) bool {
	return n.Query != nil || slices.ContainsFunc(n.Items, func(n asl.Node) bool { return queries(&n) }) ||
		slices.ContainsFunc(n.Fields, func(f asl.FieldNode) bool { return queries(&f.Node) })
}

// fork walks into the branches of a Parallel or a Map.
func (w *walk) fork(st *asl.State) {
	switch {
	case !w.c.glue.Leaves(st):
		w.later(func() { // there may be waits in it
			w.next(st.NextState, st.Graph)
			w.erred(st)
			if fails(st) {
				w.finished(st.Graph)
			}
		})
		return
	case w.at.heads != nil: // it takes an instance of the line to open a scope
		w.forks = append(w.forks, st)
		w.left()
		return
	}
	for i, g := range glue.Branches(st) {
		was := w.at
		w.head(st, g, i)
		w.at = was
	}
	w.erred(st) // of its own
	if st.Map != nil {
		w.next(st.NextState, st.Graph) // without items
	}
}

func (w *walk) head(st *asl.State, g *asl.Graph, i int) {
	w.at = where{heads: st, branch: i}
	w.enter(g.Start)
}

// finished walks from the end of a graph: to what follows the fork that it is a branch of, if it was the last.
func (w *walk) finished(g *asl.Graph) {
	v := visit{at: w.at, st: g.Start}
	v.at.branch = -1
	if w.seen[v] {
		return
	}
	w.seen[v] = true
	switch owner := g.Parent; {
	case w.at.heads != nil && w.at.heads == owner:
		w.left()
	case w.at.later:
		w.left()
	case owner == nil:
		w.ends = true
	default:
		was := w.at
		w.at = where{joined: owner}
		w.answered(owner)
		w.at = was
	}
}

// left leaves the end of a line to the function without code.
func (w *walk) left() {
	w.rests = true
	w.reach(w.c.needRest())
}

// reach notes that f may be invoked.
func (w *walk) reach(f *ir.Function) {
	e := edge{kind: ir.Invoke, to: f, guard: f.Name}
	switch {
	case w.at.heads != nil:
		e.guard = w.at.heads.Name
		if w.at.heads.Map != nil {
			e.kind, e.limit = ir.Map, w.at.heads.Map.MaxConcurrency
		}
	case w.at.joined != nil:
		e.kind, e.set = ir.FanIn, w.at.joined
	}
	if !slices.Contains(w.edges, e) {
		w.edges = append(w.edges, e)
	}
}

// fails reports whether a Parallel or a Map that is run in place may end in a Fail, or in an error that can be caught.
func fails(st *asl.State) bool {
	for _, g := range glue.Branches(st) {
		for _, below := range g.States {
			if below.Type == asl.Fail || below.QueryLanguage == asl.JSONata || fails(below) {
				return true
			}
		}
	}
	return false
}

// loops reports whether a line may come from st to st again without a function in between.
func (c *compiler) loops(st *asl.State) bool {
	seen := map[*asl.State]bool{}
	var visit func(from *asl.State) bool
	visit = func(from *asl.State) bool {
		return slices.ContainsFunc(glue.Successors(from), func(next *asl.State) bool {
			if next == nil || next.Type == asl.Task || seen[next] {
				return false
			}
			seen[next] = true
			return next == st || visit(next)
		})
	}
	return visit(st)
}
