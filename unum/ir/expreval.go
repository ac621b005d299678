package ir

import (
	"fmt"
	"math"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// Frame is what a function sees of a fan-out around it.
type Frame struct {
	Index     int64 `json:"index"`
	Size      int64 `json:"size"`
	Iteration int64 `json:"iteration,omitempty"`
}

// Env is what expressions read.
type Env struct {
	Out any // the output, a value of package jsonvalue
	// Frames are those of the run (of which only the iteration means something) and of the fan-outs around the function,
	// outermost first. At least one.
	Frames    []Frame
	Exit      string // of a compiled function
	Otherwise bool   // no continuation before this one fires
}

// Holds evaluates a guard; nil holds.
func (e *Expr) Holds(env *Env) (bool, error) {
	if e == nil {
		return true, nil
	}
	return e.truth(env)
}

// Int evaluates an expression that gives a whole number.
func (e *Expr) Int(env *Env) (int64, error) {
	v, err := e.eval(env)
	if err != nil {
		return 0, err
	}
	return e.whole(v)
}

func (e *Expr) whole(v any) (int64, error) {
	switch v := v.(type) {
	case int64:
		return v, nil
	case jsonvalue.Number:
		if n, ok := v.Int64(); ok {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%s is %s, not a whole number of 64 bits", e, brief(v))
}

// brief writes a value for an error.
func brief(v any) string {
	const most = 60
	text := []rune(string(appendLiteral(nil, v)))
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}

func (e *Expr) truth(env *Env) (bool, error) {
	v, err := e.eval(env)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("%s is %s, neither true nor false", e, brief(v))
	}
	return b, nil
}

// eval returns nil, bool, int64, jsonvalue.Number, string, or what else $out holds.
func (e *Expr) eval(env *Env) (any, error) {
	switch e.op {
	case literal:
		return e.lit, nil
	case out:
		return follow(env.Out, e.path), nil
	case index, size, iteration:
		return e.frame(env)
	case exit:
		return env.Exit, nil
	case otherwise:
		return env.Otherwise, nil
	case or, and:
		left, err := e.args[0].truth(env)
		if err != nil || left == (e.op == or) {
			return left, err
		}
		return e.args[1].truth(env)
	case not:
		b, err := e.args[0].truth(env)
		return !b, err
	case equal, unequal, less, lessEqual, greater, greaterEqual:
		return e.compare(env)
	}
	return e.arithmetic(env)
}

func (e *Expr) frame(env *Env) (any, error) {
	at := len(env.Frames) - 1 - e.n
	if at < 0 || at == 0 && e.op != iteration {
		return nil, fmt.Errorf("there is no %s: the function has %d fan-outs around it", e, len(env.Frames)-1)
	}
	switch f := env.Frames[at]; e.op {
	case index:
		return f.Index, nil
	case size:
		return f.Size, nil
	default:
		return f.Iteration, nil
	}
}

// follow returns what is at path in v, null for what is not there.
func follow(v any, path []step) any {
	for _, s := range path {
		switch {
		case s.key != nil:
			object, ok := v.(*jsonvalue.Object)
			if !ok {
				return nil
			}
			v, _ = object.Get(*s.key)
		default:
			list, ok := v.([]any)
			if !ok || s.item >= int64(len(list)) {
				return nil
			}
			v = list[s.item]
		}
	}
	return v
}

func (e *Expr) compare(env *Env) (bool, error) {
	l, err := e.args[0].eval(env)
	if err != nil {
		return false, err
	}
	r, err := e.args[1].eval(env)
	if err != nil {
		return false, err
	}
	if e.op == equal || e.op == unequal {
		return same(l, r) == (e.op == equal), nil
	}
	var c int
	switch lt, rt := typeOf(l), typeOf(r); {
	case lt == Number && rt == Number:
		c = number(l).Compare(number(r))
	case lt == Text && rt == Text:
		c = strings.Compare(l.(string), r.(string))
	default:
		return false, fmt.Errorf("%s: %s and %s have no order", e, brief(l), brief(r))
	}
	switch e.op {
	case less:
		return c < 0, nil
	case lessEqual:
		return c <= 0, nil
	case greater:
		return c > 0, nil
	default:
		return c >= 0, nil
	}
}

func same(l, r any) bool {
	if typeOf(l) == Number && typeOf(r) == Number {
		return number(l).Compare(number(r)) == 0
	}
	if _, ok := l.(int64); ok {
		return false
	}
	if _, ok := r.(int64); ok {
		return false
	}
	return jsonvalue.Equal(l, r)
}

func typeOf(v any) Type {
	switch v.(type) {
	case int64, jsonvalue.Number:
		return Number
	case string:
		return Text
	case bool:
		return Boolean
	case nil:
		return Null
	}
	return Any
}

func number(v any) jsonvalue.Number {
	if n, ok := v.(int64); ok {
		return jsonvalue.Int(n)
	}
	return v.(jsonvalue.Number)
}

func (e *Expr) arithmetic(env *Env) (any, error) {
	var n [2]int64
	for i, a := range e.args {
		v, err := a.eval(env)
		if err != nil {
			return nil, err
		}
		if n[i], err = a.whole(v); err != nil {
			return nil, err
		}
	}
	v, ok := compute(e.op, n[0], n[1])
	if !ok {
		return nil, fmt.Errorf("%s does not fit 64 bits, or divides by 0", e)
	}
	return v, nil
}

func compute(o op, l, r int64) (v int64, ok bool) {
	switch o {
	case add:
		v = l + r
		return v, (v > l) == (r > 0)
	case subtract:
		v = l - r
		return v, (v < l) == (r > 0)
	case multiply:
		if l == 0 || r == 0 {
			return 0, true
		}
		v = l * r
		return v, v/r == l && !(l == -1 && r == math.MinInt64) && !(r == -1 && l == math.MinInt64)
	case divide:
		if r == 0 || l == math.MinInt64 && r == -1 {
			return 0, false
		}
		return l / r, true
	case modulo:
		if r == 0 {
			return 0, false
		}
		if r == -1 { // MinInt64 % -1 is 0, without a trap
			return 0, true
		}
		return l % r, true
	default:
		return -l, l != math.MinInt64
	}
}
