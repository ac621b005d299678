package check

import (
	"slices"
	"strconv"
	"strings"

	"github.com/weftworks/weft/unum/protocol"
)

// learn notes at a node what its executions have had to do with scopes.
func (m *model) learn(c *node) {
	n := c.parent
	c.scopes, c.added = slices.Clip(n.scopes), slices.Clip(n.added)
	for i := range n.ops {
		a := &c.given[i]
		if n.ops[i].Kind == protocol.OpAdd && a.OK {
			c.added = append(c.added, &n.ops[i])
		}
		for _, rec := range append(slices.Clone(a.Records), a.Record) {
			if rec != nil {
				c.scopes = append(c.scopes, m.forkOf(rec).garbage...)
			}
		}
	}
}

// gone says whether the scope is gone for good that the line at j of s has opened, and nobody has joined there in a way that those who
// come late have to finish.
func (m *model) gone(w *world, s *stack, j int) bool {
	i, ok := find(w.records, s.keys[j])
	if !ok {
		return j > 0
	}
	rec, l := m.records.items[w.records[i].val], s.lines[j]
	return rec.Nonce != l.Nonce || rec.Step > l.Step+1 || rec.Step == l.Step+1 && !m.forkOf(rec).joined
}

// decided says whether what an execution is about to do comes to the same whenever it is done, and is seen by nobody: it asks for a
// scope that is gone, or how the run has ended.
func (m *model) decided(w *world, a *actor) bool {
	n := m.execs.items[a.item].node
	if a.lines == nil || m.Forget || len(n.ops) != 1 {
		return false
	}
	op := &n.ops[0]
	key := op.Key
	switch {
	case op.Kind == protocol.OpGet && len(op.Keys) == 1:
		key = op.Keys[0]
	case op.Kind != protocol.OpAdd:
		return false
	}
	if op.Kind == protocol.OpGet && key == run {
		if root := m.recordAt(w, run); root != nil && root.Ended {
			return true
		}
	}
	for j := range len(a.lines.keys) - 1 {
		if m.texts.items[a.lines.keys[j]] == key {
			l := a.lines.lines[j]
			if op.Kind == protocol.OpAdd && (op.Nonce != l.Nonce || op.Step != l.Step) {
				return false
			}
			return m.gone(w, a.lines, j)
		}
	}
	return false
}

// buried is private for a line whose scope is gone: whoever is still about in it has it for himself, but for those who only collect the
// scope. Those do not matter to who finds nothing there, or deletes it himself.
func (m *model) buried(w *world, all []actor, s *stack, level int) bool {
	if m.Forget || !m.gone(w, s, level-1) {
		return false
	}
	key := m.texts.items[s.keys[level]]
	collected := false
	look := func(scopes []protocol.Scope) (reads bool) {
		for i := range scopes {
			switch hit, exact := covers(&scopes[i], key); {
			case hit && scopes[i].Deep:
				return true
			case exact:
				collected = true
			}
		}
		return false
	}
	for _, p := range w.records {
		if look(m.forkOf(m.records.items[p.val]).garbage) {
			return false
		}
	}
	for i := range all {
		a := &all[i]
		if a.within(s.keys[level], level) {
			if !slices.Equal(a.lines.lines[:level], s.lines[:level]) || m.origin(a).req.Cancel != nil || !m.inside(w, a, key) {
				return false
			}
			continue
		}
		if a.lines == nil {
			if c := m.origin(a).client; c != "start" {
				return false
			}
			continue
		}
		r := m.origin(a).req
		if r.Cancel != nil || look(r.Collect.Scopes) || m.mayRead(a, s, level) {
			return false
		}
		if !a.pending && look(m.execs.items[a.item].node.scopes) {
			return false
		}
	}
	return !collected || m.onlyDeletes(w, all, s, level)
}

// covers says whether the keys of a scope's lines are above a key or that key, and whether it is one of them.
func covers(s *protocol.Scope, key string) (hit, exact bool) {
	rest, ok := strings.CutPrefix(key, s.Key+"/"+strconv.FormatInt(s.Step, 10)+".")
	return ok, ok && !strings.Contains(rest, "/")
}

// mayRead says whether an actor outside of the line at level of s may come to read the records there, or start the line again.
func (m *model) mayRead(a *actor, s *stack, level int) bool {
	if n := len(a.lines.keys) - 1; len(m.origin(a).req.Inputs) > 0 && n <= level && a.lines.keys[n-1] == s.keys[n-1] {
		return true
	}
	if a.pending {
		return false
	}
	n := m.execs.items[a.item].node
	own := len(a.lines.keys) - 1
	if own < level && a.lines.keys[own] == s.keys[own] && a.lines.lines[own].Step == s.lines[own].Step {
		return true // it may be about to start the heads
	}
	return slices.ContainsFunc(n.added, func(op *protocol.Op) bool {
		for j := range level {
			if op.Key == m.texts.items[s.keys[j]] && op.Step == s.lines[j].Step {
				return true
			}
		}
		return false
	})
}

// onlyDeletes says whether those in a line are about to read where nothing is, or to delete.
func (m *model) onlyDeletes(w *world, all []actor, s *stack, level int) bool {
	for i := range all {
		a := &all[i]
		if !a.within(s.keys[level], level) {
			continue
		}
		for _, op := range m.next(w, a).node.ops {
			switch op.Kind {
			case protocol.OpDelete:
			case protocol.OpGet:
				for _, key := range op.Keys {
					if m.recordAt(w, key) != nil {
						return false
					}
				}
			default:
				return false
			}
		}
	}
	return true
}
