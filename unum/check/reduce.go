package check

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/weftworks/weft/unum/protocol"
)

// A reduced exploration does not take every transition of a world when those of a few actors (undelivered requests, executions
// under way) will do: the actors of one branch, as long as all they are about to do is on keys that nobody else can come to before they
// have moved. Whatever history there is, one in which they move first comes to the same end; docs/unum-protocol.md has why.
//
// reach is what makes a branch private: its scope is open, no line of it has failed or can, the branch has not ended, and nobody is about
// who could start it again.

// actor is a request that is not delivered, or an execution.
type actor struct {
	item    int32
	pending bool
	lines   *stack // nil: a client
}

// stack is the lines of a request, by the keys of their records.
type stack struct {
	keys  []int32
	lines []protocol.Line
}

func (m *model) stackOf(request int32) *stack {
	for int(request) >= len(m.stacks) {
		m.stacks = append(m.stacks, nil)
	}
	if s := m.stacks[request]; s != nil {
		return s
	}
	r := m.requests.items[request].req
	if r == nil {
		return nil
	}
	s := &stack{lines: r.Lines}
	for i := range r.Lines {
		s.keys = append(s.keys, m.text(protocol.Key(r.Run, r.Lines[:i+1])))
	}
	m.stacks[request] = s
	return s
}

// origin returns the request that an actor executes.
func (m *model) origin(a *actor) *request {
	if a.pending {
		return m.requests.items[a.item]
	}
	return m.requests.items[m.execs.items[a.item].node.request]
}

func (m *model) actors(w *world) []actor {
	list := make([]actor, 0, len(w.pending)+len(w.execs))
	for _, p := range w.pending {
		list = append(list, actor{p, true, m.stackOf(p)})
	}
	for _, e := range w.execs {
		list = append(list, actor{e, false, m.stackOf(m.execs.items[e].node.request)})
	}
	return list
}

// reduced returns transitions of a world of which it is enough to follow each.
func (m *model) reduced(w *world) []step {
	if m.Large {
		return m.steps(w)
	}
	all := m.actors(w)
	for i := range all {
		if a := &all[i]; !a.pending && m.decided(w, a) {
			return m.ways(nil, w, step{kind: proceed, item: a.item}, m.execs.items[a.item])
		}
	}
	for _, a := range all {
		if a.lines == nil {
			continue
		}
		for level := len(a.lines.keys) - 1; level > 0; level-- {
			if m.private(w, all, a.lines, level) || m.buried(w, all, a.lines, level) {
				return m.stepsOf(w, all, a.lines.keys[level], level)
			}
		}
	}
	return m.steps(w)
}

func (a *actor) within(key int32, level int) bool {
	return a.lines != nil && level < len(a.lines.keys) && a.lines.keys[level] == key
}

func (m *model) stepsOf(w *world, all []actor, key int32, level int) (steps []step) {
	last := actor{item: -1}
	for _, a := range all {
		if !a.within(key, level) || a.item == last.item && a.pending == last.pending {
			continue
		}
		if last = a; a.pending {
			steps = m.deliveries(steps, w, a.item)
		} else {
			steps = m.ways(steps, w, step{kind: proceed, item: a.item}, m.execs.items[a.item])
		}
	}
	return steps
}

// private says whether nobody but those who are in the line at level of s, or below it, can come to the keys there before one of them
// has moved, and whether they all are about to use no others.
func (m *model) private(w *world, all []actor, s *stack, level int) bool {
	for j := range level {
		if !m.open(w, s, j) {
			return false
		}
	}
	prefix := m.texts.items[s.keys[level]]
	for i := range all {
		a := &all[i]
		if a.within(s.keys[level], level) {
			if !slices.Equal(a.lines.lines[:level], s.lines[:level]) || m.origin(a).req.Cancel != nil || !m.inside(w, a, prefix) {
				return false
			}
		} else if !m.harmless(w, a, s, level) {
			return false
		}
	}
	return true
}

// open says whether the scope that the line at j of s has opened is as it was when the line at j+1 began, and whether nothing but the end
// of that can close it.
func (m *model) open(w *world, s *stack, j int) bool {
	i, ok := find(w.records, s.keys[j])
	if !ok {
		return false
	}
	rec, l := m.records.items[w.records[i].val], s.lines[j]
	if rec.Nonce != l.Nonce || rec.Step != l.Step || rec.Ended || rec.Failed != "" || slices.Contains(rec.Members, s.lines[j+1].Name) {
		return false
	}
	if !m.fallible {
		return true
	}
	return m.graph == nil && m.soundSiblings(w, rec, s.lines[j+1].Name)
}

// soundSiblings says whether no other line of a scope can fail.
func (m *model) soundSiblings(w *world, rec *protocol.Record, but string) bool {
	broken := w.left.Failures > 0 || slices.ContainsFunc(w.pending, func(p int32) bool {
		r := m.requests.items[p].req
		return r != nil && r.Failure != nil
	}) || slices.ContainsFunc(w.execs, func(e int32) bool {
		r := m.requests.items[m.execs.items[e].node.request].req
		return r != nil && r.Failure != nil
	})
	f := m.forkOf(rec)
	for i := range f.lines {
		name := f.names[i]
		if name == but || slices.Contains(rec.Members, name) {
			continue
		}
		if _, fail := f.lines[i].may(broken); fail {
			return false
		}
	}
	return true
}

// fork is what a record says of the scope that it opens.
type fork struct {
	joined bool
	limit  bool
	lines  []Seq
	names  []string
	// garbage is of whoever reads the record.
	garbage []protocol.Scope
}

func (m *model) forkOf(rec *protocol.Record) *fork {
	if f := m.forks[string(rec.Value)]; f != nil {
		return f
	}
	if m.forks == nil {
		m.forks = map[string]*fork{}
	}
	f := &fork{}
	m.forks[string(rec.Value)] = f
	if len(rec.Value) == 0 {
		return f
	}
	cp, err := protocol.DecodeCheckpoint(rec.Value)
	if err != nil {
		f.joined, f.limit = true, true
		return f
	}
	f.joined, f.limit, f.garbage = cp.Joined, cp.Concurrency > 0, cp.Garbage.Scopes
	var park parked
	if p, ok := m.program.(*program); ok && json.Unmarshal(cp.Parked, &park) == nil {
		seq, _, k := p.at(park.Pos)
		f.lines = seq[k].Lines
		for i := range f.lines {
			f.names = append(f.names, lineName(i))
		}
	}
	return f
}

// inside says whether all that an actor is about to do is at or below a key.
func (m *model) inside(w *world, a *actor, prefix string) bool {
	x := m.next(w, a)
	in := func(key string) bool {
		return strings.HasPrefix(key, prefix) && (len(key) == len(prefix) || key[len(prefix)] == '/')
	}
	for i := range x.node.ops {
		op := &x.node.ops[i]
		switch op.Kind {
		case protocol.OpGet, protocol.OpDelete:
			for _, key := range op.Keys {
				if !in(key) {
					return false
				}
			}
		case protocol.OpCreate, protocol.OpAdvance, protocol.OpAdd:
			if !in(op.Key) {
				return false
			}
		case protocol.OpInvoke, protocol.OpRun:
		default:
			return false
		}
	}
	return true
}

func (m *model) next(w *world, a *actor) *execution {
	if a.pending {
		return m.start(w, a.item)
	}
	return m.execs.items[a.item]
}

// harmless says whether an actor outside of the line at level of s can neither come to the keys there, nor start what does, before
// one within has moved.
func (m *model) harmless(w *world, a *actor, s *stack, level int) bool {
	root := s.lines[0]
	if a.lines == nil {
		switch m.origin(a).client {
		case "forget":
			return a.pending // it waits for the end of the run
		case "start", "again":
			return a.pending || root.Step > 1 // the run has begun; who has seen it before may invoke its first instance once more
		}
		return false
	}
	if a.lines.lines[0].Nonce != root.Nonce {
		return true // of another life of the run
	}
	if m.origin(a).req.Cancel != nil {
		return false
	}
	j := 0
	for ; ; j++ {
		theirs, ours := a.lines.lines[j], s.lines[j]
		if j == len(a.lines.lines)-1 { // on a line that has forked since
			return theirs.Step < ours.Step-1 || a.pending && theirs.Step < ours.Step
		}
		if theirs.Step != ours.Step {
			// in an earlier scope: who has seen that full may invoke the next instance of the line, or its fork
			return theirs.Step < ours.Step-1 || a.pending && theirs.Step < ours.Step && !m.joinedAt(w, s.keys[j])
		}
		if theirs.Nonce != ours.Nonce {
			return false
		}
		if a.lines.keys[j+1] != s.keys[j+1] {
			break
		}
	}
	theirs, ours := a.lines.lines[j+1], s.lines[j+1]
	if m.graph != nil {
		return !m.graph.leads(theirs.Name, ours.Name)
	}
	i, _ := find(w.records, s.keys[j])
	return !m.forkOf(m.records.items[w.records[i].val]).limit || theirs.Index > ours.Index
}

func (m *model) joinedAt(w *world, key int32) bool {
	i, ok := find(w.records, key)
	return !ok || m.forkOf(m.records.items[w.records[i].val]).joined
}

// leads says whether one line of a graph is taken by another, or by what that takes.
func (g *Graph) leads(from, to string) bool {
	for i := range g.Lines {
		if l := &g.Lines[i]; l.Name == to {
			for _, name := range l.Takes {
				if name == from || g.leads(from, name) {
					return true
				}
			}
		}
	}
	return false
}

func lineName(i int) string { return strconv.Itoa(i) }

// fallible says whether a line of a case can fail, or end the run.
func (c *Case) fallible() bool {
	if c.Graph != nil {
		return c.Bounds.Failures > 0 || c.Graph.Ends != ""
	}
	return c.Bounds.Failures > 0 || c.Program.raises()
}

// raises says whether a node can fail, caught or not.
func (s Seq) raises() bool {
	for _, n := range s {
		if n.Raises || n.Flaky || n.Expires || slices.ContainsFunc(n.Lines, Seq.raises) {
			return true
		}
	}
	return false
}

// flaky says whether a node asks which execution it is of.
func (s Seq) flaky() bool {
	return slices.ContainsFunc(s, func(n Node) bool { return n.Flaky || slices.ContainsFunc(n.Lines, Seq.flaky) })
}

// settled says whether a request that is not delivered can do nothing any more, whenever it is: its line has moved on for good, and
// it has nothing to collect. Lines never come back under the same nonce, and the record of a run stays unless somebody forgets it.
func (m *model) settled(w *world, p int32) bool {
	if m.Forget || m.Large || m.Mistake != nil {
		return false
	}
	r := m.requests.items[p]
	if r.client != "" {
		root := m.recordAt(w, run)
		return r.client == "start" && root != nil && root.Step > 0
	}
	s := m.stackOf(p)
	own := len(s.lines) - 1
	l := s.lines[own]
	if l.Nonce == "" || r.req.Cancel != nil || len(r.req.Collect.Scopes) > 0 || len(r.req.Collect.Blobs) > 0 {
		return false
	}
	i, ok := find(w.records, s.keys[own])
	if !ok {
		return true
	}
	rec := m.records.items[w.records[i].val]
	return rec.Nonce != l.Nonce || rec.Step > l.Step || rec.Step == l.Step-1 && rec.Ended
}

// forget takes requests out of a world that can do nothing.
func (m *model) dropSettled(w *world) {
	w.pending = slices.DeleteFunc(w.pending, func(p int32) bool { return m.settled(w, p) })
}
