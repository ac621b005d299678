package check

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Executions that have come to the same point by different ways are told apart by their answers, although most of those do not matter
// any more. Nodes are taken for alike when they give out the same operations, until answers are found after which they do not: whatever
// answers one of a class gets, all of it get, and have to come to nodes of one class. Otherwise the class is split, and what was explored
// before is explored again. So what is left at the end is a bisimulation over all answers that occur.

// class is nodes that are alike. Its first is what stands for all.
type class struct{ nodes []*node }

// maxAlike bounds the nodes of an exploration that compares them: beyond, as where lines are razed in many ways, that costs more than
// it saves.
const maxAlike = 8_000

// levels of classes: of executions of one request, and of any, which is enough once none can crash and be repeated.
const (
	sameRequest = iota
	anyRequest
	levels
)

// alike returns the node that stands for n.
func (m *model) alike(n *node, w *world) *node {
	switch {
	case !m.lazy || m.apart:
		return n
	case w.left.Crashes > 0:
		return n.class[sameRequest].nodes[0]
	}
	return n.class[anyRequest].nodes[0]
}

// signature is what nodes have in common that give out the same. Executions that do so again have to be as far as each other, or
// there would be no end to comparing them.
func (m *model) signature(n *node) string {
	var b strings.Builder
	fmt.Fprint(&b, n.ended, n.err)
	for i := range n.ops {
		op := n.ops[i]
		op.Payload = nil
		s, err := json.Marshal(op)
		if err != nil {
			panic(err)
		}
		b.Write(s)
	}
	s, again := b.String(), 0
	for at := n.parent; at != nil; at = at.parent {
		if strings.HasPrefix(at.sign[anyRequest], s) {
			again++
		}
	}
	return fmt.Sprint(s, " ", again)
}

// classify puts a new node into a class.
func (m *model) classify(n *node) {
	s := m.signature(n)
	n.sign = [levels]string{sameRequest: fmt.Sprint(s, " ", n.request), anyRequest: s}
	if m.requests.items[n.request].client != "" {
		n.sign[anyRequest] = n.sign[sameRequest]
	}
	for level := range levels {
		if m.classes[level] == nil {
			m.classes[level] = map[string][]*class{}
		}
		m.place(n, level)
	}
}

// place puts a node into the first class that does not differ from it as far as is known.
func (m *model) place(n *node, level int) {
	for _, c := range slices.Clone(m.classes[level][n.sign[level]]) {
		first := c.nodes[0]
		if m.agrees(n, first, level) && first.class[level] == c { // it may have been split meanwhile
			n.class[level] = c
			c.nodes = append(c.nodes, n)
			return
		}
	}
	n.class[level] = &class{nodes: []*node{n}}
	m.classes[level][n.sign[level]] = append(m.classes[level][n.sign[level]], n.class[level])
}

// agrees says whether two nodes come to nodes of the same class after all answers that one of them has had.
func (m *model) agrees(n, o *node, level int) bool {
	for _, pair := range [][2]*node{{n, o}, {o, n}} {
		for _, next := range pair[0].children() {
			if other := m.visit(pair[1], 0, 0, next.had); other.class[level] == nil || other.class[level] != next.class[level] {
				return false
			}
		}
	}
	return true
}

func (n *node) children() []*node {
	list := make([]*node, 0, len(n.next))
	for _, c := range n.next {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *node) int { return int(a.id - b.id) })
	return list
}

// follow gives the answers that have led from n to c to all that are taken for n's like.
func (m *model) follow(n, c *node) {
	for level := range levels {
		if n.class[level] == nil {
			continue // it is being placed
		}
		for _, o := range slices.Clone(n.class[level].nodes) {
			if o == n || n.class[level] == nil || o.class[level] != n.class[level] {
				continue
			}
			if other := m.visit(o, 0, 0, c.had); other.class[level] != c.class[level] {
				m.split(n, level)
				break
			}
		}
	}
}

// split takes the class of a node apart, of which not all are alike, and those of the nodes before them, if they are not any more.
func (m *model) split(n *node, level int) {
	m.stale = true
	old := n.class[level]
	list := slices.Clone(old.nodes)
	m.classes[level][n.sign[level]] = slices.DeleteFunc(m.classes[level][n.sign[level]], func(c *class) bool { return c == old })
	for _, o := range list {
		o.class[level] = nil
	}
	for _, o := range list {
		m.place(o, level)
	}
	for _, o := range list {
		if p := o.parent; p != nil && p.class[level] != nil {
			for _, q := range slices.Clone(p.class[level].nodes) {
				if q != p && !m.agrees(p, q, level) {
					m.split(p, level)
					break
				}
			}
		}
	}
}
