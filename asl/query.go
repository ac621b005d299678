package asl

import (
	"errors"
	"slices"
	"strings"

	"github.com/weftworks/weft/asl/jsonata"
	"github.com/weftworks/weft/asl/jsonvalue"
)

// Query is a JSONata expression of a field, compiled. It is immutable and safe for concurrent use.
type Query struct {
	Text  string // the expression without {% and %} and the blanks around it, which is how causes show it
	Field string // where in its state it stands: "Output/total", "Choices[0]/Condition"
	Expr  *jsonata.Expr
	// Context says that the expression may read $states.context.
	Context bool
}

// has says which members of $states a field's expressions may read beside input and context.
type has uint8

const (
	hasResult has = 1 << iota
	hasErrorOutput
)

// isExpression reports whether f holds a JSONata expression, which stands for a value of any kind.
func (p *parser) isExpression(f *spot) bool {
	s, ok := f.node.Scalar.(string)
	return ok && p.language == JSONata && len(s) >= len("{%%}") && strings.HasPrefix(s, "{%") && strings.HasSuffix(s, "%}")
}

// query compiles the expression at f.
func (p *parser) query(f *spot, may has) *Query {
	text := f.node.Scalar.(string)
	text = strings.TrimSpace(text[len("{%") : len(text)-len("%}")])
	x, err := jsonata.Compile(text)
	if err != nil {
		at := p.report(f, InvalidQuery, "", "the JSONata expression is wrong: %v", err)
		if e := (*jsonata.Error)(nil); errors.As(err, &e) {
			at.ServiceMessage = e.Message
		}
		return nil
	}
	members, whole := x.Members(reserved)
	p.references(f, x, members, may)
	return &Query{Text: text, Field: f.below(p.currentAt), Expr: x, Context: whole || slices.Contains(members, "context")}
}

// references notes the variables that x reads, and reports what an expression of a state has no access to: there is no
// input of its own, only variables and $states, of which it reads members.
func (p *parser) references(f *spot, x *jsonata.Expr, members []string, may has) {
	uses := x.Uses()
	for _, name := range uses.Variables {
		if name != reserved {
			p.refersTo(name)
		}
	}
	unsupported := func(fix, message string) {
		p.report(f, UnsupportedQuery, fix, "%s", strings.TrimSuffix(message, ".")).ServiceMessage = message
	}
	if uses.Input {
		unsupported("the state's input is $states.input", "Reference to '$$' is not supported.")
	}
	if uses.Context {
		unsupported("the state's input is $states.input", "Reference to '$' at the top level is not supported.")
	}
	for _, name := range uses.Fields {
		unsupported("the state's input is $states.input, a variable is $name", "Reference to '"+name+"' at the top level is not supported.")
	}
	for _, name := range members {
		switch {
		case name == "input", name == "context", name == "result" && may&hasResult != 0, name == "errorOutput" && may&hasErrorOutput != 0:
		default:
			unsupported(available(may), "Field '$states."+name+"' does not exist.")
		}
	}
}

// available names what there is in $states.
func available(may has) string {
	switch {
	case may&hasErrorOutput != 0:
		return "there are $states.input, $states.context and $states.errorOutput"
	case may&hasResult != 0:
		return "there are $states.input, $states.context and $states.result"
	}
	return "there are $states.input and $states.context"
}

// below returns the way to s from top, a state, as the causes of failed evaluations write it: Arguments/Payload/a[0].
func (s *spot) below(top *spot) string {
	text := ""
	for ; s.up != nil && s.node != top.node; s = s.up {
		part := "/" + s.key
		if s.keyAt < 0 {
			part = s.index()
		}
		text = part + text
	}
	return strings.TrimPrefix(text, "/")
}

// queries compiles the fields of names that hold an expression and notes them in the state.
func (r *graphReader) queries(s *spot, st *State, names ...string) {
	for _, name := range names {
		f := s.member(name)
		if f == nil || !r.isExpression(f) {
			continue
		}
		if st.Queries == nil {
			st.Queries = map[string]*Query{}
		}
		if q := r.query(f, 0); q != nil {
			st.Queries[name] = q
		}
	}
}

// queryTemplate reads an optional field of JSON in which every string {% … %} is an expression.
func (p *parser) queryTemplate(s *spot, name string, may has) *Template {
	f := s.member(name)
	if f == nil || p.language != JSONata {
		return nil
	}
	return &Template{Root: p.queryNode(f, may)}
}

// queryNode reads a part; parts without expressions are kept as one literal.
func (p *parser) queryNode(s *spot, may has) Node {
	switch s.node.Kind {
	case jsonvalue.KindObject:
		return p.queryObject(s, may)
	case jsonvalue.KindArray:
		n := Node{kind: nodeArray, Items: make([]Node, len(s.node.Items))}
		literal := true
		for i := range s.node.Items {
			n.Items[i] = p.queryNode(s.at(i), may)
			literal = literal && n.Items[i].kind == nodeLiteral
		}
		if !literal {
			return n
		}
	case jsonvalue.KindString:
		if p.isExpression(s) {
			return Node{kind: nodeQuery, Query: p.query(s, may)}
		}
	}
	return Node{Literal: s.node.Value()}
}

func (p *parser) queryObject(s *spot, may has) Node {
	n := Node{kind: nodeObject, Fields: make([]FieldNode, 0, len(s.node.Members))}
	literal := true
	seen := make(map[string]bool, len(s.node.Members))
	for i := range s.node.Members {
		m := s.at(i)
		if seen[m.key] {
			p.reportKey(m, SchemaInvalid, "keep one of them", "the field %q is given twice", m.key)
			continue
		}
		seen[m.key] = true
		child := p.queryNode(m, may)
		literal = literal && child.kind == nodeLiteral
		n.Fields = append(n.Fields, FieldNode{Key: m.key, Node: child})
	}
	if literal {
		return Node{Literal: s.node.Value()}
	}
	return n
}

// resultOf is what the Output and Assign of a type of state may read.
func resultOf(t StateType) has {
	switch t {
	case Task, Parallel, Map:
		return hasResult
	}
	return 0
}

// queryFlow reads the fields by which JSONata states shape their input and output.
func (r *graphReader) queryFlow(s *spot, st *State) {
	switch st.Type {
	case Task, Parallel:
		st.Arguments = r.queryTemplate(s, "Arguments", 0)
	case Map:
		st.Parameters = r.queryTemplate(s, "ItemSelector", 0)
	}
	if _, takes := stateFields[st.Type]["Output"]; takes {
		st.Output = r.queryTemplate(s, "Output", resultOf(st.Type))
	}
}

// queryCondition reads a Choice rule's Condition: true, false or an expression.
func (r *graphReader) queryCondition(s *spot, to *Rule) {
	f := s.member("Condition")
	switch {
	case f == nil:
	case r.isExpression(f):
		to.Query = r.query(f, 0)
	case f.node.Kind == jsonvalue.KindBool:
		constant := f.node.Scalar == true
		to.Constant = &constant
	default:
		r.report(f, SchemaInvalid, `write an expression such as "{% $states.input.n > 1 %}", or true or false`,
			"a Condition is an expression, not %s", quote(f.node)).ServiceMessage = "Expected value of type Boolean"
	}
}
