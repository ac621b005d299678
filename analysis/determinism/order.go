package determinism

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

// Go ranges over a map in a new order every time. That matters when the body lets the order out: it uses the flow, leaves
// with the first element that fits, appends, or adds up what does not commute. A slice that was filled in the order of
// a map is followed to its uses: sorting it settles the matter, returning it from a helper makes the helper's callers
// responsible, and ranging over it is as ranging over the map.

// scanOrder finds what a body does in the order of a map. It may be called again, and by itself.
func (p *program) scanOrder(c *code) {
	if c.ordered != unknown {
		return
	}
	c.ordered = underway
	p.within(c, func(cur inspector.Cursor) bool {
		switch n := cur.Node().(type) {
		case *ast.RangeStmt:
			if from, ok := p.unordered(n.X, true); ok {
				p.scanLoop(c, cur, from)
			}
		case *ast.CallExpr:
			if from, ok := p.unordered(n, false); ok {
				p.scanCollected(c, cur, from)
			}
		}
		return true
	})
	c.ordered = done
}

// unordered reports whether an expression has elements in the order of a map, and returns the map or the call that it
// comes from. Maps and iterators are meant only if something ranges over the expression.
func (p *program) unordered(e ast.Expr, ranged bool) (from ast.Expr, ok bool) {
	e = ast.Unparen(e)
	if p.isMap(e) {
		return e, ranged
	}
	call, isCall := e.(*ast.CallExpr)
	if !isCall || p.info.TypeOf(e) == nil {
		return nil, false
	}
	if _, isFunc := types.Unalias(p.info.TypeOf(e)).Underlying().(*types.Signature); isFunc && !ranged {
		return nil, false
	}
	fn := typeutil.StaticCallee(p.info, call)
	if fn == nil {
		return nil, false
	}
	switch longName(fn) {
	case "maps.Keys", "maps.Values", "maps.All":
		return p.unordered(call.Args[0], true)
	case "slices.Collect", "slices.Values", "slices.All", "slices.Clone", "slices.Backward":
		return p.unordered(call.Args[0], true)
	case "slices.AppendSeq":
		return p.unordered(call.Args[1], true)
	}
	return call, p.returnsInMapOrder(fn)
}

// returnsInMapOrder reports whether a function returns a slice that has the order of a map.
func (p *program) returnsInMapOrder(fn *types.Func) bool {
	if fn.Pkg() != p.pass.Pkg {
		return p.pass.ImportObjectFact(fn, new(Unordered))
	}
	c := p.byFunc[fn]
	if c == nil || c.flow {
		return false // it is reported there
	}
	p.scanOrder(c)
	return c.inMapOrder
}

// order keeps a finding about what happens in the order of from.
func (p *program) order(c *code, pos token.Pos, from ast.Expr, why, instead string) {
	what := "range over map " + text(from)
	if _, ok := ast.Unparen(from).(*ast.CallExpr); ok {
		what = text(from) + ", in the order of a map,"
	}
	p.found(c, finding{pos: pos, kind: mapOrder, what: what, why: why + ", in another order at a replay", instead: instead})
}

// sorted is the advice to range over a map in order.
func sorted(from ast.Expr) string {
	if _, ok := ast.Unparen(from).(*ast.CallExpr); ok {
		return "sort it first"
	}
	return "range over slices.Sorted(maps.Keys(" + text(from) + "))"
}

// scanLoop looks at a range over something unordered.
func (p *program) scanLoop(c *code, cur inspector.Cursor, from ast.Expr) {
	l := p.loop(c, cur)
	if l.problem != "" {
		p.order(c, cur.Node().Pos(), from, l.problem, sorted(from))
		return
	}
	for _, s := range l.sinks {
		if !p.settled(c, s) {
			p.order(c, cur.Node().Pos(), from, "appends to "+text(s.slice), "sort "+text(s.slice)+" afterwards, or "+sorted(from))
			return
		}
	}
}

// scanCollected looks at a call that makes a slice in the order of a map.
func (p *program) scanCollected(c *code, cur inspector.Cursor, from ast.Expr) {
	ok, why := true, ""
	switch parent := cur.Parent().Node().(type) {
	case *ast.AssignStmt:
		if lhs := p.sliceAmong(parent.Lhs, cur.ParentEdgeIndex(), len(parent.Rhs)); lhs != nil {
			ok, why = p.settled(c, sink{lhs, parent.End()}), "fills "+text(lhs)
		}
	case *ast.ValueSpec:
		if len(parent.Names) == len(parent.Values) {
			name := parent.Names[cur.ParentEdgeIndex()]
			ok, why = p.settled(c, sink{name, parent.End()}), "fills "+name.Name
		}
	case *ast.ReturnStmt:
		if outer, _ := enclosingFunc(cur); outer == c.cur { // a literal's callers are not known
			ok, why = !c.flow, "is returned"
			c.inMapOrder = c.inMapOrder || ok
		}
	case *ast.KeyValueExpr, *ast.CompositeLit:
		ok, why = false, "is kept"
	case *ast.CallExpr:
		if fn := typeutil.StaticCallee(p.info, parent); fn != nil && (longName(fn) == "strings.Join" || ofWeft(fn.Pkg())) {
			ok, why = false, "goes to "+text(parent.Fun)
		}
	}
	if !ok {
		p.order(c, cur.Node().Pos(), from, why, "use slices.Sorted, or sort the slice")
	}
}

// sliceAmong returns what the i-th of n values is assigned to: of several results of one call, the first slice.
func (p *program) sliceAmong(lhs []ast.Expr, i, n int) ast.Expr {
	if len(lhs) == n {
		return lhs[i]
	}
	for _, e := range lhs {
		if t := p.info.TypeOf(e); t != nil {
			if _, ok := types.Unalias(t).Underlying().(*types.Slice); ok {
				return e
			}
		}
	}
	return nil
}

// loop is what one pass over something unordered does.
type loop struct {
	p       *program
	c       *code
	cur     inspector.Cursor
	stmt    *ast.RangeStmt
	key     types.Object
	problem string // how the order gets out, if that is certain
	sinks   []sink
}

func (p *program) loop(c *code, cur inspector.Cursor) *loop {
	l := &loop{p: p, c: c, cur: cur, stmt: cur.Node().(*ast.RangeStmt)}
	if id, ok := l.stmt.Key.(*ast.Ident); ok {
		l.key = p.info.ObjectOf(id)
	}
	body := cur.ChildAt(edge.RangeStmt_Body, -1)
	if by := p.usesFlow(body, c.flow); by != "" {
		l.problem = "uses the flow (" + by + ")"
		return l
	}
	body.Inspect(nil, func(cur inspector.Cursor) bool {
		switch n := cur.Node().(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			for _, result := range n.Results {
				if l.depends(result) && !p.isError(result) && !l.isLookup(cur) {
					l.fail("returns " + text(result) + " of whichever element comes first")
				}
			}
			if len(n.Results) == 0 {
				l.leave(cur)
			}
		case *ast.BranchStmt:
			if l.leaves(cur, n) {
				l.leave(cur)
			}
		case *ast.AssignStmt:
			l.assign(n)
		case *ast.CallExpr:
			l.call(n)
		}
		return true
	})
	return l
}

func (l *loop) fail(problem string) {
	if l.problem == "" {
		l.problem = problem
	}
}

// isError reports whether an expression is an error. That some element has one does not depend on the order, and which of
// several it is rarely matters.
func (p *program) isError(e ast.Expr) bool {
	t := p.info.TypeOf(e)
	return t != nil && types.Implements(t, errorType)
}

// own reports whether an object is declared by the loop or in it.
func (l *loop) own(obj types.Object) bool {
	return l.stmt.Pos() <= obj.Pos() && obj.Pos() < l.stmt.End() || obj == l.key
}

// depends reports whether an expression depends on the element: it mentions something that is declared in the loop.
func (l *loop) depends(e ast.Expr) (found bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			obj := l.p.info.Uses[id]
			if v, ok := obj.(*types.Var); ok && !v.IsField() && l.own(obj) {
				found = true
			}
		}
		return !found
	})
	return found
}

// outer returns whether an assignable expression is part of a variable declared outside of the loop, and not the part
// that belongs to this pass alone: x[key].
func (l *loop) outer(e ast.Expr) bool {
	v := l.p.variable(e)
	if v == nil || l.own(v) {
		return false
	}
	if index, ok := ast.Unparen(e).(*ast.IndexExpr); ok {
		if id, ok := ast.Unparen(index.Index).(*ast.Ident); ok && l.key != nil && l.p.info.Uses[id] == l.key {
			return false
		}
	}
	return true
}

// leaves reports whether a branch statement ends the loop.
func (l *loop) leaves(cur inspector.Cursor, n *ast.BranchStmt) bool {
	if n.Label != nil {
		label := l.p.info.Uses[n.Label]
		return n.Tok != token.GOTO && label != nil && (label.Pos() < l.stmt.Body.Pos() || label.Pos() > l.stmt.End()) &&
			(n.Tok == token.BREAK || !l.labelled(n.Label.Name))
	}
	if n.Tok != token.BREAK {
		return false
	}
	for target := range cur.Enclosing((*ast.ForStmt)(nil), (*ast.RangeStmt)(nil), (*ast.SwitchStmt)(nil), (*ast.TypeSwitchStmt)(nil), (*ast.SelectStmt)(nil)) {
		return target == l.cur
	}
	return false
}

// labelled reports whether the loop has the label, so that to continue there is to go on with the loop.
func (l *loop) labelled(name string) bool {
	stmt, ok := l.cur.Parent().Node().(*ast.LabeledStmt)
	return ok && stmt.Label.Name == name
}

// leave looks whether the loop is left with an element in hand: something of it is assigned just before.
func (l *loop) leave(cur inspector.Cursor) {
	if l.isLookup(cur) {
		return
	}
	for prev, ok := cur.PrevSibling(); ok; prev, ok = prev.PrevSibling() {
		if n, ok := prev.Node().(*ast.AssignStmt); ok {
			for i, lhs := range n.Lhs {
				if l.outer(lhs) && l.depends(n.Rhs[min(i, len(n.Rhs)-1)]) && !l.p.isError(lhs) {
					l.fail("keeps in " + text(lhs) + " whichever element comes first")
				}
			}
		}
	}
}

// isLookup reports whether a statement runs only for an element that equals something given, as if v == want. There
// is mostly one such element.
func (l *loop) isLookup(cur inspector.Cursor) bool {
	for ; cur != l.cur; cur = cur.Parent() {
		if n, ok := cur.Parent().Node().(*ast.IfStmt); ok && cur.ParentEdgeKind() == edge.IfStmt_Body && l.equals(n.Cond) {
			return true
		}
	}
	return false
}

// equals reports whether a condition wants something of the element to be equal to a value from outside of the loop.
func (l *loop) equals(cond ast.Expr) bool {
	n, ok := ast.Unparen(cond).(*ast.BinaryExpr)
	if !ok {
		return false
	}
	if n.Op == token.LAND {
		return l.equals(n.X) || l.equals(n.Y)
	}
	given := n.Y
	if l.depends(given) {
		given = n.X
	}
	constant := l.p.info.Types[given].Value != nil || l.p.info.Types[given].IsNil()
	return n.Op == token.EQL && l.depends(cond) && !l.depends(given) && !constant
}

// assign looks for appending and for sums that depend on their order.
func (l *loop) assign(n *ast.AssignStmt) {
	if len(n.Lhs) != len(n.Rhs) {
		return
	}
	for i, lhs := range n.Lhs {
		rhs := ast.Unparen(n.Rhs[i])
		if n.Tok == token.DEFINE || !l.outer(lhs) || !l.depends(rhs) {
			continue
		}
		target := text(lhs)
		if n.Tok != token.ASSIGN || isOperand(rhs, target) {
			l.accumulate(lhs)
			continue
		}
		if call, ok := rhs.(*ast.CallExpr); ok && builtin(l.p.info, call) == "append" && text(call.Args[0]) == target {
			if isBytes(l.p.info.TypeOf(lhs)) {
				l.fail("builds " + target)
				continue
			}
			l.sinks = append(l.sinks, sink{lhs, l.stmt.End()})
			continue
		}
		if index, ok := ast.Unparen(lhs).(*ast.IndexExpr); ok && !l.depends(index.Index) && !l.p.isMap(index.X) {
			l.sinks = append(l.sinks, sink{index.X, l.stmt.End()})
		}
	}
}

// isOperand reports whether target is an operand of a sum or the like.
func isOperand(e ast.Expr, target string) bool {
	binary, ok := ast.Unparen(e).(*ast.BinaryExpr)
	return ok && (text(binary.X) == target || text(binary.Y) == target || isOperand(binary.X, target) || isOperand(binary.Y, target))
}

func (p *program) isMap(e ast.Expr) bool {
	t := p.info.TypeOf(e)
	if t == nil {
		return false
	}
	t = types.Unalias(t)
	if param, ok := t.(*types.TypeParam); ok { // M ~map[K]V
		constraint, ok := param.Constraint().Underlying().(*types.Interface)
		if !ok || constraint.NumEmbeddeds() != 1 {
			return false
		}
		if union, ok := constraint.EmbeddedType(0).(*types.Union); ok && union.Len() == 1 {
			t = types.Unalias(union.Term(0).Type())
		}
	}
	_, ok := t.Underlying().(*types.Map)
	return ok
}

// isBytes reports whether a type is a slice of bytes, which nobody sorts.
func isBytes(t types.Type) bool {
	slice, ok := types.Unalias(t).Underlying().(*types.Slice)
	if !ok {
		return false
	}
	elem, ok := types.Unalias(slice.Elem()).Underlying().(*types.Basic)
	return ok && elem.Kind() == types.Byte
}

func (l *loop) accumulate(lhs ast.Expr) {
	basic, ok := l.p.info.TypeOf(lhs).Underlying().(*types.Basic)
	switch {
	case !ok:
	case basic.Info()&types.IsString != 0:
		l.fail("builds the string " + text(lhs))
	case basic.Info()&(types.IsFloat|types.IsComplex) != 0:
		l.fail("adds up floats, whose rounding depends on the order, into " + text(lhs))
	}
}

// call looks for writing to a builder, a buffer, a hash or the like from outside of the loop.
func (l *loop) call(call *ast.CallExpr) {
	fn := typeutil.StaticCallee(l.p.info, call)
	if fn == nil || !slices.ContainsFunc(call.Args, l.depends) {
		return
	}
	to := call.Args[0]
	switch name := fn.Name(); {
	case longName(fn) == "fmt.Fprint" || longName(fn) == "fmt.Fprintf" || longName(fn) == "fmt.Fprintln" || longName(fn) == "io.WriteString":
		if unary, ok := ast.Unparen(to).(*ast.UnaryExpr); ok {
			to = unary.X
		}
	case name == "Write" || name == "WriteString" || name == "WriteByte" || name == "WriteRune":
		sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
		if !ok {
			return
		}
		to = sel.X
	default:
		return
	}
	if l.outer(to) {
		l.fail("writes to " + text(to))
	}
}
