package asl

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/limits"
)

// reserved is the variable by which JSONata expressions see a state's data, so no state may assign it.
const reserved = "states"

// assignment is a place where a variable is given a value.
type assignment struct {
	name  string
	at    *spot
	graph *Graph // of the state that does it
}

// refersTo notes that the state being read reads a variable; "" is none.
func (p *parser) refersTo(name string) {
	if name == "" || p.current == nil {
		return
	}
	refs := &p.current.References
	if i, found := slices.BinarySearch(*refs, name); !found {
		*refs = slices.Insert(*refs, i, name)
	}
}

// assign reads an optional Assign of a state, a Choice rule or a catcher (Step Functions, "Passing data between states with
// variables"); may is what its expressions read in JSONata.
func (p *parser) assign(s *spot, may has) *Template {
	f := s.member("Assign")
	if f == nil || p.current == nil || !p.kind(f, jsonvalue.KindObject) {
		return nil
	}
	if _, takes := stateFields[p.current.Type]["Assign"]; !takes {
		return nil // as has been reported
	}
	for i := range f.node.Members {
		m := f.at(i)
		name := m.key
		if p.language == JSONPath {
			name = strings.TrimSuffix(name, ".$")
		}
		switch {
		case name == reserved:
			p.reportKey(m, SchemaInvalid, "choose another name", "$%s is taken: it is the state's data in JSONata", reserved)
		case !isVariableName(name):
			p.reportKey(m, SchemaInvalid, "begin with a letter, and use letters, digits and _",
				"%q cannot be the name of a variable", limits.Cut(name, limits.NameChars))
		case utf8.RuneCountInString(name) > limits.NameChars:
			p.reportKey(m, SchemaInvalid, "shorten it", "the name has %d characters; at most %d are allowed", utf8.RuneCountInString(name), limits.NameChars)
		default:
			p.assigned = append(p.assigned, assignment{name, m, p.current.Graph})
		}
	}
	if p.language == JSONata {
		return p.queryTemplate(s, "Assign", may)
	}
	return p.template(s, "Assign")
}

// isVariableName reports whether s is an identifier as Unicode has it (UAX #31), which is what Step Functions asks of the
// names of variables.
func isVariableName(s string) bool {
	for i, c := range s {
		first := unicode.IsLetter(c) || unicode.Is(unicode.Nl, c) || unicode.Is(unicode.Other_ID_Start, c)
		if !first && (i == 0 || !unicode.In(c, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue)) {
			return false
		}
	}
	return s != ""
}

// checkScopes reports variables that a branch or an iteration assigns though a scope around it does: it may read those, and
// neither change nor hide them. The items of a distributed Map are runs of their own, with nothing around them.
func (p *parser) checkScopes() {
	names := map[*Graph]map[string]bool{}
	for _, a := range p.assigned {
		if names[a.graph] == nil {
			names[a.graph] = map[string]bool{}
		}
		names[a.graph][a.name] = true
	}
	for _, a := range p.assigned {
		for up := a.graph.Parent; up != nil && !separate(up); up = up.Graph.Parent {
			if names[up.Graph][a.name] {
				p.reportKey(a.at, DuplicateVariable, "choose another name", "the variable $%s belongs to the scope around state %q", a.name, up.Name).ServiceMessage =
					"The variable name '" + a.name + "' was already defined in a parent scope."
				break
			}
		}
	}
}

// separate reports whether what is inside a state runs by itself and does not see the variables around it.
func separate(st *State) bool { return st.Map != nil && st.Map.Distributed != nil }

// VariableReferences returns the names of the variables that states read, sorted, by state. States that read none are
// left out; the map is empty when none does.
func (m *Machine) VariableReferences() map[string][]string {
	refs := map[string][]string{}
	for _, st := range m.AllStates {
		if len(st.References) > 0 {
			refs[st.Name] = st.References
		}
	}
	return refs
}
