package machine

import (
	"errors"
	"fmt"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonata"
	"github.com/weftworks/weft/asl/jsonpath"
	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/limits"
)

// jsonataFlow is Arguments, Output and the expressions of other fields (Step Functions, "Transforming data with JSONata").
type jsonataFlow struct{}

// queried is what the expressions of a JSONata state share while it is in one place: the input is parsed once, $states is
// made when an expression first asks for it, the context object for one that may look at it.
type queried struct {
	env    jsonata.Env
	query  *asl.Query // being evaluated
	states *jsonvalue.Object
	broken *failure // why $states cannot be made
	count  int      // expressions evaluated
	spent  int      // bytes of the results of those past unmeasured
}

// unmeasured is how many expressions of one state are evaluated before their results are counted: each alone is bounded,
// and most states have few.
const unmeasured = 16

func (jsonataFlow) arguments(sc *scope, st *asl.State) (value, *failure) {
	if st.Arguments == nil {
		return sc.data, nil
	}
	v, e := sc.filled(st.Arguments)
	if e == nil && st.Type == asl.Task {
		sc.note(FieldAfterArguments, v)
	}
	return v, e
}

func (jsonataFlow) output(sc *scope, st *asl.State, result value) (value, *failure) {
	t := st.Output
	if sc.rule != nil {
		t = sc.rule.Output
	}
	if t == nil {
		return result, nil
	}
	return sc.filled(t)
}

func (jsonataFlow) fill(sc *scope, t *asl.Template) (value, *failure) { return sc.filled(t) }

func (jsonataFlow) assigned(sc *scope, t *asl.Template, _ value) (variables, *failure) {
	v, e := sc.filled(t)
	if e != nil {
		return nil, e
	}
	return sc.newVariables(v.tree)
}

func (jsonataFlow) caught(sc *scope, c *asl.Catcher, e *failure) (value, *failure) {
	if c.Output == nil {
		return treeValue(e.output()), nil
	}
	return sc.filled(c.Output)
}

func (jsonataFlow) failure(sc *scope, st *asl.State) (e, bad *failure) {
	e = &failure{}
	if e.name, e.hasName, bad = sc.text(st.Fail.Error, st.Queries["Error"]); bad != nil {
		return nil, bad
	}
	e.cause, e.hasCause, bad = sc.text(st.Fail.Cause, st.Queries["Cause"])
	return e, bad
}

// text is a field of a string.
func (sc *scope) text(fixed *string, q *asl.Query) (text string, ok bool, bad *failure) {
	if q == nil {
		if fixed != nil {
			text = *fixed
		}
		return text, fixed != nil, nil
	}
	v, bad := sc.evaluate(q)
	if bad != nil {
		return "", false, bad
	}
	if text, ok = v.(string); !ok {
		return "", false, sc.unexpected(q, "string", v)
	}
	return text, true, nil
}

func (jsonataFlow) holds(sc *scope, rule *asl.Rule) (bool, *failure) {
	if rule.Constant != nil {
		return *rule.Constant, nil
	}
	v, e := sc.evaluate(rule.Query)
	if e != nil {
		return false, e
	}
	yes, ok := v.(bool)
	if !ok {
		return false, sc.unexpected(rule.Query, "boolean", v)
	}
	return yes, nil
}

// items of a JSONata Map are those of an array or the values of an object.
func (jsonataFlow) items(sc *scope, st *asl.State, data *value) ([]byte, *failure) {
	items := *data
	if t := st.Map.Items; t != nil {
		v, e := sc.filled(t)
		if e != nil {
			return nil, e
		}
		items = v
	}
	text := items.json(sc.most())
	switch {
	case len(text) > sc.most():
		return nil, tooLarge(st.Name)
	case len(text) > 0 && (text[0] == '[' || text[0] == '{'):
		return text, nil
	case st.Map.Items != nil && st.Map.Items.Root.Query != nil:
		return nil, sc.unexpected(st.Map.Items.Root.Query, "array", items.tree)
	}
	return nil, evaluationError(sc.b, "", "Map state input must be an array but was: %s", text)
}

func (jsonataFlow) selectItem(sc *scope, fk *fork, c *branch) (value, *failure) {
	in, e := sc.onItem(fk, c)
	if e != nil {
		return value{}, e
	}
	return in.filled(fk.owner.state.Parameters)
}

func (jsonataFlow) integer(sc *scope, st *asl.State, field string, fixed int64, _ *jsonpath.Path) (int64, *failure) {
	q := st.Queries[field]
	if q == nil {
		return fixed, nil
	}
	n, e := sc.whole(q)
	if e == nil && n < 0 {
		e = evaluationError(sc.b, q.Field, "The JSONata expression '%s' specified for the field '%s' returned a negative number: %d", q.Text, q.Field, n)
	}
	return n, e
}

// whole is a field of a whole number.
func (sc *scope) whole(q *asl.Query) (int64, *failure) {
	v, e := sc.evaluate(q)
	if e != nil {
		return 0, e
	}
	if jsonvalue.KindOf(v) != jsonvalue.KindNumber {
		return 0, sc.unexpected(q, "number", v)
	}
	n, ok := wholeNumber(v)
	if !ok {
		return 0, sc.unexpected(q, "integer", v)
	}
	return n, nil
}

func (jsonataFlow) percentage(sc *scope, st *asl.State, fixed float64, _ *jsonpath.Path) (float64, *failure) {
	q := st.Queries["ToleratedFailurePercentage"]
	if q == nil {
		return fixed, nil
	}
	v, e := sc.evaluate(q)
	if e != nil {
		return 0, e
	}
	n, ok := v.(jsonvalue.Number)
	if !ok {
		return 0, sc.unexpected(q, "number", v)
	}
	if p := n.Float64(); p >= 0 && p <= 100 {
		return p, nil
	}
	return 0, evaluationError(sc.b, q.Field, "ToleratedFailurePercentage must be between 0 and 100.")
}

// filled evaluates the expressions of a template.
func (sc *scope) filled(t *asl.Template) (value, *failure) {
	tree, e := sc.part(&t.Root)
	if e != nil {
		return value{}, e
	}
	return treeValue(tree), nil
}

func (sc *scope) part(n *asl.Node) (any, *failure) {
	switch {
	case n.Query != nil:
		return sc.evaluate(n.Query)
	case n.Fields != nil:
		o := jsonvalue.NewObject(len(n.Fields))
		for i := range n.Fields {
			v, e := sc.part(&n.Fields[i].Node)
			if e != nil {
				return nil, e
			}
			o.Set(n.Fields[i].Key, v)
		}
		return o, nil
	case n.Items != nil:
		items := make([]any, len(n.Items))
		for i := range n.Items {
			v, e := sc.part(&n.Items[i])
			if e != nil {
				return nil, e
			}
			items[i] = v
		}
		return items, nil
	}
	return n.Literal, nil
}

// evaluate evaluates an expression, which must give a value of JSON.
func (sc *scope) evaluate(q *asl.Query) (any, *failure) {
	qd := sc.queried
	if qd == nil {
		qd = &queried{}
		qd.env = jsonata.Env{
			Variable: sc.seen, Now: sc.s.f.now, Random: sc.s.f.draw,
			Limits: jsonata.Limits{ResultBytes: max(sc.most(), limits.EvaluationBytes)},
		}
		sc.queried = qd
	}
	qd.query = q
	v, defined, err := q.Expr.Eval(&qd.env)
	if qd.broken != nil {
		return nil, qd.broken
	}
	_, isFunction := v.(jsonata.Function)
	switch {
	case err != nil:
		return nil, sc.threw(q, err)
	case !defined:
		return nil, sc.evaluationFailed(q, "returned nothing (undefined).")
	case isFunction:
		return nil, sc.evaluationFailed(q, "returned an unsupported result type.")
	}
	if qd.count++; qd.count > unmeasured {
		if qd.spent = spend(v, qd.spent, sc.most()); qd.spent > sc.most() {
			return nil, tooLarge(sc.b.state.Name)
		}
	}
	return v, nil
}

// seen is what $name is to an expression.
func (sc *scope) seen(name string) (any, bool) {
	if name != "states" {
		return sc.Variable(name)
	}
	qd := sc.queried
	if qd.states == nil {
		if qd.states, qd.broken = sc.makeStates(); qd.broken != nil {
			return nil, false
		}
	}
	if _, has := qd.states.Get("context"); qd.query.Context && !has {
		qd.states = qd.states.With("context", sc.Context())
	}
	return qd.states, true
}

// makeStates makes $states but for the context object: what came in, and what the work gave or why it failed.
func (sc *scope) makeStates() (*jsonvalue.Object, *failure) {
	o := jsonvalue.NewObject(3)
	input, err := sc.data.root()
	if err != nil {
		return nil, runtimeError(sc.b, "The state's input cannot be read: %v", err)
	}
	o.Set("input", input)
	if sc.hasResult {
		result, err := sc.result.root()
		if err != nil {
			return nil, runtimeError(sc.b, "The state's result cannot be read: %v", err)
		}
		o.Set("result", result)
	}
	if sc.caught != nil {
		o.Set("errorOutput", sc.caught.output())
	}
	return o, nil
}

// provide says what $states.result is from now on.
func (sc *scope) provide(result value) {
	switch sc.b.state.Type {
	case asl.Task, asl.Parallel, asl.Map:
		sc.result, sc.hasResult, sc.queried = result, true, nil
	}
}

// spend adds the size of v as text, about, to n and stops at most.
func spend(v any, n, most int) int {
	if n++; n > most {
		return n
	}
	switch v := v.(type) {
	case string:
		return n + len(v)
	case jsonvalue.Number:
		return n + len(v)
	case []any:
		for _, item := range v {
			if n = spend(item, n, most); n > most {
				return n
			}
		}
	case *jsonvalue.Object:
		for key, item := range v.All() {
			if n = spend(item, n+len(key)+3, most); n > most {
				return n
			}
		}
	}
	return n
}

// evaluationError is the failure of a JSONata state's data flow. field may be empty.
func evaluationError(b *branch, field, format string, args ...any) *failure {
	e := stateError(b, errQuery, format, args...)
	e.evaluation, e.location = true, field
	return e
}

func (sc *scope) evaluationFailed(q *asl.Query, what string) *failure {
	return evaluationError(sc.b, q.Field, "The JSONata expression '%s' specified for the field '%s' %s", q.Text, q.Field, what)
}

// unexpected is a result of the wrong kind.
func (sc *scope) unexpected(q *asl.Query, want string, v any) *failure {
	text, _ := jsonvalue.AppendMax(nil, v, limits.CauseChars)
	return sc.evaluationFailed(q, fmt.Sprintf("returned an unexpected result type. Expected '%s', but was '%s' for value: %s", want, jsonvalue.KindOf(v), text))
}

// threw words an error of the evaluation as Step Functions does.
func (sc *scope) threw(q *asl.Query, err error) *failure {
	var e *jsonata.Error
	if !errors.As(err, &e) {
		return sc.evaluationFailed(q, "threw an error during evaluation. "+err.Error())
	}
	if e.Code == "U1002" {
		return sc.evaluationFailed(q, "threw an error during evaluation: Expression evaluation memory limit exceeded: Check for excessive memory usage")
	}
	return sc.evaluationFailed(q, fmt.Sprintf("threw an error during evaluation. %s: %s", e.Code, e.Message))
}
