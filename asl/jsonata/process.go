package jsonata

import "strconv"

// labels numbers the slots of parents.
type labels struct{ parents int }

// process turns a node as it was parsed into the form that is evaluated.
func (p *parser) process(n *node) *node {
	p.enter(n.at)
	defer p.leave()
	keep := n.keepArray
	out := p.form(n)
	if keep {
		out.keepArray = true
	}
	return out
}

func (p *parser) form(n *node) *node {
	switch n.kind {
	case kindBinary:
		return p.binary(n)
	case kindSort:
		return p.sorted(n)
	case kindGroupBy:
		return p.grouped(n)
	case kindName:
		return &node{kind: kindPath, at: n.at, list: []*node{n}, keepSingleton: n.keepArray}
	case kindParent:
		out := &node{kind: kindParent, at: n.at, slot: &slot{label: "!" + strconv.Itoa(p.parents), level: 1}}
		p.parents++
		return out
	case kindOperator:
		if n.placeholder() {
			return n
		}
		n.kind = kindName // and, or, in used as names
		return p.process(n)
	case kindEnd:
		panic(failureAt("S0207", n.at, undefined).about("(end)"))
	case kindString, kindNumber, kindValue, kindRegex, kindVariable, kindWildcard, kindDescendant:
		return n
	}
	return p.parts(n)
}

// parts processes the parts of a node that stays what it is, in its place.
func (p *parser) parts(out *node) *node {
	was := *out
	n := &was
	*out = node{kind: n.kind, op: n.op, at: n.at, val: n.val, sig: n.sig, params: n.params}
	part := func(x *node) *node {
		if x == nil {
			return nil
		}
		x = p.process(x)
		out.seek(x)
		return x
	}
	switch n.kind {
	case kindLambda: // parents inside do not reach out
		out.rhs = tailCalls(p.process(n.rhs))
		return out
	case kindTransform:
		out.lhs, out.rhs = p.process(n.lhs), p.process(n.rhs)
		if n.third != nil {
			out.third = p.process(n.third)
		}
		return out
	case kindBind:
		out.lhs, out.rhs = p.process(n.lhs), part(n.rhs)
		return out
	case kindApply:
		out.lhs, out.rhs = p.process(n.lhs), p.process(n.rhs)
		out.keepArray = out.lhs.keepArray || out.rhs.keepArray
		return out
	case kindNegate:
		if out.lhs = part(n.lhs); out.lhs.kind == kindNumber {
			out.lhs.val = -out.lhs.val.(float64)
			return out.lhs
		}
		return out
	case kindFunction, kindPartial:
		for _, x := range n.list {
			out.list = append(out.list, part(x))
		}
		out.lhs = p.process(n.lhs)
		return out
	}
	out.lhs, out.rhs, out.third = part(n.lhs), part(n.rhs), part(n.third)
	for _, x := range n.list {
		x = part(x)
		out.list = append(out.list, x)
		if n.kind == kindBlock && (x.consArray || x.kind == kindPath && x.list[0].consArray) {
			out.consArray = true
		}
	}
	for _, pair := range n.pairs {
		out.pairs = append(out.pairs, [2]*node{part(pair[0]), part(pair[1])})
	}
	return out
}

func (p *parser) binary(n *node) *node {
	switch n.op {
	case ".":
		return p.path(n)
	case "[":
		return p.predicate(n)
	case "@":
		return p.bindFocus(n)
	case "#":
		return p.bindIndex(n)
	}
	return p.parts(n)
}

// path joins two steps, or paths, into one path.
func (p *parser) path(n *node) *node {
	left := p.process(n.lhs)
	path := left
	if left.kind != kindPath {
		path = &node{kind: kindPath, at: n.at, list: []*node{left}}
	}
	if left.kind == kindParent {
		path.seeking = []*slot{left.slot}
	}
	rest := p.process(n.rhs)
	if rest.kind == kindPath {
		path.list = append(path.list, rest.list...)
	} else {
		if rest.predicates != nil {
			rest.stages, rest.predicates = rest.predicates, nil
		}
		path.list = append(path.list, rest)
	}
	for _, step := range path.list {
		switch step.kind {
		case kindNumber, kindValue:
			panic(failureAt("S0213", step.at, step.val))
		case kindString:
			step.kind = kindName
		}
		path.keepSingleton = path.keepSingleton || step.keepArray
	}
	for _, step := range []*node{path.list[0], path.list[len(path.list)-1]} {
		if step.kind == kindArray {
			step.consArray = true
		}
	}
	p.resolveParents(path)
	return path
}

// last returns the step that what follows n belongs to.
func (n *node) last() *node {
	if n.kind == kindPath {
		return n.list[len(n.list)-1]
	}
	return n
}

func (p *parser) predicate(n *node) *node {
	out := p.process(n.lhs)
	step := out.last()
	if step.group != nil {
		panic(failureAt("S0209", n.at, undefined))
	}
	cond := p.process(n.rhs)
	if cond.seeking != nil {
		for _, s := range cond.seeking {
			if s.level == 1 {
				seekParent(step, s)
			} else {
				s.level--
			}
		}
		step.seek(cond)
	}
	if out.kind == kindPath {
		step.stages = append(step.stages, stage{expr: cond})
	} else {
		step.predicates = append(step.predicates, stage{expr: cond})
	}
	return out
}

func (p *parser) grouped(n *node) *node {
	out := p.process(n.lhs)
	if out.group != nil {
		panic(failureAt("S0210", n.at, undefined))
	}
	out.group = &group{at: n.at}
	for _, pair := range n.pairs {
		out.group.pairs = append(out.group.pairs, [2]*node{p.process(pair[0]), p.process(pair[1])})
	}
	return out
}

func (p *parser) sorted(n *node) *node {
	out := p.process(n.lhs)
	if out.kind != kindPath {
		out = &node{kind: kindPath, at: out.at, list: []*node{out}}
	}
	step := &node{kind: kindSort, at: n.at}
	for _, t := range n.terms {
		t.expr = p.process(t.expr)
		step.seek(t.expr)
		step.terms = append(step.terms, t)
	}
	out.list = append(out.list, step)
	p.resolveParents(out)
	return out
}

func (p *parser) bindFocus(n *node) *node {
	out := p.process(n.lhs)
	step := out.last()
	if step.stages != nil || step.predicates != nil {
		panic(failureAt("S0215", n.at, undefined))
	}
	if step.kind == kindSort {
		panic(failureAt("S0216", n.at, undefined))
	}
	if n.keepArray {
		step.keepArray = true
	}
	step.focus, step.tuple = n.rhs.op, true
	return out
}

func (p *parser) bindIndex(n *node) *node {
	out := p.process(n.lhs)
	step := out.last()
	if out.kind != kindPath {
		out = &node{kind: kindPath, at: out.at, list: []*node{out}}
		if step.predicates != nil {
			step.stages, step.predicates = step.predicates, nil
		}
	}
	if step.stages == nil {
		step.index = n.rhs.op
	} else {
		step.stages = append(step.stages, stage{index: n.rhs.op})
	}
	step.tuple = true
	return out
}

// tailCalls makes thunks of the calls in whose place a lambda ends, so that they need no stack.
func tailCalls(n *node) *node {
	switch {
	case n.kind == kindFunction && n.predicates == nil:
		return &node{kind: kindLambda, thunk: true, at: n.at, rhs: n}
	case n.kind == kindCondition:
		n.rhs = tailCalls(n.rhs)
		if n.third != nil {
			n.third = tailCalls(n.third)
		}
	case n.kind == kindBlock && len(n.list) > 0:
		end := len(n.list) - 1
		n.list[end] = tailCalls(n.list[end])
	}
	return n
}

// seek makes n seek the parents that its part x seeks.
func (n *node) seek(x *node) {
	if x.seeking == nil && x.kind != kindParent {
		return
	}
	slots := x.seeking
	if x.kind == kindParent {
		slots = append(slots, x.slot)
	}
	n.seeking = append(n.seeking, slots...)
}

// seekParent looks for what s means in n, a step to the left, and binds it there once found.
func seekParent(n *node, s *slot) {
	switch n.kind {
	case kindName, kindWildcard:
		if s.level--; s.level == 0 {
			if n.ancestor != nil {
				s.label = n.ancestor.label
			}
			n.ancestor, n.tuple = s, true
		}
	case kindParent:
		s.level++
	case kindBlock:
		if len(n.list) > 0 {
			n.tuple = true
			seekParent(n.list[len(n.list)-1], s)
		}
	case kindPath:
		n.tuple = true
		i := len(n.list) - 1
		seekParent(n.list[i], s)
		for i--; s.level > 0 && i >= 0; i-- {
			seekParent(n.list[i], s)
		}
	default:
		panic(failureAt("S0217", n.at, undefined).about(n.kind.name()))
	}
}

// resolveParents finds the steps of a path that the parents sought by its last step mean.
func (p *parser) resolveParents(path *node) {
	last := path.last()
	slots := last.seeking
	if last.kind == kindParent {
		slots = append(slots, last.slot)
	}
	for _, s := range slots {
		i := len(path.list) - 2
		for s.level > 0 {
			if i < 0 {
				path.seeking = append(path.seeking, s)
				break
			}
			step := path.list[i]
			i--
			for i >= 0 && step.focus != "" && path.list[i].focus != "" {
				step = path.list[i]
				i--
			}
			seekParent(step, s)
		}
	}
}
