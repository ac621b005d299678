package asl

import "github.com/weftworks/weft/asl/jsonvalue"

// LoneName is the name of a state that is read by itself, in its context object too: what TestState calls it.
const LoneName = "StateName"

// ParseLone reads a definition that is one state instead of a machine, as TestState takes it. The Machine it returns has
// that state alone, as its start, with the name LoneName. What the state goes on to need not exist: Next, Default and Catch
// lead to states of which only the name is known (and whose Index is -1), so the machine cannot be run, only inspected.
func ParseLone(text []byte, opts Options) (*Machine, Problems) {
	return parse(text, opts, (*parser).lone)
}

// IsLone reports whether a definition is one state instead of a machine: an object with a Type and no States.
func IsLone(text []byte) bool {
	root, err := jsonvalue.ParseDocument(text)
	if err != nil || root.Kind != jsonvalue.KindObject {
		return false
	}
	s := &spot{node: root, keyAt: -1}
	return s.has("Type") && !s.has("States")
}

func (p *parser) lone(s *spot) {
	m := p.machine
	g := &m.Graph
	g.StartAt, g.ByName = LoneName, map[string]*State{}
	r := &graphReader{parser: p, graph: g}
	r.state(&spot{key: LoneName, node: s.node})
	for _, ref := range r.pending {
		*ref.to = &State{Name: ref.name, Index: -1, Graph: g}
	}
	g.Start = g.ByName[LoneName]
}
