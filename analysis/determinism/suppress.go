package determinism

import (
	"go/ast"
	"go/token"
	"strings"

	"golang.org/x/tools/go/ast/inspector"
)

const directive = "//weft:deterministic"

// allowances are the places where a user answers for determinism.
type allowances struct {
	fset        *token.FileSet
	lines       map[string]map[int]bool // by file: lines whose findings are allowed
	spans       []span                  // functions in which everything is allowed
	unexplained []token.Pos             // comments without a reason
}

type span struct{ from, to token.Pos }

// readAllowances finds all directives. One beside code is about its own line; one alone on its line about the next line as well, and
// about the whole function that begins there.
func readAllowances(fset *token.FileSet, root inspector.Cursor, files []*ast.File) *allowances {
	a := &allowances{fset: fset, lines: make(map[string]map[int]bool)}
	for _, file := range files {
		for _, group := range file.Comments {
			for _, c := range group.List {
				if a.read(c) {
					a.allow(file, c)
				}
			}
		}
	}
	if len(a.lines) == 0 {
		return a
	}
	for cur := range root.Preorder((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		n := cur.Node()
		decl, _ := n.(*ast.FuncDecl)
		if a.onLine(n.Pos()) || decl != nil && hasDirective(decl.Doc) {
			a.spans = append(a.spans, span{n.Pos(), n.End()})
		}
	}
	return a
}

// read reports whether a comment is a directive, and remembers one without a reason.
func (a *allowances) read(c *ast.Comment) bool {
	rest, ok := strings.CutPrefix(c.Text, directive)
	if !ok || rest != "" && !strings.HasPrefix(rest, " ") && !strings.HasPrefix(rest, "\t") {
		return false
	}
	reason, _, _ := strings.Cut(rest, "//") // what a second comment says is no reason
	if strings.TrimSpace(reason) == "" {
		a.unexplained = append(a.unexplained, c.Pos())
	}
	return true
}

func (a *allowances) allow(file *ast.File, c *ast.Comment) {
	at := a.fset.Position(c.Pos())
	lines := a.lines[at.Filename]
	if lines == nil {
		lines = make(map[int]bool)
		a.lines[at.Filename] = lines
	}
	lines[at.Line] = true
	if !a.besideCode(file, c) {
		lines[at.Line+1] = true
	}
}

// besideCode reports whether some node of the file stands on a comment's line.
func (a *allowances) besideCode(file *ast.File, c *ast.Comment) (found bool) {
	line := a.fset.Position(c.Pos()).Line
	ast.Inspect(file, func(n ast.Node) bool {
		switch n.(type) {
		case nil, *ast.CommentGroup, *ast.Comment:
			return false
		case *ast.File:
			return true
		}
		from, to := a.fset.Position(n.Pos()).Line, a.fset.Position(n.End()).Line
		found = found || from == line || to == line
		return !found && from <= line && line <= to
	})
	return found
}

func hasDirective(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if strings.HasPrefix(c.Text, directive) {
			return true
		}
	}
	return false
}

func (a *allowances) onLine(pos token.Pos) bool {
	at := a.fset.Position(pos)
	return a.lines[at.Filename][at.Line]
}

// allowed reports whether a user answers for what is at pos.
func (a *allowances) allowed(pos token.Pos) bool {
	if len(a.lines) == 0 {
		return false
	}
	for _, s := range a.spans {
		if s.from <= pos && pos < s.to {
			return true
		}
	}
	return a.onLine(pos)
}
