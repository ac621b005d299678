package machine

import (
	"errors"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonpath"
	"github.com/weftworks/weft/asl/jsonvalue"
)

// jsonPathFlow is InputPath, Parameters, ResultSelector, ResultPath and OutputPath (States Language, "Input
// and Output Processing"). A state that has none of them passes its text on unparsed.
type jsonPathFlow struct{}

func (jsonPathFlow) arguments(sc *scope, st *asl.State) (value, *failure) {
	v, e := inputPath(sc, st)
	if e == nil && st.Parameters != nil && st.Type != asl.Map {
		v, e = sc.with(v).template(st.Parameters)
	}
	if e == nil && (st.Type == asl.Task || st.Type == asl.Pass) {
		sc.note(FieldAfterParameters, v)
	}
	return v, e
}

func (jsonPathFlow) output(sc *scope, st *asl.State, result value) (value, *failure) {
	if st.ResultSelector != nil {
		v, e := sc.with(result).template(st.ResultSelector)
		if e != nil {
			return value{}, e
		}
		result = v
	}
	out, e := place(sc, st.ResultPath, result)
	switch st.Type {
	case asl.Task, asl.Pass, asl.Parallel, asl.Map:
		sc.note(FieldAfterResultSelector, result)
		if e == nil {
			sc.note(FieldAfterResultPath, out)
		}
	}
	if e != nil || st.OutputPath == nil {
		return out, e
	}
	return pathField(sc.with(out), st.OutputPath)
}

// place is ResultPath: the result put into the state's input.
func place(sc *scope, p *asl.ReferencePath, result value) (value, *failure) {
	switch {
	case p == nil, !p.Null && p.Expr.IsRoot():
		return result, nil
	case p.Null:
		return sc.data, nil
	}
	input, err := sc.data.root()
	if err != nil {
		return value{}, runtimeError(sc.b, "The state's input cannot be read: %v", err)
	}
	r, err := result.root()
	if err != nil {
		return value{}, runtimeError(sc.b, "The state's result cannot be read: %v", err)
	}
	v, err := p.Expr.Set(input, r)
	if err != nil {
		return value{}, conflict(p.Expr, conflictStep(err), input, sc.dataText())
	}
	return treeValue(v), nil
}

func (jsonPathFlow) assigned(sc *scope, t *asl.Template, result value) (variables, *failure) {
	v, e := sc.with(result).template(t)
	if e != nil {
		return nil, e
	}
	return sc.newVariables(v.tree)
}

func (jsonPathFlow) caught(sc *scope, c *asl.Catcher, e *failure) (value, *failure) {
	return place(sc, c.ResultPath, treeValue(e.output()))
}

func (jsonPathFlow) fill(sc *scope, t *asl.Template) (value, *failure) {
	v, e := inputPath(sc, sc.b.state)
	if e != nil {
		return value{}, e
	}
	return sc.with(v).template(t)
}

func (jsonPathFlow) holds(sc *scope, rule *asl.Rule) (bool, *failure) {
	yes, err := holds(sc, &rule.Cond)
	if err != nil {
		return false, runtimeError(sc.b, "%v", err)
	}
	return yes, nil
}

func (jsonPathFlow) failure(sc *scope, st *asl.State) (*failure, *failure) {
	sc.note(FieldAfterInputPath, sc.data)
	e := &failure{}
	var bad *failure
	if e.name, e.hasName, bad = failText(sc, st.Fail.Error, st.Fail.ErrorPath, "ErrorPath"); bad != nil {
		return nil, bad
	}
	e.cause, e.hasCause, bad = failText(sc, st.Fail.Cause, st.Fail.CausePath, "CausePath")
	return e, bad
}

func failText(sc *scope, fixed *string, x asl.Expr, field string) (string, bool, *failure) {
	if fixed != nil {
		return *fixed, true, nil
	}
	if x == nil {
		return "", false, nil
	}
	v, err := x.Eval(sc)
	if err != nil {
		return "", false, sc.expressionError(x, field, err)
	}
	text, ok := v.(string)
	if !ok {
		return "", false, runtimeError(sc.b, "The JSONPath '%s' specified for the field '%s' must refer to a string but was: %s", x, field, plain(v))
	}
	return text, true, nil
}

func (jsonPathFlow) items(sc *scope, st *asl.State, data *value) ([]byte, *failure) {
	items, path := *data, "$"
	if p := st.Map.ItemsPath; p != nil && (!p.IsRoot() || p.IsContext() || p.Variable() != "") {
		v, e := sc.with(*data).itemsPath(p)
		if e != nil {
			return nil, e
		}
		items, path = treeValue(v), p.String()
	}
	text := items.json(sc.most())
	if len(text) > sc.most() {
		return nil, tooLarge(st.Name)
	}
	if len(text) == 0 || text[0] != '[' {
		return nil, runtimeError(sc.b, "Reference path \"%s\" must point to array.", path)
	}
	sc.note(FieldAfterItemsPath, items)
	return text, nil
}

// itemsPath is ItemsPath, which Step Functions applies as a reference path when it is one.
func (sc *scope) itemsPath(p *jsonpath.Path) (any, *failure) {
	v, err := sc.get(p)
	if step := conflictStep(err); step != "" && p.IsDefinite() && !p.IsContext() {
		return nil, conflict(p, step, sc.Data(), sc.dataText())
	}
	return v, sc.pathError(p, err)
}

// conflictStep returns the step of a path that did not fit the data; "" for other errors.
func conflictStep(err error) string {
	var missing *jsonpath.MissingError
	var mismatch *jsonpath.MatchError
	switch {
	case errors.As(err, &missing):
		return missing.Step
	case errors.As(err, &mismatch):
		return mismatch.Step
	}
	return ""
}

func (jsonPathFlow) selectItem(sc *scope, fk *fork, c *branch) (value, *failure) {
	in, e := sc.onItem(fk, c)
	if e != nil {
		return value{}, e
	}
	return in.template(fk.owner.state.Parameters)
}

// onItem is sc for the ItemSelector of iteration c. What it looks at is parsed once for all iterations.
func (sc *scope) onItem(fk *fork, c *branch) (*scope, *failure) {
	if !fk.parsed {
		v := textValue(fk.data)
		tree, err := v.root()
		if err != nil {
			return nil, runtimeError(sc.b, "The state's input cannot be read: %v", err)
		}
		fk.tree, fk.parsed = tree, true
	}
	in := sc.with(value{text: fk.data, tree: fk.tree, parsed: true})
	in.item = c
	return in, nil
}

func (jsonPathFlow) integer(sc *scope, st *asl.State, field string, fixed int64, path *jsonpath.Path) (int64, *failure) {
	if path == nil {
		return fixed, nil
	}
	v, e := fieldPath(sc, st, path)
	if e != nil {
		return 0, e
	}
	n, ok := wholeNumber(numeric(v))
	if !ok {
		return 0, runtimeError(sc.b, "The %sPath field refers to value \"%s\" which is not a valid integer: %s", field, plain(v), path)
	}
	if n < 0 {
		return 0, runtimeError(sc.b, "%s cannot be negative.", field)
	}
	return n, nil
}

func (jsonPathFlow) percentage(sc *scope, st *asl.State, fixed float64, path *jsonpath.Path) (float64, *failure) {
	if path == nil {
		return fixed, nil
	}
	v, e := fieldPath(sc, st, path)
	if e != nil {
		return 0, e
	}
	n, ok := numeric(v).(jsonvalue.Number)
	if !ok {
		return 0, runtimeError(sc.b, "The ToleratedFailurePercentagePath field refers to value \"%s\" which is not a valid float: %s", plain(v), path)
	}
	p := n.Float64()
	if !(p >= 0 && p <= 100) {
		return 0, runtimeError(sc.b, "ToleratedFailurePercentage must be between 0 and 100.")
	}
	return p, nil
}

// numeric is the number that a string holds, else v: where a path names a number, Step Functions takes such a string as well.
func numeric(v any) any {
	text, ok := v.(string)
	if !ok {
		return v
	}
	if n, err := jsonvalue.ParseString(text); err == nil && jsonvalue.KindOf(n) == jsonvalue.KindNumber {
		return n
	}
	return v
}

// fieldPath evaluates a path of a state's field on its input behind InputPath.
func fieldPath(sc *scope, st *asl.State, p *jsonpath.Path) (any, *failure) {
	v, e := inputPath(sc, st)
	if e != nil {
		return nil, e
	}
	return sc.with(v).path(p)
}

// isMissing reports whether a path named something that is not there.
func isMissing(err error) bool {
	var missing *jsonpath.MissingError
	return errors.As(err, &missing)
}
