package determinism

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

// finding is one thing that a replay cannot repeat. It reads "what why; instead".
type finding struct {
	pos     token.Pos
	kind    kind
	what    string
	why     string   // of the kind, if empty
	instead string   // of the kind, if empty
	chain   []string // for a function that does it by way of others: their names, itself first
}

// call is a place where a body calls, or takes the value of, a function of its package.
type call struct {
	pos    token.Pos
	callee *types.Func
}

// code is one body that is examined as one: a declared function, or a func literal that has a flow and is not inside of
// other workflow code. Literals within belong to it, but for those that run elsewhere.
type code struct {
	name     string
	cur      inspector.Cursor // the *ast.FuncDecl or *ast.FuncLit
	fn       *types.Func      // nil for a literal
	sig      *types.Signature
	flow     bool // has a parameter of type *weft.Flow
	findings []finding
	calls    []call

	ordered    progress // of order.go
	inMapOrder bool     // it returns a slice whose order is that of a map
	emits      progress
	emitting   bool // it uses a flow otherwise than quietly
}

// progress of a property that is worked out when somebody asks, and may be asked for by itself.
type progress uint8

const (
	unknown progress = iota
	underway
	done
)

func (c *code) contains(pos token.Pos) bool {
	return c.cur.Node().Pos() <= pos && pos < c.cur.Node().End()
}

// program is one package while it is examined.
type program struct {
	pass     *analysis.Pass
	info     *types.Info
	allowed  *allowances
	codes    []*code
	byFunc   map[*types.Func]*code
	values   map[types.Object]ast.Expr // what a variable was made with
	changed  map[*types.Var]bool       // variables of which something is assigned later
	assigned map[*types.Var]token.Pos  // package variables assigned after their declaration, and one place
	onces    map[types.Object]bool     // functions that a sync.Once runs; see once
	shared   map[*types.Func]bool      // methods whose receiver lives outside of the workflow
}

func newProgram(pass *analysis.Pass, root inspector.Cursor) *program {
	p := &program{
		pass: pass, info: pass.TypesInfo, allowed: readAllowances(pass.Fset, root, pass.Files),
		byFunc: make(map[*types.Func]*code), values: make(map[types.Object]ast.Expr), changed: make(map[*types.Var]bool),
		assigned: make(map[*types.Var]token.Pos), shared: make(map[*types.Func]bool),
	}
	for file := range root.Children() {
		if !strings.HasSuffix(pass.Fset.Position(file.Node().Pos()).Filename, "_test.go") {
			p.readAssignments(file)
			p.cut(file)
		}
	}
	return p
}

// cut finds the bodies of a file.
func (p *program) cut(file inspector.Cursor) {
	for cur := range file.Preorder((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		switch n := cur.Node().(type) {
		case *ast.FuncDecl:
			fn, ok := p.info.Defs[n.Name].(*types.Func)
			if !ok || n.Body == nil {
				continue
			}
			c := &code{name: nameOf(fn), cur: cur, fn: fn, sig: fn.Signature(), flow: takesFlow(fn.Signature())}
			p.codes = append(p.codes, c)
			p.byFunc[fn] = c
		case *ast.FuncLit:
			sig, ok := p.info.TypeOf(n).(*types.Signature)
			if ok && takesFlow(sig) && !p.insideWorkflow(cur) {
				p.codes = append(p.codes, &code{name: p.nameOfLiteral(cur), cur: cur, sig: sig, flow: true})
			}
		}
	}
}

// insideWorkflow reports whether a literal is part of workflow code that is examined already.
func (p *program) insideWorkflow(lit inspector.Cursor) bool {
	for cur := lit; ; {
		outer, ok := enclosingFunc(cur.Parent())
		if !ok || cur != lit && p.runsElsewhere(cur) {
			return false
		}
		if sig := p.signature(outer.Node()); sig != nil && takesFlow(sig) {
			return true
		}
		cur = outer
	}
}

// enclosingFunc returns the innermost function or literal that a node is in.
func enclosingFunc(cur inspector.Cursor) (inspector.Cursor, bool) {
	for outer := range cur.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		return outer, true
	}
	return inspector.Cursor{}, false
}

func (p *program) signature(n ast.Node) *types.Signature {
	switch n := n.(type) {
	case *ast.FuncDecl:
		if fn, ok := p.info.Defs[n.Name].(*types.Func); ok {
			return fn.Signature()
		}
	case *ast.FuncLit:
		sig, _ := p.info.TypeOf(n).(*types.Signature)
		return sig
	}
	return nil
}

// nameOfLiteral returns the name under which a literal is registered as a workflow.
func (p *program) nameOfLiteral(lit inspector.Cursor) string {
	if reg, ok := lit.Parent().Node().(*ast.CallExpr); ok && registersWorkflow(typeutil.Callee(p.info, reg)) {
		if tv := p.info.Types[reg.Args[0]]; tv.Value != nil && tv.Value.Kind() == constant.String {
			return "workflow " + tv.Value.ExactString()
		}
	}
	return "a workflow"
}

// runsElsewhere reports whether a literal is not run by the code around it: it is given to weft.Function or to a
// goroutine, or takes a context and is not called on the spot.
func (p *program) runsElsewhere(lit inspector.Cursor) bool {
	sig := p.signature(lit.Node())
	parent, at := lit.Parent(), lit.ParentEdgeKind()
	if at == edge.CallExpr_Fun {
		return parent.ParentEdgeKind() == edge.GoStmt_Call
	}
	if sig != nil && takesContext(sig) {
		return true
	}
	if at != edge.CallExpr_Args {
		return false
	}
	if parent.ParentEdgeKind() == edge.GoStmt_Call {
		return true
	}
	callee := typeutil.Callee(p.info, parent.Node().(*ast.CallExpr))
	if callee == nil {
		return false
	}
	return registersFunction(callee) || kindOf(callee) == goroutine || longName(callee) == "time.AfterFunc"
}

// within calls visit for the nodes of a body that run as part of it, outer ones first, until visit returns false for
// one to leave out what is below it.
func (p *program) within(c *code, visit func(inspector.Cursor) bool) {
	p.inside(c.cur, c.flow, visit)
}

func (p *program) inside(root inspector.Cursor, flow bool, visit func(inspector.Cursor) bool) {
	root.Inspect(nil, func(cur inspector.Cursor) bool {
		if cur != root && cur.Node() != nil {
			if _, ok := cur.Node().(*ast.FuncLit); ok {
				if p.runsElsewhere(cur) || !flow && takesFlow(p.signature(cur.Node())) {
					return false
				}
			}
		}
		return visit(cur)
	})
}

// text returns an expression as its author wrote it, but for spaces.
func text(e ast.Expr) string { return types.ExprString(e) }

// variable returns the variable that an expression is stored in: the x of x, x.f.g, x[i], *x; nil if there is none.
// For pkg.X it is X.
func (p *program) variable(e ast.Expr) *types.Var {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		v, _ := p.info.ObjectOf(e).(*types.Var)
		return v
	case *ast.SelectorExpr:
		if _, ok := p.info.Selections[e]; !ok {
			return p.variable(e.Sel)
		}
		return p.variable(e.X)
	case *ast.IndexExpr:
		return p.variable(e.X)
	case *ast.SliceExpr:
		return p.variable(e.X)
	case *ast.StarExpr:
		return p.variable(e.X)
	}
	return nil
}
