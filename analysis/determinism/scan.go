package determinism

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

// found keeps a finding unless the user answers for it.
func (p *program) found(c *code, f finding) {
	if !p.allowed.allowed(f.pos) {
		c.findings = append(c.findings, f)
	}
}

// scan finds what a body does by itself and what it calls.
func (p *program) scan(c *code) {
	p.within(c, func(cur inspector.Cursor) bool {
		switch n := cur.Node().(type) {
		case *ast.Ident:
			p.scanUse(c, cur, n)
		case *ast.GoStmt:
			p.found(c, finding{pos: n.Pos(), kind: goroutine, what: "a go statement"})
		case *ast.SendStmt, *ast.SelectStmt, *ast.UnaryExpr, *ast.RangeStmt, *ast.CallExpr:
			p.scanChannel(c, cur)
		case *ast.DeferStmt:
			p.scanDefer(c, cur, n)
		}
		p.scanWrites(c, cur)
		return true
	})
	if c.flow {
		p.scanEscapes(c)
	}
}

// scanUse looks at what an identifier names.
func (p *program) scanUse(c *code, cur inspector.Cursor, id *ast.Ident) {
	switch obj := p.info.Uses[id].(type) {
	case *types.Func:
		p.scanFunc(c, cur, obj.Origin())
	case *types.Builtin:
		if obj.Name() == "print" || obj.Name() == "println" {
			p.found(c, finding{pos: id.Pos(), kind: output, what: obj.Name()})
		}
	case *types.Var:
		if !isGlobal(obj) {
			return
		}
		if k := kindOf(obj); k != harmless {
			p.found(c, finding{pos: qualified(cur), kind: k, what: longName(obj)})
			return
		}
		if fn := p.function(p.value(obj)); fn != nil { // var now = time.Now
			p.scanFunc(c, cur, fn)
			return
		}
		p.scanGlobal(c, cur, obj)
	}
}

// qualified returns where a name begins: with the package or variable before its dot, if there is one.
func qualified(id inspector.Cursor) token.Pos {
	if id.ParentEdgeKind() == edge.SelectorExpr_Sel {
		if pkg, ok := id.Parent().Node().(*ast.SelectorExpr).X.(*ast.Ident); ok {
			return pkg.Pos()
		}
	}
	return id.Node().Pos()
}

// scanFunc looks at a function that is called, or whose value is taken and so may be.
func (p *program) scanFunc(c *code, cur inspector.Cursor, fn *types.Func) {
	pos := qualified(cur)
	if k := kindOf(fn); k != harmless {
		p.found(c, finding{pos: pos, kind: k, what: longName(fn)})
		return
	}
	if ofWeft(fn.Pkg()) || p.handedOver(cur, fn) {
		return
	}
	if fn.Pkg() == p.pass.Pkg {
		if !p.allowed.allowed(pos) {
			c.calls = append(c.calls, call{pos, fn})
		}
		return
	}
	var fact Nondeterministic
	if p.pass.ImportObjectFact(fn, &fact) && (fact.Module == p.module() || traits[fact.Kind].travels) {
		p.found(c, finding{pos: pos, kind: fact.Kind, what: fact.What, why: fact.Why, instead: fact.Instead, chain: fact.Chain})
	}
}

// handedOver reports whether a use of a function gives it to what runs it elsewhere: weft.Function, a go statement, or
// whatever takes a function of a context.
func (p *program) handedOver(use inspector.Cursor, fn *types.Func) bool {
	cur := use
	for {
		switch cur.ParentEdgeKind() {
		case edge.SelectorExpr_Sel, edge.ParenExpr_X, edge.IndexExpr_X, edge.IndexListExpr_X:
			cur = cur.Parent()
			continue
		case edge.CallExpr_Fun:
			return cur.Parent().ParentEdgeKind() == edge.GoStmt_Call
		case edge.CallExpr_Args:
			return takesContext(fn.Signature()) || registersFunction(typeutil.Callee(p.info, cur.Parent().Node().(*ast.CallExpr)))
		}
		return false
	}
}

func (p *program) isChannel(e ast.Expr) bool {
	t := p.info.TypeOf(e)
	if t == nil {
		return false
	}
	_, ok := types.Unalias(t).Underlying().(*types.Chan)
	return ok
}

func (p *program) scanChannel(c *code, cur inspector.Cursor) {
	what := ""
	switch n := cur.Node().(type) {
	case *ast.SendStmt:
		what = "a channel send"
	case *ast.SelectStmt:
		what = "a select statement"
	case *ast.UnaryExpr:
		if n.Op == token.ARROW && !p.isTimer(n.X) {
			what = "a channel receive"
		}
	case *ast.RangeStmt:
		if p.isChannel(n.X) && !p.isTimer(n.X) {
			what = "a range over a channel"
		}
	case *ast.CallExpr:
		if builtin(p.info, n) == "close" {
			what = "closing a channel"
		}
	}
	if what != "" && !inSelect(cur) {
		p.found(c, finding{pos: cur.Node().Pos(), kind: channel, what: what})
	}
}

// isTimer reports whether a channel comes from a call that is reported by itself, as in <-time.After(d).
func (p *program) isTimer(e ast.Expr) bool {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok {
		return false
	}
	fn := typeutil.StaticCallee(p.info, call)
	return fn != nil && kindOf(fn) != harmless
}

// inSelect reports whether a send or receive is what a case of a select statement waits for.
func inSelect(cur inspector.Cursor) bool {
	for clause := range cur.Enclosing((*ast.CommClause)(nil)) {
		comm := clause.Node().(*ast.CommClause).Comm
		return comm != nil && comm.Pos() <= cur.Node().Pos() && cur.Node().End() <= comm.End()
	}
	return false
}

// scanDefer looks for a recover that keeps the panic to itself, around code in which the engine may unwind.
func (p *program) scanDefer(c *code, cur inspector.Cursor, n *ast.DeferStmt) {
	var body *ast.BlockStmt
	pos := n.Pos()
	if lit, ok := ast.Unparen(n.Call.Fun).(*ast.FuncLit); ok {
		body = lit.Body
	} else if fn := typeutil.StaticCallee(p.info, n.Call); fn != nil && p.byFunc[fn.Origin()] != nil {
		body = p.byFunc[fn.Origin()].cur.Node().(*ast.FuncDecl).Body
	}
	if body == nil {
		return
	}
	at, again := p.recovers(body)
	if at == nil || again {
		return
	}
	if n.Pos() <= at.Pos() && at.Pos() < n.End() {
		pos = at.Pos()
	}
	if guarded, ok := enclosingFunc(cur); ok && p.usesFlow(guarded, c.flow) != "" {
		p.found(c, finding{pos: pos, kind: swallowed, what: "recover"})
	}
}

// recovers finds a call of recover in the body of a deferred function, and whether the body may panic again.
func (p *program) recovers(body *ast.BlockStmt) (at *ast.CallExpr, again bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.CallExpr:
			switch builtin(p.info, n) {
			case "recover":
				at = n
			case "panic":
				again = true
			}
		}
		return true
	})
	return at, again
}

// scanEscapes finds flows that are used in what workflow code hands to functions and goroutines.
func (p *program) scanEscapes(c *code) {
	c.cur.Inspect(nil, func(cur inspector.Cursor) bool {
		lit, ok := cur.Node().(*ast.FuncLit)
		if !ok || cur == c.cur || !p.runsElsewhere(cur) {
			return true
		}
		ast.Inspect(lit.Body, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok {
				return true
			}
			v, ok := p.info.Uses[id].(*types.Var)
			if ok && isFlow(v.Type()) && !v.IsField() && (v.Pos() < lit.Pos() || lit.End() <= v.Pos()) {
				p.found(c, finding{pos: id.Pos(), kind: escaped, what: "the use of " + id.Name + " in a func literal that runs elsewhere"})
			}
			return true
		})
		return false
	})
}
