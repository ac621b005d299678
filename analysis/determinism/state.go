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

// readAssignments notes what the variables of a file are made with and which are assigned again.
func (p *program) readAssignments(file inspector.Cursor) {
	for cur := range file.Preorder((*ast.ValueSpec)(nil), (*ast.AssignStmt)(nil)) {
		switch n := cur.Node().(type) {
		case *ast.ValueSpec:
			if len(n.Names) == len(n.Values) {
				for i, name := range n.Names {
					p.values[p.info.Defs[name]] = n.Values[i]
				}
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE && len(n.Lhs) == len(n.Rhs) {
				for i, lhs := range n.Lhs {
					if obj := p.info.Defs[lhs.(*ast.Ident)]; obj != nil {
						p.values[obj] = n.Rhs[i]
					}
				}
			}
		}
	}
	for cur := range file.Preorder(writes...) {
		for _, lhs := range written(cur.Node(), p.info) {
			v := p.variable(lhs)
			if v == nil || p.info.Defs[rootIdent(lhs)] == v {
				continue
			}
			p.changed[v] = true
			if isGlobal(v) && v.Pkg() == p.pass.Pkg && p.assigned[v] == token.NoPos && !p.initializes(cur) {
				p.assigned[v] = lhs.Pos()
			}
		}
	}
}

// writes are the nodes that can change a variable.
var writes = []ast.Node{(*ast.AssignStmt)(nil), (*ast.IncDecStmt)(nil), (*ast.RangeStmt)(nil), (*ast.CallExpr)(nil)}

// written returns what a node assigns to: variables, or parts of them.
func written(n ast.Node, info *types.Info) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		return n.Lhs
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			return slices.DeleteFunc([]ast.Expr{n.Key, n.Value}, func(e ast.Expr) bool { return e == nil })
		}
	case *ast.CallExpr:
		if b := builtin(info, n); b == "delete" || b == "clear" || b == "copy" {
			return n.Args[:1]
		}
	}
	return nil
}

// builtin returns the name of the builtin function that is called, if one is.
func builtin(info *types.Info, call *ast.CallExpr) string {
	if b, ok := typeutil.Callee(info, call).(*types.Builtin); ok {
		return b.Name()
	}
	return ""
}

// rootIdent returns the identifier that an assignable expression begins with; nil if it begins with something else.
func rootIdent(e ast.Expr) *ast.Ident {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return e
	case *ast.SelectorExpr:
		return rootIdent(e.X)
	case *ast.IndexExpr:
		return rootIdent(e.X)
	case *ast.SliceExpr:
		return rootIdent(e.X)
	case *ast.StarExpr:
		return rootIdent(e.X)
	}
	return nil
}

// initializes reports whether an assignment runs before anything can see it: in init, or under a sync.Once.
func (p *program) initializes(cur inspector.Cursor) bool {
	outer, ok := enclosingFunc(cur)
	if !ok {
		return true
	}
	decl, ok := outer.Node().(*ast.FuncDecl)
	if !ok {
		call, ok := outer.Parent().Node().(*ast.CallExpr)
		return ok && outer.ParentEdgeKind() == edge.CallExpr_Args && runsOnce(typeutil.Callee(p.info, call))
	}
	if decl.Recv == nil && decl.Name.Name == "init" {
		return true
	}
	return p.once()[p.info.Defs[decl.Name]]
}

func runsOnce(callee types.Object) bool {
	if callee == nil {
		return false
	}
	switch longName(callee) {
	case "sync.Once.Do", "sync.OnceFunc", "sync.OnceValue", "sync.OnceValues":
		return true
	}
	return false
}

// once returns the functions that are handed to a sync.Once.
func (p *program) once() map[types.Object]bool {
	if p.onces != nil {
		return p.onces
	}
	p.onces = make(map[types.Object]bool)
	for _, file := range p.pass.Files {
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && runsOnce(typeutil.Callee(p.info, call)) && len(call.Args) == 1 {
				if fn := p.function(call.Args[0]); fn != nil {
					p.onces[fn] = true
				}
			}
			return true
		})
	}
	return p.onces
}

// function returns the function or method that an expression names; nil if it does not name one.
func (p *program) function(e ast.Expr) *types.Func {
	var id *ast.Ident
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		id = e
	case *ast.SelectorExpr:
		id = e.Sel
	case *ast.IndexExpr: // an instance of a generic function
		return p.function(e.X)
	case *ast.IndexListExpr:
		return p.function(e.X)
	}
	if id == nil {
		return nil
	}
	fn, _ := p.info.Uses[id].(*types.Func)
	if fn == nil {
		return nil
	}
	return fn.Origin()
}

// value returns what a variable was made with, if it is never assigned again.
func (p *program) value(obj types.Object) ast.Expr {
	if v, ok := obj.(*types.Var); !ok || p.changed[v] || p.assigned[v] != token.NoPos {
		return nil
	}
	return p.values[obj]
}

// scanWrites finds what a body changes that outlives the run: package variables, what its literal has captured, and the
// receiver of a method that is a workflow.
func (p *program) scanWrites(c *code, cur inspector.Cursor) {
	for _, lhs := range written(cur.Node(), p.info) {
		v := p.variable(lhs)
		if v == nil {
			continue
		}
		what := "write to " + text(lhs)
		switch {
		case isGlobal(v):
			if !p.initializes(cur) {
				p.found(c, finding{pos: lhs.Pos(), kind: captured, what: what + ", a package variable,"})
			}
		case c.fn == nil && !c.contains(v.Pos()):
			p.found(c, finding{pos: lhs.Pos(), kind: captured, what: what + ", declared outside of the workflow,"})
		case c.fn != nil && p.shared[c.fn] && v == c.sig.Recv() && lhs != ast.Expr(rootIdent(lhs)):
			p.found(c, finding{pos: lhs.Pos(), kind: captured, what: what + ", a field of the workflow's receiver,"})
		}
	}
}

// scanGlobal looks at the reading of a package variable.
func (p *program) scanGlobal(c *code, cur inspector.Cursor, v *types.Var) {
	if weftType(v.Type()) != "" || isLogger(v.Type()) || p.isWritten(cur, v) {
		return
	}
	name, assigned := v.Name(), false
	if v.Pkg() == p.pass.Pkg {
		assigned = p.assigned[v] != token.NoPos
	} else {
		name = longName(v)
		var fact Reassigned
		assigned = p.pass.ImportObjectFact(v, &fact) && fact.Module == p.module()
	}
	if assigned {
		p.found(c, finding{
			pos: qualified(cur), kind: global, what: "read of package variable " + name + ", which is assigned after its declaration,",
			why: "may see another value at a replay", instead: "take it as input, or read it in a function: weft.Function",
		})
	}
}

// isLogger reports whether a type is *slog.Logger. Which logger writes is not what a replay compares.
func isLogger(t types.Type) bool {
	p, ok := types.Unalias(t).(*types.Pointer)
	if !ok {
		return false
	}
	named, ok := types.Unalias(p.Elem()).(*types.Named)
	return ok && longName(named.Obj()) == "slog.Logger"
}

// isWritten reports whether the statement around an identifier changes its variable, which scanWrites reports.
func (p *program) isWritten(cur inspector.Cursor, v *types.Var) bool {
	for stmt := range cur.Enclosing(writes...) {
		for _, lhs := range written(stmt.Node(), p.info) {
			if p.variable(lhs) == v {
				return true
			}
		}
	}
	return false
}

// share marks the methods that run as workflows on a receiver from outside: what is registered as a method value, what a
// workflow's literal calls on a variable it has captured, and what these call on their receiver.
func (p *program) share(root inspector.Cursor) {
	for cur := range root.Preorder((*ast.CallExpr)(nil)) {
		call := cur.Node().(*ast.CallExpr)
		if registersWorkflow(typeutil.Callee(p.info, call)) {
			for _, arg := range call.Args {
				p.shareMethod(p.function(arg))
			}
		}
	}
	for _, c := range p.codes {
		if c.fn == nil {
			p.shareCalls(c, func(v *types.Var) bool { return !c.contains(v.Pos()) })
		}
	}
}

func (p *program) shareMethod(fn *types.Func) {
	c := p.byFunc[fn]
	if c == nil || p.shared[fn] {
		return
	}
	recv := c.sig.Recv()
	if recv == nil {
		return
	}
	if _, pointer := types.Unalias(recv.Type()).(*types.Pointer); !pointer {
		return // it works on a copy
	}
	p.shared[fn] = true
	p.shareCalls(c, func(v *types.Var) bool { return v == recv })
}

// shareCalls shares the methods that a body calls on variables that are shared.
func (p *program) shareCalls(c *code, shared func(*types.Var) bool) {
	p.within(c, func(cur inspector.Cursor) bool {
		if call, ok := cur.Node().(*ast.CallExpr); ok {
			if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok && p.info.Selections[sel] != nil {
				if v := p.variable(sel.X); v != nil && shared(v) {
					p.shareMethod(typeutil.StaticCallee(p.info, call))
				}
			}
		}
		return true
	})
}
