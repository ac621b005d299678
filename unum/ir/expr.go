package ir

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// Bounds of expressions.
const (
	ExprBytes = 1024 // of a text
	exprDepth = 64   // of what is in parentheses, and of signs and "not" one behind the other
	frameMost = 63   // the n of $n
)

// Expr is an expression: a guard, an index or a size. It is never changed once it is made. A nil *Expr prints as "".
type Expr struct {
	op   op
	args []*Expr
	lit  any    // of literal: nil, bool, int64, jsonvalue.Number or string
	n    int    // of index: $n
	path []step // of out
}

// step is a part of a path behind $out: a member, or an item if key is nil.
type step struct {
	key  *string
	item int64
}

type op uint8

const (
	literal   op = iota + 1
	out          // $out and a path
	index        // $n
	size         // $size
	iteration    // $iteration
	exit         // $exit
	otherwise    // no continuation before this one fires
	or
	and
	not
	equal
	unequal
	less
	lessEqual
	greater
	greaterEqual
	add
	subtract
	multiply
	divide
	modulo
	negate
)

// words are how operators are written.
var words = map[op]string{
	or: "or", and: "and", not: "not", equal: "==", unequal: "!=", less: "<", lessEqual: "<=", greater: ">",
	greaterEqual: ">=", add: "+", subtract: "-", multiply: "*", divide: "/", modulo: "%", negate: "-",
}

// Type is what an expression gives.
type Type uint8

// The types. Any is what $out holds, and is good wherever another is wanted, until it is evaluated.
const (
	Any Type = iota
	Boolean
	Number
	Text
	Null
)

// String returns the type as a person reads it.
func (t Type) String() string {
	return [...]string{"any value", "a boolean", "a number", "a text", "null"}[t]
}

// ExprError says where in the text of an expression something is wrong.
type ExprError struct {
	Offset int // in bytes
	Msg    string
}

// Error returns "column 5: ...".
func (e *ExprError) Error() string { return fmt.Sprintf("column %d: %s", e.Offset+1, e.Msg) }

// MustExpr is ParseExpr for texts of programs. It panics on one that is no expression.
func MustExpr(text string) *Expr {
	e, err := ParseExpr(text)
	if err != nil {
		panic("ir: " + text + ": " + err.Error())
	}
	return e
}

// Int returns n as an expression.
func Int(n int64) *Expr {
	if n < 0 && n != math.MinInt64 {
		return &Expr{op: negate, args: []*Expr{{op: literal, lit: -n}}}
	}
	return &Expr{op: literal, lit: n}
}

// ExitIs returns the guard $exit == "name", of compiled functions.
func ExitIs(name string) *Expr {
	return &Expr{op: equal, args: []*Expr{{op: exit}, {op: literal, lit: name}}}
}

// Type returns what e gives.
func (e *Expr) Type() Type {
	switch e.op {
	case literal:
		switch e.lit.(type) {
		case nil:
			return Null
		case bool:
			return Boolean
		case string:
			return Text
		}
		return Number
	case out:
		return Any
	case exit:
		return Text
	case otherwise, or, and, not, equal, unequal, less, lessEqual, greater, greaterEqual:
		return Boolean
	}
	return Number
}

// uses reports whether fn holds for e or a part of it.
func (e *Expr) uses(fn func(*Expr) bool) bool {
	return e != nil && (fn(e) || slices.ContainsFunc(e.args, func(a *Expr) bool { return a.uses(fn) }))
}

// UsesOut reports whether e reads $out.
func (e *Expr) UsesOut() bool { return e.uses(func(e *Expr) bool { return e.op == out }) }

// UsesExit reports whether e reads $exit.
func (e *Expr) UsesExit() bool { return e.uses(func(e *Expr) bool { return e.op == exit }) }

// Frames returns how many frames around a function e needs: 2 for one that reads $1.
func (e *Expr) Frames() int {
	most := 0
	e.uses(func(e *Expr) bool {
		switch e.op {
		case index:
			most = max(most, e.n+1)
		case size:
			most = max(most, 1)
		}
		return false
	})
	return most
}

// Literal returns the value of an expression that is a whole number.
func (e *Expr) Literal() (n int64, ok bool) {
	switch {
	case e == nil:
		return 0, false
	case e.op == literal:
		n, ok = e.lit.(int64)
		return n, ok
	case e.op == negate:
		n, ok = e.args[0].Literal()
		return -n, ok
	}
	return 0, false
}

// Shift returns c when e is $n, $n + c or $n - c.
func (e *Expr) Shift(n int) (c int64, ok bool) { return e.shift(index, n) }

// SizeShift returns c when e is $size, $size + c or $size - c.
func (e *Expr) SizeShift() (c int64, ok bool) { return e.shift(size, 0) }

func (e *Expr) shift(of op, n int) (c int64, ok bool) {
	switch {
	case e.op == of && e.n == n:
		return 0, true
	case (e.op == add || e.op == subtract) && e.args[0].op == of && e.args[0].n == n:
		c, ok = e.args[1].Literal()
		if e.op == subtract {
			c = -c
		}
	}
	return c, ok
}

// Equal reports whether e and f are written alike.
func (e *Expr) Equal(f *Expr) bool { return e.String() == f.String() }

// String returns e with single spaces, and parentheses where they are needed.
func (e *Expr) String() string {
	if e == nil {
		return ""
	}
	return string(e.append(nil, 0))
}

// binding is how strongly an operator holds its operands.
func (o op) binding() int {
	switch o {
	case or:
		return 1
	case and:
		return 2
	case not:
		return 3
	case equal, unequal, less, lessEqual, greater, greaterEqual:
		return 4
	case add, subtract:
		return 5
	case multiply, divide, modulo:
		return 6
	case negate:
		return 7
	}
	return 8
}

// append writes e, in parentheses if it binds less than at.
func (e *Expr) append(dst []byte, at int) []byte {
	b := e.op.binding()
	if b < at {
		dst = append(e.append(append(dst, '('), 0), ')')
		return dst
	}
	switch e.op {
	case literal:
		return appendLiteral(dst, e.lit)
	case out:
		return appendPath(append(dst, "$out"...), e.path)
	case index:
		return strconv.AppendInt(append(dst, '$'), int64(e.n), 10)
	case size:
		return append(dst, "$size"...)
	case iteration:
		return append(dst, "$iteration"...)
	case exit:
		return append(dst, "$exit"...)
	case otherwise:
		return append(dst, "otherwise"...)
	case not:
		return e.args[0].append(append(dst, "not "...), b)
	case negate:
		return e.args[0].append(append(dst, '-'), b)
	}
	left := b
	if b == 4 { // comparisons do not chain
		left++
	}
	dst = e.args[0].append(dst, left)
	dst = append(append(append(dst, ' '), words[e.op]...), ' ')
	return e.args[1].append(dst, b+1)
}

func appendLiteral(dst []byte, v any) []byte {
	if n, ok := v.(int64); ok {
		return strconv.AppendInt(dst, n, 10)
	}
	return jsonvalue.Append(dst, v)
}

func appendPath(dst []byte, path []step) []byte {
	for _, s := range path {
		switch {
		case s.key == nil:
			dst = append(strconv.AppendInt(append(dst, '['), s.item, 10), ']')
		case isWord(*s.key):
			dst = append(append(dst, '.'), *s.key...)
		default:
			dst = append(jsonvalue.AppendString(append(dst, '['), *s.key), ']')
		}
	}
	return dst
}

// isWord reports whether s is a letter or "_", then letters, digits and "_".
func isWord(s string) bool {
	for i := range len(s) {
		if !isLetter(s[i]) && (i == 0 || !isDigit(s[i])) {
			return false
		}
	}
	return s != ""
}

func isLetter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// String returns the name as it is written: "F-$1.($0 + 1)".
func (v *Value) String() string {
	var b strings.Builder
	b.WriteString(v.Function)
	for i, e := range v.Indices {
		b.WriteByte(".-"[btoi(i == 0)])
		switch text := e.String(); {
		case e == nil:
			b.WriteByte('*')
		case e.op.binding() == 8:
			b.WriteString(text)
		default:
			b.WriteString("(" + text + ")")
		}
	}
	return b.String()
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
