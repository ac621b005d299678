package determinism

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

// sink is a slice that has been filled in the order of a map, and where that was over.
type sink struct {
	slice ast.Expr
	after token.Pos
}

// settled reports whether nothing can see the order of a slice, because it is sorted before it is used or not used in
// order. One that a helper returns is left to the helper's callers.
func (p *program) settled(c *code, s sink) bool {
	root := p.variable(s.slice)
	_, plain := ast.Unparen(s.slice).(*ast.Ident)
	if root == nil || root.Name() == "_" {
		return true
	}
	target := text(s.slice)
	var uses []inspector.Cursor
	returned := false
	p.within(c, func(cur inspector.Cursor) bool {
		switch n := cur.Node().(type) {
		case *ast.Ident:
			if n.Pos() > s.after && p.info.Uses[n] == root {
				if use := climb(cur, target); begins(target, text(use.Node().(ast.Expr))) { // or it is another field
					uses = append(uses, use)
				}
			}
		case *ast.ReturnStmt:
			returned = returned || len(n.Results) == 0 && n.Pos() > s.after && isResult(c, root)
		}
		return true
	})
	if slices.ContainsFunc(uses, p.isSorted) {
		return true
	}
	if !c.contains(root.Pos()) || !plain && root.Pos() < bodyOf(c).Pos() {
		return false // others see it as well
	}
	for _, use := range uses {
		switch p.use(c, use) {
		case returns:
			returned = true
		case sees:
			return false
		}
	}
	if returned && plain && !c.flow {
		c.inMapOrder, returned = true, false
	}
	return !returned
}

func bodyOf(c *code) *ast.BlockStmt {
	if lit, ok := c.cur.Node().(*ast.FuncLit); ok {
		return lit.Body
	}
	return c.cur.Node().(*ast.FuncDecl).Body
}

func isResult(c *code, v *types.Var) bool {
	for result := range c.sig.Results().Variables() {
		if result == v {
			return true
		}
	}
	return false
}

// sight is what the use of a slice does with its order.
type sight uint8

const (
	ignores sight = iota
	returns
	sees
)

// use looks at one use of what is, or holds, a slice.
func (p *program) use(c *code, cur inspector.Cursor) sight {
	switch parent := cur.Parent().Node().(type) {
	case *ast.ReturnStmt:
		if outer, _ := enclosingFunc(cur); outer == c.cur {
			return returns
		}
		return ignores // a literal's callers are not known
	case *ast.AssignStmt:
		if cur.ParentEdgeKind() == edge.AssignStmt_Lhs {
			return ignores
		}
	case *ast.BinaryExpr:
		if parent.Op == token.EQL || parent.Op == token.NEQ {
			return ignores
		}
	case *ast.CallExpr:
		if p.ignoresOrder(parent, cur.ParentEdgeIndex()) {
			return ignores
		}
	case *ast.RangeStmt:
		if cur.ParentEdgeKind() == edge.RangeStmt_X {
			return p.rangeUse(c, cur.Parent())
		}
	}
	return sees
}

// rangeUse looks at a range over a slice that has the order of a map.
func (p *program) rangeUse(c *code, cur inspector.Cursor) sight {
	l := p.loop(c, cur)
	if l.problem != "" {
		return sees
	}
	for _, s := range l.sinks {
		if !p.settled(c, s) {
			return sees
		}
	}
	return ignores
}

// isSorted reports whether an expression is inside of a call that sorts, or is a map whose elements a loop sorts.
func (p *program) isSorted(cur inspector.Cursor) bool {
	for call := range cur.Enclosing((*ast.CallExpr)(nil), (*ast.FuncLit)(nil)) {
		if n, ok := call.Node().(*ast.CallExpr); ok && sortsSomething(typeutil.Callee(p.info, n)) {
			return true
		} else if !ok {
			break
		}
	}
	loop, ok := cur.Parent().Node().(*ast.RangeStmt)
	if !ok || cur.ParentEdgeKind() != edge.RangeStmt_X || !p.isMap(loop.X) {
		return false
	}
	id, _ := loop.Value.(*ast.Ident)
	elem := p.info.Defs[id]
	if elem == nil {
		return false
	}
	for use := range cur.Parent().Preorder((*ast.Ident)(nil)) {
		if p.info.Uses[use.Node().(*ast.Ident)] == elem && p.isSorted(use) {
			return true
		}
	}
	return false
}

// climb goes from the first identifier of an expression to as much of it as target begins with.
func climb(cur inspector.Cursor, target string) inspector.Cursor {
	for {
		switch cur.ParentEdgeKind() {
		case edge.SelectorExpr_X, edge.IndexExpr_X, edge.ParenExpr_X:
		default:
			return cur
		}
		parent := cur.Parent()
		if s := text(parent.Node().(ast.Expr)); !begins(target, s) {
			if cur.ParentEdgeKind() == edge.SelectorExpr_X && text(cur.Node().(ast.Expr)) != target {
				return parent
			}
			return cur
		}
		cur = parent
	}
}

// begins reports whether part is target, or what target is a field or element of.
func begins(target, part string) bool {
	rest, ok := strings.CutPrefix(target, part)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// sortsSomething reports whether a function sorts what it gets, which its name or its package's says.
func sortsSomething(callee types.Object) bool {
	if callee == nil {
		return false
	}
	if _, ok := callee.(*types.Func); !ok {
		return false
	}
	return strings.Contains(strings.ToLower(longName(callee)), "sort")
}

// ignoresOrder reports whether a call does not look at the order of its i-th argument.
func (p *program) ignoresOrder(call *ast.CallExpr, i int) bool {
	switch builtin(p.info, call) {
	case "len", "cap", "clear":
		return true
	case "append":
		return i == 0 // a use of the result is a use as well
	}
	fn := typeutil.StaticCallee(p.info, call)
	if fn == nil {
		return false
	}
	switch longName(fn) {
	case "slices.Contains", "slices.ContainsFunc", "slices.Max", "slices.Min":
		return true
	}
	return false
}
