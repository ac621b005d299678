package asl

import (
	"fmt"
	"strings"

	"github.com/weftworks/weft/asl/jsonpath"
	"github.com/weftworks/weft/asl/jsonvalue"
)

// TemplateError says which field of a template has no value.
type TemplateError struct {
	Field string // as written, with its ".$"
	Expr  string // as written
	Err   error
}

// Error returns "field value.$: $.a: ...".
func (e *TemplateError) Error() string {
	return fmt.Sprintf("field %s: %s: %v", e.Field, e.Expr, e.Err)
}

// Unwrap returns Err.
func (e *TemplateError) Unwrap() error { return e.Err }

// Eval fills the template in. Errors are *TemplateError.
func (t *Template) Eval(s Scope) (any, error) { return t.Root.eval("", s) }

func (n *Node) eval(key string, s Scope) (any, error) {
	switch n.kind {
	case nodeExpr:
		v, err := n.Expr.Eval(s)
		if err != nil {
			return nil, &TemplateError{Field: key + ".$", Expr: n.Expr.String(), Err: err}
		}
		return v, nil
	case nodeObject:
		o := jsonvalue.NewObject(len(n.Fields))
		for i := range n.Fields {
			v, err := n.Fields[i].Node.eval(n.Fields[i].Key, s)
			if err != nil {
				return nil, err
			}
			o.Set(n.Fields[i].Key, v)
		}
		return o, nil
	case nodeArray:
		items := make([]any, len(n.Items))
		for i := range n.Items {
			v, err := n.Items[i].eval(key, s)
			if err != nil {
				return nil, err
			}
			items[i] = v
		}
		return items, nil
	}
	return n.Literal, nil
}

const (
	nodeLiteral nodeKind = iota
	nodeExpr
	nodeObject
	nodeArray
	nodeQuery
)

// template reads an optional template field.
func (p *parser) template(s *spot, name string) *Template {
	f := s.member(name)
	if f == nil || p.language != JSONPath {
		return nil
	}
	t := &Template{}
	t.Root = p.templateNode(f)
	return t
}

// templateNode reads a part; parts without expressions are kept as one literal.
func (p *parser) templateNode(s *spot) Node {
	switch s.node.Kind {
	case jsonvalue.KindObject:
		return p.templateObject(s)
	case jsonvalue.KindArray:
		n := Node{kind: nodeArray, Items: make([]Node, len(s.node.Items))}
		literal := true
		for i := range s.node.Items {
			n.Items[i] = p.templateNode(s.at(i))
			literal = literal && n.Items[i].kind == nodeLiteral
		}
		if !literal {
			return n
		}
	}
	return Node{Literal: s.node.Value()}
}

func (p *parser) templateObject(s *spot) Node {
	n := Node{kind: nodeObject}
	literal := true
	seen := map[string]bool{}
	for i := range s.node.Members {
		m := s.at(i)
		key, isExpr := strings.CutSuffix(m.key, ".$")
		if seen[key] {
			p.reportKey(m, SchemaInvalid, "keep one of them", "the field %q is given twice", key)
			continue
		}
		seen[key] = true
		var child Node
		switch {
		case !isExpr:
			child = p.templateNode(m)
		case m.node.Kind != jsonvalue.KindString:
			p.report(m, SchemaInvalid, `write a path such as "$.a", or remove the ".$" from the name`, "a field whose name ends in \".$\" holds a path, not %s", quote(m.node)).ServiceMessage =
				fmt.Sprintf("The value for the field '%s' must be a STRING that contains a JSONPath", m.key)
		default:
			child = Node{kind: nodeExpr, Expr: p.expression(m)}
		}
		literal = literal && child.kind == nodeLiteral
		n.Fields = append(n.Fields, FieldNode{Key: key, Node: child})
	}
	if literal {
		return Node{Literal: s.node.Value()}
	}
	return n
}

// expression reads the string at f as a path or an intrinsic call.
func (p *parser) expression(f *spot) Expr {
	text := f.node.Scalar.(string)
	if strings.HasPrefix(text, "States.") {
		c, paths, err := parseCall(text)
		if err != nil {
			p.badPath(f, err)
			return nil
		}
		for _, path := range paths {
			p.refersTo(path.Variable())
		}
		return c
	}
	if path := p.compile(f); path != nil {
		return PathExpr{path}
	}
	return nil
}

// PathExpr is a path as an expression.
type PathExpr struct{ *jsonpath.Path }

// Eval returns what the path names in the scope. Errors are those of jsonpath.
func (e PathExpr) Eval(s Scope) (any, error) {
	switch {
	case e.IsContext():
		return e.Get(s.Context())
	case e.Variable() != "":
		v, ok := s.Variable(e.Variable())
		if !ok {
			return nil, &jsonpath.MissingError{Path: e.String(), Detail: "there is no variable $" + e.Variable()}
		}
		return e.Get(v)
	}
	return e.Get(s.Data())
}
