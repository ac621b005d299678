package jsonpath

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// function is a call at the end of a path. It works on what the path before it gives: the value, or the list
// of an indefinite path.
type function struct {
	name string
	args []operand
}

// functionNames are the functions there are.
var functionNames = []string{"append", "avg", "concat", "first", "index", "keys", "last", "length", "max", "min", "size", "stddev", "sum"}

// call reads (ARG, ARG...) behind a function's name.
func (p *parser) call(name string) *function {
	defer p.deeper()()
	if !slices.Contains(functionNames, name) {
		p.fail("there is no function %s(); there are %s", name, strings.Join(functionNames, ", "))
		return nil
	}
	f := &function{name: name}
	p.expect("(")
	p.space()
	for p.err == nil && !p.accept(")") {
		if len(f.args) > 0 {
			p.expect(",")
			p.space()
		}
		arg := p.operand()
		if arg.pattern != nil {
			p.fail("a pattern cannot be an argument")
		}
		f.args = append(f.args, arg)
		p.space()
	}
	if name == "index" && len(f.args) != 1 {
		p.fail("index() takes one number")
	}
	return f
}

func (f *function) apply(w *walk, v any) (any, error) {
	args := make([]any, 0, len(f.args))
	for _, a := range f.args {
		arg, ok := a.value(w, v)
		if !ok {
			return nil, f.fail(w, "its argument %s has no value", a.path)
		}
		args = append(args, arg)
	}
	switch f.name {
	case "length", "size":
		if n := sizeOf(v); n != nil {
			return n, nil
		}
		return nil, f.fail(w, "it needs a list, an object or a string, not a %s", jsonvalue.KindOf(v))
	case "keys":
		return f.keys(w, v)
	case "concat":
		return concat(v, args), nil
	}
	items, ok := v.([]any)
	if !ok {
		return nil, f.fail(w, "it needs a list, not a %s", jsonvalue.KindOf(v))
	}
	switch f.name {
	case "append":
		return append(slices.Clone(items), args...), nil
	case "first", "last", "index":
		return f.pick(w, items, args)
	}
	return f.aggregate(w, append(slices.Clip(items), args...))
}

func (f *function) fail(w *walk, format string, args ...any) error {
	return &EvalError{Path: w.path.text, Detail: f.name + "() cannot be applied: " + fmt.Sprintf(format, args...)}
}

func (f *function) keys(w *walk, v any) (any, error) {
	o, ok := v.(*jsonvalue.Object)
	if !ok {
		return nil, f.fail(w, "it needs an object, not a %s", jsonvalue.KindOf(v))
	}
	keys := make([]any, 0, o.Len())
	for key := range o.All() {
		keys = append(keys, key)
	}
	return keys, nil
}

// concat joins the strings of a list and its arguments.
func concat(v any, args []any) string {
	var b strings.Builder
	for _, item := range append(slices.Clip(list(v)), args...) {
		switch item := item.(type) {
		case string:
			b.WriteString(item)
		default:
			b.WriteString(jsonvalue.Text(item))
		}
	}
	return b.String()
}

func (f *function) pick(w *walk, items, args []any) (any, error) {
	n := 0
	switch f.name {
	case "last":
		n = -1
	case "index":
		number, isNumber := args[0].(jsonvalue.Number)
		k, ok := number.Int64()
		if !isNumber || !ok || k != int64(int32(k)) {
			return nil, f.fail(w, "its argument is not a whole number")
		}
		n = int(k)
	}
	if n = at(n, len(items)); n < 0 {
		return nil, f.fail(w, "the list has %d items", len(items))
	}
	return items[n], nil
}

// aggregate computes over the numbers of a list; other items do not count.
func (f *function) aggregate(w *walk, items []any) (any, error) {
	var numbers []jsonvalue.Number
	sum, squares := 0.0, 0.0
	for _, item := range items {
		if n, ok := item.(jsonvalue.Number); ok {
			numbers = append(numbers, n)
			sum += n.Float64()
			squares += n.Float64() * n.Float64()
		}
	}
	if len(numbers) == 0 {
		return nil, f.fail(w, "the list holds no number")
	}
	count := float64(len(numbers))
	result := sum
	switch f.name {
	case "min":
		return slices.MinFunc(numbers, jsonvalue.Number.Compare), nil
	case "max":
		return slices.MaxFunc(numbers, jsonvalue.Number.Compare), nil
	case "avg":
		result = sum / count
	case "stddev":
		result = math.Sqrt(max(squares/count-sum*sum/count/count, 0))
	}
	n, ok := jsonvalue.Float(result)
	if !ok {
		return nil, f.fail(w, "the result is not a finite number")
	}
	return n, nil
}
