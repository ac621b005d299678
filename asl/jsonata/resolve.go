package jsonata

import "slices"

// Uses says what an expression takes from where it is evaluated, for those who allow only some of it. Step
// Functions allows neither context nor input: $states and variables are all there is.
type Uses struct {
	// Context and Input report uses of $ and of $$ where they mean the input.
	Context, Input bool
	// Fields are names looked up in the input itself, as "a" of a.b, "*" and "**" among them, sorted.
	Fields []string
	// Variables are the variables that are neither bound inside nor functions of JSONata, sorted.
	Variables []string
	// Functions are those of Variables that are called, so a function that does not exist. Sorted.
	Functions []string
	// Eval reports a use of $eval.
	Eval bool
}

// Variables returns the names, without $, of the variables that are neither bound inside the expression nor
// functions of JSONata, sorted.
func (x *Expr) Variables() []string { return x.Uses().Variables }

// Uses returns what the expression takes from where it is evaluated.
func (x *Expr) Uses() Uses {
	s := surveyor{bound: boundNames(x.root)}
	s.visit(x.root, true)
	for _, list := range []*[]string{&s.Fields, &s.Variables, &s.Functions} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return s.Uses
}

// children calls fn with the parts of a node; outer says that a part has the context of the node itself.
func (n *node) children(fn func(part *node, outer bool)) {
	visit := func(x *node, outer bool) {
		if x != nil {
			fn(x, outer)
		}
	}
	if n.kind == kindTransform {
		visit(n.lhs, false)
		visit(n.rhs, false)
		visit(n.third, false)
	} else {
		if n.kind != kindBind {
			visit(n.lhs, true)
		}
		visit(n.rhs, true)
		visit(n.third, true)
	}
	for i, x := range n.list {
		visit(x, n.kind != kindPath || i == 0)
	}
	for _, pair := range n.pairs {
		visit(pair[0], true)
		visit(pair[1], true)
	}
	for _, t := range n.terms {
		visit(t.expr, false)
	}
	for _, s := range slices.Concat(n.predicates, n.stages) {
		visit(s.expr, false)
	}
	if n.group != nil {
		for _, pair := range n.group.pairs {
			visit(pair[0], false)
			visit(pair[1], false)
		}
	}
}

type surveyor struct {
	Uses
	bound map[string]bool
}

// visit looks at a node; top says that its context is the input.
func (s *surveyor) visit(n *node, top bool) {
	switch n.kind {
	case kindVariable:
		s.variable(n, top)
	case kindName:
		if top {
			s.Fields = append(s.Fields, n.op)
		}
	case kindWildcard, kindDescendant:
		if top {
			s.Fields = append(s.Fields, map[kind]string{kindWildcard: "*", kindDescendant: "**"}[n.kind])
		}
	case kindFunction, kindPartial:
		if f := n.lhs; f.kind == kindVariable && !s.bound[f.op] && f.op != "" && builtins[f.op] == nil {
			s.Functions = append(s.Functions, f.op)
		}
	}
	n.children(func(part *node, outer bool) { s.visit(part, top && outer) })
}

func (s *surveyor) variable(n *node, top bool) {
	switch {
	case n.op == "":
		s.Context = s.Context || top
	case n.op == "$":
		s.Input = true
	case s.bound[n.op]:
	case n.op == "eval":
		s.Eval = true
	case builtins[n.op] == nil:
		s.Variables = append(s.Variables, n.op)
	}
}

// boundNames are the names of all variables that an expression binds anywhere.
func boundNames(root *node) map[string]bool {
	bound := make(map[string]bool)
	var visit func(n *node, _ bool)
	visit = func(n *node, _ bool) {
		if n.kind == kindBind {
			bound[n.lhs.op] = true
		}
		for _, name := range n.params {
			bound[name] = true
		}
		for _, name := range []string{n.focus, n.index} {
			if name != "" {
				bound[name] = true
			}
		}
		for _, s := range n.stages {
			if s.expr == nil {
				bound[s.index] = true
			}
		}
		n.children(visit)
	}
	visit(root, true)
	return bound
}

// resolve prepares the tree for evaluation: which variables are looked up outside, and once; which blocks need a
// scope; which paths are nothing but names.
func (x *Expr) resolve() {
	bound := boundNames(x.root)
	dynamic := x.dynamic || x.eval && x.mentionsEval()
	slots := make(map[string]int)
	var visit func(n *node)
	visit = func(n *node) {
		switch n.kind {
		case kindVariable:
			n.global = -1
			if n.op != "" && !bound[n.op] && !dynamic {
				slot, ok := slots[n.op]
				if !ok {
					slot = len(x.globals)
					slots[n.op] = slot
					x.globals = append(x.globals, n.op)
				}
				n.global = slot
			}
		case kindBlock:
			n.frame = dynamic || binds(n, true)
		case kindPath:
			n.simple = n.isSimple()
		}
		n.children(func(part *node, _ bool) { visit(part) })
	}
	visit(x.root)
}

func (x *Expr) mentionsEval() bool {
	found := false
	var visit func(n *node, _ bool)
	visit = func(n *node, _ bool) {
		found = found || n.kind == kindVariable && n.op == "eval"
		n.children(visit)
	}
	visit(x.root, true)
	return found
}

// binds reports whether a block binds variables in its own scope: those of blocks and lambdas inside are theirs.
func binds(n *node, outermost bool) bool {
	switch {
	case n.kind == kindBind:
		return true
	case (n.kind == kindBlock || n.kind == kindLambda && !n.thunk) && !outermost:
		return false
	}
	found := false
	n.children(func(part *node, _ bool) { found = found || binds(part, false) })
	return found
}

// isSimple reports whether a path is nothing but names, the first one maybe a variable.
func (n *node) isSimple() bool {
	if n.keepSingleton || n.group != nil || n.tuple {
		return false
	}
	for i, step := range n.list {
		if step.kind != kindName && (i > 0 || step.kind != kindVariable || len(n.list) == 1) || step.stages != nil || step.predicates != nil || step.group != nil || step.tuple || step.keepArray {
			return false
		}
	}
	return true
}
