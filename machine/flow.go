package machine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonpath"
	"github.com/weftworks/weft/asl/jsonvalue"
)

// dataflow is what a query language does between a state's input and its output. There is one for each
// language; a state names its own, so a machine may mix them.
type dataflow interface {
	// arguments is what the state's work is given. sc's data is the state's input.
	arguments(sc *scope, st *asl.State) (value, *failure)
	// output is what the state passes on, made of its input (sc's data) and its result.
	output(sc *scope, st *asl.State, result value) (value, *failure)
	// assigned are the values that a template gives to variables; result is the state's.
	assigned(sc *scope, t *asl.Template, result value) (variables, *failure)
	// caught is what a catcher passes on.
	caught(sc *scope, c *asl.Catcher, e *failure) (value, *failure)
	// failure is the error that a Fail state raises; the second is what went wrong in finding it.
	failure(sc *scope, st *asl.State) (*failure, *failure)
	// fill evaluates a template on the state's input.
	fill(sc *scope, t *asl.Template) (value, *failure)
	// holds is whether a Choice rule's condition does. sc's data is the input behind InputPath.
	holds(sc *scope, rule *asl.Rule) (bool, *failure)
	// items is the JSON array, or object, that a Map goes through; data is what arguments returned.
	items(sc *scope, st *asl.State, data *value) ([]byte, *failure)
	// selectItem is the input of iteration c.
	selectItem(sc *scope, fk *fork, c *branch) (value, *failure)
	// integer is a number that may be given by a path, or by the expression of that field.
	integer(sc *scope, st *asl.State, field string, fixed int64, path *jsonpath.Path) (int64, *failure)
	percentage(sc *scope, st *asl.State, fixed float64, path *jsonpath.Path) (float64, *failure)
}

// flowOf returns the data flow of a state's query language.
func flowOf(st *asl.State) dataflow {
	if st.QueryLanguage == asl.JSONata {
		return jsonataFlow{}
	}
	return jsonPathFlow{}
}

// value is a JSON value as text, as a tree, or as both; each is made of the other when it is asked for.
type value struct {
	text   []byte
	tree   any
	parsed bool
}

func textValue(text []byte) value { return value{text: text} }

func treeValue(tree any) value { return value{tree: tree, parsed: true} }

// json returns the value as text. A tree may share its parts, so its text can be far larger than what it
// takes in memory: a text past most bytes is not made, and what is returned is only good for its length,
// which is most+1.
func (v *value) json(most int) []byte {
	if v.text == nil {
		text, ok := jsonvalue.AppendMax(nil, v.tree, most)
		if !ok {
			return make([]byte, most+1)
		}
		v.text = text
	}
	return v.text
}

// root returns the value as a tree. Texts inside a run are valid, so only one deeper than limits.JSONDepth
// (a result pushed down by ResultPath) can fail to parse.
func (v *value) root() (any, error) {
	if !v.parsed {
		tree, err := jsonvalue.Parse(v.text)
		if err != nil {
			return nil, err
		}
		v.tree, v.parsed = tree, true
	}
	return v.tree, nil
}

// scope is what the expressions of a branch's state see. It implements asl.Scope.
type scope struct {
	s         *step
	b         *branch
	item      *branch   // the iteration that ItemSelector is evaluated for
	caught    *failure  // of a catcher
	rule      *asl.Rule // of a Choice, the one that holds
	result    value     // of the work, in JSONata
	hasResult bool
	queried   *queried // in JSONata
	data      value
}

// scope returns the scope of b's state with the state's input as data. It is good until the next call: no state needs two.
func (s *step) scope(b *branch) *scope {
	s.scratch = scope{s: s, b: b, data: textValue(b.input)}
	return &s.scratch
}

// inputScope is scope with InputPath applied: what a Choice's rules and a Wait's paths look at.
func (s *step) inputScope(b *branch) (*scope, *failure) {
	sc := s.scope(b)
	v, e := inputPath(sc, b.state)
	if e != nil {
		return nil, e
	}
	sc.data = v
	return sc, nil
}

// with is sc with other data.
func (sc *scope) with(v value) *scope {
	c := *sc
	c.data, c.queried = v, nil
	return &c
}

// Data returns what "$" is.
func (sc *scope) Data() any {
	tree, err := sc.data.root()
	if err != nil {
		return nil
	}
	return tree
}

// dataText returns what "$" is as a cause quotes it.
func (sc *scope) dataText() []byte { return sc.data.json(sc.most()) }

// most is the largest text a state may pass on, in bytes.
func (sc *scope) most() int { return sc.s.in.bounds.PayloadBytes }

// Context returns what "$$" is.
func (sc *scope) Context() any { return sc.s.contextObject(sc.b, sc.item) }

// Variable returns the value of a variable of the state's scope or of one around it.
func (sc *scope) Variable(name string) (any, bool) { return sc.b.variable(name) }

// Random returns 64 random bits of the run.
func (sc *scope) Random() uint64 { return sc.s.f.draw() }

// get evaluates a path where its head says.
func (sc *scope) get(p *jsonpath.Path) (any, error) {
	if p.IsContext() {
		return p.Get(sc.Context())
	}
	if name := p.Variable(); name != "" {
		v, ok := sc.Variable(name)
		if !ok {
			return nil, &jsonpath.MissingError{Path: p.String(), Detail: fmt.Sprintf("the variable $%s has no value", name)}
		}
		return p.Get(v)
	}
	tree, err := sc.data.root()
	if err != nil {
		return nil, err
	}
	return p.Get(tree)
}

// path is get for a field whose failure ends the run.
func (sc *scope) path(p *jsonpath.Path) (any, *failure) {
	v, err := sc.get(p)
	return v, sc.pathError(p, err)
}

// pathError is what err of such a field ends the run with; nil for nil.
func (sc *scope) pathError(p *jsonpath.Path, err error) *failure {
	switch {
	case err == nil:
		return nil
	case isMissing(err) && !p.IsContext() && p.Variable() == "" && sc.Data() == nil:
		return runtimeError(sc.b, "Unable to apply Path transformation to null or empty input.")
	}
	return runtimeError(sc.b, "Invalid path '%s' : %v", p, err)
}

// template evaluates a payload template.
func (sc *scope) template(t *asl.Template) (value, *failure) {
	tree, e := sc.node(&t.Root, "")
	if e != nil {
		return value{}, e
	}
	return treeValue(tree), nil
}

// node evaluates a part of a template; field is the member it belongs to, as written.
func (sc *scope) node(n *asl.Node, field string) (any, *failure) {
	switch {
	case n.Expr != nil:
		v, err := n.Expr.Eval(sc)
		if err == nil {
			return v, nil
		}
		if nothing, ok := matchesNothing(n.Expr, err); ok {
			return nothing, nil
		}
		return nil, sc.expressionError(n.Expr, field+".$", err)
	case n.Fields != nil:
		o := jsonvalue.NewObject(len(n.Fields))
		for i := range n.Fields {
			v, e := sc.node(&n.Fields[i].Node, n.Fields[i].Key)
			if e != nil {
				return nil, e
			}
			o.Set(n.Fields[i].Key, v)
		}
		return o, nil
	case n.Items != nil:
		items := make([]any, len(n.Items))
		for i := range n.Items {
			v, e := sc.node(&n.Items[i], field)
			if e != nil {
				return nil, e
			}
			items[i] = v
		}
		return items, nil
	}
	return n.Literal, nil
}

// matchesNothing returns what a path that finds nothing stands for in a template, if it is no error there: an
// empty list for a path that gives a list, null for an index past the end of an array.
func matchesNothing(x asl.Expr, err error) (any, bool) {
	p, ok := x.(asl.PathExpr)
	var missing *jsonpath.MissingError
	if !ok || !errors.As(err, &missing) {
		return nil, false
	}
	if !p.IsDefinite() {
		return []any{}, true
	}
	return nil, missing.PastEnd
}

// named is an error that the States Language has a name for, as it has for those of intrinsic functions.
type named interface{ ErrorName() string }

// expressionError words the failure of an expression of a field, which may be a path or a call.
func (sc *scope) expressionError(x asl.Expr, field string, err error) *failure {
	var missing *jsonpath.MissingError
	path, isPath := x.(asl.PathExpr)
	isMissing := errors.As(err, &missing)
	if isPath && isMissing {
		searched := sc.dataText()
		if path.IsContext() {
			searched, _ = jsonvalue.AppendMax(nil, sc.Context(), sc.most())
		}
		return runtimeError(sc.b, "The JSONPath '%s' specified for the field '%s' could not be found in the input '%s'",
			missing.Path, field, searched)
	}
	if isPath {
		return runtimeError(sc.b, "The JSONPath '%s' specified for the field '%s' failed: %v", x, field, err)
	}
	why := err.Error()
	if isMissing && !missing.NotArray { // a path into the context object loses a "$" there, like on AWS
		why = fmt.Sprintf("The JsonPath argument for the field '%s' could not be found in the input '%s'",
			strings.Replace(missing.Path, "$$", "$", 1), sc.dataText())
	}
	e := runtimeError(sc.b, "The function '%s' had the following error: %s", x, why)
	if n := named(nil); errors.As(err, &n) {
		e.alias = n.ErrorName()
	}
	return e
}

// inputPath applies a state's InputPath to its input.
func inputPath(sc *scope, st *asl.State) (value, *failure) {
	v, e := pathField(sc, st.InputPath)
	if e == nil && st.QueryLanguage == asl.JSONPath {
		sc.note(FieldAfterInputPath, v)
	}
	return v, e
}

// note tells the probe of a trial, when there is one, what the data flow has come to.
func (sc *scope) note(f Field, v value) { sc.s.f.probe.note(sc.b, f, v) }

// pathField applies an InputPath or OutputPath to sc's data.
func pathField(sc *scope, p *asl.Path) (value, *failure) {
	switch {
	case p == nil:
		return sc.data, nil
	case p.Null:
		return textValue([]byte("{}")), nil
	case p.Expr.IsRoot() && !p.Expr.IsContext() && p.Expr.Variable() == "":
		return sc.data, nil
	}
	v, e := sc.path(p.Expr)
	if e != nil {
		return value{}, e
	}
	return treeValue(v), nil
}

// plain is v as a cause shows it: a string without quotes, else JSON.
func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return jsonvalue.Text(v)
}

// wholeNumber returns v as an integer when it is one.
func wholeNumber(v any) (int64, bool) {
	n, ok := v.(jsonvalue.Number)
	if !ok {
		return 0, false
	}
	return n.Int64()
}
