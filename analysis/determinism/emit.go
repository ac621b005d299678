package determinism

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// usesFlow names what is called below a node to do something that the history knows: what gets a flow, or a function
// that has one. It returns "" if there is no such thing.
func (p *program) usesFlow(root inspector.Cursor, flow bool) (by string) {
	p.inside(root, flow, func(cur inspector.Cursor) bool {
		id, ok := cur.Node().(*ast.Ident)
		if !ok || by != "" {
			return by == ""
		}
		uses := false
		switch obj := p.info.Uses[id].(type) {
		case *types.Var:
			lit, _ := p.value(obj).(*ast.FuncLit)
			uses = isFlow(obj.Type()) && !isQuiet(cur) || lit != nil && p.literalUsesFlow(lit)
		case *types.Func:
			c := p.byFunc[obj.Origin()]
			uses = c != nil && p.emits(c)
		}
		if uses {
			by = id.Name
			for call := range cur.Enclosing((*ast.CallExpr)(nil)) {
				by = text(call.Node().(*ast.CallExpr).Fun)
				break
			}
		}
		return true
	})
	return by
}

// emits reports whether a function uses a flow.
func (p *program) emits(c *code) bool {
	if c.emits == unknown {
		c.emits = underway
		c.emitting = p.usesFlow(c.cur, c.flow) != ""
		c.emits = done
	}
	return c.emitting
}

// literalUsesFlow reports whether a literal that a variable holds uses a flow. It does not follow others from there.
func (p *program) literalUsesFlow(lit *ast.FuncLit) (found bool) {
	ast.Inspect(lit.Body, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			v, ok := p.info.Uses[id].(*types.Var)
			found = found || ok && isFlow(v.Type())
		}
		return !found
	})
	return found
}

// isQuiet reports whether a flow is used for a call that leaves nothing in the history.
func isQuiet(flow inspector.Cursor) bool {
	cur := flow
	if cur.ParentEdgeKind() == edge.SelectorExpr_Sel { // s.w.Log()
		cur = cur.Parent()
	}
	sel, ok := cur.Parent().Node().(*ast.SelectorExpr)
	return ok && cur.ParentEdgeKind() == edge.SelectorExpr_X && quiet[sel.Sel.Name]
}
