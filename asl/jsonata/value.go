package jsonata

import (
	"slices"
	"strconv"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// Inside, a value is one of: undefined, nil (null), bool, float64, jsonvalue.Number (from outside: it keeps its
// digits), string, []any (from outside), *array, *jsonvalue.Object (from outside), *object, *function. What comes
// from outside holds nothing of ours, so that it is given back without a look inside.

type undefinedType struct{ _ byte }

// undefined is JSONata's absent value.
var undefined any = (*undefinedType)(nil)

// flags of arrays, as the reference keeps them on its arrays.
const (
	isSequence    = 1 << iota // a sequence collapses to its item where it has one
	keepSingleton             // it does not
	isCons                    // made by a constructor that is not flattened
	isWrapper                 // holds the input, which is an array
	isTuples                  // holds bindings: a tuple stream
)

// array is an array made by an expression.
type array struct {
	items []any
	flags uint8

	out  []any // what export made of it
	size int64
}

func (a *array) is(flag uint8) bool { return a.flags&flag != 0 }

// object is an object made by an expression, or a tuple: bindings by name, and under "@" the item.
type object struct {
	jsonvalue.Object
	exported bool
	size     int64
}

func newObject() *object { return &object{} }

func sequence(items ...any) *array { return &array{items: items, flags: isSequence} }

// itemsOf returns the items of v where it is an array.
func itemsOf(v any) ([]any, bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case *array:
		return v.items, true
	}
	return nil, false
}

// listOf returns v as an array: itself or in one.
func listOf(v any) []any {
	if items, ok := itemsOf(v); ok {
		return items
	}
	return []any{v}
}

func flagged(v any, flag uint8) bool {
	a, ok := v.(*array)
	return ok && a.is(flag)
}

// objectOf returns the members of v where it is an object.
func objectOf(v any) (*jsonvalue.Object, bool) {
	switch v := v.(type) {
	case *jsonvalue.Object:
		return v, true
	case *object:
		return &v.Object, true
	}
	return nil, false
}

// numberOf returns the double that v is.
func numberOf(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case jsonvalue.Number:
		return parseNumber(string(v)), true
	}
	return 0, false
}

// parseNumber is the double nearest to a JSON number, the short way for small integers.
func parseNumber(s string) float64 {
	if len(s) < 16 && len(s) > 0 {
		i, n, negative := 0, int64(0), s[0] == '-'
		if negative {
			i = 1
		}
		for ; i < len(s); i++ {
			c := s[i] - '0'
			if c > 9 {
				break
			}
			n = n*10 + int64(c)
		}
		if i == len(s) {
			if negative {
				return -float64(n)
			}
			return float64(n)
		}
	}
	f, _ := strconv.ParseFloat(s, 64)
	return f
}

// numeric is numberOf for operands: infinity is an error.
func numeric(v any) (f float64, ok bool, err error) {
	if f, ok = numberOf(v); ok {
		if f-f != 0 { // infinite, or not a number
			if f != f {
				return f, false, nil
			}
			return f, false, failure("D1001", v)
		}
	}
	return f, ok, nil
}

// truth is the effective boolean value, $boolean; of undefined it is false.
func (ev *evaluator) truth(v any) (bool, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		return v != "", nil
	case float64, jsonvalue.Number:
		f, ok, err := numeric(v)
		return ok && f != 0, err
	case []any, *array:
		items, _ := itemsOf(v)
		if err := ev.enter(); err != nil {
			return false, err
		}
		defer ev.leave()
		some := false
		for _, item := range items {
			yes, err := ev.truth(item)
			if err != nil {
				return false, err
			}
			some = some || yes
		}
		return some, ev.spend(int64(len(items)) >> 3)
	case *jsonvalue.Object, *object:
		o, _ := objectOf(v)
		return o.Len() > 0, nil
	}
	return false, nil
}

// equal is the = operator: deep, objects whatever the order of their keys.
func (ev *evaluator) equal(a, b any) (bool, error) {
	if err := ev.enter(); err != nil {
		return false, err
	}
	defer ev.leave()
	if f, ok := numberOf(a); ok {
		g, ok := numberOf(b)
		return ok && f == g, nil
	}
	if xs, ok := itemsOf(a); ok {
		ys, ok := itemsOf(b)
		if !ok || len(xs) != len(ys) {
			return false, nil
		}
		for i := range xs {
			if same, err := ev.equal(xs[i], ys[i]); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	if o, ok := objectOf(a); ok {
		q, ok := objectOf(b)
		if !ok || o.Len() != q.Len() {
			return false, nil
		}
		for i := range o.Len() {
			key, v := o.At(i)
			w, ok := q.Get(key)
			if !ok {
				return false, nil
			}
			if same, err := ev.equal(v, w); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	return same(a, b), nil
}

// same is JavaScript's ===.
func same(a, b any) bool {
	if f, ok := numberOf(a); ok {
		g, ok := numberOf(b)
		return ok && f == g
	}
	xs, ok := itemsOf(a)
	ys, also := itemsOf(b)
	if ok || also {
		return ok && also && len(xs) == len(ys) && len(xs) > 0 && &xs[0] == &ys[0]
	}
	return a == b
}

// isArrayIndex reports whether JavaScript takes a key for an array index, which come first in the order of keys.
func isArrayIndex(key string) bool {
	if key == "" || len(key) > 10 || key[0] < '0' || key[0] > '9' || key[0] == '0' && key != "0" {
		return false
	}
	n, err := strconv.ParseUint(key, 10, 64)
	return err == nil && n < 1<<32-1
}

// members returns the order in which JavaScript goes through an object: indexes by size, then as they came. nil is
// the order they stand in.
func members(o *jsonvalue.Object) []int {
	found := false
	for i := range o.Len() {
		key, _ := o.At(i)
		if len(key) > 0 && key[0] <= '9' && isArrayIndex(key) {
			found = true
			break
		}
	}
	if !found {
		return nil
	}
	order := make([]int, o.Len())
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, _ := o.At(i)
		b, _ := o.At(j)
		switch x, y := isArrayIndex(a), isArrayIndex(b); {
		case x && y && len(a) != len(b):
			return len(a) - len(b)
		case x && y:
			if a < b {
				return -1
			}
			return 1
		case x:
			return -1
		case y:
			return 1
		}
		return 0
	})
	return order
}

// each calls fn with the members in JavaScript's order until it fails.
func each(o *jsonvalue.Object, fn func(key string, v any) error) error {
	order := members(o)
	for i := range o.Len() {
		if order != nil {
			i = order[i]
		}
		key, v := o.At(i)
		if err := fn(key, v); err != nil {
			return err
		}
	}
	return nil
}

// arrange puts the members of an object just made into JavaScript's order.
func (o *object) arrange() *object {
	order := members(&o.Object)
	if order == nil {
		return o
	}
	out := newObject()
	for _, i := range order {
		out.Set(o.At(i))
	}
	return out
}

// appended is $append: two values as one array.
func (ev *evaluator) appended(a, b any) (any, error) {
	if a == undefined {
		return b, nil
	}
	if b == undefined {
		return a, nil
	}
	xs, ys := listOf(a), listOf(b)
	if err := ev.spend(int64(len(xs) + len(ys))); err != nil {
		return nil, err
	}
	return &array{items: slices.Concat(xs, ys)}, nil
}
