package jsonata

import "slices"

// Members returns the names that the expression takes directly from a variable, as "input" of $states.input.items, sorted,
// and whether it also uses the variable in another way: as a whole, or by a name that is computed.
func (x *Expr) Members(variable string) (names []string, whole bool) {
	if boundNames(x.root)[variable] {
		return nil, false
	}
	var visit func(n *node)
	visit = func(n *node) {
		first := 0
		if n.kind == kindPath && len(n.list) > 1 && n.list[0].kind == kindVariable && n.list[0].op == variable && n.list[1].kind == kindName {
			names = append(names, n.list[1].op)
			first = 1
		}
		whole = whole || n.kind == kindVariable && n.op == variable
		skipped := n.list[:first]
		n.children(func(part *node, _ bool) {
			if len(skipped) > 0 && part == skipped[0] && part.plain() {
				return
			}
			visit(part)
		})
	}
	visit(x.root)
	slices.Sort(names)
	return slices.Compact(names), whole
}

// plain reports whether a step is a variable and nothing else.
func (n *node) plain() bool {
	return n.predicates == nil && n.stages == nil && n.group == nil && n.focus == "" && n.index == ""
}
