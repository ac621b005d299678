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

// fragment is the function as messages write it behind a path: ".index(...)"; nothing for nil.
func (f *function) fragment() string {
	switch {
	case f == nil:
		return ""
	case len(f.args) > 0:
		return "." + f.name + "(...)"
	}
	return "." + f.name + "()"
}

// apply calls the function on one value. What it cannot count or list, it answers with null.
func (f *function) apply(w *walk, v any) (any, error) {
	args, err := f.arguments(w, v)
	if err != nil {
		return nil, err
	}
	items, isList := v.([]any)
	switch f.name {
	case "length", "size":
		return lengthOf(v), nil
	case "keys":
		return keys(v), nil
	case "concat":
		return concat(items, args), nil
	case "append":
		if isList {
			return append(slices.Clone(items), args...), nil
		}
		return v, nil
	case "first", "last", "index":
		if !isList {
			return nil, f.fail(w, "it needs a list, not a %s", jsonvalue.KindOf(v))
		}
		return f.pick(w, items, args)
	}
	return f.aggregate(w, append(slices.Clip(items), flat(args)...))
}

// gather calls the function on all that a leading ".." found. Length counts the parts of what was found.
func (f *function) gather(w *walk, found []any) (any, error) {
	if f.name != "length" && f.name != "size" {
		return f.apply(w, found)
	}
	parts := int64(0)
	for _, v := range found {
		switch v := v.(type) {
		case []any:
			parts += int64(len(v))
		case *jsonvalue.Object:
			parts += int64(v.Len())
		}
	}
	return jsonvalue.Int(parts), nil
}

func (f *function) arguments(w *walk, v any) ([]any, error) {
	args := make([]any, 0, len(f.args))
	for _, a := range f.args {
		arg, ok := a.value(w, v)
		if !ok {
			return nil, f.fail(w, "its argument %s has no value", a.path)
		}
		args = append(args, arg)
	}
	return args, nil
}

func (f *function) fail(w *walk, format string, args ...any) error {
	return &EvalError{Path: w.path.text, Detail: f.name + "() cannot be applied: " + fmt.Sprintf(format, args...)}
}

// lengthOf returns how many parts a list or object has; null for other values, strings too.
func lengthOf(v any) any {
	switch v := v.(type) {
	case []any:
		return jsonvalue.Int(int64(len(v)))
	case *jsonvalue.Object:
		return jsonvalue.Int(int64(v.Len()))
	}
	return nil
}

// keys returns the names of an object's members, null for other values.
func keys(v any) any {
	o, ok := v.(*jsonvalue.Object)
	if !ok {
		return nil
	}
	keys := make([]any, 0, o.Len())
	for key := range o.All() {
		keys = append(keys, key)
	}
	return keys
}

// flat is a list of arguments with the items of lists in place of the lists.
func flat(args []any) []any {
	var out []any
	for _, a := range args {
		if items, ok := a.([]any); ok {
			out = append(out, items...)
		} else {
			out = append(out, a)
		}
	}
	return out
}

// concat joins the strings of a list and those of its arguments; of lists among these, each item as text.
func concat(items, args []any) string {
	var b strings.Builder
	for _, item := range items {
		if s, ok := item.(string); ok {
			b.WriteString(s)
		}
	}
	for _, a := range args {
		switch a := a.(type) {
		case string:
			b.WriteString(a)
		case []any:
			for _, item := range a {
				if item != nil {
					b.Write(jsonvalue.AppendJava(nil, item, maxConcat))
				}
			}
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

// aggregate computes over the numbers of a list, as doubles; other items do not count.
func (f *function) aggregate(w *walk, items []any) (any, error) {
	sum, squares, count := 0.0, 0.0, 0.0
	least, most := math.Inf(1), math.Inf(-1)
	for _, item := range items {
		if n, ok := item.(jsonvalue.Number); ok {
			x := n.Float64()
			sum, squares, count = sum+x, squares+x*x, count+1
			least, most = min(least, x), max(most, x)
		}
	}
	if count == 0 {
		return nil, &EvalError{Path: w.path.text, Detail: "Aggregation function attempted to calculate value using empty array"}
	}
	result := sum
	switch f.name {
	case "min":
		result = least
	case "max":
		result = most
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
